"""How kernels and terminals are run."""

from __future__ import annotations

from entrypoint.jupyter.config import Config

# Two thirds for a kernel to end by itself, so that `docker compose stop` is over within 5 seconds.
KERNEL_SHUTDOWN_SECONDS = 2.0


def kernels_config() -> Config:
    """What Workhorse decides of them, in whichever server they run."""
    return {
        "ServerApp": {
            "kernel_spec_manager_class": "entrypoint.kernels.specs.EnvironmentKernelSpecs",
            "kernel_manager_class": "entrypoint.kernels.manager.NamedKernels",
            "kernel_websocket_connection_class": "entrypoint.kernels.connection.ToldConnection",
            # permessage-deflate (RFC 7692). On the wire, a third is left of a table's 10 MB, a fifth of lines that tell
            # of progress, three quarters of plots; at this level it takes the server 6 ms for each MB.
            "websocket_compression_options": {"compression_level": 1},
        },
        "AsyncKernelManager": {"shutdown_wait_time": KERNEL_SHUTDOWN_SECONDS},
        "TerminalsExtensionApp": {"terminal_manager_class": "entrypoint.kernels.terminals.Terminals"},
        # Kernels that can encrypt do; the others go on as ever.
        "MappingKernelManager": {
            "transport_encryption": "auto",
            "kernel_manager_class": "entrypoint.kernels.manager.ExpendableKernel",
        },
    }

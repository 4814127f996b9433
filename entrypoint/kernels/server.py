"""Runs the server of what runs, as the process that the start becomes when somebody asks for something."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from entrypoint.files.places import Places
from entrypoint.jupyter.server import initialized
from entrypoint.kernels.rest import become, rest_when_idle
from entrypoint.kernels.serving import run_kernels_in


def main(config_file: Path, listener: socket.socket, again: Sequence[str]) -> None:
    """Serves, and becomes what waits again when there is nothing to do.

    Args:
        again: The module that waits, and its arguments.
    """
    app = initialized(config_file, "kernels", partial(serving_on, listener))
    notices = run_kernels_in(app, Places())
    looking = rest_when_idle(app, notices, partial(become, again))
    app.start()
    looking.stop()


def serving_on(listener: socket.socket, config: Config) -> ServerApp:
    app = ServerApp.instance(config=config)
    # Jupyter itself would put another in its place, where nobody waits.
    app._bind_http_server = lambda: app.http_server.add_socket(listener)
    app.initialize(argv=[])
    return app


if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])

"""Read by every Python kernel at its start, whatever environment it is in, before the person's own settings.

ZeroMQ drops what a kernel says once 1,000 messages wait for their way out, and a cell that prints much is soon there
on a busy machine. As many may wait as the server takes in (HEARD_MAX in entrypoint/kernels/manager.py).
"""

import contextlib

# Whatever another version of ipykernel is like, the kernel starts.
with contextlib.suppress(Exception):
    import zmq
    from ipykernel.kernelapp import IPKernelApp

    SAID_MAX = 100_000
    init_iopub = IPKernelApp.init_iopub

    def init_iopub_with_room(app, context):
        # Binding settles it for a socket, so it has to be the context's default at that moment.
        defaults = getattr(context, "sockopts", {})
        defaults[zmq.SNDHWM] = SAID_MAX
        try:
            return init_iopub(app, context)
        finally:
            defaults.pop(zmq.SNDHWM, None)

    IPKernelApp.init_iopub = init_iopub_with_room

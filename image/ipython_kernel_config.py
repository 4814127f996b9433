"""Read by every Python kernel at its start, whatever environment it is in, before the person's own settings.

A cell may print for a night: nothing is lost on the way to the server, and little of it takes the kernel's memory.
"""

import contextlib

# Whatever other versions of ipykernel and IPython are like, the kernel starts.
#
# ZeroMQ drops what a kernel says once 1,000 messages wait for their way out, and a cell that prints much is soon there
# on a busy machine. Here it waits instead, as a program does that writes into a pipe.
with contextlib.suppress(Exception):
    import zmq
    from ipykernel.iostream import IOPubThread
    from ipykernel.kernelapp import IPKernelApp

    # In messages.
    WAITING_MAX = 100
    # Someone who listens besides, as a console that is suspended, must not stand in the kernel's way for ever.
    PATIENCE_MILLISECONDS = 60_000
    init_iopub, really_send = IPKernelApp.init_iopub, IOPubThread._really_send

    def init_iopub_without_loss(app, context):
        # Binding settles it for a socket, so it has to be the context's default at that moment.
        defaults = getattr(context, "sockopts", {})
        own = {zmq.SNDHWM: WAITING_MAX, zmq.SNDTIMEO: PATIENCE_MILLISECONDS, zmq.XPUB_NODROP: 1}
        defaults.update(own)
        try:
            return init_iopub(app, context)
        finally:
            for option in own:
                defaults.pop(option, None)

    def really_send_or_lose(thread, *arguments, **options):
        try:
            return really_send(thread, *arguments, **options)
        except zmq.Again:
            thread.socket.setsockopt(zmq.XPUB_NODROP, 0)
            return really_send(thread, *arguments, **options)

    IPKernelApp.init_iopub = init_iopub_without_loss
    IOPubThread._really_send = really_send_or_lose

# IPython keeps all that cells print, for `%notebook`: here the beginning of each cell's.
with contextlib.suppress(Exception):
    from IPython.core import interactiveshell

    TEXT_BYTES_MAX, OVERHEAD_BYTES = 1 << 20, 60
    history_output = interactiveshell.HistoryOutput

    class Beginning(list):
        room = TEXT_BYTES_MAX

        def append(self, text):
            self.room -= len(text) + OVERHEAD_BYTES
            if self.room > 0:
                super().append(text)

    def bounded_history_output(output_type, bundle):
        return history_output(output_type, {kind: Beginning(texts) for kind, texts in bundle.items()})

    interactiveshell.HistoryOutput = bounded_history_output

"""Dask's preload for each part of a cluster: one peer's broken connection closes no other's.

OpenSSL keeps one queue of errors for each thread. Python reads it after a call without having emptied it before
(CPython issues 148594 and 81891), so that whoever hangs up while something is sent ends every other connection of
the process. Here every call starts with an empty queue.
"""

import _ssl
import ctypes
import ssl


class ApartSocket(ssl.SSLSocket):
    """What tornado calls."""

    def do_handshake(self, *arguments):
        _clear_errors()
        return super().do_handshake(*arguments)

    def recv_into(self, *arguments):
        _clear_errors()
        return super().recv_into(*arguments)

    def send(self, *arguments):
        _clear_errors()
        return super().send(*arguments)


def dask_setup(part):
    contexts = [listener.server_args.get("ssl_options") for listener in getattr(part, "listeners", ())]
    for context in filter(None, [part.connection_args.get("ssl_context"), *contexts]):
        context.sslsocket_class = ApartSocket


def _find_clear_errors():
    """Of the very library that Python's ssl is linked to; nothing where that is a part of Python's own program."""
    try:
        clear_errors = ctypes.PyDLL(_ssl.__file__).ERR_clear_error
    except (AttributeError, OSError):
        return lambda: None
    clear_errors.argtypes, clear_errors.restype = (), None
    return clear_errors


_clear_errors = _find_clear_errors()

"""The server's side of TLS: one context for each certificate, and the choice between them by name."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

from entrypoint.certificates.sockets import ServerSocket

# Mozilla's intermediate profile for TLS 1.2 (ssl-config.mozilla.org); TLS 1.3 has its own, which are all sound. The
# groups are chosen in openssl.cnf, since Python's ssl can't.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def make_context(pem: bytes) -> ssl.SSLContext:
    """A fresh context; never change one that serves, since a failed load leaves it broken.

    Args:
        pem: The key, the certificate and its chain, in one text.

    Raises:
        ssl.SSLError: It is not a pair that OpenSSL can serve with.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = ServerSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # It reads files alone, so the text becomes one that has no name.
    with os.fdopen(os.memfd_create("pair"), "wb", buffering=0) as file:
        file.write(pem)
        # A password callback, so that OpenSSL never asks a terminal that isn't there.
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=lambda: b"")
    return context


def reason_not_servable(pem: bytes) -> str | None:
    """Why OpenSSL won't serve with a pair, as the end of a sentence; None if it will."""
    try:
        make_context(pem)
    except ssl.SSLError as error:
        return f"OpenSSL refuses it ({(error.reason or str(error)).replace('_', ' ').lower()})"
    return None


def choose_by_name(default: ssl.SSLContext, choose: Callable[[str], ssl.SSLContext | None] | None) -> ssl.SSLContext:
    """Lets a context give way, connection by connection, to the one for the name that the client asks for (SNI).

    Args:
        choose: None where there is no other, which spares each handshake the question.
    """
    if choose is None:
        default.sni_callback = None
        return default

    def switch(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name and (context := choose(name.lower())):
            connection.context = context

    default.sni_callback = switch
    return default

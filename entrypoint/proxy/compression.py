"""Answers that are text, compressed on their way to the browser; a thread does it.

BREACH (breachattack.com) learns a secret from the length of compressed answers, into each of which a stranger has put
a guess. So only what the server's own pages ask for is compressed: a browser marks each request with who makes it, and
no page can forge that mark ("Sec-Fetch-Site", Fetch Metadata Request Headers, W3C). Whatever another site brings a
browser to ask is answered as it is.
"""

from __future__ import annotations

import asyncio
import zlib

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from entrypoint.proxy.canonical import has_body

# Below, nothing is won: it is one packet or two.
LENGTH_MIN = 2048
# zlib's: within 5 % of its best at 100 MB a second; of what is long, where a fast line would notice, at 160 or more.
LEVEL, QUICK_LEVEL, LONG = 5, 1, 1024 * 1024
GZIP = 16 + zlib.MAX_WBITS
TYPES = {
    "application/geo+json", "application/javascript", "application/json", "application/x-ipynb+json", "image/svg+xml",
    "text/css", "text/html", "text/javascript", "text/plain", "text/xml",
}  # fmt: skip
# People's files, of any length: downloads are resumed, by the bytes that they have.
DOWNLOADS = "/files/"


def may_compress(request: HTTPServerRequest, status: int, headers: HTTPHeaders) -> bool:
    """Whether an answer of the lab's gets shorter by it, and nobody learns anything from that."""
    asked = request.headers
    if request.method != "GET" or has_body(request) or request.path.startswith(DOWNLOADS):
        return False
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    length = headers.get("Content-Length", "")
    return (
        status == 200
        and asked.get_list("Sec-Fetch-Site") == ["same-origin"]
        and _takes_gzip(asked.get("Accept-Encoding", ""))
        and kind in TYPES
        # Of what has no length nobody knows when it comes, and a compressor may keep it back.
        and length.isdecimal()
        and int(length) >= LENGTH_MIN
        and "Content-Encoding" not in headers
        and "no-transform" not in headers.get("Cache-Control", "").lower()
    )


def _takes_gzip(accepted: str) -> bool:
    """As browsers ask; who names weights gets the answer as it is."""
    return "gzip" in (each.strip().lower() for each in accepted.split(","))


def compressed(headers: HTTPHeaders) -> HTTPHeaders:
    """The head of an answer that is compressed."""
    changed = headers.copy()
    del changed["Content-Length"]
    changed["Content-Encoding"] = "gzip"
    changed.add("Vary", "Accept-Encoding, Sec-Fetch-Site")
    etag = headers.get("Etag", "")
    if etag and not etag.startswith("W/"):
        # Other bytes of the same meaning (RFC 9110, section 8.8.1).
        changed["Etag"] = f"W/{etag}"
    return changed


class Compressor:
    """Of one answer.

    Args:
        length: Of the answer as it is.
    """

    def __init__(self, length: int) -> None:
        self._gzip = zlib.compressobj(LEVEL if length < LONG else QUICK_LEVEL, zlib.DEFLATED, GZIP)

    async def compress(self, data: bytes) -> bytes:
        return await asyncio.to_thread(self._gzip.compress, data)

    async def end(self) -> bytes:
        return await asyncio.to_thread(self._gzip.flush)

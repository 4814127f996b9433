"""The one form in which requests go on to the lab and answers to the browser, built anew from parsed parts."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, urlsplit

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from entrypoint.proxy.cookies import answered_cookies, asked_cookie
from entrypoint.proxy.headers import POLICY

# They concern one connection only (RFC 9110, section 7.6.1); the door's own stand in their place.
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "http2-settings",
}  # fmt: skip
# Told anew, answered by the door itself, or a credential, of which the lab needs none.
ASKED_AT_THE_DOOR = {"host", "content-length", "expect", "cookie", "authorization"}
# Who asks, and how, is for the door to say.
CLAIMS = ("forwarded", "x-forwarded-", "x-real-", "x-scheme", "x-remote-", "remote-", "x-workhorse-")
# What a browser takes as said by the whole origin, which is the door's.
OF_THE_ORIGIN = {
    "set-cookie", "set-cookie2", "clear-site-data", "strict-transport-security", "public-key-pins", "expect-ct",
    "alt-svc", "nel", "report-to", "reporting-endpoints", "www-authenticate", "authentication-info",
    "content-security-policy", "content-security-policy-report-only", "permissions-policy", "server", "x-frame-options",
    "cross-origin-embedder-policy", "cross-origin-embedder-policy-report-only", "document-policy",
    "origin-agent-cluster", "service-worker-allowed", "refresh", "speculation-rules",
}  # fmt: skip
# Another site may read nothing, whatever a notebook's extension would let it.
OTHER_SITES = "access-control-"
# Longer than any disk; tornado compares what arrives with it.
BODY_BYTES_MAX = 10**18 - 1
LENGTH = re.compile(r"[0-9]{1,18}")
# What stands below it in the lab, is for the door's own questions.
BETWEEN_US = "workhorse"


def reason_to_refuse(request: HTTPServerRequest) -> str | None:
    """Why a request has no one meaning, or asks for what no page may have; what it can't read, tornado has refused."""
    headers = request.headers
    lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
    if not (request.uri or "").startswith("/"):
        return "The address must be a path of this server."
    if lengths and codings:
        return "Content-Length and Transfer-Encoding contradict each other."
    if len(lengths) > 1 or any(not LENGTH.fullmatch(length) for length in lengths):
        return "Content-Length must be one number."
    if codings and (len(codings) > 1 or codings[0].lower() != "chunked" or request.version == "HTTP/1.0"):
        return "Transfer-Encoding must be chunked, and the version HTTP/1.1."
    if is_websocket(request) and (lengths or codings):
        return "The request for a websocket has no body."
    if is_for_a_service_worker(request):
        return "No page of this server has a service worker."
    return None


def reason_to_show_nothing(request: HTTPServerRequest) -> str | None:
    """Why a request gets none of a cluster's pages: they are looked at, and asked for by pages of this server alone.

    Jupyter judges both by itself. Dask takes whatever comes, and a browser lets any site open a websocket.
    """
    if request.method not in ("GET", "HEAD"):
        return "The cluster's pages can only be looked at."
    # As Jupyter compares them.
    origins = [urlsplit(each).netloc.lower() for each in request.headers.get_list("Origin")]
    if is_websocket(request) and origins != [request.host.lower()]:
        return "The cluster's pages are for pages of this server alone."
    return None


def is_for_a_service_worker(request: HTTPServerRequest) -> bool:
    """Whether a browser asks for a script that would answer for the whole origin from then on, the login form included.

    JupyterLab has none, and what a notebook's page could register would outlive the notebook (Service Workers, W3C,
    "Service-Worker"; Fetch Metadata Request Headers, W3C).
    """
    headers = request.headers
    return "Service-Worker" in headers or headers.get("Sec-Fetch-Dest", "").lower() == "serviceworker"


def is_between_door_and_lab(path: str) -> bool:
    """Whether a path is none for browsers, however it is written: the lab may read it as carelessly as it likes."""
    written = unquote(unquote(path)).replace("\\", "/")
    return posixpath.normpath(f"/{written}").lstrip("/").partition("/")[0].lower() == BETWEEN_US


def is_websocket(request: HTTPServerRequest) -> bool:
    """Whether a websocket is asked for; any other protocol to change to is ignored, as RFC 9110 allows."""
    asked: str = request.headers.get("Upgrade", "")
    return asked.lower() == "websocket" and (request.method, request.version) == ("GET", "HTTP/1.1")


def has_chunks(request: HTTPServerRequest) -> bool:
    return "Transfer-Encoding" in request.headers


def has_body(request: HTTPServerRequest) -> bool:
    return has_chunks(request) or request.headers.get("Content-Length", "0").strip("0") != ""


def request_head(request: HTTPServerRequest, address: str) -> bytes:
    """The request's first lines for the lab.

    Args:
        request: One that `reason_to_refuse` finds nothing against.
        address: Where it comes from, as the door judges.
    """
    lines = [f"{request.method} {request.uri} HTTP/1.1", f"Host: {request.host}", *_framing(request)]
    lines += [f"{name}: {value}" for name, value in request.headers.get_all() if _is_for_the_lab(name, request.headers)]
    lines += filter(None, [asked_cookie(request.headers.get_list("Cookie"))])
    lines += [f"X-Forwarded-For: {address}", f"X-Forwarded-Proto: {request.protocol}"]
    return "\r\n".join([*lines, f"X-Forwarded-Host: {request.host}", "", ""]).encode("latin-1")


def answer_headers(headers: HTTPHeaders) -> HTTPHeaders:
    """Of the lab's answer, what the browser gets to see; `protect` adds the door's own."""
    kept = HTTPHeaders()
    dropped = OF_THE_ORIGIN | HOP_BY_HOP | _named_by_connection(headers)
    for name, value in headers.get_all():
        if name.lower() not in dropped and not name.lower().startswith(OTHER_SITES):
            kept.add(name, value)
    for cookie in answered_cookies(headers.get_list("Set-Cookie")):
        kept.add("Set-Cookie", cookie)
    # The lab's narrows ours, and can't widen it (CSP Level 3, 2.2): what people's files may do is the lab's to say.
    kept["Content-Security-Policy"] = ", ".join([*headers.get_list("Content-Security-Policy"), POLICY])
    return kept


def _framing(request: HTTPServerRequest) -> list[str]:
    if is_websocket(request):
        return ["Connection: Upgrade", "Upgrade: websocket"]
    if has_chunks(request):
        return ["Connection: close", "Transfer-Encoding: chunked"]
    # Without leading zeros, which some take for octal.
    lengths = [f"Content-Length: {int(length)}" for length in request.headers.get_list("Content-Length")]
    return ["Connection: close", *lengths]


def _is_for_the_lab(name: str, headers: HTTPHeaders) -> bool:
    # Servers that hand headers on as variables take "_" for "-".
    name = name.lower().replace("_", "-")
    dropped = HOP_BY_HOP | ASKED_AT_THE_DOOR | _named_by_connection(headers)
    return name not in dropped and not name.startswith(CLAIMS)


def _named_by_connection(headers: HTTPHeaders) -> set[str]:
    named = {part.strip().lower() for part in ",".join(headers.get_list("Connection")).split(",")}
    # Who names them would have a request or an answer lose its length or its type.
    return named - {"content-length", "content-type", "host"}

"""Requests that no browser sends: whole but odd, broken, changed at random, and plain noise."""

from __future__ import annotations

import random

from tests.sockets import Form

Request = tuple[str, bytes]

METHODS = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"PATCH",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"G" * 5000,
    b"\x00",
    b"",
    b"PROPFIND",
]
PATHS = [
    b"/login",
    b"/",
    b"/health",
    b"/logout",
    b"/static/favicon.ico",
    b"/trust",
    b"/trust/workhorse-ca.crt",
    b"/lab",
    b"/api/status",
    b"/api/contents/%00",
    b"/files/%2e%2e/%2e%2e/etc/passwd",
    b"*",
    b"//x/..//",
    b"http://evil.example.net/login",
    b"/login?next=" + b"a" * 9000,
    b"/login?next=//evil.example.net/%0d%0aX:y",
    b"/login?next=%ff%fe",
    b"/%",
    b"/%zz",
    b"/\xff\xfe",
    b"/api/kernels/a-a-a-a-a/channels",
    b"/" * 3000,
    b"/lab/api/licenses/",
    b"/api/security/csp-report",
    b"/kernelspecs/%2e%2e/x",
    b"/static/%00",
    b"/static/..%2f..%2fetc/passwd",
    b"/nbconvert/html/x",
    b"/api/me?permissions=x",
    b"/metrics",
    b"/workhorse/report",
    b"/workhorse/backup",
    b"/x/../workhorse/report",
    b"/%77orkhorse/report",
]
HEADERS = [
    b"Host: evil.example.net",
    b"Host: localhost, other",
    b"Host:",
    b"Host: [::1",
    b"Host: a:99999999999",
    b"Host: \xff\xfe",
    b"Host: {{7*7}}",
    b"Host: x\x00y",
    b'Cookie: \xff=\xfe; ;;=;"',
    b"Cookie: _xsrf=2|x|y|z",
    b"Cookie: _xsrf=" + b"9" * 4000,
    b'Cookie: username-localhost="2|1:0|10:9999999999|1:a|0:|x"',
    b"Cookie: workhorse-device=2|1:0|",
    b"Cookie: " + b"a=b; " * 3000,
    b"X-Forwarded-For: " + b"1.2.3.4, " * 900,
    b"X-Forwarded-For: \x80",
    b"X-Forwarded-For: ::ffff:1.2.3.4%x",
    b"Authorization: token \xff",
    b"Authorization: Bearer x",
    b"Content-Type: multipart/form-data",
    b"Content-Type: text/\xe9; charset=x",
    b"Content-Type: multipart/form-data; boundary=" + b"x" * 3000,
    b"Content-Type: application/json",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"If-None-Match: " + b'"x",' * 500,
    b"If-Modified-Since: x",
    b"Range: bytes=5-1",
    b"Range: bytes=-0",
    b"Range: bytes=99999999999999999999-",
    b"User-Agent: <script>\x01",
    b"Origin: null",
    b"Origin: \xff",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x",
    b"Sec-WebSocket-Version: 99",
    b"Referer: \xff",
    b"X-XSRFToken: \xff",
    b"Accept-Language: " + b"x," * 900,
    b"X: " + b"y" * 70_000,
    b" folded: x",
    b"no colon",
    b": empty",
    b"X\x00: y",
    b"Transfer-Encoding: identity",
    b"Connection: close",
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
]
BODIES = [
    b"",
    b"{" * 20_000,
    b"[" * 50_000,
    b"password=%ff%fe&_xsrf=x",
    b"password=" + b"\x00" * 100,
    b"\xff" * 3000,
    b"&" * 10_000,
    b"a=b&" * 9_000,
    b"password[]=x&password=y&password=z",
    b'{"password": null}',
    b"=",
    b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nw\r\n--x--\r\n',
    b"--x\r\n\r\n",
    b"--x--",
    b'--x\r\nContent-Disposition: form-data; name="\xff"; filename="\x00"\r\n\r\n\r\n--x\r\n' * 300,
]
LENGTHS = [b"-1", b"x", b"1e3", b"0x10", b"99999999999999999999", b"5, 5", b"5, 6", b"", b"+5", b"\xb2"]
CHUNKED = [
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"zz\r\n",
    b"-5\r\n",
    b"ffffffffffffffff\r\nx",
    b"0\r\n\r\n" * 3,
    b"5;" + b"x" * 9000,
    b"1\r\nab\r\n0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"\r\n\r\n",
    b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
]
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 x", b"", b"HTTP/9999.1", b"\xff"]


def well_formed(chance: random.Random, form: Form) -> Request:
    """A request that is whole, so that it has to be answered, however odd what it says."""
    body = chance.choice(BODIES)
    method = chance.choice(METHODS[:7]).decode()
    headers = [line for line in chance.sample(HEADERS, chance.randint(0, 4)) if b":" in line.lstrip(b": ")]
    if chance.random() < 0.5:
        headers.append(f"Cookie: _xsrf={form.token}\r\nX-XSRFToken: {form.token}".encode())
    head = b"\r\n".join([b"%s %s HTTP/1.1" % (method.encode(), chance.choice(PATHS)), form.host, *headers])
    return "whole", head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def login(chance: random.Random, form: Form) -> Request:
    """A guess with all that makes one count, from any address, and a password that nobody has."""
    password = chance.choice([b"%00", b"%ff", b"x" * 60_000, b"%F0%9F%90%B4" * 200, b"", b"%u1234", b"%", b"+++"])
    address = ".".join(str(chance.randint(1, 250)) for _ in range(4))
    code = chance.choice([b"", b"&code=%ff", b"&code=" + b"1" * 5000, b"&next=%00", b"&password=b"])
    return "whole", form.post(b"password=" + password + code, f"X-Forwarded-For: {address}")


def malformed(chance: random.Random, form: Form) -> Request:
    """A request that breaks the rules of HTTP itself, which the server may close without a word."""
    line = b" ".join([chance.choice(METHODS), chance.choice(PATHS), chance.choice(VERSIONS)])
    headers = chance.sample(HEADERS, chance.randint(0, 6))
    if chance.random() < 0.4:
        headers.append(b"Transfer-Encoding: chunked")
        body = chance.choice(CHUNKED)
    else:
        headers.append(b"Content-Length: " + chance.choice([*LENGTHS, b"3"]))
        body = chance.choice(BODIES)
    return "broken", b"\r\n".join([line, form.host, *headers]) + b"\r\n\r\n" + body


def mutated(chance: random.Random, form: Form) -> Request:
    """A sound request with bytes changed, lost, doubled or put in."""
    data = bytearray(chance.choice([well_formed, login])(chance, form)[1])
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(data))
        data[at : at + chance.choice([0, 0, 1, 5, 200])] = chance.randbytes(chance.choice([0, 1, 1, 4]))
        data = data or bytearray(b"\n")
    return "broken", bytes(data)


def garbage(chance: random.Random, _: Form) -> Request:
    return "broken", chance.randbytes(chance.choice([1, 10, 1000, 70_000]))


KINDS = (well_formed, well_formed, login, malformed, malformed, mutated, mutated, garbage)

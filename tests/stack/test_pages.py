"""The pages' own files: in the coding that a browser takes, kept as long as their names allow, and asked for early."""

from __future__ import annotations

import gzip
import re

import pytest
import requests
from docker.models.containers import Container

from tests.clients import Client
from tests.stacks import Stack

STATIC = "/opt/server/share/jupyter/lab/static"
FOREVER = "public, max-age=31536000, immutable"
OURS = "/lab/extensions/workhorse/static/remoteEntry.js"


@pytest.fixture
def core(client: Client) -> str:
    """The address of JupyterLab's largest part, as the page's head names it."""
    link = client.session.get(f"{client.url}/lab", timeout=30).headers["Link"]
    (address,) = re.findall(r"<(/static/lab/jlab_core[^>]+)>; rel=preload; as=script", link)
    return str(address)


def ask(client: Client, path: str, accepts: str | None, **headers: str) -> tuple[requests.Response, bytes]:
    """The bytes as they come, whatever coding they are in."""
    asked = {**headers, "Accept-Encoding": accepts}
    answer = client.session.get(client.url + path, headers=asked, stream=True, timeout=30)
    return answer, answer.raw.read(decode_content=False)


def content_in_the_image(stack: Stack, core: str, suffix: str) -> bytes:
    name = core.rpartition("/")[2].partition("?")[0]
    return run_inside(stack.lab, ["cat", f"{STATIC}/{name}{suffix}"])


def run_inside(container: Container, command: list[str]) -> bytes:
    status, output = container.exec_run(command)
    output = output if isinstance(output, bytes) else b"".join(output)
    assert status == 0, output
    return output


@pytest.mark.parametrize(
    ("accepts", "coding", "suffix"),
    [
        ("gzip, deflate, br, zstd", "br", ".br"),
        ("gzip, br;q=0", "gzip", ".gz"),
        ("gzip", "gzip", ".gz"),
        ("identity", None, ""),
        ("br;q=0, gzip;q=0.0", None, ""),
    ],
)
def test_a_browser_gets_the_smallest_file_that_it_takes(
    stack: Stack, client: Client, core: str, accepts: str, coding: str | None, suffix: str
) -> None:
    answer, body = ask(client, core, accepts)
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Content-Type"].partition("/")[2].startswith("javascript")
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Accept-Encoding", FOREVER)
    assert body == content_in_the_image(stack, core, suffix)
    plain = content_in_the_image(stack, core, "")
    if coding == "gzip":
        assert gzip.decompress(body) == plain
    if coding:
        assert len(body) < len(plain) / 3


def test_a_part_is_a_part_of_the_plain_file(stack: Stack, client: Client, core: str) -> None:
    answer, body = ask(client, core, "gzip, br", Range="bytes=10-19")
    assert answer.status_code == 206
    assert "Content-Encoding" not in answer.headers
    assert body == content_in_the_image(stack, core, "")[10:20]


def test_what_keeps_its_name_is_asked_for_again_and_sent_once(client: Client) -> None:
    """JupyterLab calls every file of an extension immutable: an update of ours would have come a year later."""
    first, _ = ask(client, OURS, "br")
    assert first.headers["Cache-Control"] == "no-cache"
    again, body = ask(client, OURS, "br", **{"If-Modified-Since": first.headers["Last-Modified"]})
    assert (again.status_code, body) == (304, b"")


def test_a_theme_s_style_which_is_made_as_it_is_sent_comes_as_it_is_made(client: Client) -> None:
    answer, body = ask(client, "/lab/api/themes/@jupyterlab/theme-light-extension/index.css", "gzip, br")
    assert "Content-Encoding" not in answer.headers
    assert b"--jp-" in body


def test_the_page_s_head_names_what_its_script_asks_for(client: Client) -> None:
    answer = client.session.get(f"{client.url}/lab", timeout=30)
    hinted = re.findall(r"<([^>]+)>; rel=preload", answer.headers["Link"])
    assert OURS in hinted
    assert all(client.session.get(client.url + each, timeout=30).ok for each in hinted)


def test_every_file_beside_another_is_smaller_and_of_the_same_time(stack: Stack) -> None:
    script = f"""
from pathlib import Path
files = [file for file in Path({STATIC!r}).rglob('*') if file.suffix in ('.br', '.gz')]
plain = [file.with_suffix('') for file in files]
assert all(each.stat().st_size < other.stat().st_size for each, other in zip(files, plain, strict=True))
assert all(int(each.stat().st_mtime) == int(other.stat().st_mtime) for each, other in zip(files, plain, strict=True))
print(len(files))
"""
    assert int(run_inside(stack.lab, ["/opt/server/bin/python", "-I", "-c", script])) > 200

"""Downloads of whole folders: of any size, in constant memory, and only of what the file browser shows."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, cast

import pytest
import requests

from tests.clients import SECONDS, Client
from tests.stacks import Stack, poll

MEGABYTE = 1024 * 1024
FILES, FILE_MEGABYTES = 4, 256
GROWN_MEGABYTES_MAX, CHILD_MEGABYTES_MAX = 64, 64
# As `pgrep -f` looks for them.
SERVER, CHILD = (f"^[^ ]*python[^ ]* -I -m entrypoint[.]lab[.]{name}" for name in ("server", "folder_archive"))


@pytest.fixture(scope="module")
def folder(stack: Stack) -> Path:
    """A gigabyte that no compression makes smaller: gzip looks back for 32 kB."""
    folder, block = stack.repositories / "large", os.urandom(MEGABYTE)
    folder.mkdir()
    for number in range(FILES):
        with (folder / f"{number}.bin").open("wb") as file:
            for part in range(FILE_MEGABYTES):
                file.write(bytes([number, part]) + block[2:])
    return folder


def ask(client: Client, path: str, referer: str | None = None) -> requests.Response:
    """As a page of JupyterLab asks."""
    headers = {"Referer": referer or f"{client.url}/lab"}
    return client.session.get(f"{client.url}/folders/{path}", headers=headers, stream=True, timeout=SECONDS)


def peak_megabytes(stack: Stack, process: str) -> int:
    """The most memory that a process of the lab has had."""
    status = stack.lab_shell(f"cat /proc/$(pgrep -of '{process}')/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) // 1024


def hash_of(file: IO[bytes] | None) -> str:
    assert file
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def members(answer: requests.Response) -> Iterator[tuple[str, str]]:
    """The files of an archive, while it comes."""
    with tarfile.open(fileobj=cast(IO[bytes], answer.raw), mode="r|gz") as archive:
        for member in archive:
            yield member.name, hash_of(archive.extractfile(member))


def test_a_gigabyte_comes_whole_and_takes_next_to_no_memory(stack: Stack, client: Client, folder: Path) -> None:
    before = peak_megabytes(stack, SERVER)
    with closing(ask(client, "large")) as answer:
        assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''large.tar.gz"
        came = members(answer)
        hashes = dict(next(came) for _ in range(FILES - 1))
        child = peak_megabytes(stack, CHILD)
        hashes |= came
    grown = peak_megabytes(stack, SERVER) - before
    print(f"the server's peak grew by {grown} MB from {before} MB, and the child took {child} MB")
    assert hashes == {f"large/{file.name}": hash_of(file.open("rb")) for file in folder.iterdir()}
    assert grown < GROWN_MEGABYTES_MAX
    assert child < CHILD_MEGABYTES_MAX


def is_packing(stack: Stack) -> bool:
    return bool(stack.lab_shell(f"pgrep -f '{CHILD}'", check=False))


def test_who_goes_away_ends_the_work(stack: Stack, client: Client, folder: Path) -> None:
    with closing(ask(client, folder.name)) as answer:
        assert answer.raw.read(MEGABYTE)
        assert is_packing(stack)
    poll(lambda: not is_packing(stack) or None, wanted="the end of the work")


def test_an_archive_that_comes_to_no_good_end_is_cut(stack: Stack, client: Client, folder: Path) -> None:
    with closing(ask(client, folder.name)) as answer:
        assert answer.raw.read(MEGABYTE)
        stack.lab_shell(f"pkill -9 -f '{CHILD}'")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in answer.iter_content(MEGABYTE):
                pass


@pytest.mark.parametrize(
    ("question", "names"), [("", {"open/seen"}), ("?hidden=1", {"open/seen", "open/.hidden/file"})]
)
def test_what_is_hidden_comes_where_it_is_shown(stack: Stack, client: Client, question: str, names: set[str]) -> None:
    for name in ("open/seen", "open/.hidden/file"):
        (stack.repositories / name).parent.mkdir(parents=True, exist_ok=True)
        (stack.repositories / name).touch()
    with (
        closing(ask(client, f"open{question}")) as answer,
        tarfile.open(fileobj=cast(IO[bytes], answer.raw), mode="r|gz") as archive,
    ):
        assert {member.name for member in archive if member.isfile()} == names


@pytest.mark.parametrize(("path", "status"), [("gone", 404), ("file", 400), ("link", 400)])
def test_what_is_no_folder_is_refused(stack: Stack, client: Client, path: str, status: int) -> None:
    (stack.repositories / "open").mkdir(exist_ok=True)
    (stack.repositories / "file").touch()
    (stack.repositories / "link").unlink(missing_ok=True)
    (stack.repositories / "link").symlink_to("open")
    assert ask(client, path).status_code == status


def test_a_page_from_elsewhere_gets_no_folder(client: Client, stack: Stack) -> None:
    (stack.repositories / "open").mkdir(exist_ok=True)
    assert ask(client, "open", "https://elsewhere.example/").status_code == 403
    assert ask(client, "open").status_code == 200

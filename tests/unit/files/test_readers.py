"""Who reads files: one function, and the modules that have a reason to do otherwise."""

from __future__ import annotations

import re

from tests.stacks import REPOSITORY

OTHERWISE = {
    "untrusted.py": "it is that function",
    "private_files.py": "writes: new files by descriptor",
    "public_files.py": "writes: new files by descriptor",
    "saving.py": "writes people's notebooks",
    "handover.py": "opens folders by descriptor",
    "lock.py": "opens a folder",
    "identity.py": "the image's and the kernel's own",
    "privileges.py": "the kernel's own",
    "memory.py": "the kernel's own",
    "gateway.py": "the kernel's own",
    "trust.py": "the image's own authorities",
    "served_certificate.py": "the image's own authorities",
    "home.py": "a program that another Python runs",
    "backup.py": "standard output",
    "archive.py": "streams",
    "unpack.py": "streams",
    "splice.py": "streams",
    "restore.py": "streams",
    "snapshot.py": "people's files, of any length, by descriptor",
    "environments.py": "what is backed up of environments",
    "walk.py": "opens folders by descriptor",
    "planting.py": "writes: new files by descriptor",
    "databases.py": "copies of its own",
    "regular_files.py": "people's files, of any length, by descriptor",
    "installation.py": "the kernel's own",
    "expendable.py": "the kernel's own",
    "errands.py": "the kernel's own",
    "holders.py": "the kernel's own",
    "guesses.py": "the kernel's own",
}
READERS = re.compile(r"\.read_text\(|\.read_bytes\(|(?<![\w.])open\(|os\.open\(|\.open\(|Path\.read_|load_cert_chain\(")


def test_no_module_reads_files_by_itself() -> None:
    """A pipe or a device in the file's place would hold the whole server up: see `entrypoint/files/untrusted.py`."""
    found = {
        f"{file.name}:{number}: {line.strip()}"
        for file in (REPOSITORY / "entrypoint").glob("*.py")
        if file.name not in OTHERWISE
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if READERS.search(line) and "/proc/self/fd/" not in line
    }
    assert found == set()

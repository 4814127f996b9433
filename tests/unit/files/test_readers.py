"""Who reads files: one function, and the modules that have a reason to do otherwise."""

from __future__ import annotations

import re

from tests.stacks import REPOSITORY

OTHERWISE = {
    "files/untrusted.py": "it is that function",
    "files/private.py": "writes: new files by descriptor",
    "files/public.py": "writes: new files by descriptor",
    "jupyter/saving.py": "writes people's notebooks",
    "system/handover.py": "opens folders by descriptor",
    "files/lock.py": "opens a folder",
    "system/identity.py": "the image's and the kernel's own",
    "system/privileges.py": "the kernel's own",
    "home/memory.py": "the kernel's own",
    "system/memory.py": "the kernel's own",
    "report/gateway.py": "the kernel's own",
    "system/trust.py": "the image's own authorities",
    "certificates/served.py": "the image's own authorities",
    "certificates/company.py": "the image's own authorities, and the start's copy with the company's",
    "commands/cluster.py": "the image's own",
    "kernels/extensions.py": "pip's report, in a folder of its own",
    "proxy/awaiting.py": "streams",
    "commands/backup.py": "standard output",
    "home/backup.py": "standard output",
    "lab/folder_archive.py": "standard output",
    "backup/archive.py": "streams",
    "proxy/splice.py": "streams",
    "proxy/asking.py": "streams",
    "proxy/unix_socket.py": "opens a socket by descriptor",
    "door/public.py": "the image's own",
    "backup/snapshot.py": "people's files, of any length, by descriptor",
    "home/environments.py": "what is backed up of environments",
    "files/walk.py": "opens folders by descriptor",
    "files/planting.py": "writes: new files by descriptor",
    "backup/databases.py": "copies of its own",
    "files/regular.py": "people's files, of any length, by descriptor",
    "report/installation.py": "the kernel's own",
    "kernels/expendable.py": "the kernel's own",
    "kernels/healthcheck.py": "the kernel's own",
    "jupyter/errands.py": "the kernel's own",
    "home/holders.py": "the kernel's own",
    "login/guesses.py": "the kernel's own",
    "login/form.py": "the image's own",
}
ENTRYPOINT = REPOSITORY / "entrypoint"
READERS = re.compile(r"\.read_text\(|\.read_bytes\(|(?<![\w.])open\(|os\.open\(|\.open\(|Path\.read_|load_cert_chain\(")


def test_no_module_reads_files_by_itself() -> None:
    """A pipe or a device in the file's place would hold the whole server up: see `entrypoint/files/untrusted.py`."""
    found = {
        f"{file}:{number}: {line.strip()}"
        for file in ENTRYPOINT.rglob("*.py")
        if str(file.relative_to(ENTRYPOINT)) not in OTHERWISE
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if READERS.search(line) and "/proc/self/fd/" not in line
    }
    assert found == set()

"""Temporary files: anybody's, on the disk, and gone after a start."""

from __future__ import annotations

import stat

from tests.clients import Client
from tests.stacks import Stack, poll


def test_each_start_empties_the_temporary_files_and_follows_no_link(stack: Stack, client: Client) -> None:
    (stack.repositories / "kept").mkdir(mode=0o777)
    (stack.repositories / "kept" / "file").touch()
    stack.shell("mkdir -p /tmp/a/b && ln -s /repositories/kept /tmp/a/link && ln -s /repositories/kept /tmp && "
                "mkfifo /tmp/pipe && chmod 500 /tmp/a/b /tmp/a && ls -A /tmp | grep -q pipe")  # fmt: skip
    stack.compose("restart", "kernels")
    stack.up()
    poll(lambda: not stack.shell("ls -A /tmp").strip() or None, wanted="an empty folder")
    assert [path.name for path in (stack.repositories / "kept").iterdir()] == ["file"]


def test_many_temporary_files_hold_up_no_start_and_new_ones_stay(stack: Stack) -> None:
    """The start comes to its end by a deadline of the stack's own; the deleting takes as long as it takes."""
    stack.shell("""/opt/server/bin/python -c "for n in range(50_000): open(f'/tmp/{n}', 'x').close()" """)
    stack.compose("restart", "kernels")
    stack.up()
    stack.shell("touch /tmp/new")
    poll(lambda: stack.shell("ls -A /tmp").split() == ["new"] or None, wanted="nothing but the new file")
    stack.shell("rm /tmp/new")


def test_everybody_may_write_there_and_nobody_deletes_another_s(stack: Stack) -> None:
    assert stack.shell("stat -c '%U %a' /tmp") == "root 1777\n"


def test_the_kernels_connection_files_are_in_memory_and_the_person_s_alone(stack: Stack, client: Client) -> None:
    kernel = client.start_kernel()
    folder, mode = stack.shell("cd /run/workhorse/server && stat -fc %T jupyter && stat -c %a jupyter").split()
    assert (folder, int(mode, 8) & (stat.S_IRWXG | stat.S_IRWXO)) == ("tmpfs", 0)
    assert f"kernel-{kernel.id}.json" in stack.shell("ls /run/workhorse/server/jupyter")
    kernel.shut_down()

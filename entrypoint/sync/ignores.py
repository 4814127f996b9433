"""What stays where it is: caches, environments, and git's own folders, whose files mean nothing one by one."""

from __future__ import annotations

from pathlib import Path

from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted

NAME = ".stignore"
HEAD = "// Written by Workhorse at each start. To have your own, take this line away."
# With (?d): goes with its folder when that is deleted on the other side (docs.syncthing.net/users/ignoring).
CACHES = (".ipynb_checkpoints", "__pycache__", ".~*", ".DS_Store")
ENVIRONMENTS = (".venv", "venv", "node_modules")
# What was deleted on the server; a laptop has its own of what is deleted there.
TRASH = ("/Trash",)
# What holds itself together by several files, of which two sides would each bring some.
REPOSITORIES = (".git",)


def patterns(with_git: bool) -> list[str]:
    kept = ENVIRONMENTS if with_git else (*ENVIRONMENTS, *REPOSITORIES)
    return [*(f"(?d){name}" for name in CACHES), *TRASH, *kept]


def keep_ignores(folder: Path, with_git: bool) -> None:
    """Writes them, unless a person has written their own.

    Raises:
        OSError: The folder can't be written to.
    """
    file = folder / NAME
    text = "\n".join([HEAD, *patterns(with_git), ""]).encode()
    try:
        found = read_untrusted(file)
    except FileNotFoundError:
        found = HEAD.encode()
    except OSError:  # no file of ours, so none of our business
        return
    if found.startswith(HEAD.encode()) and found != text:
        write_public(file, text)

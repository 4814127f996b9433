"""`workhorse extension`: installs what has a half in JupyterLab's server into a place of the person's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.extensions import Extensions, tell_of_left_out
from entrypoint.home.package_names import canonical

PIP = (sys.executable, "-I", "-m", "pip", "--disable-pip-version-check")
# JupyterLab's server looks every two seconds.
ANSWER_SECONDS = 30.0
USAGE = """\
Extensions of JupyterLab that have a half in its server, such as jupyterlab-git, and languages:
  workhorse extension install NAME...   from PyPI, such as jupyterlab-git or jupyterlab-language-pack-de-DE
  workhorse extension remove NAME...
  workhorse extension update            all of them, to what is newest
All others are installed as any package: pip install NAME"""
BEHIND_A_DOOR = "JupyterLab takes it up within a few seconds, and no kernel ends. Then load its page anew."
ALONE = "JupyterLab takes it up at its next start: restart the container."


def main(arguments: Sequence[str], places: Places, environ: Mapping[str, str]) -> int:
    words = [each for each in arguments if not each.startswith("-")]
    verb, names = (words[0], words[1:]) if words else ("", [])
    extensions = Extensions.of(places.home)
    try:
        if (verb in ("install", "remove") and names) or (verb == "update" and not names):
            wanted = wanted_after(verb, names, extensions.names())
            change(extensions, wanted, environ)
            print(BEHIND_A_DOOR if places.kernels_socket.parent.is_dir() else ALONE)
            return 0
    except WorkhorseError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join([*state(extensions), USAGE]))
    return 1 if words else 0


def state(extensions: Extensions) -> Iterator[str]:
    """What is installed, and what is amiss with it."""
    if names := extensions.names():
        yield f"Installed: {shown(', '.join(names), 1000)}"
        yield from tell_of_left_out(extensions)
        yield ""


def wanted_after(verb: str, names: Sequence[str], before: Sequence[str]) -> list[str]:
    """The requirements, by which the person knows them; the last one for a package counts.

    Raises:
        WorkhorseError: One can't be installed, or isn't.
    """
    known = {name_of(each): each for each in before}
    named = {name_of(each): each for each in names}
    if verb == "remove":
        if missing := [each for name, each in named.items() if name not in known]:
            raise WorkhorseError.of(f"{shown(missing[0])} is not installed.", "workhorse extension")
        return [each for name, each in known.items() if name not in named]
    return list({**known, **named}.values())


def name_of(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        requirement = None
    if not requirement or requirement.url or text.split() != [text]:
        raise WorkhorseError.of(
            f"{shown(text)} is not the name of a package on PyPI.", "workhorse extension install jupyterlab-git"
        )
    return canonical(requirement.name)


def change(extensions: Extensions, wanted: Sequence[str], environ: Mapping[str, str]) -> None:
    """Makes the folder anew, with all that is wanted, and puts it in the place of the one before.

    Raises:
        WorkhorseError: pip has failed, which says why; nothing has changed.
    """
    has = server_packages(extensions)
    before = extensions.generation()
    new = extensions.folder / secrets.token_hex(4)
    try:
        if wanted:
            install(new, wanted, has, extensions.server, environ)
        _put_in_place(extensions, new, wanted)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if before and "/" not in before:
        shutil.rmtree(extensions.folder / before, ignore_errors=True)


def install(
    prefix: Path, wanted: Sequence[str], has: Mapping[str, str], constraints: Path, environ: Mapping[str, str]
) -> None:
    """What is wanted, and what it needs besides what the server has, as the server has it."""
    print("Looking for what fits this JupyterLab.", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        _pip(["install", "-q", "--dry-run", "--report", str(report), "-c", str(constraints), *wanted], environ)
        packages = needed({name_of(each) for each in wanted}, json.loads(report.read_bytes()), has)
    print(f"Installing {', '.join(packages) or 'nothing: JupyterLab has all of it'}.", flush=True)
    options = ["--no-deps", "--ignore-installed", "--no-warn-script-location", "--prefix", str(prefix)]
    if packages:
        _pip(["install", "-q", *options, *packages], environ)


def needed(wanted: set[str], report: Mapping[str, Any], has: Mapping[str, str]) -> list[str]:
    """Of what pip would install, what isn't the server's own, nor asked for by that alone."""
    found = {canonical(each["metadata"]["name"]): each["metadata"] for each in report["install"]}
    reached, ahead = dict[str, str](), list(wanted)
    while ahead:
        name = ahead.pop()
        if name in found and name not in reached and name not in has:
            reached[name] = f"{name}=={found[name]['version']}"
            ahead += [canonical(Requirement(each).name) for each in found[name].get("requires_dist", [])]
    return sorted(reached.values())


def server_packages(extensions: Extensions) -> dict[str, str]:
    """What JupyterLab's server holds, by name: asked anew, since an update may have changed it."""
    try:
        extensions.ask()
        deadline = time.monotonic() + ANSWER_SECONDS
        while extensions.is_asked_for() and time.monotonic() < deadline:
            time.sleep(0.1)
        lines = read_untrusted(extensions.server).decode().splitlines()
        return {name: version for name, _, version in (line.partition("==") for line in lines)}
    except (OSError, UnicodeDecodeError) as error:
        raise WorkhorseError.of(
            f"JupyterLab, which knows what it holds, does not answer ({shown(str(error))}).",
            "Open its page, then try again.",
        ) from error


def _pip(words: Sequence[str], environ: Mapping[str, str]) -> None:
    if subprocess.run([*PIP, *words], env=environ, cwd="/", check=False).returncode:
        raise WorkhorseError.of(
            "pip has failed, and says why above; nothing has changed.",
            "Where it speaks of conflicts, no version of it fits this JupyterLab.",
        )


def _put_in_place(extensions: Extensions, new: Path, wanted: Sequence[str]) -> None:
    new.mkdir(parents=True, exist_ok=True)
    (new / "asked.txt").write_text("".join(f"{each}\n" for each in wanted))
    link = new.with_suffix(".link")
    link.symlink_to(new.name)
    try:
        os.replace(link, extensions.current)
    except OSError as error:
        with suppress(OSError):
            link.unlink()
        raise WorkhorseError.of(
            f"{extensions.current} can't be replaced: {error.strerror}.", f"mv {extensions.current} ~/"
        ) from error

"""What each command does."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path

import rattler
import yaml

from conda_standin.config import (
    ROOT,
    CondaError,
    channel_urls,
    default_packages,
    environment_folders,
    is_base_activated,
    package_folders,
)
from conda_standin.environments import all_prefixes, find_prefix, name_of, new_prefix, records, remove
from conda_standin.install import install, install_file, read_file

Arguments = argparse.Namespace


def create(a: Arguments) -> None:
    specs = _specs(a)
    # An explicit list is the whole of an environment.
    default = [] if a.no_default_packages or any("://" in spec for spec in specs) else default_packages()
    install(new_prefix(a.name, a.prefix), [*specs, *default], a.channel)


def install_into(a: Arguments) -> None:
    install(find_prefix(a.name, a.prefix), _specs(a), a.channel)


def _specs(a: Arguments) -> list[str]:
    for file in a.file:
        if not Path(file).is_file():
            raise CondaError(f"FileNotFoundError: {file} not found")
    lines = [line.strip() for file in a.file for line in Path(file).read_text().splitlines()]
    return [*a.specs, *(line for line in lines if line and line[0] not in "#@")]


def create_from_file(a: Arguments) -> None:
    file = Path(a.file)
    install_file(new_prefix(a.name or read_file(file).get("name"), a.prefix), file)


def list_packages(a: Arguments) -> None:
    found = records(find_prefix(a.name, a.prefix))
    if a.explicit:
        print("@EXPLICIT", *(f"{r.url}#{r.sha256.hex() if r.sha256 else ''}" for r in found), sep="\n")
    elif a.json:
        print(json.dumps([_described(record) for record in found], indent=2))
    else:
        print(*(f"{r.name.normalized:<26} {r.version} {r.build} {r.channel}" for r in found), sep="\n")


def _described(record: rattler.PrefixRecord) -> dict[str, str]:
    version, build = str(record.version), str(record.build)
    return {"name": record.name.normalized, "version": version, "build_string": build, "channel": record.channel}


def export(a: Arguments) -> None:
    prefix = find_prefix(a.name, a.prefix)
    found = records(prefix)
    conda = [f"{r.name.normalized}={r.version}" + ("" if a.no_builds else f"={r.build}") for r in found]
    pip = _of_pip(prefix)
    content = {
        "name": name_of(prefix) or str(prefix),
        "channels": sorted({Path(r.channel.rstrip("/").removesuffix(f"/{r.subdir}")).name for r in found if r.channel}),
        "dependencies": [*conda, *([{"pip": pip}] if pip else [])],
        "prefix": str(prefix),
    }
    print(yaml.safe_dump(content, sort_keys=False), end="")


def _of_pip(prefix: Path) -> list[str]:
    folders = [str(folder) for folder in prefix.glob("lib/python3.*/site-packages")]
    found = (each for each in distributions(path=folders) if (each.read_text("INSTALLER") or "").strip() != "conda")
    return sorted(f"{each.name}=={each.version}" for each in found)


def list_environments(a: Arguments) -> None:
    if a.json:
        print(json.dumps({"envs": list(map(str, all_prefixes()))}))
    else:
        print(*(f"{name_of(path):<24} {path}" for path in all_prefixes()), sep="\n")


def info(a: Arguments) -> None:
    folders = {"envs_dirs": environment_folders(), "pkgs_dirs": package_folders(), "envs": all_prefixes()}
    facts = {
        "conda_prefix": str(ROOT),
        "root_prefix": str(ROOT),
        "active_prefix": os.environ.get("CONDA_PREFIX"),
        "platform": str(rattler.Subdir.current()),
        "channels": channel_urls(None),
        **{name: list(map(str, paths)) for name, paths in folders.items()},
    }
    if a.json:
        print(json.dumps(facts, indent=2))
    else:
        print(*(f"{name:>14} : {value}" for name, value in facts.items()), sep="\n")


def remove_environment(a: Arguments) -> None:
    if a.command == "remove" and not a.all:
        raise CondaError("NotImplementedError: only whole environments are removed: conda remove --all -n NAME")
    remove(find_prefix(a.name, a.prefix))


def clean(a: Arguments) -> None:
    for folder in package_folders():
        shutil.rmtree(folder, ignore_errors=True)


def run_in(a: Arguments) -> None:
    if not a.argv:
        raise CondaError("ArgumentError: give a command to run")
    prefix = find_prefix(a.name, a.prefix)
    path = f"{prefix}/bin:{os.environ['PATH']}"
    sys.stdout.flush()
    try:
        os.execvpe(a.argv[0], a.argv, os.environ | {"CONDA_PREFIX": str(prefix), "PATH": path})
    except FileNotFoundError as error:
        raise CondaError(f"{a.argv[0]}: command not found in {prefix}") from error


BLOCK = """
# >>> conda initialize >>>
eval "$(/opt/conda/bin/conda shell.bash hook)"
# <<< conda initialize <<<
"""


def init(a: Arguments) -> None:
    file = Path("~/.bashrc").expanduser()
    text = file.read_text() if file.exists() else ""
    if BLOCK not in text:
        file.write_text(text + BLOCK)
    print(f"modified      {file}")


def shell_hook(a: Arguments) -> None:
    print(f". {ROOT}/etc/profile.d/conda.sh", *(["conda activate base"] if is_base_activated() else []), sep="\n")


def print_prefix(a: Arguments) -> None:
    print(find_prefix(a.environment, None))

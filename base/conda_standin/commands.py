"""What each command does."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import rattler

from conda_standin.config import ROOT, CondaError, channel_urls, environment_folders, package_folders
from conda_standin.environments import all_prefixes, find_prefix, name_of, new_prefix, records, remove
from conda_standin.install import install, install_file, read_file

Arguments = argparse.Namespace


def create(a: Arguments) -> None:
    install(new_prefix(a.name, a.prefix), _specs(a), a.channel)


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


def print_prefix(a: Arguments) -> None:
    print(find_prefix(a.environment, None))

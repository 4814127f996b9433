"""The command line, with conda's own words."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from conda_standin.config import ROOT, CondaError, environment_folders, package_folders
from conda_standin.environments import all_prefixes, find_prefix, new_prefix, records, remove
from conda_standin.install import install, install_file, name_in

Arguments = argparse.Namespace


def create(a: Arguments) -> None:
    prefix = new_prefix(a.name, a.prefix)
    if (prefix / "conda-meta").is_dir():
        raise CondaError(f"EnvironmentExists: {prefix} is there already")
    install(prefix, _specs(a), a.channel)


def install_into(a: Arguments) -> None:
    install(find_prefix(a.name, a.prefix), _specs(a), a.channel)


def _specs(a: Arguments) -> list[str]:
    lines = [line.strip() for file in a.file for line in Path(file).read_text().splitlines()]
    return [*a.specs, *(line for line in lines if line and line[0] not in "#@")]


def create_from_file(a: Arguments) -> None:
    file = Path(a.file)
    install_file(new_prefix(a.name or name_in(file), a.prefix), file)


def list_packages(a: Arguments) -> None:
    found = records(find_prefix(a.name, a.prefix))
    if a.explicit:
        print("@EXPLICIT", *(f"{r.url}#{r.sha256.hex() if r.sha256 else ''}" for r in found), sep="\n")
    else:
        print(*(f"{r.name.normalized:<26} {r.version} {r.build} {r.channel}" for r in found), sep="\n")


def list_environments(a: Arguments) -> None:
    if a.json:
        print(json.dumps({"envs": list(map(str, all_prefixes()))}))
    else:
        print(*(f"{'base' if path == ROOT else path.name:<24} {path}" for path in all_prefixes()), sep="\n")


def info(a: Arguments) -> None:
    folders = {"envs_dirs": environment_folders(), "pkgs_dirs": package_folders(), "envs": all_prefixes()}
    print(json.dumps({"conda_prefix": str(ROOT), **{name: list(map(str, paths)) for name, paths in folders.items()}}))


def remove_environment(a: Arguments) -> None:
    if a.command == "remove" and not a.all:
        raise CondaError("NotImplementedError: only whole environments are removed: conda remove --all -n NAME")
    remove(find_prefix(a.name, a.prefix))


def clean(a: Arguments) -> None:
    for folder in package_folders():
        shutil.rmtree(folder, ignore_errors=True)


def run_in(a: Arguments) -> None:
    prefix = find_prefix(a.name, a.prefix)
    path = f"{prefix}/bin:{os.environ['PATH']}"
    sys.stdout.flush()
    os.execvpe(a.argv[0], a.argv, os.environ | {"CONDA_PREFIX": str(prefix), "PATH": path})


def print_prefix(a: Arguments) -> None:
    print(find_prefix(a.environment, None))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="conda", description="The stand-in for conda; see base/README.md.")
    top.add_argument("-V", "--version", action="version", version="conda stand-in 0.1 (rattler)")
    commands = top.add_subparsers(dest="command", required=True)
    for name, run in (("create", create), ("install", install_into), ("remove", remove_environment)):
        sub = _command(commands, name, run)
        sub.add_argument("-c", "--channel", action="append")
        sub.add_argument("--override-channels", action="store_true")
        sub.add_argument("--file", action="append", default=[])
        sub.add_argument("--all", action="store_true")
        sub.add_argument("specs", nargs="*")
    of_environments = commands.add_parser("env").add_subparsers(dest="subcommand", required=True)
    _command(of_environments, "create", create_from_file).add_argument("-f", "--file", required=True)
    _command(of_environments, "list", list_environments)
    _command(of_environments, "remove", remove_environment)
    listing = _command(commands, "list", list_packages)
    listing.add_argument("--explicit", action="store_true")
    listing.add_argument("--sha256", action="store_true")
    _command(commands, "info", info)
    cleaning = _command(commands, "clean", clean)
    cleaning.add_argument("-a", "--all", action="store_true")
    cleaning.add_argument("-f", "--force-pkgs-dirs", action="store_true")
    running = _command(commands, "run", run_in)
    running.add_argument("--no-capture-output", action="store_true")
    running.add_argument("argv", nargs=argparse.REMAINDER)
    _command(commands, "prefix", print_prefix).add_argument("environment")
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Callable[[Arguments], None]
) -> argparse.ArgumentParser:
    sub = commands.add_parser(name)
    sub.add_argument("-n", "--name")
    sub.add_argument("-p", "--prefix")
    for flags in (("-y", "--yes"), ("-q", "--quiet"), ("--json",)):
        sub.add_argument(*flags, action="store_true")
    sub.set_defaults(run=run)
    return sub


def main() -> int:
    try:
        arguments = parser().parse_args()
        arguments.run(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except CondaError as error:
        print(error, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run() -> None:
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # py-rattler 0.28.0 may crash while the interpreter ends, when all work is done.
    os._exit(status)


if __name__ == "__main__":
    run()

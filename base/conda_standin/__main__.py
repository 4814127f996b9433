"""The command line, with conda's own words."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable

from conda_standin.commands import (
    Arguments,
    clean,
    create,
    create_from_file,
    export,
    info,
    init,
    install_into,
    list_environments,
    list_packages,
    print_prefix,
    remove_environment,
    run_in,
    shell_hook,
)
from conda_standin.config import CondaError

Commands = argparse._SubParsersAction  # argparse gives it no public name


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="conda", description="A stand-in for conda, with its commands of daily use.")
    top.add_argument("-V", "--version", action="version", version="conda stand-in 0.1 (rattler)")
    commands = top.add_subparsers(dest="command", required=True)
    _changing_commands(commands)
    _environment_commands(commands.add_parser("env").add_subparsers(dest="subcommand", required=True))
    _reading_commands(commands)
    return top


def _changing_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    for name, run in (("create", create), ("install", install_into), ("remove", remove_environment)):
        sub = _command(commands, name, run)
        sub.add_argument("-c", "--channel", action="append")
        sub.add_argument("--override-channels", action="store_true")
        sub.add_argument("--file", action="append", default=[])
        sub.add_argument("--all", action="store_true")
        sub.add_argument("--no-default-packages", action="store_true")
        sub.add_argument("specs", nargs="*")
    cleaning = _command(commands, "clean", clean)
    cleaning.add_argument("-a", "--all", action="store_true")
    cleaning.add_argument("-f", "--force-pkgs-dirs", action="store_true")


def _environment_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    _command(commands, "create", create_from_file).add_argument("-f", "--file", required=True)
    _command(commands, "export", export).add_argument("--no-builds", action="store_true")
    _command(commands, "list", list_environments)
    _command(commands, "remove", remove_environment)


def _reading_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    listing = _command(commands, "list", list_packages)
    listing.add_argument("--explicit", action="store_true")
    listing.add_argument("--sha256", action="store_true")
    _command(commands, "info", info)
    running = _command(commands, "run", run_in)
    running.add_argument("--no-capture-output", action="store_true")
    running.add_argument("argv", nargs=argparse.REMAINDER)
    _command(commands, "init", init).add_argument("shell", nargs="?", choices=["bash"])
    _command(commands, "shell.bash", shell_hook).add_argument("hook", choices=["hook"])
    _command(commands, "prefix", print_prefix).add_argument("environment")


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, run: Callable[[Arguments], None]
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

"""Every address that Jupyter's running servers answer at, and what they are asked, told by themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tests.extensions import add_extension
from tests.other_labs import BEHIND
from tests.stacks import Stack, poll

LIST, ASKED = "/tmp/handlers.json", "/tmp/asked.txt"
MODULE = "lists_handlers"
# A Jupyter server extension: once the server runs, so that every extension has added its own, it writes them down; and
# from then on each request that the door has passed on, before any handler sees it.
EXTENSION = f'''
import json, os
from tornado.routing import PathMatches, RuleRouter

def _jupyter_server_extension_points():
    return [dict(module="{MODULE}")]

def walk(router):
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from walk(rule.target)
        else:
            yield rule.matcher.regex.pattern, f"{{rule.target.__module__}}.{{rule.target.__qualname__}}"

def _load_jupyter_server_extension(app):
    def write():
        rules = [*walk(app.web_app.default_router), *walk(app.web_app.wildcard_router)]
        with open("{LIST}.part", "w") as file:
            json.dump(rules, file)
        os.rename("{LIST}.part", "{LIST}")
        app.web_app.find_handler = find_handler
    find = app.web_app.find_handler
    def find_handler(request, **options):
        if "X-Forwarded-Host" in request.headers:
            with open("{ASKED}", "a") as file:
                file.write(f"{{request.method}} {{request.uri}}\\n")
        return find(request, **options)
    app.io_loop.add_callback(lambda: app.io_loop.call_later(1, write))
'''


@dataclass(frozen=True)
class Handler:
    """One registered handler: the pattern of its addresses and its class."""

    pattern: str
    name: str

    def paths(self) -> set[str]:
        """Addresses that it answers at: with every optional part, and with none."""
        tree = parser.parse(self.pattern)
        return {path for most in (0, 1) for path in _texts(tree, most) if re.fullmatch(self.pattern, path)}


def list_handlers_of(stack: Stack) -> None:
    """Adds the extension to a stack that has not started yet."""
    add_extension(stack, MODULE, EXTENSION)


def handlers(stack: Stack) -> set[Handler]:
    """Both servers', once each has been asked for something."""
    texts = [poll(lambda each=each: read(stack, each, LIST) or None, wanted="the list of handlers") for each in BEHIND]  # type: ignore[misc]
    return {Handler(*each) for text in texts for each in json.loads(text)}


def asked(stack: Stack) -> list[str]:
    """The requests that have come through the door, each as its method and address."""
    return [line for each in BEHIND for line in read(stack, each, ASKED).splitlines()]


def forget_asked(stack: Stack) -> None:
    """From here on counts what is asked."""
    for each in BEHIND:
        stack.shell_of(each)(f"rm -f {ASKED}")


def read(stack: Stack, service: str, file: str) -> str:
    return stack.shell_of(service)(f"cat {file} 2>/dev/null || true")


def _texts(tree: Any, most: int) -> Iterator[str]:
    """Texts that a pattern stands for, each alternative in turn, with each repetition as often as it must or `most`."""
    texts = [""]
    for kind, value in tree:
        parts = list(_parts(kind, value, most))
        texts = [text + part for text in texts for part in parts]
    yield from texts


def _parts(kind: Any, value: Any, most: int) -> Iterator[str]:
    if kind is kinds.LITERAL:
        yield chr(value)
    elif kind is kinds.BRANCH:
        for branch in value[1]:
            yield from _texts(branch, most)
    elif kind is kinds.SUBPATTERN:
        yield from _texts(value[3], most)
    elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        low, high, repeated = value
        yield from (text * max(low, min(most, high)) for text in _texts(repeated, most))
    elif kind in (kinds.IN, kinds.ANY, kinds.CATEGORY, kinds.NOT_LITERAL):
        yield "a"  # a letter is in every set that Jupyter's patterns name
    else:
        yield ""

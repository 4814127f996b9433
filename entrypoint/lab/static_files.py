"""The pages' own files as the image's build has compressed them (image/compress): the smallest that a browser takes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import wraps
from typing import Any

from jupyter_server.base.handlers import FileFindHandler
from tornado.web import StaticFileHandler

# By preference: what a browser calls it, and what stands behind the file's name.
CODINGS = (("br", ".br"), ("gzip", ".gz"))
NO = re.compile(r"q=0(\.0*)?")
# Of webpack's names, the part that is another when the content is: `remoteEntry.9077b3d2deaffb32.js`.
HASHED = re.compile(r"\.[0-9a-f]{16,64}\.\w+")
FOREVER = "public, max-age=31536000, immutable"


def serve_compressed() -> None:
    """To be called once, before JupyterLab serves its files."""
    FileFindHandler.validate_absolute_path = choosing(FileFindHandler.validate_absolute_path)
    FileFindHandler.get_content_type = typed(FileFindHandler.get_content_type)
    FileFindHandler.set_headers = kept_by_name(FileFindHandler.set_headers)


def choosing(validate: Any) -> Any:
    """Leaves to Jupyter whether a file is served at all, then looks what lies beside it."""

    @wraps(validate)
    def validate_and_choose(self: Any, root: str, absolute_path: str) -> Any:
        found = validate(self, root, absolute_path)
        self.coded, self.plain_path = None, found
        if found and answers_with_the_file(type(self)):
            self.set_header("Vary", "Accept-Encoding")
            # Of a part, nobody knows which file it is a part of.
            if "Range" not in self.request.headers:
                self.coded = coded(found, self.request.headers.get("Accept-Encoding", ""), self._stat_result)
        if self.coded:
            self._stat_result = self.coded.status
            self.set_header("Content-Encoding", self.coded.name)
            return self.coded.path
        return found

    return validate_and_choose


def answers_with_the_file(handler: type[StaticFileHandler]) -> bool:
    """Whether a handler has no `get_content` of its own: themes' styles are made as they are sent."""
    return getattr(handler.get_content, "__func__", None) is StaticFileHandler.get_content.__func__


def typed(get_content_type: Any) -> Any:
    @wraps(get_content_type)
    def type_of_what_is_in_it(self: Any) -> Any:
        self.absolute_path, served = self.plain_path, self.absolute_path
        try:
            return get_content_type(self)
        finally:
            self.absolute_path = served

    return type_of_what_is_in_it


def kept_by_name(set_headers: Any) -> Any:
    @wraps(set_headers)
    def set_and_keep(self: Any) -> None:
        set_headers(self)
        # JupyterLab calls all of an extension's files immutable; of what has one name for good, an update comes too.
        is_for_good = "v" in self.request.arguments or HASHED.search(os.path.basename(self.path))
        self.set_header("Cache-Control", FOREVER if is_for_good else "no-cache")

    return set_and_keep


@dataclass(frozen=True)
class Coded:
    """A compressed file beside another."""

    name: str
    path: str
    status: os.stat_result


def coded(path: str, accepted: str, plain: os.stat_result) -> Coded | None:
    """What lies beside a file, if the browser takes it and it was made of the file as it is."""
    for name, suffix in CODINGS:
        if takes(accepted, name):
            try:
                status = os.stat(path + suffix)
            except OSError:
                continue
            # In seconds, since images keep no more.
            if int(status.st_mtime) == int(plain.st_mtime):
                return Coded(name, path + suffix, status)
    return None


def takes(accepted: str, coding: str) -> bool:
    """Whether an `Accept-Encoding` names a coding, and not to refuse it (RFC 9110, section 12.5.3)."""
    for part in accepted.lower().split(","):
        name, _, weight = (each.strip() for each in part.partition(";"))
        if name == coding:
            return not NO.fullmatch(weight.replace(" ", ""))
    return False

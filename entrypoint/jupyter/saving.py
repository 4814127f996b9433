"""Saving: a file is replaced in one step, so that whatever happens meanwhile it is the old or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, ClassVar

from jupyter_server.services.contents.filecheckpoints import FileCheckpoints
from tornado.web import HTTPError

from entrypoint.files.regular import copy_regular, open_regular, refuse_irregular
from entrypoint.files.untrusted import shown
from entrypoint.jupyter.listing import ListingFiles
from entrypoint.jupyter.trash import FULL, NAME, delete_for_good, is_in_trash, put_into_trash

LEFTOVER_SECONDS = 3600
# At one time; of the oldest beyond that, no chunk may come twice.
UPLOADS_MAX = 1000


class WholeFiles(ListingFiles):
    """Jupyter's files. Its own way of saving empties the old file first, and a power cut leaves it half written."""

    # By file, the chunk that was last added to it, and how long it was before that.
    uploads: ClassVar[dict[str, tuple[int, int]]] = {}

    @contextmanager
    def atomic_writing(self, os_path: str, *args: Any, **options: Any) -> Iterator[IO[Any]]:
        path = Path(os.path.realpath(os_path))
        refuse_gone(Path(self.root_dir), path)
        refuse_irregular(path)
        refuse_read_only(path)
        if not self.use_atomic_writing or not may_replace(path):
            with super().atomic_writing(os_path, *args, opener=open_regular, **options) as file:
                yield file
            return
        with self.perm_to_403(os_path), replacing(path, *args, **options) as file:
            yield file

    @contextmanager
    def open(self, os_path: str, *args: Any, **options: Any) -> Iterator[IO[Any]]:
        with super().open(os_path, *args, opener=open_regular, **options) as file:
            yield file

    def delete_file(self, path: str) -> None:
        """Jupyter's own would carry it over to the home's disk, file by file, or delete no folder that isn't empty."""
        root, file = Path(self.root_dir), Path(self._get_os_path(path.strip("/")))
        if not os.path.lexists(file):
            raise HTTPError(404, f"file or directory does not exist: {path!r}")
        with self.perm_to_403(str(file)):
            if is_in_trash(root, file):
                delete_for_good(file)
                return
            try:
                put_into_trash(root, file, datetime.now())  # the day, as people here call it
            except OSError as error:
                if error.errno not in FULL:
                    status = 403 if isinstance(error, PermissionError) else 400
                    raise HTTPError(status, f"{path} can't be put into {NAME}: {error.strerror}") from error
                self.log.warning("%s was deleted for good: the disk is full.", shown(path))
                delete_for_good(file)

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        """As Jupyter's own; a chunk whose answer was lost on the way comes twice, and counts once."""
        chunk = model.get("chunk")
        if isinstance(chunk, int):
            self._take_back(self._get_os_path(path.strip("/")), chunk)
        return super().save(model, path)

    def _take_back(self, os_path: str, chunk: int) -> None:
        """Cuts a file to what it was before this very chunk was added to it."""
        before = self.uploads.pop(os_path, None)
        if chunk == 1:
            # Which begins a file anew.
            return
        with suppress(OSError):
            if before and before[0] == chunk:
                os.truncate(os_path, before[1])
            self.uploads[os_path] = chunk, os.stat(os_path).st_size
        while len(self.uploads) > UPLOADS_MAX:
            self.uploads.pop(next(iter(self.uploads)))

    def _save_large_file(self, os_path: str, content: str, format: str) -> None:
        refuse_irregular(Path(os_path))
        super()._save_large_file(os_path, content, format)

    def _copy_dir(self, from_path: str, to_path_original: str, to_name: str, to_path: str) -> Any:
        """As Jupyter's own, which fills the disk with what a link to a device gives."""
        target = f"{self._get_os_path(to_path_original.strip('/'))}/{to_name}"
        try:
            shutil.copytree(self._get_os_path(from_path.strip("/")), target, copy_function=copy_regular)
        except shutil.Error as error:
            # Each is what could not be copied, where to, and why.
            why = "; ".join(sorted({reason for _, _, reason in error.args[0]}))
            raise HTTPError(400, f"Not all of {from_path} could be copied to {to_path}: {why}") from error
        except OSError as error:
            raise HTTPError(400, f"{from_path} could not be copied to {to_path}: {error.strerror}") from error
        return self.get(to_path, content=False)


class WholeCheckpoints(FileCheckpoints):
    """Jupyter's checkpoints, of files alone."""

    def _copy(self, src: str, dest: str) -> None:
        for path in (src, dest):
            refuse_irregular(Path(path))
        super()._copy(src, dest)


def refuse_gone(root: Path, path: Path) -> None:
    """Says that the whole folder was deleted on the host, where "no such file" would lead nobody there."""
    if root.stat().st_nlink == 0:
        why = "the notebooks' folder is gone on the host; make it again there, then: docker compose restart lab kernels"
        raise FileNotFoundError(errno.ENOENT, why, path.name)


def refuse_read_only(path: Path) -> None:
    """Names the reason, which Jupyter takes for a lack of permission where the file exists: chmod wouldn't help."""
    if os.statvfs(path if path.exists() else path.parent).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path.name)


def may_replace(path: Path) -> bool:
    """Whether a new file can take a path without a change to owner, group or hard links."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return False
    try:
        status = path.lstat()
    except FileNotFoundError:
        return True
    is_ours = status.st_uid == os.geteuid() and status.st_gid in {os.getegid(), *os.getgroups()}
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and is_ours and os.access(path, os.W_OK)


@contextmanager
def replacing(path: Path, text: bool = True, encoding: str = "utf-8", **options: Any) -> Iterator[IO[Any]]:
    """A file to write to, which takes the path's place when all of it is on the disk; after an error it is gone."""
    # Not the name itself, since that may be as long as names can be.
    prefix = f".~{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"
    _remove_leftovers(path.parent, prefix)
    temporary = path.with_name(prefix + secrets.token_hex(4))
    how: dict[str, Any] = {"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"}
    try:
        with open(temporary, **how | options, opener=_open_like(path)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _open_like(path: Path) -> Any:
    """An opener of files that nobody may read who may not read the old one."""

    def opener(temporary: str, flags: int) -> int:
        if not path.exists():
            return os.open(temporary, flags | os.O_EXCL, 0o666)
        descriptor = os.open(temporary, flags | os.O_EXCL, 0o600)
        os.fchown(descriptor, -1, path.stat().st_gid)
        # Its access list is an extended attribute, which this copies as well.
        shutil.copystat(path, temporary)
        os.utime(temporary)
        return descriptor

    return opener


def _put_in_place(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        # A single file that is mounted there can't be replaced.
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(temporary, path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems can't.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(folder: Path, prefix: str) -> None:
    """What a power cut left of earlier saves of the same file."""
    for leftover in folder.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.lstat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink()

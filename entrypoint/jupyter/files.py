"""People's files as the server reaches them: beside its event loop, since a disk may take for ever to answer."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from datetime import datetime
from functools import partial, wraps
from typing import Any, cast

from jupyter_server.utils import ApiPath, to_os_path
from nbformat.sign import NotebookNotary, SignatureStore
from tornado.web import HTTPError
from traitlets import default

from entrypoint.jupyter.downloads import Download
from entrypoint.jupyter.errands import Errands, started_pool
from entrypoint.jupyter.listing import listing_text
from entrypoint.jupyter.saving import WholeCheckpoints, WholeFiles

READING = (
    "dir_exists", "exists", "file_exists", "get", "get_kernel_path", "increment_filename", "is_hidden", "is_writable",
    "list_checkpoints", "resolve_path",
)  # fmt: skip
WRITING = (
    "copy", "create_checkpoint", "delete", "delete_checkpoint", "delete_file", "new", "new_untitled", "rename",
    "rename_file", "restore_checkpoint", "save", "trust_notebook", "update",
)  # fmt: skip
PATHS = ("path", "from_path", "to_path", "old_path", "new_path")


def beside(method: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    """The same method where no event loop runs, as in a thread; where one does, a coroutine that has it done in one."""
    signature = inspect.signature(method)

    @wraps(method)
    def either(self: Files, *args: Any, **options: Any) -> Any:
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            return method(self, *args, **options)
        # Made here and once: later two threads may ask for them first.
        _ = self.notary, self.checkpoints
        arguments = signature.bind(self, *args, **options).arguments
        paths = [os.path.join(self.root_dir, path) for path in api_paths(arguments)]
        return self.errands.run(partial(method, self, *args, **options), paths, writes)

    return either


def api_paths(arguments: dict[str, Any]) -> Iterator[str]:
    """The paths that a call is about; a rename has the new one in its model."""
    model = arguments.get("model")
    named = [arguments.get(name) for name in PATHS] + [model.get("path") if isinstance(model, dict) else None]
    yield from (path.strip("/") for path in named if isinstance(path, str))


class Files(WholeFiles):
    """Jupyter asks for the answer of every method as one that may have to be awaited (`ensure_async`)."""

    errands: Errands
    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.errands = Errands.of_the_server()

    @default("checkpoints_class")
    def _checkpoints_class_default(self) -> type:
        return WholeCheckpoints

    @default("files_handler_class")
    def _files_handler_class_default(self) -> type:
        return Download

    @default("notary")
    def _notary_default(self) -> NotebookNotary:
        thread = started_pool(1)
        notary = thread.submit(NotebookNotary, parent=self).result()
        notary.store = OfOneThread(notary.store, thread)
        return notary

    def _get_os_path(self, path: str) -> str:
        """As Jupyter's own, which besides asks the disk to find out whether a path is one at all."""
        root = os.path.abspath(self.root_dir)
        os_path: str = to_os_path(ApiPath(path), root)
        try:
            is_path = b"\0" not in os.fsencode(os_path)
        except UnicodeEncodeError:
            is_path = False
        if not is_path or not f"{os.path.abspath(os_path)}/".startswith(f"{root.rstrip('/')}/"):
            raise HTTPError(404, f"{path!r} is not a path in the notebooks' folder")
        return os_path

    async def listing(self, path: str) -> tuple[datetime, bytes] | None:
        """When a folder was changed, and what it holds, as JSON; None for what is none, or not to be shown."""
        path = path.strip("/")
        return cast(
            "tuple[datetime, bytes] | None",
            await self.errands.run(partial(self._listing, path), [os.path.join(self.root_dir, path)]),
        )

    def _listing(self, path: str) -> tuple[datetime, bytes] | None:
        if not self.dir_exists(path) or (not self.allow_hidden and self.is_hidden(path)):
            return None
        model = self.get(path, type="directory")
        return model["last_modified"], listing_text(model)

    def emit(self, data: dict[str, Any]) -> None:
        """Tells those who listen, who do so in the event loop."""
        if self.loop and self.loop.is_running():
            self.loop.call_soon_threadsafe(super().emit, data)


for _names, _writes in ((READING, False), (WRITING, True)):
    for _name in _names:
        setattr(Files, _name, beside(getattr(WholeFiles, _name), _writes))


class OfOneThread(SignatureStore):
    """The signatures of trusted notebooks, which SQLite lets only the thread read that opened them."""

    def __init__(self, store: SignatureStore, thread: Executor) -> None:
        self.store, self.thread = store, thread

    def store_signature(self, digest: str, algorithm: str) -> None:
        self.thread.submit(self.store.store_signature, digest, algorithm).result()

    def check_signature(self, digest: str, algorithm: str) -> bool:
        return bool(self.thread.submit(self.store.check_signature, digest, algorithm).result())

    def remove_signature(self, digest: str, algorithm: str) -> None:
        self.thread.submit(self.store.remove_signature, digest, algorithm).result()

    def close(self) -> None:
        self.thread.submit(self.store.close).result()

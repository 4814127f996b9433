"""Answers about people's files that are long: made beside the event loop, not only read there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.services.contents.handlers import ContentsHandler
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from entrypoint.jupyter.large import BYTES_MIN, Answer, by_a_child

CHUNK_BYTES = 256 * 1024


def answer_beside() -> None:
    """To be called once, before Jupyter's own handler answers."""
    ContentsHandler.get = getting_beside(ContentsHandler.get)
    ContentsHandler.put = saving_beside(ContentsHandler.put)


def getting_beside(get: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(get)
    @authenticated
    @authorized
    async def get_beside(self: Any, path: str = "") -> None:
        manager, asked = self.contents_manager, asked_for(self)
        listing = await manager.listing(path) if is_for_a_listing(asked) else None
        large = await by_a_child(manager, "get", path, **asked) if asked and listing is None else None
        if listing:
            self.set_header("Last-Modified", listing[0])
            self.set_header("Content-Type", "application/json")
            await self.finish(listing[1])
        elif large:
            await tell(self, large)
        else:
            await get(self, path)

    return get_beside


def saving_beside(put: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(put)
    @authenticated
    @authorized
    async def put_beside(self: Any, path: str = "") -> None:
        manager, body = self.contents_manager, self.request.body
        saved = await by_a_child(manager, "put", path, body) if len(body) >= BYTES_MIN else None
        if saved:
            self.set_header("Location", self.location_url(saved.path))
            await tell(self, saved)
        else:
            await put(self, path)

    return put_beside


def asked_for(handler: Any) -> dict[str, Any] | None:
    """What a file's content is asked for with; None where it isn't, or not so that Jupyter would take it."""
    kind, form, content, digest = (
        handler.get_query_argument(name, None) for name in ("type", "format", "content", "hash")
    )
    if content not in (None, "1") or form not in (None, "text", "base64") or digest not in (None, "0", "1"):
        return None
    kind = kind if kind in (None, "directory", "notebook") else "file"
    return {"type": kind, "format": form, "require_hash": digest == "1"}


def is_for_a_listing(asked: dict[str, Any] | None) -> bool:
    return bool(asked) and asked["type"] in (None, "directory") and asked["format"] is None  # type: ignore[index]


async def tell(handler: Any, answer: Answer) -> None:
    """In parts, each as soon as the one before it has gone: the loop does nothing long with a long answer."""
    handler.set_status(answer.status)
    handler.set_header("Last-Modified", answer.last_modified)
    handler.set_header("Content-Type", "application/json")
    handler.set_header("Content-Length", len(answer.text))
    whole = memoryview(answer.text)
    try:
        for start in range(0, len(whole), CHUNK_BYTES):
            handler.write(bytes(whole[start : start + CHUNK_BYTES]))
            await handler.flush()
    except StreamClosedError:
        # Whoever asked has gone.
        return
    await handler.finish()

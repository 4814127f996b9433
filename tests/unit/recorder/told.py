"""Messages of a kernel, and runs, as the tests of the recorder tell them."""

from __future__ import annotations

from typing import Any

from entrypoint.recorder.runs import Recording, Run


def ask(recording: Recording, request: str, cell: str = "cell", code: str = "1 + 1", session: str = "page") -> None:
    recording.ask({"msg_id": request, "session": session}, {"cellId": cell}, {"code": code}, now=1.0)


def say(recording: Recording, request: str, kind: str, now: float = 2.0, **content: Any) -> bool:
    header = {"msg_type": kind, "msg_id": f"{kind}-{now}"}
    return bool(recording.take(header, {"msg_id": request}, lambda: (content, 10), now))


def execute(recording: Recording, request: str, text: str, count: int = 1, **cell: str) -> Run:
    """A run that has ended."""
    ask(recording, request, **cell)
    say(recording, request, "execute_input", execution_count=count)
    say(recording, request, "stream", name="stdout", text=text)
    say(recording, request, "status", now=3.0, execution_state="idle")
    return recording.runs[request]

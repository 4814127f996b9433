"""The executions of one kernel, by cell: from the request of a page to the end, whoever is there to see it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from entrypoint.recorder.outputs import Outputs

State = Literal["queued", "running", "ended"]
Outcome = Literal["done", "failed", "stopped", "killed"]

RUNS_MAX = 1000
# Of one kernel's runs together: saved ones are forgotten, so there are few.
BYTES_MAX = 256 << 20
# Of those that are saved already, with displays that a later cell may change.
SHOWN_MAX, SHOWN_BYTES_MAX = 100, 16 << 20
# A page that follows a run tells by them which messages it has already: more than Jupyter's buffer says to it again.
RECENT_MAX = 2000
# nbformat 4.5: 1 to 64 characters.
CELL_ID_MAX = 64


@dataclass
class Run:
    """One execution of a cell.

    Args:
        id: Of the request, which everything that the kernel says of it names as its parent.
        session: Of the page that asked.
        cell: The cell's id.
        asked: Seconds since the epoch, as all times here.
    """

    id: str
    session: str
    cell: str
    code: str
    asked: float
    state: State = "queued"
    outcome: Outcome | None = None
    count: int | None = None
    started: float | None = None
    ended: float | None = None
    outputs: Outputs = field(default_factory=Outputs)
    # The request that waits for a person's input.
    prompt: Mapping[str, Any] | None = None
    # Whether the page that asked was away, and is not told what it missed.
    is_missed: bool = False
    # What its cell in the notebook was when the last page left.
    before: str | None = None
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))

    def as_json(self) -> dict[str, Any]:
        """What a page is told, and what is kept on the disk."""
        return {
            "id": self.id,
            "session": self.session,
            "cell": self.cell,
            "code": self.code,
            "state": self.state,
            "outcome": self.outcome,
            "count": self.count,
            "outputs": self.outputs.as_list(),
            "prompt": self.prompt,
            "is_missed": self.is_missed,
            "recent": list(self.recent),
        }

    def for_later(self) -> dict[str, Any]:
        """What is kept on the disk besides."""
        return {"asked": self.asked, "started": self.started, "ended": self.ended, "before": self.before}


class Recording:
    """What one kernel's cells have put out and no notebook holds yet.

    Args:
        tell: Is told of each run that ends.
    """

    def __init__(self, tell: Callable[[Run], None] = lambda run: None) -> None:
        self.runs: dict[str, Run] = {}
        # What the notebook holds and a later cell may change, and what one that still runs has changed of it.
        self.shown: dict[str, Run] = {}
        self.stale: dict[str, Run] = {}
        self.tell = tell

    def ask(
        self, header: Mapping[str, Any], metadata: Mapping[str, Any], content: Mapping[str, Any], now: float
    ) -> None:
        """Takes note of a request to execute, if it is a notebook's cell's."""
        request, session, cell, code = (
            header.get("msg_id"),
            header.get("session"),
            metadata.get("cellId"),
            content.get("code"),
        )
        if not all(isinstance(each, str) for each in (request, session, cell, code)) or content.get("silent"):
            return
        if not 0 < len(str(cell)) <= CELL_ID_MAX or len(self.runs) >= RUNS_MAX:
            return
        # As in the page, which cleared the cell's outputs.
        self.forget([each for each in self.known() if each.cell == cell])
        run = Run(str(request), str(session), str(cell), str(code), now)
        self.runs[run.id] = run

    def take(
        self, header: Mapping[str, Any], parent: Mapping[str, Any], content: Callable[[], tuple[Any, int]], now: float
    ) -> list[Run]:
        """Takes a message of the kernel's output channel in; returns the runs that it has changed.

        Args:
            content: Unpacks it, and tells its size in bytes: most messages are of no cell.
        """
        kind, run = header.get("msg_type"), self.runs.get(str(parent.get("msg_id")))
        if kind == "update_display_data":
            told, size = content()
            changed = [each for each in self.known() if each.outputs.update(told, size)]
            self.stale |= {each.id: each for each in changed if self.shown.pop(each.id, None)}
            if run:
                run.recent.append(str(header.get("msg_id")))
            return changed
        if not run or run.state == "ended":
            return []
        run.recent.append(str(header.get("msg_id")))
        told, size = content()
        if isinstance(told, dict):
            self._take(run, str(kind), told, size, now)
        return [run]

    def _take(self, run: Run, kind: str, content: Mapping[str, Any], size: int, now: float) -> None:
        if kind == "execute_input":
            run.state, run.started = "running", now
            run.count = content["execution_count"] if isinstance(content.get("execution_count"), int) else None
        elif kind == "status":
            if content.get("execution_state") == "idle":
                self._end(run, run.outcome or ("done" if run.started else "stopped"), now)
        else:
            run.prompt = None
            run.outputs.add(kind, content, size)
            if kind == "error":
                run.outcome = "failed"

    def end(self, reason: str, now: float) -> None:
        """The kernel is gone, or is another process now: what ran has ended, and says why.

        Args:
            reason: A sentence, which stands below what the cell has put out; empty where the person wanted it.
        """
        unended = self.unended()
        # The first of those that wait had its turn, if it is none of those that have said so: a kernel may be killed
        # before its first word is on its way.
        running = [run for run in unended if run.started] or unended[:1]
        for run in unended:
            if run in running and reason:
                run.outputs.add("stream", {"name": "stderr", "text": f"{reason}\n"}, len(reason))
            self._end(run, "killed" if run in running else "stopped", now)
        # As in the page: a new process's displays are others, whatever it calls them.
        self.shown.clear()

    def _end(self, run: Run, outcome: Outcome, now: float) -> None:
        run.state, run.outcome, run.ended, run.prompt = "ended", outcome, now, None
        self._shorten()
        self.tell(run)

    def _shorten(self) -> None:
        """Of all together, too; the oldest go."""
        ended = self.ended()
        while len(ended) > 1 and sum(run.outputs.size for run in self.runs.values()) > BYTES_MAX:
            ended.pop(0).outputs.drop()

    def ask_for_input(self, request: Mapping[str, Any], parent: Mapping[str, Any]) -> Run | None:
        """The run that waits for a person's input from now on."""
        if (run := self.runs.get(str(parent.get("msg_id")))) and run.state != "ended":
            run.prompt = request
            return run
        return None

    def answered(self) -> None:
        """Somebody has answered; a kernel asks one thing at a time."""
        for run in self.runs.values():
            run.prompt = None

    def forget(self, runs: Iterable[Run]) -> None:
        for run in runs:
            for known in (self.runs, self.shown, self.stale):
                known.pop(run.id, None)

    def keep_shown(self, runs: Iterable[Run]) -> None:
        """Of what the notebook holds by now, what may change once more; the oldest go."""
        for run in runs:
            if self.runs.pop(run.id, None) and run.outputs.may_change:
                self.shown[run.id] = run
        sizes = [run.outputs.size for run in self.shown.values()]
        while len(sizes) > SHOWN_MAX or sum(sizes) > SHOWN_BYTES_MAX:
            self.shown.pop(next(iter(self.shown)))
            sizes.pop(0)

    def bring_back(self, now: float) -> list[str]:
        """What a cell that has ended has changed of others is to be saved anew; returns their ids."""
        brought, self.stale = self.stale, {}
        for run in brought.values():
            # Or it would seem that a page has saved the notebook since.
            run.ended = now
        self.runs |= brought
        return list(brought)

    def known(self) -> list[Run]:
        return [*self.runs.values(), *self.shown.values(), *self.stale.values()]

    def ended(self) -> list[Run]:
        return [run for run in self.runs.values() if run.state == "ended"]

    def unended(self) -> list[Run]:
        return [run for run in self.runs.values() if run.state != "ended"]

"""The outputs of one execution, as a notebook keeps them and as JupyterLab makes them of a kernel's messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrypoint.recorder.texts import BoundedText

Output = dict[str, Any]

# Of one execution: of more, the first and the last are kept.
FIRST_MAX = LAST_MAX = 500
BYTES_MAX = 64 << 20
ONE_BYTES_MAX = 32 << 20
STREAMS = ("stdout", "stderr")


@dataclass
class _Kept:
    """One output, whose text may still grow."""

    output: Output
    size: int
    text: BoundedText | None = None
    display: str | None = None

    def as_output(self) -> Output:
        return {**self.output, "text": str(self.text)} if self.text else self.output


@dataclass
class Outputs:
    """What a kernel says is anybody's: what is of no use to a notebook is passed over."""

    _first: list[_Kept] = field(default_factory=list)
    _last: deque[_Kept] = field(default_factory=deque)
    _left_out: int = 0
    _bytes: int = 0
    _clears_next: bool = False
    _is_dropped: bool = False

    def add(self, kind: str, content: Mapping[str, Any], size: int) -> None:
        """Takes a message in.

        Args:
            kind: Its type, as the messaging protocol names it.
            size: Of the content as it came, in bytes.
        """
        if kind == "stream":
            self._add_text(str(content.get("name")), content.get("text"))
        elif kind in ("display_data", "execute_result"):
            self._add(_Kept(_rich(kind, content), size, display=_display(content)))
        elif kind == "error":
            self._add(_Kept(_error(content), size))
        elif kind == "clear_output":
            self._clear(waits=bool(content.get("wait")))

    def update(self, content: Mapping[str, Any], size: int) -> bool:
        """Shows something else in the place of all that has the same display id; returns whether any has."""
        display = _display(content)
        found = [each for each in (*self._first, *self._last) if display and each.display == display]
        for each in found:
            each.output = {**each.output, "data": _mapping(content, "data"), "metadata": _mapping(content, "metadata")}
            self._bytes += size - each.size
            each.size = size
        return bool(found)

    def as_list(self) -> list[Output]:
        note: list[Output] = []
        if self._left_out:
            text = f"[{self._left_out:,} outputs are left out here: Workhorse keeps the first and the last.]\n"
            note = [{"output_type": "stream", "name": "stdout", "text": text}]
        first, last = ([each.as_output() for each in kept] for kept in (self._first, self._last))
        return first + note + last

    @property
    def may_change(self) -> bool:
        """Whether a later cell may show something else in the place of a display."""
        return any(each.display for each in (*self._first, *self._last))

    @property
    def size(self) -> int:
        """About, in bytes."""
        return self._bytes

    def drop(self) -> None:
        """Keeps nothing but that there was something."""
        if self._is_dropped:
            return
        size, self._first, self._last = self._bytes, [], deque()
        self._is_dropped = True
        self._left_out = self._bytes = 0
        self._add_text(
            "stdout", f"[About {size:,} bytes are left out here: too much was put out that no notebook holds.]\n"
        )

    @property
    def last_line(self) -> str:
        """What a person is told in one line."""
        for each in reversed([*self._first, *self._last]):
            if each.text and (line := each.text.last_line):
                return line
            if each.output["output_type"] == "error":
                return f"{each.output['ename']}: {each.output['evalue']}"
        return ""

    def _add_text(self, name: str, text: object) -> None:
        if name not in STREAMS or not isinstance(text, str):
            return
        self._clear_if_due()
        last = next(reversed(self._last or self._first), None)
        if not (last and last.text and last.output["name"] == name):
            last = _Kept({"output_type": "stream", "name": name}, 0, BoundedText())
            self._keep(last)
        assert last.text  # noqa: S101  # as it was found or made
        last.text.write(text)
        self._bytes += last.text.size - last.size
        last.size = last.text.size
        self._shorten()

    def _add(self, kept: _Kept) -> None:
        self._clear_if_due()
        if kept.size > ONE_BYTES_MAX:
            self._add_text("stdout", f"[An output of {kept.size:,} bytes is left out here.]\n")
            return
        self._keep(kept)
        self._bytes += kept.size
        self._shorten()

    def _keep(self, kept: _Kept) -> None:
        has_room = len(self._first) < FIRST_MAX and self._bytes + kept.size <= BYTES_MAX - ONE_BYTES_MAX
        (self._first if has_room and not self._last else self._last).append(kept)

    def _shorten(self) -> None:
        while len(self._last) > LAST_MAX or (self._bytes > BYTES_MAX and len(self._last) > 1):
            self._bytes -= self._last.popleft().size
            self._left_out += 1

    def _clear(self, waits: bool) -> None:
        self._clears_next = waits
        if not waits:
            self._first, self._last = [], deque()
            self._left_out = self._bytes = 0

    def _clear_if_due(self) -> None:
        if self._clears_next:
            self._clear(waits=False)


def _rich(kind: str, content: Mapping[str, Any]) -> Output:
    output: Output = {"output_type": kind}
    output |= {name: _mapping(content, name) for name in ("data", "metadata")}
    if kind == "execute_result":
        count = content.get("execution_count")
        output["execution_count"] = count if isinstance(count, int) else None
    return output


def _error(content: Mapping[str, Any]) -> Output:
    lines = content.get("traceback")
    return {
        "output_type": "error",
        "ename": str(content.get("ename", "")),
        "evalue": str(content.get("evalue", "")),
        "traceback": [str(line) for line in lines] if isinstance(lines, list) else [],
    }


def _display(content: Mapping[str, Any]) -> str | None:
    display = _mapping(content, "transient").get("display_id")
    return display if isinstance(display, str) else None


def _mapping(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}

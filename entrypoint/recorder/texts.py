"""A stream's text as JupyterLab shows it, and bounded: of a long one the beginning and the end are kept."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

# In characters, of one stream's text.
BEGINNING_MAX = END_MAX = 1 << 20
# Of one line; longer ones are kept in pieces, and only the last piece can be overwritten.
LINE_MAX = 1 << 16
MOVES = re.compile(r"([\r\b])")


class BoundedText:
    """Lines that are done, of which those in the midst are left out, and the last one, which may be overwritten.

    Carriage returns and backspaces move as in JupyterLab (`processText` in @jupyterlab/outputarea), so a progress bar
    of a night is one line.
    """

    def __init__(self, beginning_max: int = BEGINNING_MAX, end_max: int = END_MAX) -> None:
        self.beginning_max, self.end_max = beginning_max, end_max
        self._beginning: list[str] = []
        self._end: deque[str] = deque()
        self._beginning_size = self._end_size = self._left_out = 0
        self._line, self._at = "", 0

    def write(self, text: str) -> None:
        *lines, last = text.split("\n")
        for line in lines:
            self._write_in_line(line)
            self._keep(f"{self._line}\n")
            self._line, self._at = "", 0
        self._write_in_line(last)

    def __str__(self) -> str:
        return "".join(self._parts())

    @property
    def size(self) -> int:
        return self._beginning_size + self._end_size + len(self._line)

    @property
    def last_line(self) -> str:
        """The last that isn't empty, of what is kept."""
        done = reversed([*self._beginning, *self._end])
        return next(filter(None, map(str.strip, (self._line, *done))), "")

    def _parts(self) -> Iterator[str]:
        yield from self._beginning
        if self._left_out:
            yield f"[{self._left_out:,} characters are left out here: Workhorse keeps the beginning and the end.]\n"
        yield from self._end
        yield self._line

    def _write_in_line(self, text: str) -> None:
        for part in MOVES.split(text):
            if part == "\r":
                self._at = 0
            elif part == "\b":
                before = max(self._at - 1, 0)
                self._line = self._line[:before] + self._line[self._at :]
                self._at = before
            elif part:
                self._line = self._line[: self._at] + part + self._line[self._at + len(part) :]
                self._at += len(part)
        if len(self._line) > LINE_MAX:
            self._keep(self._line)
            self._line, self._at = "", 0

    def _keep(self, text: str) -> None:
        for begin in range(0, len(text), LINE_MAX):
            piece = text[begin : begin + LINE_MAX]
            if not self._end and self._beginning_size + len(piece) <= self.beginning_max:
                self._beginning.append(piece)
                self._beginning_size += len(piece)
            else:
                self._end.append(piece)
                self._end_size += len(piece)
                self._shorten()

    def _shorten(self) -> None:
        while self._end_size > self.end_max:
            left_out = len(self._end.popleft())
            self._end_size -= left_out
            self._left_out += left_out

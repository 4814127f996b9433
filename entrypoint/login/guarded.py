"""What the door answers to whoever is logged in, and to nobody else."""

from __future__ import annotations

from entrypoint.login.door import Door
from entrypoint.proxy.handler import Passage
from entrypoint.proxy.refusals import RefusingHandler


class GuardedHandler(RefusingHandler):
    """Turns a stranger away, whatever is asked."""

    def initialize(self, door: Door, passage: Passage) -> None:
        self.door, self.passage = door, passage
        self.login = door.login_of(self.request)

    def prepare(self) -> None:
        if self.login is None:
            self.turn_away(self.passage.login_path)

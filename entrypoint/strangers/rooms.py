"""Where connections wait that nobody has logged in on: at each stage in a room of its own, with few places."""

from __future__ import annotations

# The most that one stage may hold, and the part of the process's files that it may take: about half in all, so that
# logins and kernels have the rest even where 1024 is all there is.
SOCKETS, SOCKETS_SHARE = 1024, 8
# Those with memory of OpenSSL's, some 50 kB each. Each has as long to answer as it takes to greet half of a room
# anew: 0.4 seconds where 600 strangers come in a second.
GREETINGS, GREETINGS_SHARE = 512, 8
REQUESTS, REQUESTS_SHARE = 256, 16
# What a handshake, and a whole request, may take. A proxy or a browser that has nothing to ask opens another.
PATIENCE_SECONDS = 10.0
# A hundred guesses may wait to be checked (limiter.BURST_GUESSES), one after another.
ANSWER_SECONDS = 120.0


class Visitor:
    """One connection, from when it is accepted."""

    __slots__ = ("group", "is_member", "room")

    def __init__(self, group: str) -> None:
        # The addresses that have half of each room at most, as `clients.client_group` names them.
        self.group = group
        self.room: Room | None = None
        # Whether a logged-in person has ever asked something over it: then it waits in no room.
        self.is_member = False

    def give_way(self) -> None:
        """Leaves the room that it waits in: hangs up, unless it can go on."""
        raise NotImplementedError

    def enter(self, room: Room, now: float) -> None:
        self.leave()
        if not self.is_member:
            room.admit(self, now)

    def leave(self) -> None:
        if self.room:
            self.room.dismiss(self)


class Room:
    """Those at one stage, in the order in which they came to it.

    Where no place is left, of all or of one group, the one that has waited longest goes: whoever does promptly what is
    waited for, gets through however many come after it. Nobody can keep a place by taking time.
    """

    def __init__(self, places: int, seconds: float) -> None:
        self.places, self.places_of_one_group = places, max(1, places // 2)
        self.seconds = seconds
        self._visitors: dict[Visitor, float] = {}
        self._groups: dict[str, dict[Visitor, None]] = {}

    def __len__(self) -> int:
        return len(self._visitors)

    def admit(self, visitor: Visitor, now: float) -> None:
        group = self._groups.setdefault(visitor.group, {})
        self._visitors[visitor], group[visitor], visitor.room = now, None, self
        if len(group) > self.places_of_one_group:
            _oldest(group).give_way()
        elif len(self) > self.places:
            self.make_room()

    def dismiss(self, visitor: Visitor) -> None:
        del self._visitors[visitor]
        group = self._groups[visitor.group]
        del group[visitor]
        if not group:
            del self._groups[visitor.group]
        visitor.room = None

    def first(self) -> Visitor | None:
        """Who has waited longest."""
        return _oldest(self._visitors) if self._visitors else None

    def make_room(self) -> bool:
        """Lets the one go that has waited longest; returns whether there was one."""
        if first := self.first():
            first.give_way()
        return first is not None

    def end_waiting(self, now: float) -> None:
        """Lets those go that have waited for too long."""
        while self._visitors and self._visitors[oldest := _oldest(self._visitors)] <= now - self.seconds:
            oldest.give_way()


class Rooms:
    """All stages on the way to an answer.

    Args:
        files: How many files the process may have open.
    """

    def __init__(self, files: int) -> None:
        sockets = min(SOCKETS, files // SOCKETS_SHARE)
        requests = min(REQUESTS, files // REQUESTS_SHARE)
        # Without a whole greeting of TLS yet, then with one, before anything is done about it.
        self.silent = Room(sockets, PATIENCE_SECONDS)
        self.ready = Room(sockets, PATIENCE_SECONDS)
        # In the handshake, before a whole request, and with one.
        self.greeted = Room(min(GREETINGS, files // GREETINGS_SHARE), PATIENCE_SECONDS)
        self.asking = Room(requests, PATIENCE_SECONDS)
        self.answered = Room(requests, ANSWER_SECONDS)

    @property
    def all(self) -> tuple[Room, ...]:
        """Those first of whom least is lost."""
        return self.silent, self.asking, self.greeted, self.ready, self.answered

    def make_room(self) -> bool:
        """Lets one go, of whom least is lost; returns whether there was one."""
        return any(room.make_room() for room in self.all)

    def end_waiting(self, now: float) -> None:
        for room in self.all:
            room.end_waiting(now)


def _oldest(visitors: dict[Visitor, float] | dict[Visitor, None]) -> Visitor:
    return next(iter(visitors))

"""Slows down the guessing of passwords, and leaves the owner's own browsers alone while it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from math import inf, isfinite
from typing import Any

DEVICE = "device:"
# Browsers share so many budgets at random. Whoever once knew the password may have gathered cookies of them all, and
# still has 9,600 guesses a day with them, no more than half of what strangers have in common.
DEVICES = 100

# One address alone: 15 guesses in the first 17 minutes, then 96 a day.
FREE_FAILURES = 5
WAIT_SECONDS_MAX = 15 * 60
FORGIVING_SECONDS = 60 * 60
# The fifteenth failure brings the longest wait; counting further would only punish for more days what is long over.
FAILURES_MAX = 15

# All addresses together: 17,280 guesses a day, 6.3 million (2 ** 22.6) a year, however many addresses there are.
# Half the space of a generated password (79 bits) takes over 10 ** 16 years, that of 8 random small letters
# (38 bits) 16,500 years; a password among the million commonest falls within 58 days, whatever its length.
# The burst is more mistakes than people make in an evening, and no more than an attacker gets in 8 minutes anyway.
BURST_GUESSES = 100
REFILL_SECONDS = 5

# More than there can be (see Limiter), each an address, a network or a device's number.
CLIENTS_MAX = 20_000
CLIENT_CHARACTERS_MAX = 64


@dataclass(frozen=True)
class _Record:
    """What is held against one client; times are seconds of the limiter's clock."""

    failures: int
    failed_at: float
    waits_until: float

    def failures_left(self, now: float) -> int:
        """One failure is forgiven for each hour since the latest."""
        return max(0, self.failures - int((now - self.failed_at) // FORGIVING_SECONDS))

    def moved(self, later_by: float, now: float) -> _Record:
        """The same on another clock, and no worse than a failure of this moment."""
        if type(self.failures) is not int or not 0 < self.failures <= FAILURES_MAX:
            raise ValueError("no number of failures")
        failed_at = min(_number(self.failed_at) + later_by, now)
        return _Record(self.failures, failed_at, min(_number(self.waits_until) + later_by, now + WAIT_SECONDS_MAX))


class Limiter:
    """Says how long a client has to wait for its next guess; one instance, of which `guesses` keeps a copy.

    A client is an address group, or `device:` and the id from a cookie that the server signed at an earlier login.
    Addresses have a budget each and one in common, which a flood can use up for a browser that is new here.
    A device has its own alone, so nothing that strangers do holds it up.

    Times are seconds of a monotonic clock, given by the caller; one that goes back counts as standing still.
    No method awaits or blocks, so on the server's one event loop each of them is atomic.

    Memory: only a guess is remembered, never a refusal, and for 15 hours at most. The common budget admits 11,620
    guesses in 16 hours (swept hourly), so the addresses of any flood fit into a few megabytes. Nothing has to be
    thrown out early, and nobody can free an address by flooding the table.
    """

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._now = -inf
        self._budget_full_at = -inf
        self._sweep_at = -inf

    def wait_seconds(self, client: str, now: float) -> float:
        """The time until the client may guess, 0 if it may now; asking costs nothing."""
        self._now = max(self._now, now)
        record = self._records.get(client)
        wait_ends = record.waits_until if record else -inf
        if not _is_device(client):
            wait_ends = max(wait_ends, self._budget_full_at - (BURST_GUESSES - 1) * REFILL_SECONDS)
        return max(0.0, wait_ends - self._now)

    def begin(self, client: str, now: float) -> float:
        """Admits a guess and returns 0, or returns the seconds to wait for it.

        An admitted guess counts as failed until `succeeded` says otherwise. So a thousand requests at once share
        the budget of one after another, and a guess that breaks off has failed.
        """
        if wait := self.wait_seconds(client, now):
            return wait
        self._sweep()
        self._records[client] = self._after_failure(self._records.get(client))
        if not _is_device(client):
            self._budget_full_at = max(self._budget_full_at, self._now) + REFILL_SECONDS
        return 0.0

    def succeeded(self, client: str) -> None:
        """Takes back the guess that `begin` admitted, and forgives the client's earlier ones.

        To be called once per login, when all of it was right: after the second factor, where there is one.
        """
        if self._records.pop(client, None) and not _is_device(client):
            self._budget_full_at -= REFILL_SECONDS

    def counts(self) -> dict[str, Any]:
        """What `with_counts` makes the same limiter of, as JSON has it; may be called beside the event loop."""
        clients = self._records.copy()
        budget = self._budget_full_at if isfinite(self._budget_full_at) else None
        return {"budget_full_at": budget, "clients": {client: astuple(clients[client]) for client in clients}}

    @classmethod
    def with_counts(cls, counts: Mapping[str, Any], later_by: float, now: float) -> Limiter:
        """The limiter that gave the counts, on a clock that shows so much more.

        Whatever they say, nobody waits for longer than a guess can bring about.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: They are none.
        """
        limiter = cls()
        limiter._now = now
        if len(counts["clients"]) > CLIENTS_MAX:
            raise ValueError("too many clients")
        for client, values in counts["clients"].items():
            limiter._records[_sound_client(client)] = _Record(*values).moved(later_by, now)
        if counts["budget_full_at"] is not None:
            latest = now + BURST_GUESSES * REFILL_SECONDS
            limiter._budget_full_at = min(_number(counts["budget_full_at"]) + later_by, latest)
        return limiter

    def _after_failure(self, record: _Record | None) -> _Record:
        failures = min(FAILURES_MAX, 1 + (record.failures_left(self._now) if record else 0))
        return _Record(failures, self._now, self._now + wait_after(failures))

    def _sweep(self) -> None:
        """Drops, once an hour, the records in which everything is forgiven."""
        if self._now < self._sweep_at:
            return
        self._records = {client: record for client, record in self._records.items() if record.failures_left(self._now)}
        self._sweep_at = self._now + FORGIVING_SECONDS


def wait_after(failures: int) -> float:
    """The seconds to wait after so many failures: none for the first few, then 1, 2, 4 ... up to 15 minutes."""
    return 0.0 if failures < FREE_FAILURES else min(WAIT_SECONDS_MAX, 2.0 ** (failures - FREE_FAILURES))


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise ValueError("no number")
    return float(value)  # type: ignore[arg-type]


def _sound_client(client: object) -> str:
    if not isinstance(client, str) or len(client) > CLIENT_CHARACTERS_MAX:
        raise ValueError("no client")
    return client


def _is_device(client: str) -> bool:
    return client.startswith(DEVICE)

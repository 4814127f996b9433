"""Slows down the guessing of passwords, and leaves the owner's own browsers alone while it does."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

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


@dataclass(frozen=True)
class _Record:
    """What is held against one client; times are seconds of the limiter's clock."""

    failures: int
    failed_at: float
    waits_until: float

    def failures_left(self, now: float) -> int:
        """One failure is forgiven for each hour since the latest."""
        return max(0, self.failures - int((now - self.failed_at) // FORGIVING_SECONDS))


class Limiter:
    """Says how long a client has to wait for its next guess; one instance, in the server's memory.

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


def _is_device(client: str) -> bool:
    return client.startswith(DEVICE)

"""Strangers who guess at the login form, one or many, and the address that a proxy would vouch for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.clients import Client, unless_away
from tests.stacks import Stack

# Where Docker puts the networks of stacks, and so the address that a published port's connections come from.
DOCKER_NETWORKS = "172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"
WRONG = "not the password"
TOO_MANY = "Too many wrong passwords. Try again in"


@contextmanager
def visitor(stack: Stack, authority: Path, address: str | None = None) -> Iterator[Client]:
    """A browser that has never been here; with an address, as one's own proxy forwards it."""
    with Client(stack.url, authority) as client:
        if address:
            client.session.headers["X-Forwarded-For"] = address
        yield client


def guess(stack: Stack, authority: Path, address: str | None = None) -> int:
    """One wrong guess of a browser that is new, and the status that it gets."""
    with visitor(stack, authority, address) as client:
        return client.login(WRONG).status_code


def flood(stack: Stack, authority: Path, addresses: Sequence[str | None]) -> list[int]:
    """A guess from each address, many at a time; the statuses that they get, in any order."""
    workers = 16

    def guesses(part: Sequence[str | None]) -> list[int]:
        with visitor(stack, authority) as client:
            return [_guess_as(client, address) for address in part]

    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(guesses, [addresses[first::workers] for first in range(workers)])
        return [status for part in parts for status in part]


def _guess_as(client: Client, address: str | None) -> int:
    if address:
        client.session.headers["X-Forwarded-For"] = address
    return client.login(WRONG).status_code


def is_signed_out(client: Client) -> bool | None:
    """A question to poll: a sign-out ends every connection, the one that asks too."""
    return unless_away(lambda: not client.is_logged_in() or None)()

"""The limiter's counts outlive the server: a restart frees nobody, and locks nobody out for longer than a guess."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.login.guesses import BYTES_MAX, KeptCounts, boot_id, from_json, read_limiter, to_json
from entrypoint.strangers.limiter import BURST_GUESSES, REFILL_SECONDS, WAIT_SECONDS_MAX, Limiter
from tests.unit.strangers.test_limiter import OWNER, STRANGER, exhaust_common_budget, fail

BOOT, ANOTHER_BOOT = "the boot", "another boot"
LONGEST_SECONDS = max(WAIT_SECONDS_MAX, BURST_GUESSES * REFILL_SECONDS)


@given(st.integers(1, 20), st.floats(0, 1e5))
def test_a_restarted_server_lets_nobody_wait_for_more_or_less(failures: int, pause: float) -> None:
    limiter = Limiter()
    exhaust_common_budget(limiter)
    now = fail(limiter, OWNER, failures, fail(limiter, STRANGER, failures, 1000.0))
    again = from_json(to_json(limiter, BOOT, now), BOOT, now + pause)
    for client in (STRANGER, OWNER, "198.51.100.1"):
        assert again.wait_seconds(client, now + pause) == limiter.wait_seconds(client, now + pause)
        assert again.begin(client, now + pause) == limiter.begin(client, now + pause)


@pytest.mark.parametrize("now", [0.0, 5.0, 1e9])
def test_a_machine_that_was_started_anew_takes_up_where_it_stopped(now: float) -> None:
    limiter = Limiter()
    stopped = fail(limiter, STRANGER, 12, 1e6)
    again = from_json(to_json(limiter, BOOT, stopped), ANOTHER_BOOT, now)
    assert again.wait_seconds(STRANGER, now) == pytest.approx(limiter.wait_seconds(STRANGER, stopped))


def test_a_clock_that_went_back_frees_nobody() -> None:
    limiter = Limiter()
    stopped = fail(limiter, STRANGER, 12, 1e6)
    again = from_json(to_json(limiter, BOOT, stopped), BOOT, 7.0)
    assert again.wait_seconds(STRANGER, 7.0) == pytest.approx(limiter.wait_seconds(STRANGER, stopped))


numbers = st.floats(allow_nan=True) | st.integers() | st.none() | st.booleans() | st.text(max_size=3)
records = st.lists(numbers, max_size=4)
damaged = st.fixed_dictionaries(
    {"boot": st.sampled_from([BOOT, ANOTHER_BOOT, "", None]), "now": numbers, "budget_full_at": numbers},
    optional={"clients": st.dictionaries(st.sampled_from([STRANGER, OWNER]) | st.text(max_size=80), records)},
)


@given(damaged | st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_the_file_holds_nobody_is_locked_out_for_longer_than_by_guessing(kept: Any) -> None:
    now = 1000.0
    try:
        limiter = from_json(json.dumps(kept), BOOT, now)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return
    for client in (STRANGER, OWNER):
        wait = limiter.wait_seconds(client, now)
        assert 0 <= wait <= LONGEST_SECONDS
        assert limiter.begin(client, now + wait) == 0


def place_fifo(path: Path) -> None:
    os.mkfifo(path)


def place_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def place_folder(path: Path) -> None:
    path.mkdir()


def place_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(BYTES_MAX * 1000)


def place_depth(path: Path) -> None:
    path.write_text("[" * 1_000_000)


def place_bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    "place", [Path.touch, place_fifo, place_device, place_folder, place_giant, place_depth, place_bytes]
)
def test_what_is_no_file_of_counts_is_as_good_as_none(tmp_path: Path, place: Any) -> None:
    place(tmp_path / "guesses.json")
    assert read_limiter(tmp_path / "guesses.json").begin(STRANGER, 0.0) == 0


def test_a_hundred_guesses_at_once_are_kept_in_two_writings(tmp_path: Path) -> None:
    path, limiter, written = tmp_path / "guesses.json", Limiter(), list[int]()
    with ThreadPoolExecutor(1) as desk:
        counts = KeptCounts(limiter, path, desk, logging.getLogger("test"))

        async def guess(number: int) -> None:
            limiter.begin(f"192.0.2.{number}", 1.0)
            await counts.keep()
            written.append(path.stat().st_ino)
            assert f"192.0.2.{number}" in json.loads(path.read_text())["clients"]

        async def all_at_once() -> None:
            await asyncio.gather(*(guess(number) for number in range(BURST_GUESSES)))

        asyncio.run(all_at_once())
    assert len(written) == BURST_GUESSES
    assert len(set(written)) <= 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_limiter(path).counts() == limiter.counts()


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as desk:
        counts = KeptCounts(Limiter(), tmp_path / "gone" / "guesses.json", desk, logging.getLogger("test"))
        for _ in range(5):
            asyncio.run(counts.keep())
    assert len(caplog.records) == 1


def test_a_limiter_of_the_largest_flood_fits(tmp_path: Path) -> None:
    limiter = Limiter()
    for number in range(11_620):
        limiter.begin(f"2001:db8:{number % 10_000}:{number}::/64", number * REFILL_SECONDS + 1 / 3)
    text = to_json(limiter, boot_id(), 1e9)
    assert len(text) < BYTES_MAX
    assert from_json(text, boot_id(), 1e9).counts() == limiter.counts()

"""The ends of long cells, kept for the door as long as they are news."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from entrypoint.kernels.notices import KEPT_SECONDS, LONG_SECONDS, Ended, Notices
from entrypoint.system.notices import NOTICES_MAX, OUTCOMES, Notice, Outcome

LONG = Ended("course/night.ipynb", "f00", LONG_SECONDS + 1, "done", "Epoch 1\x1b[0m")
TOLD = Notice("night.ipynb", "done", "Epoch 1")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_long_cell_is_told_by_its_notebook_s_name_and_its_last_line(outcome: Outcome) -> None:
    notices = Notices()
    notices.ended(replace(LONG, outcome=outcome))
    assert notices.take() == [replace(TOLD, outcome=outcome)]
    assert notices.take() == []


def test_a_short_one_is_not() -> None:
    notices = Notices()
    notices.ended(replace(LONG, seconds=LONG_SECONDS))
    assert notices.take() == []


def test_what_belongs_to_no_notebook_says_so() -> None:
    notices = Notices()
    notices.ended(replace(LONG, path=None))
    assert notices.take() == [replace(TOLD, notebook="A console")]


def test_where_nobody_asks_the_latest_are_kept_and_only_while_they_are_news() -> None:
    now = 0.0
    notices = Notices(lambda: now)
    notices.ended(LONG)
    now = KEPT_SECONDS + 1
    for number in range(NOTICES_MAX + 5):
        notices.ended(replace(LONG, last_line=str(number)))
    assert [each.last_line for each in notices.take()] == [str(number) for number in range(5, NOTICES_MAX + 5)]
    notices.ended(LONG)
    now = 3 * KEPT_SECONDS
    assert notices.take() == []


def test_who_waits_is_told_at_once_and_else_not_kept_waiting_for_ever() -> None:
    async def wait() -> list[Notice]:
        notices = Notices()
        await notices.wait(0.01)
        assert notices.take() == []
        asyncio.get_running_loop().call_soon(notices.ended, LONG)
        await asyncio.wait_for(notices.wait(600), 20)
        return notices.take()

    assert asyncio.run(wait()) == [TOLD]

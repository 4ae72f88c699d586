"""Guesses at the token of /metrics: slow for the source that they come from, a few at a time, and for no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from nshell.serving.turns import TOGETHER
from nshell.web import metrics
from nshell.web.metrics import Guesses

TOKEN = "abcdefghijklmnop"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The delays, none of which is waited for."""
    delays: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        delays.append(seconds)
        await real(0)

    monkeypatch.setattr(metrics.asyncio, "sleep", sleep)
    yield delays


async def test_wrong_tokens_wait_longer_and_longer_and_the_right_one_as_long(slept: list[float]) -> None:
    guesses = Guesses()
    for _ in range(7):
        assert not await guesses.right("192.0.2.1", TOKEN[:-1], TOKEN)
    assert await guesses.right("192.0.2.1", TOKEN, TOKEN)
    assert slept == [0, 0, 0, 1, 2, 4, 8, 8]
    assert await guesses.right("192.0.2.2", TOKEN, TOKEN) and slept[-1] == 0, "another source waits for nothing"


async def test_right_tokens_never_wait_however_many_there_are(slept: list[float]) -> None:
    guesses = Guesses()
    for _ in range(20):
        assert await guesses.right("192.0.2.1", TOKEN, TOKEN)
    assert not any(slept)


async def test_guesses_that_come_together_are_looked_at_a_few_at_a_time(slept: list[float]) -> None:
    guesses = Guesses()
    found = await asyncio.gather(*(guesses.right("192.0.2.1", f"guess {n}", TOKEN) for n in range(30)))
    assert not any(found) and sum(delay == 8 for delay in slept) >= 30 - 5 - 3 * TOGETHER
    assert not len(guesses._turns)

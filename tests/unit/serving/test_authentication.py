"""Passwords: how many are tried at a time, and that many at once wait as those one after the other do."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from data.configuration import Running
from nshell.serving import authentication
from nshell.serving.authentication import Authentication
from nshell.serving.turns import TOGETHER


async def test_guesses_that_come_together_are_tried_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = most = 0

    def slow(password: str, kept: str) -> bool:
        return False

    async def sleep(seconds: float) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await real(0.001)
        now -= 1
        slept.append(seconds)

    slept: list[float] = []
    real = asyncio.sleep
    monkeypatch.setattr(authentication, "matches", slow)
    monkeypatch.setattr(authentication.asyncio, "sleep", sleep)
    door = Authentication(SimpleNamespace(acting=Running()))  # type: ignore[arg-type]
    try:
        tried = await asyncio.gather(*(door.password("nobody", f"guess {n}", "192.0.2.1") for n in range(30)))
    finally:
        door.close()
    assert not any(tried)
    assert most <= TOGETHER, "the others wait for them"
    assert len(slept) >= 30 - 2 * TOGETHER and sum(slept) > 8.0 * 15, "all but the first wait for their failures"


async def test_who_hangs_up_while_his_password_is_looked_at_has_failed_and_who_waits_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(password: str, kept: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return go_on.wait(60) and False

    monkeypatch.setattr(authentication, "matches", slow)
    door = Authentication(SimpleNamespace(acting=Running()))  # type: ignore[arg-type]
    try:
        guesses = [asyncio.create_task(door.password("nobody", f"guess {n}", "192.0.2.1")) for n in range(30)]
        await begun.wait()
        assert len(door._turns) == 30
        for guess in guesses:
            guess.cancel()
        await asyncio.gather(*guesses, return_exceptions=True)
        assert not len(door._turns)
        assert door._throttle.delay("192.0.2.1", "nobody") == 1.0, "three that were begun"
    finally:
        go_on.set()
        door.close()

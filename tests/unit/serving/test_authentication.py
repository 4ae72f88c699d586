"""Passwords: how many are tried at a time, and that many at once wait as those one after the other do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from data.configuration import Running
from nshell.serving import authentication
from nshell.serving.authentication import TOGETHER, Authentication


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

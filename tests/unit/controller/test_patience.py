"""A switch that does nothing of what it was asked is given up; one that does anything is waited for."""

from __future__ import annotations

import asyncio

import pytest

from controller.hypervisors import patience as module
from controller.hypervisors.patience import PER_FLOW, patience


class Watched:
    def __init__(self) -> None:
        self.progress = 0
        self.closed: list[str] = []

    def close(self, reason: str) -> None:
        self.closed.append(reason)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)


async def test_a_switch_without_a_sign_of_life_is_closed_once_with_a_reason() -> None:
    switch = Watched()
    with patience(switch):
        await asyncio.sleep(0.3)
    assert switch.closed == ["it hangs: no sign of life within 0.1 s while it was to change flows"]


async def test_a_switch_that_is_slow_but_goes_on_is_waited_for() -> None:
    switch = Watched()
    with patience(switch):
        for _ in range(6):
            await asyncio.sleep(0.05)
            switch.progress += 1
    await asyncio.sleep(0.2)
    assert not switch.closed, "nothing is watched any more"


async def test_a_large_change_is_given_the_time_that_it_takes() -> None:
    switch = Watched()
    with patience(switch, flows=int(0.5 / PER_FLOW)):
        await asyncio.sleep(0.3)
    assert not switch.closed

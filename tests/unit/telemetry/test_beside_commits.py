"""Looks keep their time while one commit follows the other, and no commit waits for a look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controller.telemetry.keys import Measure
from tests.unit.telemetry.test_service import VM, Counting, counting

INTERVAL = 10
ROUNDS = 12
MOST = 3
"""Rounds, of up to one and a half intervals each, from one look at a switch to the next."""


class Commits:
    """Changes without a pause in between: whenever the turn is free, one of them has it."""

    def __init__(self, turn: asyncio.Lock) -> None:
        self._turn = turn
        self.done = 0

    async def run(self) -> None:
        while True:
            async with self._turn:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            self.done += 1


@asynccontextmanager
async def busy(it: Counting) -> AsyncIterator[Commits]:
    commits = Commits(it.network.turn)
    tasks = [asyncio.create_task(commits.run()) for _ in range(2)]
    try:
        yield commits
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def noted(it: Counting, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The rounds in which each switch was really looked at; `rounds` of the test counts them."""
    looked: dict[str, list[int]] = {name: [] for name in it.switches}
    look = it.telemetry._switches.look

    async def note(dvrs: str, busy: Callable[[], bool] | None) -> Any:
        found = await look(dvrs, busy)
        if found is not None:
            looked[dvrs].append(round(it.time // INTERVAL))
        return found

    monkeypatch.setattr(it.telemetry._switches, "look", note)
    return looked


async def test_commits_without_a_pause_let_no_switch_be_unread_for_more_than_three_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        looked, begun = noted(it, monkeypatch), round(it.time // INTERVAL)
        async with busy(it) as commits:
            for _ in range(ROUNDS):
                it.pass_time(INTERVAL)
                it.flows[2][0].packets += 7
                done = commits.done
                await it.look()
                assert commits.done > done, "a commit waited for the whole round"
        for name, rounds in looked.items():
            times = [begun, *rounds, begun + ROUNDS]
            apart = [later - sooner for sooner, later in pairwise(times)]
            assert len(rounds) >= ROUNDS // MOST and max(apart) <= MOST, (name, rounds)
        await it.look()
        latest = it.telemetry.latest(VM[2])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 7 * ROUNDS


async def test_a_look_that_is_late_asks_one_thing_at_a_time_and_a_hung_switch_holds_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.telemetry.service._WAIT", 0.1)
    async with counting(tmp_path) as it:
        await it.look()
        await it.look()  # its answers are small: they are asked for with one write
        switch, asked, most = it.switches["hv1"], 0, 0
        answer = switch.multipart

        async def slowly(kind: int, body: bytes) -> list[bytes]:
            nonlocal asked, most
            asked += 1
            most = max(most, asked)
            await asyncio.sleep(0)
            try:
                return await answer(kind, body)
            finally:
                asked -= 1

        async def never(kind: int, body: bytes) -> list[bytes]:
            await asyncio.Event().wait()
            raise AssertionError

        switch.multipart = slowly  # type: ignore[method-assign]
        it.pass_time(INTERVAL)
        await it.look()
        assert most > 1, "on its own it is asked for everything at once"
        most = 0
        async with busy(it) as commits:
            it.pass_time(3 * INTERVAL)
            await it.look()
            assert most == 1
            switch.multipart = never  # type: ignore[method-assign]
            it.pass_time(3 * INTERVAL)
            done = commits.done
            await it.look()
            assert commits.done > done + 10


async def test_a_switch_that_is_deaf_while_a_change_is_carried_out_is_not_told_to_be_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.telemetry.service._WAIT", 0.05)
    async with counting(tmp_path) as it:
        await it.look()
        it.telemetry._rhythm.configured = 0.1
        asked = 0

        async def never(kind: int, body: bytes) -> list[bytes]:
            nonlocal asked
            asked += 1
            await asyncio.Event().wait()
            raise AssertionError

        it.switches["hv1"].multipart = never  # type: ignore[method-assign]
        async with it.network.turn:
            it.pass_time(3 * INTERVAL)
            await it.look()
            assert asked, "it is late, and asked all the same"
            assert not any("does not answer" in event.text for event in it.model.events)
        async with asyncio.timeout(10):
            while not any("does not answer" in event.text for event in it.model.events):
                await asyncio.sleep(0.01)

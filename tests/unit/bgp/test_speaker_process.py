"""The speaker's process as the daemon sees it: answers in order, deaths, restarts, secrets; with a child that is
ours."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.bgp.routes import Attributes, Family, Rd, Route, VpnPrefix
from controller.bgp.speaker.backend import Down, Event, Fault, Peer, Speaker, SpeakerGone, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from data.addresses import address, prefix
from data.errors import CommandFailed

FAKE = Path(__file__).with_name("fake_speaker.py")
ROOT = Path(__file__).parents[3]
PEER = Peer("pe1", "192.0.2.9", "192.0.2.1", 65000, 65000, "192.0.2.1", (Family.VPNV4,), password="hunter2")
ROUTE = Route(VpnPrefix(Rd.of("65000:1"), prefix("10.0.0.0/8"), (100,)), Attributes(address("192.0.2.1")))


@asynccontextmanager
async def faked(scenario: str, monkeypatch: pytest.MonkeyPatch, events: list[Event]) -> AsyncIterator[ExabgpSpeaker]:
    """A speaker whose process is the fake one; not started yet."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    speaker = ExabgpSpeaker(events.append, command=(sys.executable, str(FAKE), scenario))
    conforming: Speaker = speaker
    try:
        yield speaker
    finally:
        await conforming.stop()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_answers_come_in_the_order_of_the_commands_and_many_may_be_asked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Event] = []
    async with faked("plain", monkeypatch, events) as speaker:
        await speaker.start()
        await speaker.configure([PEER])
        await until(lambda: any(isinstance(one, Up) for one in events))
        done: list[int] = []

        async def ask(number: int) -> None:
            await speaker.announce(["pe1"], [ROUTE])
            done.append(number)

        await asyncio.gather(*(ask(number) for number in range(500)))
        assert done == list(range(500))
        await speaker.withdraw(["pe1"], [ROUTE.nlri])
        await speaker.end_of_rib("pe1", [Family.VPNV4, Family.EVPN])


async def test_a_death_fails_what_is_pending_downs_every_session_and_the_restart_brings_the_neighbors_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Event] = []
    async with faked("dies", monkeypatch, events) as speaker:
        await speaker.start()
        await speaker.configure([PEER])
        await until(lambda: any(isinstance(one, Up) for one in events))
        first = speaker.pid
        with pytest.raises(SpeakerGone, match="exit code 7: it broke"):
            await speaker.announce(["pe1"], [ROUTE])
        with pytest.raises(SpeakerGone):
            await speaker.announce(["pe1"], [ROUTE])
        await until(lambda: sum(isinstance(one, Up) for one in events) == 2)
        assert [type(one) for one in events] == [Fault, Up, Down, Fault, Fault, Up]
        assert [one.alive for one in events if isinstance(one, Fault)] == [True, False, True]
        assert speaker.pid not in (None, first)
        down = next(one for one in events if isinstance(one, Down))
        assert down.graceful and "exit code 7" in down.reason


async def test_a_neighbour_that_went_takes_nothing_from_what_others_are_told_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Event] = []
    async with faked("dies", monkeypatch, events) as speaker:
        await speaker.start()
        await speaker.configure([PEER])
        await until(lambda: any(isinstance(one, Up) for one in events))
        with pytest.raises(SpeakerGone, match="exit code 7"):  # of what it is sent: so it was
            await speaker.announce(["gone", "pe1"], [ROUTE])


async def test_pauses_between_restarts_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    async with faked("plain", monkeypatch, events) as speaker:
        await speaker.start()
        began = time.monotonic()
        for number in range(1, 5):
            await until(lambda: speaker.pid is not None)
            await until(lambda number=number: sum(isinstance(one, Fault) and one.alive for one in events) >= number)
            speaker.kill()
            await until(lambda number=number: sum(isinstance(one, Fault) and not one.alive for one in events) >= number)
        await until(lambda: sum(isinstance(one, Fault) and one.alive for one in events) == 5)
        assert time.monotonic() - began > 0.1 + 0.2 + 0.4 + 0.8


async def test_a_process_that_cannot_start_is_an_error_that_keeps_the_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[Event] = []
    async with faked("never", monkeypatch, events) as speaker:
        speaker._peers = (PEER,)
        with pytest.raises(CommandFailed, match=r"exit code 3: something is missing, password \*\*\*"):
            await speaker.start()
        assert events == [] and speaker.pid is None
    assert "something is missing" in caplog.text and "hunter2" not in caplog.text


async def test_a_process_that_speaks_nonsense_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    async with faked("nonsense", monkeypatch, events) as speaker:
        with pytest.raises(CommandFailed, match="no frame"):
            await speaker.start()


async def test_what_is_refused_is_told_without_the_secret_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("controller.bgp.speaker.exabgp.LISTEN_AGAIN", 0.05)
    events: list[Event] = []
    async with faked("refuses", monkeypatch, events) as speaker:
        await speaker.start()
        with pytest.raises(CommandFailed) as failed:
            await speaker.configure([PEER])
        assert "can not bind, ***" in str(failed.value)
        await until(lambda: "refused: can not bind, ***" in caplog.text)
        assert "hunter2" not in caplog.text


async def test_nothing_can_be_asked_before_the_start_and_strangers_are_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Event] = []
    async with faked("plain", monkeypatch, events) as speaker:
        with pytest.raises(SpeakerGone):
            await speaker.configure([PEER])
        await speaker.start()  # and begins with the neighbour that it was told of
        await until(lambda: any(isinstance(one, Up) for one in events))
        await speaker.announce(["pe2"], [ROUTE])
        await speaker.end_of_rib("pe2", [Family.VPNV4])
        await speaker.reset("pe2", "it is not there")
        await speaker.stop(graceful=False)
        assert speaker.pid is None
        assert not any(isinstance(one, Fault) and not one.alive for one in events)  # nothing is told after the end

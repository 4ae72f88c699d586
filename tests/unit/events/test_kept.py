"""Events on disk: found again after a restart, bounded, and never in the controller's way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.events import Event, Events, Kind, Selection, Severity
from controller.events import kept as kept_module
from controller.events.event import Share
from controller.events.keeper import Keeper
from controller.events.kept import FILE, Kept
from controller.events.selection import named

WEB = ("enterprise", "acme", "domain", "prod", "vport", "web-1")


def event(number: int, kind: Kind = Kind.COMMIT, at: float = 1000.0, **more: object) -> Event:
    return Event(number, at, kind, Severity.NOTICE, f"event {number}", **more)  # type: ignore[arg-type]


async def kept(directory: Path, *selection: Selection, limit: int = 1000) -> list[Event]:
    events = Events()
    keeper = Keeper(directory, events)
    await keeper.start()
    found = await events.kept(selection[0] if selection else Selection(), limit)
    await keeper.stop()
    return found


async def test_a_restarted_controller_has_the_events_of_before_and_goes_on_with_their_numbers(tmp_path: Path) -> None:
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.know_tenants(lambda name: f"uuid of {name}")
    events.add(Kind.VPORT, "web-1 up", about=WEB, dvrs="hv1", facts={"port": 4, "state": "up"})
    events.add(Kind.FAULT, "wrong")
    await keeper.stop()
    first, second = await kept(tmp_path)
    assert (first.text, first.about, first.dvrs, first.facts) == ("web-1 up", WEB, "hv1", {"port": 4, "state": "up"})
    assert (first.severity, first.tenant, second.severity) == (Severity.INFO, "uuid of acme", Severity.ERROR)
    again = Events()
    keeper = Keeper(tmp_path, again)
    await keeper.start()
    again.add(Kind.COMMIT, "next")
    assert [one.number for one in await again.kept(Selection(), 2)] == [2, 3]
    await keeper.stop()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


async def test_memory_and_file_choose_the_same(tmp_path: Path) -> None:
    events = Events(iter(range(1000, 2000)).__next__)
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.add(Kind.VPORT, "a", about=WEB, dvrs="hv1")
    events.add(Kind.DRIFT, "b", dvrs="hv2", about=("dvrs", "hv2"))
    events.add(Kind.FAULT, "c")
    events.add(Kind.VPORT, "d", about=(*WEB[:5], "web-10"), severity=Severity.CRITICAL)
    selections = [
        Selection(), Selection(kinds=frozenset({Kind.VPORT})), Selection(severity=Severity.ERROR),
        Selection(since=1002.0), Selection(about=(("dvrs", "hv2"),)), Selection(about=(("hv1",),)),
        Selection(about=(WEB[:4],)), Selection(about=named(("acme/prod/web-1",))), Selection(about=(("web-1",),)),
        Selection(kinds=frozenset({Kind.VPORT}), severity=Severity.WARNING, about=(("enterprise", "acme"),)),
    ]  # fmt: skip
    for selection in selections:
        found = [one.text for one in await events.kept(selection, 100)]
        assert found == [one.text for one in events if selection.takes(one)], selection
    assert [one.text for one in await events.kept(selections[7], 100)] == ["a"], "not web-10"
    await keeper.stop()


def test_each_share_of_kinds_is_bounded_by_itself_and_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "ROWS", dict.fromkeys(Share, 10))
    monkeypatch.setattr(kept_module, "PRUNED", 1)
    store = Kept(tmp_path)
    store.open()
    now = 100 * 86_400.0
    store.append([event(1, at=now - 89 * 86_400), event(2, at=now - 91 * 86_400)], now)
    assert [one.number for one in store.read(Selection(), 100)] == [1]
    store.append([event(number, Kind.POLICY, now) for number in range(3, 53)], now)
    store.append([event(number, Kind.SESSION, now) for number in range(53, 103)], now)
    left = [one.number for one in store.read(Selection(), 100)]
    assert left == [1, *range(43, 53), *range(93, 103)], "a port scan drove nothing else out"
    store.close()


async def test_a_damaged_file_is_set_aside_and_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 1000)
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.add(Kind.COMMIT, "after")
    assert [one.kind for one in await events.kept(Selection(), 10)] == [Kind.FAULT, Kind.COMMIT]
    assert "was damaged" in next(iter(events)).text
    assert (tmp_path / (FILE + ".damaged")).read_bytes().startswith(b"this is no database")
    await keeper.stop()


async def test_a_full_disk_is_told_once_and_everything_is_kept_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    with monkeypatch.context() as full:

        def refuse(self: Kept, events: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        full.setattr(Kept, "append", refuse)
        for number in range(20):
            events.add(Kind.COMMIT, f"revision {number}")
            found = await events.kept(Selection(), 100)
            assert f"revision {number}" in [one.text for one in found], "from memory"
        assert sum("cannot be kept" in one.text for one in events) == 1
    found = await events.kept(Selection(), 100)
    assert [one.text for one in found if one.kind is Kind.COMMIT] == [f"revision {number}" for number in range(20)]
    await keeper.stop()
    assert sum("are kept again, 0 of them were lost" in one.text for one in await kept(tmp_path)) == 1


def test_kill_minus_nine_loses_at_most_the_last_second(tmp_path: Path) -> None:
    program = """
import asyncio, sys, pathlib, time
from controller.events import Events, Kind
from controller.events.keeper import Keeper
async def main():
    events = Events(); keeper = Keeper(pathlib.Path(sys.argv[1]), events); await keeper.start()
    while True:
        events.add(Kind.COMMIT, str(time.time())); print(flush=True); await asyncio.sleep(0.02)
asyncio.run(main())
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=os.getcwd())
    assert child.stdout is not None
    for _ in range(100):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    killed = time.time()
    child.wait()
    child.stdout.close()
    found = asyncio.run(kept(tmp_path))
    assert len(found) > 10 and [one.number for one in found] == list(range(1, len(found) + 1))
    lag = killed - float(found[-1].text)
    print(json.dumps({"kept": len(found), "lost seconds": round(lag, 2)}))
    assert lag < 1.0 * 8, "DELAY is 0.3 s; the machine may be busy"


async def test_half_a_character_that_a_peer_sent_does_not_lose_the_events_beside_it(tmp_path: Path) -> None:
    """JSON may hold lone surrogates (RFC 8259, section 8.2), which UTF-8 cannot say and SQLite refuses."""
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.add(Kind.FAULT, "told with it")
    events.add(Kind.HYPERVISOR, "hv\ud800 refused", about=("dvrs", "hv\ud800"), dvrs="\udfff", facts={"peer": "\ud800"})
    await keeper.stop()
    first, second = await kept(tmp_path)
    assert first.text == "told with it"
    assert (second.text, second.about, second.dvrs, second.facts) == (
        "hv? refused",
        ("dvrs", "hv?"),
        "?",
        {"peer": "?"},
    )


async def test_an_event_that_cannot_be_written_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.add(Kind.COMMIT, "before")
    events.add(Kind.COMMIT, "odd", facts={"what": object()})  # type: ignore[dict-item]
    events.add(Kind.COMMIT, "behind")
    await keeper.stop()
    texts = [one.text for one in await kept(tmp_path)]
    assert texts[:2] == ["before", "behind"]
    assert any(one.text.startswith("1 events cannot be kept") for one in events)


async def test_a_file_that_somebody_removes_while_it_is_open_is_made_again(tmp_path: Path) -> None:
    events = Events()
    keeper = Keeper(tmp_path, events)
    await keeper.start()
    events.add(Kind.COMMIT, "gone")
    await events.kept(Selection(), 10)
    for part in tmp_path.iterdir():
        part.unlink()
    events.add(Kind.COMMIT, "later")
    await events.kept(Selection(), 10)
    await keeper.stop()
    assert "later" in [one.text for one in await kept(tmp_path)]


def test_a_clock_that_is_years_ahead_for_a_moment_takes_little_of_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "PRUNED", 10)
    file = Kept(tmp_path)
    file.open()
    file.append([event(number) for number in range(1, 101)], now=1000.0)
    file.append([event(number) for number in range(101, 111)], now=1000.0 + 20 * 365 * 86_400)
    assert len(file.read(Selection(), 1000)) == 90
    file.close()

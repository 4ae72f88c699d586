"""A commit over switches, BGP and PE routers, with a failure injected at each of its steps: all old, or all new.

The switches, the neighbour and the routers are pretended (pretend.py, tests/unit/pe/devices.py), the store is real; a
controller that is killed is one whose tasks end where they are, and a new one on the same state directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path as FilePath

import msgspec
import pytest

import controller.pe.routers
import controller.pe.side
from controller.commit.receipts import Kept, Receipt
from controller.commit.sides import Sides
from controller.events import Kind
from controller.pe.errors import PeAway
from controller.pe.intent import routers
from controller.pe.router import RouterState
from controller.pe.session import Session
from data.errors import ApplyFailed, CommandFailed, NothingThere, NshellError, StoreUnavailable
from data.schema.wan import Neighbor, Pe
from tests.unit.controller.model import uuid, vport, vport_path
from tests.unit.controller.wan_bench import CHANGE, SECRET, VPN, WanBench, vpn
from tests.unit.pe.devices import LOSE, REFUSE, Device


@pytest.fixture
async def bench(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WanBench]:
    monkeypatch.setattr(controller.pe.routers, "LOOK", 0.2)
    monkeypatch.setattr(controller.pe.routers, "AGAIN", 0.02)
    bench = WanBench(tmp_path)
    await bench.begin()
    yield bench
    await bench.pe.stop()
    await bench.commits.stop()
    bench.store.close()


async def test_a_commit_reaches_switches_the_neighbor_and_routers_and_has_a_receipt_of_each(bench: WanBench) -> None:
    outcome = await bench.commit()
    assert {receipt.part: receipt.state for receipt in outcome.receipts} == dict.fromkeys(
        ("hv1", "hv2", "bgp-neighbor r1", "pe r1", "pe r2"), Kept.VERIFIED
    )
    assert "routing-instances nsh-prod routing-options static route 10.9.0.0/24 discard" in bench.devices["r1"].lines
    assert await bench.agreed() and bench.neighbour.told == 2
    stored = {receipt.dvrs if hasattr(receipt, "dvrs") else receipt.part for receipt in bench.store.receipts(3)}
    assert {"pe r1", "pe r2"} <= stored


async def test_a_plan_shows_what_each_router_says_would_change_and_touches_none(bench: WanBench) -> None:
    before = bench.all_of()
    plan = await bench.commits.plan(CHANGE)
    shown = {side.name: side for side in plan.sides}
    assert shown["pe r1"].state == "ready" and shown["pe r1"].added > 5 and shown["pe r1"].removed == 0
    assert any("10.9.0.0/24" in line for line in shown["pe r1"].lines)
    assert bench.all_of() == before
    bench.devices["r2"].there = False
    plan = await bench.commits.plan(CHANGE)
    assert "away" in {side.name: side for side in plan.sides}["pe r2"].state


async def test_a_commit_that_does_not_concern_a_router_does_not_speak_to_it(bench: WanBench) -> None:
    await bench.pe.stop()
    bench.devices["r1"].log.clear()
    await bench.commit({vport_path(2): vport(2)})
    assert "open" not in bench.devices["r1"].log


STEPS = [
    "journal", "bundle add", "bundle close", "bundle commit", "bgp prepare", "bgp commit", "pe load", "pe compare",
    "pe commit", "store",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
async def test_a_failure_at_any_step_leaves_everything_as_it_was(
    bench: WanBench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.all_of()
    inject(bench, step, monkeypatch)
    with pytest.raises(NshellError) as problem:
        await bench.commit()
    assert "hunter2" not in str(problem.value) and SECRET not in str(problem.value)
    await bench.until(lambda: bench.all_of() == before)
    assert bench.network.running.revision == 2 and await bench.agreed()
    monkeypatch.undo()
    assert (await bench.commit()).revision == 3, "the same commit goes through when the fault is gone"
    assert await bench.agreed() and "10.9.0.0/24" in bench.text("r1")


def inject(bench: WanBench, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, _, what = step.partition(" ")
    if where == "bundle":
        bench.switches["hv2"].fail[what] = "refuse"
    elif where == "bgp":
        bench.neighbour.fail = what
    elif where == "pe":
        bench.devices["r2"].fail[what] = REFUSE
    else:

        def full(*_: object, **__: object) -> None:
            raise StoreUnavailable("nshell.db", "the disk is full", "make room")

        monkeypatch.setattr(bench.store, "begin_journal" if where == "journal" else "commit", full)


KILLED = ["pe load", "pe commit", "pe committed", "settle"]


@pytest.mark.parametrize("step", KILLED)
async def test_a_controller_killed_between_any_two_steps_comes_back_to_all_old_or_all_new(
    bench: WanBench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {name: bench.text(name) for name in bench.devices}
    reached, stands = asyncio.Event(), asyncio.Event()

    async def stop(*_: object, **__: object) -> None:
        reached.set()
        await stands.wait()

    device = bench.devices["r1"]
    if step == "pe load":
        monkeypatch.setattr(Session, "commit", stop)
    elif step == "pe commit":
        device.fail["commit"] = LOSE  # carried out, and not heard of; then the store is not reached
        monkeypatch.setattr(bench.store, "commit", lambda *_, **__: pytest.fail("not reached"))
        monkeypatch.setattr(
            controller.pe.side.PreparedPes, "commit", _then(controller.pe.side.PreparedPes.commit, stop)
        )
    elif step == "pe committed":
        monkeypatch.setattr(
            controller.pe.side.PreparedPes, "commit", _then(controller.pe.side.PreparedPes.commit, stop)
        )
    else:
        monkeypatch.setattr(controller.pe.side.PreparedPes, "settle", stop)
    task = asyncio.create_task(bench.commit())
    await asyncio.wait_for(reached.wait(), 60)
    monkeypatch.undo()
    devices = bench.devices
    await bench.kill()
    task.cancel()
    differed = [name for name, device in devices.items() if "\n".join(device.lines) != old[name]]
    after = WanBench(bench.directory, devices)
    await after.begin()
    decided = step == "settle"
    assert after.network.running.revision == (3 if decided else 2)
    wanted = routers(after.network.state)
    for name in after.devices:
        await after.until(
            lambda name=name: after.text(name) == old[name] if not decided else "nsh-prod" in after.text(name)
        )
        assert ("nsh-prod" in after.text(name)) == decided
        assert after.pe._routers[name].held.parts == (wanted[name].intent,)
    print(f"killed at {step}: {', '.join(differed) or 'nothing'} differed until the restart")
    await after.pe.stop()
    await after.commits.stop()
    after.store.close()
    bench.store = after.store


def _then(first: Callable[..., object], last: Callable[..., object]) -> Callable[..., object]:
    async def both(self: object) -> object:
        result = await first(self)  # type: ignore[misc]
        await last()  # type: ignore[misc]
        return result

    return both


async def test_a_router_that_is_away_owes_the_revision_and_catches_up_when_it_returns(bench: WanBench) -> None:
    device = bench.devices["r2"]
    device.there = False
    outcome = await bench.commit()
    states = {receipt.part: receipt.state for receipt in outcome.receipts}
    assert states["pe r2"] is Kept.PENDING and states["pe r1"] is Kept.VERIFIED
    assert bench.pe._routers["r2"].state in (RouterState.PENDING, RouterState.AWAY)
    device.there = True
    await bench.until(lambda: bench.in_sync("r2"))
    assert "10.8.0.0/24" in bench.text("r2")
    await bench.until(lambda: not bench.store.pending_receipts())
    assert "pe r2 is back, and holds what is committed" in bench.told(Kind.PE)


async def test_a_router_that_is_away_catches_up_also_after_a_restart(bench: WanBench) -> None:
    devices = bench.devices
    devices["r2"].there = False
    await bench.commit()
    await bench.kill()
    devices["r2"].there = True
    after = WanBench(bench.directory, devices)
    await after.begin()
    assert "10.8.0.0/24" in after.text("r2")
    await after.until(lambda: not after.store.pending_receipts())
    await after.pe.stop()
    await after.commits.stop()
    bench.store = after.store


async def test_a_strict_commit_fails_when_a_router_is_away(bench: WanBench) -> None:
    before = bench.all_of()
    bench.devices["r2"].there = False
    with pytest.raises(ApplyFailed, match=r"(?s)r2.*strict"):
        await bench.commit(strict=True)
    bench.devices["r2"].there = True
    assert bench.all_of() == before


async def test_a_router_lost_while_it_commits_is_pending_and_is_put_right(bench: WanBench) -> None:
    bench.devices["r1"].fail["commit"] = LOSE
    outcome = await bench.commit()
    assert {receipt.part: receipt.state for receipt in outcome.receipts}["pe r1"] is Kept.PENDING
    await bench.until(lambda: bench.in_sync("r1") and "10.9.0.0/24" in bench.text("r1"))
    await bench.until(lambda: not bench.store.pending_receipts())


async def test_a_router_that_went_back_by_itself_before_it_was_confirmed_is_brought_forward_again(
    bench: WanBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = bench.devices["r1"]
    device.fail["confirm"] = LOSE
    await bench.commit()
    device.time_passes()
    await bench.until(lambda: bench.in_sync("r1") and "10.9.0.0/24" in bench.text("r1"))


async def test_what_somebody_else_changed_is_told_once_shown_and_repaired_on_request(bench: WanBench) -> None:
    await bench.commit()
    device = bench.devices["r1"]
    device.lines = [line for line in device.lines if "10.9.0.0/24" not in line]
    await bench.until(lambda: bench.pe._routers["r1"].state is RouterState.CHANGED)
    assert "10.9.0.0/24" not in bench.text("r1"), "nobody asked for a repair"
    assert "+routing-instances nsh-prod" in await bench.pe.difference("r1")
    await asyncio.sleep(0.5)  # two more looks
    assert sum("changed by somebody else" in text for text in bench.told(Kind.DRIFT)) == 1
    assert "10.9.0.0/24" in await bench.pe.repair("r1")
    assert "10.9.0.0/24" in bench.text("r1") and await bench.pe.difference("r1") == ""


async def test_the_next_commit_repairs_what_somebody_else_changed(bench: WanBench) -> None:
    await bench.commit()
    device = bench.devices["r1"]
    device.lines = [line for line in device.lines if "10.9.0.0/24" not in line]
    await bench.until(lambda: bench.pe._routers["r1"].state is RouterState.CHANGED)
    await bench.commit({vport_path(4): vport(4)})
    assert "10.9.0.0/24" in bench.text("r1")


async def test_a_router_that_is_deleted_holds_nothing_of_ours_any_more(bench: WanBench) -> None:
    await bench.commit()
    device = bench.devices["r1"]
    device.lines.append("system host-name its-own")
    await bench.commit({("pe", "r1"): None, VPN: None})
    assert device.lines == ["system host-name its-own"]
    assert [one.name for one in bench.pe.all()] == ["r2"]
    assert not (bench.directory / "pe" / "r1.json").exists()


async def test_another_key_of_the_session_reaches_a_router_that_was_away(bench: WanBench) -> None:
    neighbor = bench.network.running.get(("bgp-neighbor", "r1"))
    assert isinstance(neighbor, Neighbor)
    bench.devices["r1"].there = False
    await bench.commit({("bgp-neighbor", "r1"): msgspec.structs.replace(neighbor, password="another")})
    bench.devices["r1"].there = True
    await bench.until(lambda: bench.in_sync("r1") and '"another"' in bench.text("r1"))


async def test_no_secret_is_in_an_event_a_receipt_or_a_file(bench: WanBench) -> None:
    bench.devices["r1"].fail["load"] = REFUSE
    with pytest.raises(ApplyFailed):
        await bench.commit()
    bench.devices["r1"].lines.clear()
    await bench.until(lambda: bench.pe._routers["r1"].state is RouterState.CHANGED)
    told = "\n".join(event.text for event in bench.events)
    written = "".join(file.read_text() for file in (bench.directory / "pe").glob("*"))
    assert "hunter2" not in told and SECRET not in told and SECRET not in written
    assert all("hunter2" not in entry.reason for entry in bench.store.history(5))
    assert SECRET not in await bench.pe.difference("r1")


async def test_questions_to_a_router_that_is_not_there_are_answered_politely(bench: WanBench) -> None:
    assert (await bench.pe.ask("r1", "get_facts"))["vendor"] == "Fake"
    with pytest.raises(NothingThere):
        await bench.pe.ask("r9", "get_facts")
    bench.devices["r1"].there = False
    with pytest.raises(CommandFailed, match="lost"):
        await bench.pe.ask("r1", "get_facts")


async def test_a_commit_that_nobody_confirms_is_taken_back_on_routers_too_and_has_receipts(bench: WanBench) -> None:
    before = {name: bench.text(name) for name in bench.devices}
    outcome = await bench.commits.commit(CHANGE, "ops", "", confirmed=0)
    await bench.until(lambda: bench.network.running.revision == outcome.revision + 1)
    await bench.quiet()
    assert {name: bench.text(name) for name in bench.devices} == before and await bench.agreed()
    returned = {one.part: one.state for one in bench.store.receipts(outcome.revision + 1)}
    assert returned["pe r1"] == returned["pe r2"] == Kept.VERIFIED


class Odd:
    """A side with a mistake: it raises where it must not."""

    def __init__(self, log: list[str], name: str, *, raises: bool) -> None:
        self._log, self._name, self._raises = log, name, raises

    def _note(self, what: str) -> None:
        self._log.append(f"{self._name} {what}")
        if self._raises:
            raise RuntimeError("a mistake of ours")

    async def commit(self) -> Sequence[Receipt]:
        return ()

    async def settle(self) -> None:
        self._note("settle")

    async def discard(self) -> None:
        self._note("discard")

    async def revert(self) -> None:
        self._note("revert")


@pytest.mark.parametrize("what", ["settle", "discard", "revert"])
async def test_a_mistake_of_one_side_keeps_no_other_from_settling_or_going_back(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    sides = Sides([Odd(log, "first", raises=True), Odd(log, "second", raises=True)])
    if what != "discard":
        await sides.commit()
    await (sides.settle() if what == "settle" else sides.back())
    assert sorted(log) == [f"first {what}", f"second {what}"]
    assert "a mistake of ours" in caplog.text


NEW = {
    ("bgp-neighbor", "r3"): Neighbor(uuid=uuid(313), address="192.0.2.13", autonomous_system=65001),
    ("pe", "r3"): Pe(uuid=uuid(323), driver="junos", address="r3"),
    ("pe", "r3", "vpn", "prod"): vpn(3, "10.7.0.0/24"),
}  # fmt: skip


async def test_a_new_router_that_is_lost_in_a_commit_that_fails_is_cleaned_when_it_is_back(bench: WanBench) -> None:
    device = bench.devices["r3"] = Device()
    device.fail["commit"] = device.fail["pending"] = LOSE
    with pytest.raises(ApplyFailed, match="lost while it committed"):
        await bench.commits.commit(NEW, "ops", "", strict=True)
    await bench.until(lambda: not device.lines and device.former is None)
    await bench.until(lambda: "r3" not in bench.pe._routers)
    assert not (bench.directory / "pe" / "r3.json").exists() and "r3" not in bench.pe._held


async def test_a_failed_commit_is_not_confirmed_after_a_restart_because_another_has_its_number(
    bench: WanBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = bench.devices["r2"]

    async def away(*_: object) -> bool:
        raise PeAway("no answer")

    monkeypatch.setattr(Session, "pending", away)
    device.fail["commit"] = LOSE
    with pytest.raises(ApplyFailed):
        await bench.commit(strict=True)
    assert (await bench.commit({vport_path(2): vport(2)})).revision == 3
    devices = bench.devices
    await bench.kill()
    monkeypatch.undo()
    device.log.clear()
    after = WanBench(bench.directory, devices)
    await after.begin()
    assert "10.8.0.0/24" not in after.text("r2") and "rollback" in device.log and "confirm" not in device.log[:3]
    await after.pe.stop()
    await after.commits.stop()
    bench.store = after.store

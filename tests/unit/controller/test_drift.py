"""Drift: told flow by flow in words, audited, put right or left as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from controller.events import Kind
from controller.hypervisors import drift
from controller.hypervisors.drift import Drift
from controller.hypervisors.reconcile import Difference
from controller.openflow.packed import flow
from data.errors import CommandFailed, StoreUnavailable
from data.store import AuditRow
from tests.unit.controller.model import Model


class Bench(Model):
    """A network whose drift is audited into a list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mode: str = "repair") -> None:
        monkeypatch.setattr(drift, "PAUSE", 0.01)
        monkeypatch.setattr(Drift, "mode", mode)
        super().__init__(vports=2)
        self.rows: list[AuditRow] = []
        self.upkeep.drift.audit = self._audit

    async def _audit(self, rows: Sequence[AuditRow]) -> None:
        self.rows += rows

    def alter(self) -> bytes:
        """Takes a flow away, alters one and adds one; the key of the one that is altered."""
        held = self.switches["hv1"].held
        first, second = list(held)[:2]
        del held[first]
        altered = bytearray(held[second])
        altered[-1] ^= 1
        held[second] = bytes(altered)
        foreign = flow(0, 7, 0)
        held[b"\0\0\7" + foreign[48:56]] = foreign
        return second

    async def look(self) -> None:
        self.upkeep.drift.suspect("hv1", None)
        await self.upkeep.idle()


async def test_each_flow_is_told_with_table_object_and_what_is_wrong_and_the_repair_is_audited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    await bench.connect("hv1")
    bench.alter()
    await bench.look()
    assert await bench.agreed()
    told = [event for event in bench.events if event.kind is Kind.DRIFT]
    assert [event.facts.get("what") for event in told] == ["missing", "wrong", "too many", None]
    assert all(event.dvrs == "hv1" and event.facts["mode"] == "repair" for event in told)
    assert all(event.facts["table"] and "actions=" in str(event.facts["flow"]) for event in told[:3])
    assert "should" in told[1].facts and told[2].text.endswith("(not of nshell), put right")
    assert told[3].text == "hv1 repaired: 1 missing, 1 wrong, 1 too many" and told[3].about == ("dvrs", "hv1")
    (row,) = bench.rows
    assert (row.user, row.origin, row.command, row.result) == ("system", "drift", "drift repair dvrs hv1", "ok")
    assert row.detail.startswith("repaired: 1 missing, 1 wrong, 1 too many; missing: ")
    standing = bench.upkeep.drift.standing("hv1")
    assert (standing.repaired, standing.differs) == (3, ()) and standing.last_repair is not None


async def test_in_report_mode_the_same_is_told_once_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "report")
    await bench.connect("hv1")
    bench.alter()
    held = dict(bench.switches["hv1"].held)
    await bench.look()
    await bench.look()
    assert bench.switches["hv1"].held == held
    assert len(bench.told(Kind.DRIFT)) == 4 and len(bench.rows) == 1, "once, though it was seen twice"
    assert "'request drift repair dvrs hv1'" in bench.told(Kind.DRIFT)[-1]
    assert [str(one.what) for one in bench.upkeep.drift.standing("hv1").differs] == ["missing", "wrong", "too many"]
    found = await bench.upkeep.drift.repair("hv1")
    assert (found.missing, found.wrong, found.alien) == (1, 1, 1)
    assert await bench.agreed() and not bench.upkeep.drift.standing("hv1").differs
    assert [row.command for row in bench.rows] == ["drift report dvrs hv1", "drift repair dvrs hv1"]


async def test_a_look_at_one_table_keeps_what_is_known_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "report")
    await bench.connect("hv1")
    held = bench.switches["hv1"].held
    gone = {key[0]: key for key in held}  # one flow of each table
    for key in gone.values():
        del held[key]
    await bench.look()
    table, other = list(gone)[:2]
    assert {one.key for one in bench.upkeep.drift.standing("hv1").differs} == set(gone.values())
    held[gone[table]] = next(
        one.should for one in bench.upkeep.drift.standing("hv1").differs if one.key == gone[table] and one.should
    )
    bench.upkeep.drift.suspect("hv1", table)
    await bench.upkeep.idle()
    left = {one.key for one in bench.upkeep.drift.standing("hv1").differs}
    assert gone[table] not in left and gone[other] in left


async def test_a_mode_that_a_commit_changes_to_repair_puts_right_what_was_only_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, "report")
    monkeypatch.setattr(drift, "TICK", 0.01)
    await bench.connect("hv1")
    bench.alter()
    await bench.look()
    monkeypatch.setattr(Drift, "mode", "repair")
    bench.upkeep.start()
    try:
        async with asyncio.timeout(10):
            while not await bench.agreed():
                await asyncio.sleep(0.01)
    finally:
        await bench.upkeep.stop()


async def test_thousands_of_flows_are_some_events_a_sum_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    await bench.connect("hv1")
    for number in range(3000):
        foreign = flow(0, 8 + number, 0)
        bench.switches["hv1"].held[b"\0" + (8 + number).to_bytes(2, "big") + foreign[48:56]] = foreign
    await bench.look()
    told = bench.told(Kind.DRIFT)
    assert len(told) == drift.TOLD + 1 and told[-1] == "hv1 repaired: 0 missing, 0 wrong, 3000 too many"
    assert bench.rows[0].detail.endswith(f"{3000 - drift.AUDITED} more") and len(bench.rows) == 1


async def test_an_audit_that_cannot_be_written_is_told_and_the_repair_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)

    async def full(rows: Sequence[AuditRow]) -> None:
        raise StoreUnavailable("nshell.db", "the disk is full", "make room")

    bench.upkeep.drift.audit = full
    await bench.connect("hv1")
    bench.alter()
    await bench.look()
    assert await bench.agreed()
    assert bench.told(Kind.FAULT) == ["the audit cannot be written: the disk is full"]


async def test_a_hypervisor_that_is_away_cannot_be_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    with pytest.raises(CommandFailed, match="it is away"):
        await bench.upkeep.drift.repair("hv2")


async def test_a_switch_that_never_answers_does_not_end_the_comparison_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drift, "TICK", 0.01)
    monkeypatch.setattr(drift, "PATIENCE", 0.05)
    monkeypatch.setattr(Drift, "interval", 0.02)
    bench = Bench(monkeypatch)
    for name in ("hv1", "hv2"):
        await bench.connect(name)

    async def never(*_: object) -> list[object]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(bench.switches["hv1"], "flows", never)
    held = bench.switches["hv2"].held
    bench.upkeep.start()
    for _ in range(2):
        del held[next(iter(held))]
        async with asyncio.timeout(10):
            while not await bench.agreed():
                await asyncio.sleep(0.02)
    await bench.upkeep.stop()


async def test_who_changes_flows_in_a_loop_is_looked_at_less_and_less_and_at_once_when_it_was_calm_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    await bench.connect("hv1")
    found, pauses = Difference(missing=1, messages=[b""]), []
    one = bench.upkeep.drift
    for _ in range(drift.QUICK + 12):
        pauses.append(one._pause("hv1"))
        one._noted("hv1", found)
    assert pauses[: drift.QUICK + 1] == [drift.PAUSE] * (drift.QUICK + 1), "by hand nobody is as fast"
    assert pauses == sorted(pauses) and drift.PAUSE < pauses[-1] <= drift.LONGEST_PAUSE
    monkeypatch.setattr(drift, "WINDOW", 0.0)
    await asyncio.sleep(0.01)
    assert one._pause("hv1") == drift.PAUSE

"""Workloads that come, move and go; hypervisors that return; flows that somebody else changes."""

from __future__ import annotations

import asyncio

import pytest

from controller.events import Kind
from controller.hypervisors import drift, upkeep
from controller.hypervisors.channel import Channel
from controller.openflow.packed import flow
from controller.openflow.readback import FlowEntry
from controller.pipeline import SERVICE_ZONE
from controller.topology import Standing
from tests.unit.controller.model import Model
from tests.unit.controller.pretend import PretendSwitch


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "PAUSE", 0.01)
    monkeypatch.setattr(upkeep, "_AGAIN", 0.02)


def sums(model: Model) -> list[str]:
    """What was told of drift on whole hypervisors."""
    return [text for text in model.told(Kind.DRIFT) if " repaired: " in text]


async def test_a_hypervisor_that_connects_gets_what_it_must_hold_and_the_second_time_nothing() -> None:
    model = Model(vports=2)
    await model.connect("hv1", "hv2")
    assert await model.agreed() and len(model.switches["hv1"].held) > 0
    await model.connect("hv1")
    assert model.told(Kind.RECONCILE)[-1].startswith("hv1 in agreement, ")
    assert model.returned == ["hv1", "hv2", "hv1"]


async def test_an_interface_that_appears_changes_only_the_hypervisors_that_it_concerns() -> None:
    model = Model(hypervisors=3, vports=2)
    await model.connect("hv1", "hv2", "hv3")
    model.attach("hv1", 2, 4)
    await model.upkeep.idle()
    model.log.clear()
    model.attach("hv2", 3, 4)
    await model.upkeep.idle()
    assert {line.split()[0] for line in model.log} == {"hv1", "hv2"}
    assert await model.agreed()


async def test_many_interfaces_that_appear_at_once_are_one_bundle_per_hypervisor() -> None:
    model = Model(vports=20)
    await model.connect("hv1", "hv2")
    model.log.clear()
    for number in range(2, 22):
        model.attach("hv1", number, number)
    await model.upkeep.idle()
    assert model.log.count("hv1 commit") == 1
    assert await model.agreed()


async def test_a_workload_that_moves_is_programmed_at_the_new_place_before_it_is_removed_from_the_old() -> None:
    model = Model(vports=2)
    await model.connect("hv1", "hv2")
    model.attach("hv1", 2, 4)
    await model.upkeep.idle()
    model.log.clear()
    model.attach("hv2", 2, 7)
    await model.upkeep.idle()
    assert [line for line in model.log if line.endswith("commit")] == ["hv2 commit", "hv1 commit"]
    assert await model.agreed()
    assert any("moved hv1 -> hv2" in text for text in model.told(Kind.VPORT))
    model.network.topology.vanish("hv1", "tap2")
    model.upkeep.settle()
    await model.upkeep.idle()
    assert model.switches["hv1"].flushed == [4, 4 | SERVICE_ZONE], (
        "connections of the port are forgotten when it is free"
    )


async def test_an_interface_that_vanishes_leaves_no_flow_behind() -> None:
    model = Model(vports=2)
    await model.connect("hv1", "hv2")
    empty = dict(model.switches["hv1"].held)
    model.attach("hv1", 2, 4)
    await model.upkeep.idle()
    assert model.switches["hv1"].held != empty
    model.network.topology.report("hv1", {})
    model.upkeep.settle()
    await model.upkeep.idle()
    assert model.switches["hv1"].held == empty


async def test_what_a_workload_changes_while_a_hypervisor_is_being_reconciled_reaches_it() -> None:
    model = Model(vports=4)
    await model.connect("hv1")
    await asyncio.gather(model.connect("hv2"), asyncio.to_thread(lambda: None))
    for number in (2, 3, 4):
        model.attach("hv1", number, number)
        model.switches.pop("hv2", None)
        await model.connect("hv2")
    assert await model.agreed()


async def test_a_refused_change_of_the_topology_is_told_and_the_switch_reconciled(quick: None) -> None:
    model = Model(vports=2)
    await model.connect("hv1", "hv2")
    model.switches["hv1"].fail["close"] = "refuse"
    model.attach("hv1", 2, 4)
    await model.upkeep.idle()
    assert await model.agreed()
    assert any("refused a change of the topology" in text for text in model.told(Kind.FAULT))


async def test_a_refused_reconcile_is_tried_again(quick: None) -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    model.switches["hv1"].held.clear()
    model.switches["hv1"].fail["commit"] = "refuse"
    model.network.channels["hv1"].ready = False
    model.upkeep.program("hv1")
    await model.upkeep.idle()
    assert await model.agreed() and model.network.channels["hv1"].ready
    assert any("refuses its flows" in text for text in model.told(Kind.FAULT))


async def test_flows_that_somebody_else_changed_are_repaired_and_told(quick: None) -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    held = model.switches["hv1"].held
    stolen = next(iter(held))
    del held[stolen]
    foreign = flow(0, 7, 0)
    held[b"\0\0\7" + foreign[48:56]] = foreign
    model.upkeep.drift.suspect("hv1", 0)
    model.upkeep.drift.suspect("hv1", stolen[0])
    await model.upkeep.idle()
    assert await model.agreed()
    assert sums(model) == ["hv1 repaired: 1 missing, 0 wrong, 1 too many"]


async def test_a_flow_that_somebody_changes_while_a_switch_is_read_back_is_repaired_after_it(quick: None) -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    channel, held = model.network.channels["hv1"], model.switches["hv1"].held
    channel.ready = False
    del held[next(iter(held))]  # the reconcile has read it already
    model.upkeep.drift.suspect("hv1", None)
    await asyncio.sleep(0.05)
    channel.ready = True
    await model.upkeep.idle()
    assert await model.agreed()
    assert sums(model) == ["hv1 repaired: 1 missing, 0 wrong, 0 too many"]


async def test_a_switch_that_dials_in_again_while_it_is_reconciled_is_reconciled_once() -> None:
    model = Model(vports=2)
    await model.connect("hv2")
    model.attach("hv2", 2, 4)
    await model.upkeep.idle()
    channel = model.network.channels["hv2"]
    first, second = PretendSwitch("hv2"), PretendSwitch("hv2", model.log)
    channel.connected(first)
    model.upkeep.program("hv2")
    await asyncio.sleep(0)  # its flows are being read
    first.gone = True
    model.switches["hv2"] = second
    channel.connected(second)
    model.upkeep.program("hv2")
    await model.upkeep.idle()
    assert model.log.count("hv2 commit") == 3, "at first, for the workload, and once for the new connection"
    assert model.returned == ["hv2", "hv2"] and await model.agreed()


async def test_a_hypervisor_that_is_deleted_and_added_again_while_it_refuses_its_flows_is_reconciled(
    quick: None,
) -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    former, switch = model.network.channels["hv1"], model.switches["hv1"]
    switch.held.clear()
    switch.fail["commit"] = "refuse"
    former.ready = False
    model.upkeep.program("hv1")
    while not model.told(Kind.FAULT):
        await asyncio.sleep(0)
    switch.gone = True
    model.network.channels["hv1"] = Channel("hv1")
    await model.connect("hv1")
    assert model.network.channels["hv1"].ready and await model.agreed()


async def test_a_hypervisor_that_is_lost_while_a_change_is_taken_back_stays_away() -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    channel = model.network.channels["hv1"]
    channel.lost()
    model.network.topology.stand("hv1", Standing.AWAY, "OpenFlow: closed by the switch")
    model.upkeep.stranded(channel, "closed by the switch")
    assert model.network.topology.hypervisors["hv1"].state is Standing.AWAY


async def test_interfaces_are_remembered_before_switches_are_changed() -> None:
    model = Model(vports=2)
    await model.connect("hv1")
    model.attach("hv1", 2, 4)
    await model.upkeep.idle()
    assert [interface.ofport for interface in model.remembered.values() if interface is not None] == [4]


async def test_a_restarted_controller_sends_nothing_to_switches_whose_workloads_it_remembers() -> None:
    before = Model(vports=3)
    await before.connect("hv1", "hv2")
    before.attach("hv1", 2, 4)
    before.attach("hv2", 3, 5)
    await before.upkeep.idle()
    remembered = tuple(interface for interface in before.remembered.values() if interface is not None)
    after = Model(vports=3, interfaces=remembered)
    after.switches = before.switches
    await after.connect("hv1")
    assert after.told(Kind.RECONCILE)[0].startswith("hv1 in agreement")


async def test_the_audit_repairs_what_no_event_told_also_when_another_hypervisor_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drift.Drift, "interval", 0.02)
    model = Model(hypervisors=4, vports=2)
    await model.connect("hv1", "hv2", "hv4")
    model.switches["hv1"].flows = mistaken  # type: ignore[method-assign]
    model.switches["hv2"].gone = True
    held = model.switches["hv4"].held
    model.upkeep.start()
    try:
        for _ in range(2):
            stolen = next(iter(held))
            del held[stolen]
            async with asyncio.timeout(5):
                while stolen not in held:
                    await asyncio.sleep(0.01)
    finally:
        await model.upkeep.stop()
    assert sums(model) == ["hv4 repaired: 1 missing, 0 wrong, 0 too many"] * 2
    assert "audit of hv1: ValueError('no such flow')" in model.told(Kind.FAULT)


async def test_the_audit_of_a_network_in_agreement_sends_nothing_and_lets_changes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drift.Drift, "interval", 0.0)
    model = Model(vports=2)
    await model.connect("hv1", "hv2")
    model.log.clear()
    model.upkeep.start()
    try:
        await asyncio.sleep(0.05)
        assert model.log == []
        model.attach("hv1", 2, 4)
        async with asyncio.timeout(5):
            while not model.told(Kind.VPORT):
                await asyncio.sleep(0.01)
        assert await model.agreed()
    finally:
        await model.upkeep.stop()
    assert model.told(Kind.DRIFT) == [] and model.told(Kind.FAULT) == []


async def mistaken(*_: object) -> list[FlowEntry]:
    raise ValueError("no such flow")

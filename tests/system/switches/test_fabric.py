"""The fabric with real Open vSwitches: contact, commits, moves, restarts and faults."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path as FilePath

import msgspec
import pytest

from controller.commit.receipts import Kept
from controller.events import Kind
from controller.hypervisors import contact as hypervisors
from controller.openflow.packed import flow
from controller.topology import Standing
from data.errors import ApplyFailed
from tests.system.ovs import RealOvs
from tests.system.site import Site, network, vport, vport_path


async def test_an_unknown_hypervisor_is_shown_and_left_alone_until_it_is_configured(site: Site) -> None:
    await site.hypervisor("hv1")
    await site.until(lambda: "hv1" in site.fabric.topology.unknown, "hv1 is unknown")
    assert "br-nsh" not in await site.vsctl("hv1", "list-br")
    await site.commit(network(1))
    await site.ready("hv1")
    assert not site.fabric.topology.unknown
    assert "br-nsh" in await site.vsctl("hv1", "list-br")
    assert await site.difference("hv1") == []


async def test_a_commit_programs_real_switches_and_a_move_leaves_nothing_behind(site: Site) -> None:
    await site.commit(network(2))
    await site.hypervisor("hv1")
    await site.hypervisor("hv2")
    await site.ready("hv1", "hv2")
    await site.commit({vport_path(n): vport(n) for n in (1, 2)})
    await site.attach("hv1", 1, 11)
    await site.attach("hv2", 2, 12)
    await site.attached(1, "hv1")
    await site.attached(2, "hv2")
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
    held = len(await site.fabric.flows("hv1"))
    await site.attach("hv2", 1, 13)
    await site.attached(1, "hv2")
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
    assert len(await site.fabric.flows("hv1")) < held
    await site.vsctl("hv2", "del-port", "tap1")
    await site.attached(1, "hv1")


async def test_a_bad_flow_in_one_hypervisors_bundle_fails_the_commit_everywhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.commit(network(2))
    for name in ("hv1", "hv2"):
        await site.hypervisor(name)
    await site.ready("hv1", "hv2")
    await site.attach("hv1", 1, 11)
    await site.until(lambda: site.fabric.topology.claim("", "acme/prod/vm-1") is not None, "tap1 is seen")
    before = [len(await site.fabric.flows(name)) for name in ("hv1", "hv2")]
    revision = site.fabric.running.revision
    channel = site.fabric.network.channels["hv1"]
    prepare = type(channel).prepare
    bad = flow(5, 5, goto=1)  # a table can only lead to a later one

    async def spoiled(self, messages):  # type: ignore[no-untyped-def]
        return await prepare(self, [*messages, bad] if self.name == "hv1" else messages)

    monkeypatch.setattr(type(channel), "prepare", spoiled)
    with pytest.raises(ApplyFailed) as failure:
        await site.commit({vport_path(1): vport(1)})
    assert "hv1" in failure.value.cause
    monkeypatch.undo()
    assert site.fabric.running.revision == revision and site.fabric.running.get(vport_path(1)) is None
    assert [len(await site.fabric.flows(name)) for name in ("hv1", "hv2")] == before
    newest = (await site.fabric.history(1))[0]
    assert newest.state == "failed" and "hv1" in newest.reason
    await site.commit({vport_path(1): vport(1)})
    assert await site.difference("hv1") == []


async def test_a_hypervisor_that_is_away_is_pending_and_gets_only_the_difference_when_it_returns(site: Site) -> None:
    await site.commit(network(2))
    for name in ("hv1", "hv2"):
        await site.hypervisor(name)
    await site.ready("hv1", "hv2")
    await site.commit({vport_path(n): vport(n) for n in (1, 2)})
    await site.attach("hv1", 1, 11)
    await site.attach("hv2", 2, 12)
    await site.attached(1, "hv1")
    await site.attached(2, "hv2")
    await asyncio.to_thread(site.switches["hv2"].stop_vswitchd)
    await site.until(lambda: site.state("hv2") is not Standing.READY, "hv2 is not ready")
    edited = msgspec.structs.replace(site.fabric.running.get(vport_path(1)), address=("10.1.9.9",))
    outcome = await site.fabric.commit({vport_path(1): edited}, author="test")
    assert {receipt.part: receipt.state for receipt in outcome.receipts} == {"hv1": Kept.VERIFIED, "hv2": Kept.PENDING}
    with pytest.raises(ApplyFailed):
        await site.commit({vport_path(1): msgspec.structs.replace(edited, address=("10.1.9.8",))}, strict=True)
    await asyncio.to_thread(site.switches["hv2"].start_vswitchd)
    await site.ready("hv2")
    assert await site.difference("hv2") == []
    receipts = {receipt.part: receipt.state for receipt in site.store.receipts(outcome.revision)}
    await site.until(
        lambda: all(r.state == "verified" for r in site.store.receipts(outcome.revision)), f"verified, not {receipts}"
    )


async def test_a_restarted_controller_finds_its_switches_in_agreement_and_sends_nothing(site: Site) -> None:
    await site.commit(network(2))
    for name in ("hv1", "hv2"):
        await site.hypervisor(name)
    await site.ready("hv1", "hv2")
    await site.commit({vport_path(n): vport(n) for n in (1, 2)})
    await site.attach("hv1", 1, 11)
    await site.attach("hv2", 2, 12)
    await site.attached(1, "hv1")
    await site.attached(2, "hv2")
    await site.stop()
    await site.start()
    await site.ready("hv1", "hv2")
    told = site.told(Kind.RECONCILE)
    assert len(told) == 2 and all("in agreement" in text for text in told), told


async def test_a_flow_that_is_changed_by_hand_is_repaired_within_a_second(site: Site) -> None:
    await site.commit(network(1))
    ovs = await site.hypervisor("hv1")
    await site.ready("hv1")
    await asyncio.to_thread(ovs.ofctl, "del-flows", "table=0")
    await asyncio.to_thread(ovs.ofctl, "add-flow", "table=3,priority=7,actions=drop")
    await site.until(lambda: bool(site.told(Kind.DRIFT)), "drift is told")
    assert await site.difference("hv1") == []


async def test_a_hypervisor_deleted_from_the_configuration_loses_its_flows_and_is_left_alone(site: Site) -> None:
    await site.commit(network(1))
    ovs = await site.hypervisor("hv1")
    await site.ready("hv1")
    await site.commit({("dvrs", "hv1"): None})
    assert await asyncio.to_thread(ovs.dump) == []
    assert "hv1" in site.fabric.topology.unknown


async def test_a_second_hypervisor_with_the_same_system_id_is_refused_while_the_first_answers(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    first = site.switches.pop("hv1")
    try:
        await site.hypervisor("hv1")
        await site.until(lambda: bool(site.told(Kind.IDENTITY)), "the second is refused")
        assert "refused" in site.told(Kind.IDENTITY)[0]
        assert site.state("hv1") is Standing.READY
    finally:
        await asyncio.to_thread(first.stop)


async def test_a_hypervisor_that_was_replaced_gets_in_once_the_old_one_does_not_answer(site: Site) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    first = site.switches.pop("hv1")
    frozen = [process.pid for process in first._processes.values()]
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        await site.hypervisor("hv1")
        await site.until(lambda: len(site.told(Kind.RECONCILE)) == 2, "the new one is reconciled")
        assert any("replaced" in text for text in site.told(Kind.IDENTITY))
        await site.ready("hv1")
        assert len(await site.fabric.flows("hv1")) > 0
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        await asyncio.to_thread(first.stop)


async def test_a_switch_with_the_datapath_id_of_another_is_refused_and_a_foreign_one_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hypervisors, "STRANGER_PAUSE", 0.2)
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    number = site.fabric.topology.hypervisors["hv1"].datapath_id
    with RealOvs("other") as other:
        target = f"tcp:127.0.0.1:{site.settings.openflow_port}"
        await asyncio.to_thread(other.add_bridge, "br-x", 0)
        await asyncio.to_thread(other.vsctl, "set", "Bridge", "br-x", f"other-config:datapath-id={number:016x}")
        await asyncio.to_thread(other.vsctl, "set-controller", "br-x", target)
        await site.until(lambda: any("OpenFlow" in text for text in site.told(Kind.IDENTITY)), "it is refused")
        await asyncio.to_thread(other.vsctl, "set", "Bridge", "br-x", "other-config:datapath-id=00000000000000aa")
        name = "datapath 00000000000000aa"
        await site.until(lambda: name in site.fabric.topology.unknown, "it is shown")
        assert await asyncio.to_thread(other.dump, "br-x") == []
    assert site.state("hv1") is Standing.READY and await site.difference("hv1") == []


async def test_a_commit_that_is_not_confirmed_returns_also_when_the_controller_was_dead_over_the_deadline(
    site: Site, tmp_path: FilePath
) -> None:
    await site.commit(network(1))
    await site.hypervisor("hv1")
    await site.ready("hv1")
    before = site.fabric.running.revision
    await site.commit({vport_path(1): vport(1)}, confirmed=1)
    await site.stop()
    site.store.close()
    store = type(site.store).open(site.directory)
    with store.transaction() as db:
        db.execute("UPDATE confirm SET deadline = 1")
    store.close()
    await site.start()
    await site.until(lambda: site.fabric.running.revision == before + 2, "the former revision is back")
    assert site.fabric.running.get(vport_path(1)) is None
    newest = (await site.fabric.history(2))[0]
    assert newest.author == "system" and "not confirmed" in newest.comment
    await site.ready("hv1")
    assert await site.difference("hv1") == []


async def test_a_hypervisor_that_a_commit_adds_is_pending_until_it_has_connected(site: Site) -> None:
    outcome = await site.fabric.commit(network(1), author="test", strict=True)
    assert [(receipt.part, receipt.state) for receipt in outcome.receipts] == [("hv1", Kept.PENDING)]
    assert [receipt.state for receipt in site.store.receipts(outcome.revision)] == ["pending"]
    await site.stop()
    await site.start()
    await site.hypervisor("hv1")
    await site.ready("hv1")
    await site.until(
        lambda: [receipt.state for receipt in site.store.receipts(outcome.revision)] == ["verified"], "it is verified"
    )


async def test_the_version_of_open_vswitch_is_the_running_switchs_own(site: Site) -> None:
    await site.commit(network(1))
    ovs = await site.hypervisor("hv1")
    await site.ready("hv1")
    version = (await asyncio.to_thread(ovs.run, "ovs-vswitchd", "--version")).splitlines()[0].split()[-1]
    assert site.fabric.topology.hypervisors["hv1"].ovs_version == version
    await site.attach("hv1", 1, 11)
    await site.until(lambda: site.fabric.topology.claim("", "acme/prod/vm-1") is not None, "tap1 is seen")
    assert site.fabric.topology.hypervisors["hv1"].ovs_version == version

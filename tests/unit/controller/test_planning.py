"""Edits to plans: what moves, what is told, and in which order hypervisors change."""

from __future__ import annotations

import msgspec

from controller.commit.plan import summary
from controller.commit.planning import Change, draft, ranks
from controller.commit.transaction import Rank
from controller.compile import Location
from tests.unit.controller.model import PROD, WEB, Model, configuration, vport, vport_path


async def test_a_vport_that_is_committed_after_its_interface_appeared_is_resolved_by_the_commit() -> None:
    model = Model(hypervisors=3, vports=1)
    network = model.network
    network.topology.appear("hv2", "tap3", "acme/prod/vm-3", 9)
    made = await draft(network.running, {vport_path(3): vport(3)}, network.state, network.topology)
    assert made.moved == {vport(3).uuid: Location("hv2", 9)}
    assert ranks(made) == {}, "nobody sends to it yet"
    assert set(made.messages) == {"hv2"}


async def test_a_vport_that_is_deleted_or_renamed_leaves_or_keeps_its_place() -> None:
    model = Model(vports=2)
    network = model.network
    network.topology.appear("hv1", "tap2", vport(2).uuid, 4)
    model.upkeep.settle()
    await model.upkeep.idle()
    gone = await draft(network.running, {vport_path(2): None}, network.state, network.topology)
    assert gone.moved == {vport(2).uuid: None} and ranks(gone) == {"hv1": Rank.RELEASES}
    renamed = {vport_path(2): None, (*PROD, "vport", "web"): vport(2)}
    kept = await draft(network.running, renamed, network.state, network.topology)
    assert kept.moved == {}


async def test_another_vport_of_the_same_name_takes_the_place_and_the_former_gives_it_up() -> None:
    model = Model(vports=2)
    network = model.network
    network.topology.appear("hv1", "tap2", "acme/prod/vm-2", 4)
    model.upkeep.settle()
    await model.upkeep.idle()
    other = msgspec.structs.replace(vport(2), uuid=vport(9).uuid)
    made = await draft(network.running, {vport_path(2): other}, network.state, network.topology)
    assert made.moved == {vport(2).uuid: None, other.uuid: Location("hv1", 4)}
    network.commit(made, Change(made.edits, made.edits), 2)
    assert network.state.placement.location(vport(2).uuid) is None


async def test_a_port_that_changed_hands_just_before_a_commit_is_given_up_by_it() -> None:
    """Else both vports had it for a moment, and settling the former one would remove the flows of the latter."""
    model = Model(vports=2)
    network = model.network
    network.topology.appear("hv1", "tap2", "acme/prod/vm-2", 4)
    model.upkeep.settle()
    await model.upkeep.idle()
    network.topology.report("hv1", {"tap9": ("acme/prod/vm-9", 4)})
    made = await draft(network.running, {vport_path(9): vport(9)}, network.state, network.topology)
    assert made.moved == {vport(9).uuid: Location("hv1", 4), vport(2).uuid: None}


async def test_deleting_a_hypervisor_takes_its_workloads_along() -> None:
    model = Model(vports=2)
    network = model.network
    network.topology.appear("hv1", "tap2", "acme/prod/vm-2", 4)
    network.topology.appear("hv2", "tap3", "acme/prod/vm-3", 5)
    model.upkeep.settle()
    await model.upkeep.idle()
    made = await draft(network.running, {("dvrs", "hv1"): None}, network.state, network.topology)
    assert made.moved == {vport(2).uuid: None}
    assert set(made.messages) == {"hv1", "hv2"}


def test_the_summary_has_a_line_per_object_and_names_the_leaves_that_changed() -> None:
    running = Model(vports=1).network.running
    changed = msgspec.structs.replace(vport(2), address=("10.1.1.77",), mac="02:00:00:00:00:01")
    entry = (*PROD, "egress-policy", "db")
    edits = {vport_path(2): changed, (*entry, "entry", "20"): vport(3), vport_path(9): vport(9)}
    assert list(summary(running, edits)) == [
        "vport vm-2 changed (mac, address)", "egress-policy db: entry 20 added", "vport vm-9 added",
    ]  # fmt: skip


def test_what_lies_below_a_removed_object_is_not_told_one_by_one() -> None:
    running = Model(vports=1).network.running
    edits = {path: None for path in (*configuration(), vport_path(2)) if path[:4] == PROD}
    assert list(summary(running, edits)) == ["domain prod removed"]
    assert list(summary(running, {WEB: None})) == ["subnet web1 removed"]

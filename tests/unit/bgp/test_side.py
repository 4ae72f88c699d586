"""BGP in a commit: what neighbours are told with the switches, or not, and what is taken back."""

from __future__ import annotations

import pytest

from controller.bgp.speaker.backend import Changed, SpeakerGone
from data.errors import ApplyFailed, StoreUnavailable
from data.schema.wan import Neighbor
from tests.unit.bgp.service_bench import PE1, Wan, theirs
from tests.unit.controller.model import uuid, vport, vport_path


async def test_a_commit_tells_its_neighbours_before_it_is_decided_and_what_the_fabric_does_later(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    outcome = await wan.change({vport_path(3): vport(3)})
    assert {one.part: one.added > 0 for one in outcome.receipts} == {"hv1": True, "hv2": True, "bgp-neighbor pe1": True}
    assert "10.1.1.3/32" in wan.prefixes()
    wan.network.topology.vanish("hv2", "tap3")
    wan.upkeep.settle()
    await wan.settled()
    assert "10.1.1.3/32" not in wan.prefixes() and "10.1.1.2/32" in wan.prefixes()


@pytest.mark.parametrize("where", ["speaker", "store"])
async def test_a_commit_that_fails_takes_back_what_neighbours_were_told(wan: Wan, where: str) -> None:
    await wan.go_out()
    await wan.up()
    before, flows = wan.prefixes(), {name: dict(switch.held) for name, switch in wan.switches.items()}
    if where == "speaker":
        wan.speaker.refuses = ValueError("it cannot be said")
        expected: type[Exception] = ApplyFailed
    else:

        def full(*_: object, **__: object) -> None:
            raise StoreUnavailable("store", "the disk is full", "")

        wan.store.commit = full  # type: ignore[method-assign, assignment]
        expected = StoreUnavailable
    with pytest.raises(expected):
        await wan.change({vport_path(3): vport(3)})
    await wan.settled()
    assert wan.prefixes() == before
    assert {name: dict(switch.held) for name, switch in wan.switches.items()} == flows


async def test_neighbours_of_a_failed_commit_are_those_of_before(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    sessions = wan.speaker.peers

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("store", "the disk is full", "")

    wan.store.commit = full  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await wan.change(
            {("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65002)}
        )
    assert wan.speaker.peers == sessions
    assert set(wan.bgp.rib.settings.neighbours) == {"pe1"}


async def test_a_speaker_that_is_gone_fails_no_commit(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.speaker.refuses = SpeakerGone("it died")
    outcome = await wan.change({vport_path(3): vport(3)})
    assert outcome.revision == wan.network.configured.revision


async def test_what_a_commit_would_tell_is_planned_and_told_to_nobody(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    before = wan.prefixes()
    plan = await wan.commits.plan({vport_path(3): vport(3)})
    (side,) = plan.sides
    assert side.name == "bgp-neighbor pe1" and side.added and any("10.1.1.3/32" in line for line in side.lines)
    assert wan.prefixes() == before
    plan = await wan.commits.plan({PE1: None})
    assert plan.sides[0].lines[0].startswith("- neighbor 192.0.2.9")


async def test_a_strict_commit_needs_every_neighbour(wan: Wan) -> None:
    await wan.go_out()
    with pytest.raises(ApplyFailed, match="strict"):
        await wan.commits.commit({vport_path(3): vport(3)}, "ops", "", strict=True)
    await wan.up()
    await wan.commits.commit({vport_path(3): vport(3)}, "ops", "", strict=True)


async def test_with_its_last_neighbour_goes_what_they_told(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()))
    await wan.settled()
    await wan.change({PE1: None})
    await wan.settled()
    assert wan.speaker.peers == () and not dict(wan.network.state.placement.all_remote())

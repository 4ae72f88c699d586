"""Whom the speaker has sessions with: who is left alone, for how long, and when a session is ended."""

from __future__ import annotations

import pytest

import controller.bgp.inbox
from controller.bgp.rib.inbound import IDLE
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Changed, Down, Up
from data.schema.objects import Domain
from data.schema.wan import Bgp as Settings
from data.schema.wan import Neighbor
from tests.unit.bgp.service_bench import PE1, TARGET, Wan, neighbour, spoken_to, theirs
from tests.unit.controller.model import PROD, uuid, vport, vport_path


async def test_without_neighbours_there_is_no_speaker(wan: Wan) -> None:
    await wan.change({PROD: Domain(uuid=uuid(101), route_target=(TARGET,))})
    assert not wan.bgp.speaking and wan.speaker.peers == ()


async def test_a_neighbour_that_tells_too_much_is_not_the_speakers_until_its_time_is_over(wan: Wan) -> None:
    await wan.go_out()
    await wan.change({PE1: neighbour(prefix_limit=2)})
    await wan.up()
    wan.hear(Changed("pe1", tuple(theirs(f"10.9.{number}.0/24") for number in range(3)), ()))
    await wan.settled()
    assert wan.speaker.ended[-1] == "reset pe1" and spoken_to(wan) == []
    assert not dict(wan.network.state.placement.all_remote())
    wan.hear(Down("pe1", "closed by us", graceful=False))
    await wan.change({vport_path(3): vport(3)})
    await wan.change({("bgp",): Settings(uuid=uuid(301), autonomous_system=65000, stale_time=200)})
    assert spoken_to(wan) == [], "another commit does not bring it back"
    wan.passed += IDLE + 1
    await wan.change({("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65000)})
    wan.hear(Up("pe2", frozenset({Family.VPNV4}), 90, "192.0.2.10"))  # which is told, so the clock is looked at
    await wan.settled()
    assert spoken_to(wan) == ["pe1", "pe2"]


@pytest.mark.parametrize("how", ["request", "limit", "password"])
async def test_an_operator_brings_back_a_neighbour_that_is_left_alone(wan: Wan, how: str) -> None:
    await wan.go_out()
    await wan.change({PE1: neighbour(prefix_limit=2)})
    await wan.up()
    wan.hear(Changed("pe1", tuple(theirs(f"10.9.{number}.0/24") for number in range(3)), ()))
    wan.hear(Down("pe1", "closed by us", graceful=False))
    await wan.settled()
    assert spoken_to(wan) == []
    if how == "request":
        await wan.bgp.reset("pe1")
    elif how == "limit":
        await wan.change({PE1: neighbour(prefix_limit=3)})
    else:
        await wan.change({PE1: neighbour(prefix_limit=2, password="other")})
    await wan.settled()
    assert spoken_to(wan) == ["pe1"]


async def test_a_session_that_flaps_is_left_alone_and_others_are_not(wan: Wan) -> None:
    await wan.go_out()
    await wan.change({("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65000)})
    for _ in range(8):
        await wan.up()
        wan.hear(Down("pe1", "the peer closed the connection"))
        await wan.settled()
    assert spoken_to(wan) == ["pe2"]


async def test_the_speaker_reads_no_peer_while_too_much_is_undecided(wan: Wan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller.bgp.inbox, "AHEAD", 4)
    await wan.go_out()
    await wan.up()
    wan.hear(*(Changed("pe1", (theirs(f"10.9.{number}.0/24"),), ()) for number in range(4)))
    assert not wan.speaker.held
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    assert wan.speaker.held
    await wan.settled()
    assert not wan.speaker.held and len(dict(wan.network.state.placement.all_remote())) == 3


async def test_a_path_that_bfd_says_is_lost_ends_the_session_and_drops_its_routes_at_once(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()))
    await wan.settled()
    table = wan.bgp.rib.inbound.tables["pe1"]
    assert len(table) == 1
    wan.bgp._path_lost("pe1", "BFD: the path is down")
    wan.hear(Changed("pe1", (theirs("10.8.0.0/24"),), ()))  # said before the speaker ended it
    await wan.settled()
    assert not wan.bgp.established("pe1") and len(table) == 0 and table.stale_until is None
    assert "reset pe1" in wan.speaker.ended and table.reason == "BFD: the path is down"
    wan.bgp._path_lost("nobody", "BFD: the path is down")
    await wan.settled()

"""From the configuration to the neighbours that the speaker is given."""

from __future__ import annotations

from controller.bgp.peers import peers, waited_for_at
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import (
    Peer,
)
from data.configuration import Running
from data.path import Path
from data.schema.objects import Controller, Object
from data.schema.wan import Bgp as Settings
from data.schema.wan import Neighbor
from tests.unit.controller.model import uuid


def configured(*items: tuple[Path, Object]) -> list[Peer]:
    return peers(Running(dict(items), 1))


def test_neighbours_are_dialled_unless_they_are_passive() -> None:
    found = configured(
        (("bgp",), Settings(uuid=uuid(1), autonomous_system=65000, hold_time=30)),
        (("controller",), Controller(uuid=uuid(2), listen_address="192.0.2.1")),
        (("bgp-neighbor", "b"), Neighbor(uuid=uuid(3), address="192.0.2.9", autonomous_system=1, passive=True)),
        (("bgp-neighbor", "a"), Neighbor(uuid=uuid(4), address="192.0.2.8", autonomous_system=1, role="underlay")),
        (("bgp-neighbor", "c"), Neighbor(uuid=uuid(5), address="2001:db8::1", autonomous_system=1)),
    )
    assert [peer.name for peer in found] == ["a", "b"]
    assert found[0].listens_only and found[0].families == (Family.IPV4, Family.IPV6) and found[0].hold_time == 30
    assert waited_for_at(found) == ["192.0.2.1"] and found[1].router_id == "192.0.2.1"
    assert waited_for_at([found[0]]) == []

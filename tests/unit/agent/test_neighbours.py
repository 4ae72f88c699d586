"""Which tunnel endpoints an agent keeps resolved, of either family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agent import neighbours
from agent.neighbours import Neighbours, NextHop
from data.errors import CommandFailed

TABLE = """IP                                            MAC                 Bridge
==========================================================================
172.31.0.2                                    ce:06:33:1b:3a:5f   br-phy
fd00:31:0::2                                  ce:06:33:1b:3a:60   br-phy
fe80::cc06:33ff:fe1b:3a5f                     ce:06:33:1b:3a:60   br-phy
172.31.0.9                                    ce:06:33:1b:3a:61   br-other
"""


class Switch:
    """The control socket of a switch that holds TABLE."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def control(self, command: str, *args: str) -> str:
        self.told.append((command, *args))
        return TABLE


def kept(monkeypatch: pytest.MonkeyPatch, peers: Sequence[str] | None) -> tuple[list[str], Switch]:
    """One round: the next hops that were resolved now, and what the switch was told."""
    switch: Any = Switch()
    monkeypatch.setattr(neighbours, "_next_hop", lambda peer: NextHop(peer, "br-phy"))
    monkeypatch.setattr(neighbours, "resolve", lambda hops: {hop.address: "02:00:00:00:00:09" for hop in hops})
    one = Neighbours(switch, userspace=True)
    if peers is not None:
        one.set_peers(peers)
    return one.keep(), switch


def test_peers_of_both_families_are_resolved_and_written_into_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved, switch = kept(monkeypatch, ["172.31.0.3", "FD00:31:0::3"])
    assert resolved == ["172.31.0.3", "fd00:31::3"]
    assert ("tnl/neigh/set", "br-phy", "fd00:31::3", "02:00:00:00:00:09") in switch.told


def test_an_agent_that_was_not_told_goes_on_with_the_tunnel_endpoints_the_switch_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved, _ = kept(monkeypatch, None)
    assert resolved == ["172.31.0.2", "fd00:31::2"], "neither link-local addresses nor those of other bridges"


def test_what_is_no_address_is_refused() -> None:
    switch: Any = Switch()
    with pytest.raises(CommandFailed, match="IPv4 or IPv6"):
        Neighbours(switch, userspace=True).set_peers(["hv2"])


def test_a_link_local_next_hop_is_written_with_its_link() -> None:
    assert NextHop("fe80::1", "br-phy").zoned == "fe80::1%br-phy"
    assert NextHop("fd00:31::2", "br-phy").zoned == "fd00:31::2"

"""What the tests of the BGP speaker share: a speaker beside other people's routers, and what it has told."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from controller.bgp.routes import Attributes, Community, Family, Rd, Route, VpnPrefix
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Event, Fault, Peer, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from data.addresses import address, prefix
from tests.system.wan.peers import Frr, PeerNetwork

PATIENCE = 90.0  # seconds for what takes two on an idle machine
OURS = 65000
FAMILIES = (Family.VPNV4, Family.EVPN)
ENCAPSULATED = Community.encapsulation(8)  # VXLAN

Some = TypeVar("Some")


def own_prefix(prefix: str) -> str:
    """A prefix for namespaces that no other worker of the run has, so that tests of one file can run side by side."""
    return prefix + os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


class Heard:
    """The listener of a speaker. `routes` are those that each peer has announced and not withdrawn."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.routes: dict[str, dict[object, Route]] = {}
        self.slow = 0.0  # seconds that it takes for every message of routes

    def __call__(self, event: Event) -> None:
        if isinstance(event, Changed):
            table = self.routes.setdefault(event.peer, {})
            for nlri in event.withdrawn:
                table.pop(nlri.key, None)
            for route in event.announced:
                table[route.nlri.key] = route
            time.sleep(self.slow)
        else:
            self.events.append(event)
        if isinstance(event, Down):
            self.routes.pop(event.peer, None)

    def of(self, kind: type[Some], peer: str | None = None) -> list[Some]:
        """Events of a kind, of one neighbour or all."""
        return [one for one in self.events if isinstance(one, kind) and peer in (None, getattr(one, "peer", None))]

    async def up(self, peer: str, times: int = 1) -> Up:
        """The session is up for the so manieth time."""
        await until(lambda: len(self.of(Up, peer)) >= times, f"{peer} up {times} times: {self.events}")
        return self.of(Up, peer)[times - 1]

    async def down(self, peer: str, times: int = 1) -> Down:
        await until(lambda: len(self.of(Down, peer)) >= times, f"{peer} down {times} times: {self.events}")
        return self.of(Down, peer)[times - 1]

    async def end_of_rib(self, peer: str, family: Family) -> None:
        await until(lambda: EndOfRib(peer, family) in self.events, f"end of {family} of {peer}")

    async def restarted(self) -> None:
        """The process died and is back."""
        await until(lambda: [one.alive for one in self.of(Fault)][-2:] == [False, True], "restart")


async def until(condition: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait for a condition; AssertionError saying for what after the patience is over."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def speaking(network: PeerNetwork, heard: Heard) -> AsyncIterator[ExabgpSpeaker]:
    """A speaker that listens on the network's own address; ended at the end."""
    speaker = ExabgpSpeaker(heard, listen=[network.here, network.here6])
    await speaker.start()
    try:
        yield speaker
    finally:
        await speaker.stop()


def neighbour(network: PeerNetwork, name: str, asn: int = OURS, **more: object) -> Peer:
    """A Peer for a router of the network."""
    usual: dict[str, object] = {
        "address": network.address(name),
        "local_address": network.here,
        "families": FAMILIES,
        "hold_time": 30,
    }
    return Peer(name=name, local_as=OURS, peer_as=asn, router_id="10.255.0.1", **usual | more)  # type: ignore[arg-type]


def vpn_routes(count: int, *, next_hop: str, targets: int = 20, as_path: tuple[int, ...] = ()) -> list[Route]:
    """VPNv4 routes 40.0.0.0/24 and so on, with labels from 100 on, over so many route targets."""
    said = [
        Attributes(
            address(next_hop),
            as_path=as_path,
            as_path_length=len(as_path),
            extended=(Community.route_target(f"{OURS}:{one}"), Community.encapsulation(2)),
        )
        for one in range(1, targets + 1)
    ]
    return [
        Route(
            VpnPrefix(
                Rd.of(f"{OURS}:{one % targets + 1}"),
                prefix(f"{40 + (one >> 16)}.{one >> 8 & 255}.{one & 255}.0/24"),
                (100 + one % 1000,),
            ),
            said[one % targets],
        )
        for one in range(count)
    ]


def frr_lines(
    network: PeerNetwork, number: int, *more: str, asn: int = OURS, neighbor: Iterable[str] = ()
) -> list[str]:
    """An FRR that peers with the speaker for VPNv4 and EVPN, with graceful restart."""
    return [
        f"router bgp {asn}",
        f" bgp router-id 10.255.0.{number}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " bgp graceful-restart",
        f" neighbor {network.here} remote-as {OURS}",
        f" neighbor {network.here} timers 5 30",
        f" neighbor {network.here} timers connect 1",
        *(f" neighbor {network.here} {one}" for one in neighbor),
        " address-family ipv4 vpn",
        f"  neighbor {network.here} activate",
        " exit-address-family",
        " address-family l2vpn evpn",
        f"  neighbor {network.here} activate",
        "  advertise-all-vni",
        " exit-address-family",
        *more,
    ]


def vpn(frr: Frr) -> dict[str, list[dict[str, object]]]:
    """FRR's VPNv4 routes by `RD prefix`."""
    said = frr.show("show bgp ipv4 vpn json")
    return {
        f"{rd} {where}": ways
        for rd, table in said.get("routes", {}).get("routeDistinguishers", {}).items()
        for where, ways in table.items()
    }

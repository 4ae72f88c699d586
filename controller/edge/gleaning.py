"""Asking for who is not resolved yet behind bridge vports, and telling the segment where its traffic goes now.

    packet to an address of a subnet that nobody has   ──> asked for, at most once a second; the packet itself is lost:
                                                           behind bridge vports, and behind VTEPs (`beyond.py`)
    next hop of a route in such a subnet, not resolved ──> asked for when the routes change, and every NEXT_HOPS seconds
    the uplink is that of another hypervisor now       ──> every vport and gateway of the subnet says where it is
    the gateways have another MAC address now          ──> every vport is told: it would send to the old one for minutes

Answers are learned like everything else that is sent (`learning.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from controller.commit.planning import Draft
from controller.compile.services.bridging import known_behind, vports_in
from controller.compile.state import BRIDGE, State
from controller.compile.wan.facts import floods
from controller.edge.allowance import Allowance
from controller.edge.beyond import into
from controller.edge.context import EdgeContext
from controller.edge.segments import gateway_of, may_have, question, router
from controller.hypervisors.punted import Punt
from controller.packets.frame import parse
from controller.packets.neighbour import gratuitous_arp, neighbour_advertisement
from controller.pipeline import Feature
from data.addresses import Ip, address
from data.networks import network
from data.path import Path
from data.schema.objects import Subnet, Vport
from data.schema.services import Redirect, StaticRoute

__all__ = ["Gleaning"]

AGAIN = 1.0  # seconds until somebody is asked for once more
NEXT_HOPS = 2.0  # seconds; the first question may come before the hypervisor has its flows
ASKED = 16_384  # addresses that are remembered as asked for: more are not asked for within a second; about 4 MB
RATE = 256  # addresses a second that are asked for because something is sent there, of one enterprise
ANNOUNCED = 64  # addresses told between two pauses
_BETWEEN = 0.02  # seconds
_UNSPECIFIED = Ip(6, 0)


class Gleaning:
    """See the module."""

    def __init__(self, context: EdgeContext) -> None:
        self._context = context
        self._asked: dict[tuple[Path, Ip], float] = {}
        self._allowance = Allowance(RATE, context.clock)
        self._some = asyncio.Event()
        self._moved: set[Path] = set()
        self._router = ""
        context.punted.serve(Feature.GLEAN, self.wanted)
        context.network.on_change.append(self._follow)

    async def run(self) -> None:
        """Asks for next hops, and announces, until it is cancelled."""
        while True:
            moved, self._moved = self._moved, set()
            for path in moved:
                await self._announce(path)
            await self._gateways()
            self._next_hops()
            try:
                await asyncio.wait_for(self._some.wait(), NEXT_HOPS)
            except TimeoutError:
                continue
            self._some.clear()

    def wanted(self, punt: Punt) -> None:
        """A packet to an address that is not resolved."""
        frame = parse(punt.frame)
        if punt.path is not None and frame is not None and frame.destination is not None:
            self._ask(punt.path, frame.destination, sent=True)

    def _ask(self, subnet: Path, ip: Ip, *, sent: bool = False) -> None:
        """`sent`: on account of a packet, of which workloads may send as many as they like to as many addresses."""
        state, now = self._context.network.state, self._context.clock()
        bridges, vteps = state.bridges_of(subnet), floods(state, subnet)
        if not (bridges or vteps) or not may_have(state, subnet, ip):
            return
        if self._asked.get((subnet, ip), 0.0) > now - AGAIN:
            return
        if len(self._asked) >= ASKED:
            self._asked = {one: when for one, when in self._asked.items() if when > now - AGAIN}
            if len(self._asked) >= ASKED:
                return
        if sent and not self._allowance.take(subnet[1]):
            return
        self._asked[subnet, ip] = now
        frame = question(state, subnet, ip)
        for path in bridges:
            self._deliver(path, frame)
        if vteps:
            into(self._context, subnet, frame, vteps)

    def _deliver(self, path: Path, frame: bytes) -> None:
        state = self._context.network.state
        place = state.place(path)
        if place is not None:
            self._context.punted.deliver(place.location.dvrs, state.slot(path), frame)

    def _follow(self, made: Draft) -> None:
        """After a change: routes may lead elsewhere, bridge vports be somewhere else."""
        state = self._context.network.state
        for uuid, where in made.moved.items():
            path = state.view.by_uuid(uuid)
            vport = None if path is None else state.view.get(path)
            if path is not None and where is not None and isinstance(vport, Vport) and vport.type == BRIDGE:
                self._moved.add(path)
        if self._router != router(state):
            self._some.set()
        concerned = self._moved or any(path[-2] in ("static-route", "redirect", "subnet") for path in _long(made))
        if concerned and next(iter(state.bridges), None) is not None:
            self._some.set()

    # Next hops ----------------------------------------------------------------------------------------------

    def _next_hops(self) -> None:
        state = self._context.network.state
        for subnet in tuple(state.bridges):
            body = state.view.get(subnet)
            if not isinstance(body, Subnet):
                continue
            known = {
                ip for path in state.bridges_of(subnet) for held in known_behind(state, path).values() for ip in held
            }
            for text in dict.fromkeys(_hops(state, subnet[:4])):
                ip = address(text)
                own = network(body, ip.version)
                if text not in known and own is not None and own.prefix.covers(ip):
                    self._ask(subnet, ip)

    # The gateways' MAC address changed ----------------------------------------------------------------------

    async def _gateways(self) -> None:
        """Tells every vport where its gateways are, when they are elsewhere than they were said to be."""
        state = self._context.network.state
        told, self._router = self._router, router(state)
        if not told or told == self._router:
            return
        number = 0
        for subnet in tuple(state.members):
            gateways = [ip for ip in (gateway_of(state, subnet, version) for version in (4, 6)) if ip is not None]
            frames = [_announcement(self._router, ip, True) for ip in gateways]
            for dvrs, vports in state.members_of(subnet).items():
                for slot in vports.values():
                    for frame in frames:
                        self._context.punted.deliver(dvrs, slot, frame)
                        number += 1
                        if number % ANNOUNCED == 0:
                            await asyncio.sleep(_BETWEEN)

    # The uplink moved ---------------------------------------------------------------------------------------

    async def _announce(self, bridge: Path) -> None:
        """The physical switches learn by which of their ports every vport and gateway of the subnet is reached now."""
        state = self._context.network.state
        place = state.place(bridge)
        if place is None:
            return
        for number, frame in enumerate(_announcements(state, place.subnet)):
            self._deliver(bridge, frame)
            if number % ANNOUNCED == ANNOUNCED - 1:
                await asyncio.sleep(_BETWEEN)


def _long(made: Draft) -> Iterator[Path]:
    return (path for path in made.edits if len(path) > 1)


def _hops(state: State, domain: Path) -> Iterator[str]:
    for _, route in state.view.objects(StaticRoute, domain):
        yield from route.next_hop
    for _, redirect in state.view.objects(Redirect, domain):
        if redirect.next_hop:
            yield redirect.next_hop


def _announcements(state: State, subnet: Path) -> Iterator[bytes]:
    for version in (4, 6):
        gateway = gateway_of(state, subnet, version)
        if gateway is not None:
            yield _announcement(router(state), gateway, True)
    for path in vports_in(state, subnet):
        vport = state.view.get(path)
        if isinstance(vport, Vport) and vport.mac and vport.type != BRIDGE and state.place(path) is not None:
            addresses = [address(text) for text in vport.address]
            for ip in addresses or [Ip(4, 0)]:
                yield _announcement(vport.mac, ip, False)


def _announcement(mac: str, ip: Ip, gateway: bool) -> bytes:
    """Gratuitous ARP, or an unsolicited advertisement; of a MAC address alone, ARP from and for 0.0.0.0."""
    if ip.version == 4:
        return gratuitous_arp(mac, ip)
    return neighbour_advertisement(mac, ip, ip, "", _UNSPECIFIED, router=gateway)

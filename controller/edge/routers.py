"""Router advertisements: the gateway of every IPv6 subnet tells its vports that it is there, and their prefix.

    solicited     a vport asks (punts.py)                                      to that vport
    unsolicited   every 200 to 600 s, each subnet at a moment of its own       to all its vports, by packet-outs
                  when the subnet has changed, and when a vport has appeared   at once

Lifetimes (told.py) outlast a controller that is away for hours. A prefix that is advertised no more is withdrawn, and
so is a router that ceases to be one; hosts that were off meanwhile, or a controller that restarted, leave that to the
lifetimes (RFC 4861 section 6.2.5).
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Iterable

from controller.commit.planning import Draft
from controller.compile.services.punts import advertises, served
from controller.edge.allowance import Allowance
from controller.edge.context import EdgeContext
from controller.edge.told import advertisement, subnet_of
from controller.hypervisors.punted import Punt
from controller.openflow import actions
from controller.packets.neighbour import router_solicitation
from controller.pipeline import Feature, Register, Table
from data.addresses import Prefix
from data.networks import network
from data.path import Path
from data.schema.objects import Subnet

__all__ = ["INTERVAL", "RATE", "Routers"]

INTERVAL = (200.0, 600.0)  # seconds: MinRtrAdvInterval and MaxRtrAdvInterval of RFC 4861 section 6.2.1
RATE = 5  # solicitations a second and vport; a host that boots sends three, 4 s apart
_FIRST = 30.0  # seconds after the start of the controller within which every subnet has its first
_TICK = 0.2  # seconds between two looks at what is due
_AT_ONCE = 200  # subnets, or vports, between two looks: a template may change 10,000 of them
_SLOTS = 500  # vports in one packet-out, which is 16 KB of actions


class Routers:
    """See the module. `monotonic` gives seconds for the intervals."""

    def __init__(self, context: EdgeContext, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._monotonic = monotonic
        self._random = random.Random()
        self._allowance = Allowance(RATE)
        self._due: dict[Path, float] = {}  # subnet -> when it advertises next
        self._heap: list[tuple[float, Path]] = []  # of those, and of moments that are void
        self._said: dict[Path, Prefix] = {}  # what was advertised last, to be withdrawn one day
        self._appeared: deque[Path] = deque()  # vports
        context.punted.serve(Feature.SOLICITED, self._solicited)
        context.network.on_change.append(self._follow)

    async def run(self) -> None:
        """Advertises what is due, for ever."""
        now = self._monotonic()
        for number, subnet in enumerate(list(self._context.network.state.members)):
            if advertises(self._context.network.running.get(subnet)):
                self._schedule(subnet, now + self._random.uniform(0.0, _FIRST))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        while True:
            self.advertise_due()
            await asyncio.sleep(_TICK)

    def advertise_due(self) -> None:
        """Advertises what is due now."""
        for _ in range(min(len(self._appeared), _AT_ONCE)):
            self._welcome(self._appeared.popleft())
        now = self._monotonic()
        for _ in range(_AT_ONCE):
            if not self._heap or self._heap[0][0] > now:
                return
            when, subnet = heapq.heappop(self._heap)
            if self._due.get(subnet) == when:
                self._advertise(subnet)

    def _schedule(self, subnet: Path, when: float) -> None:
        self._due[subnet] = when
        heapq.heappush(self._heap, (when, subnet))

    def _follow(self, made: Draft) -> None:
        """What a commit, or a vport that appeared, makes due."""
        running, state, now = self._context.network.running, self._context.network.state, self._monotonic()
        if ("controller",) in made.edits:  # perhaps another MAC address of the gateways: another router for hosts
            for path in tuple(self._due):
                self._schedule(path, now + self._random.uniform(0.0, _FIRST))
        for path in made.edits:
            if path[-2:-1] != ("subnet",) or path[0] != "enterprise":
                continue
            if path in self._said or (advertises(running.get(path)) and state.members_of(path)):
                self._schedule(path, now)
        for uuid, where in made.moved.items():
            vport = None if where is None else running.by_uuid(uuid)
            if vport is not None:
                self._appeared.append(vport)

    def _welcome(self, path: Path) -> None:
        """A vport has appeared: what it asked before its flows were there went nowhere."""
        state = self._context.network.state
        place = state.place(path)
        subnet = None if place is None else state.view.get(place.subnet)
        if place is None or not advertises(subnet) or not served(place.vport, 6):
            return
        if place.subnet not in self._due:
            self._schedule(place.subnet, self._monotonic() + self._random.uniform(*INTERVAL))
        self._remember(place.subnet, subnet)
        frame = advertisement(state.view, subnet)
        self._context.punted.deliver(place.location.dvrs, state.slot(path), frame)

    def _advertise(self, path: Path) -> None:
        """To all vports of a subnet, and again some minutes later for as long as it has any."""
        state = self._context.network.state
        subnet, former = state.view.get(path), self._said.get(path)
        del self._due[path]
        members = state.members_of(path)
        if isinstance(subnet, Subnet) and members and (former is not None or advertises(subnet)):
            frame = advertisement(state.view, subnet, former)
            for dvrs, slots in members.items():
                self._send(dvrs, [slot for vport, slot in slots.items() if self._hears(vport)], frame)
        self._said.pop(path, None)
        if members and advertises(subnet):
            self._remember(path, subnet)
            self._schedule(path, self._monotonic() + self._random.uniform(*INTERVAL))

    def _remember(self, path: Path, subnet: object) -> None:
        own = network(subnet, 6) if isinstance(subnet, Subnet) else None
        if own is not None:
            self._said.setdefault(path, own.prefix)

    def _hears(self, path: Path) -> bool:
        found = subnet_of(self._context.network.running, path)
        return found is not None and served(found[0], 6)

    def _send(self, dvrs: str, slots: list[int], frame: bytes) -> None:
        for at in range(0, len(slots), _SLOTS):
            self._context.punted.send(dvrs, frame, list(_to_each(slots[at : at + _SLOTS])))

    def _solicited(self, punt: Punt) -> None:
        running = self._context.network.running
        found = None if punt.path is None else subnet_of(running, punt.path)
        if found is None or not self._allowance.take(found[0].uuid):
            return
        vport, path, subnet = found
        asked = router_solicitation(punt.frame)
        if asked is None or asked.source_mac != vport.mac or not advertises(subnet) or not served(vport, 6):
            return
        self._remember(path, subnet)
        if path not in self._due:
            self._schedule(path, self._monotonic() + self._random.uniform(*INTERVAL))
        frame = advertisement(running, subnet, None, asked.source, asked.source_mac)
        self._context.punted.answer(punt, frame)


def _to_each(slots: Iterable[int]) -> Iterable[actions.Action]:
    for slot in slots:
        yield actions.set_reg(Register.TO_PORT, slot)
        yield actions.resubmit(Table.DELIVER)

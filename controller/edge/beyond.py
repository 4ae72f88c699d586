"""Machines behind VTEPs whose IP addresses no route names: asked for, and remembered as long as they answer.

    packet to an address that nobody has, in a subnet that VTEPs share  ──> question to each of them (`gleaning.py`)
    reply to the MAC address of the gateways                            ──> told, as an address of who replied
    AGE seconds after it, and after a restart                           ──> asked again; PROBES in vain: forgotten

A VTEP that routes tells addresses beside MAC addresses (RFC 7432 section 10); one that only bridges may not know them.
What is told here becomes a part of what BGP's route of the MAC address says, and ends with it: see `Rib.answered`. The
answer may be here before the route, which follows from it where the machine was silent until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from controller.compile.addresses import FAMILIES, mac, value
from controller.compile.remote import RemoteKey, RemoteMac, Tunnel
from controller.compile.wan.facts import gateways_at, machine
from controller.edge.allowance import Allowance
from controller.edge.context import EdgeContext
from controller.edge.segments import claimed, has_object, may_have, question
from controller.hypervisors.punted import Punt
from controller.openflow import actions
from controller.openflow.actions import Action
from controller.packets.frame import parse
from controller.pipeline import Feature
from data.addresses import Ip
from data.path import Path
from data.schema.objects import Subnet

__all__ = ["AGE", "MOST", "OF_ONE", "PROBES", "ROUTE_WITHIN", "Beyond", "into"]

AGE = 300.0  # seconds after its last answer until somebody is asked whether he is still there
PROBES = 3  # questions, one a second
ROUTE_WITHIN = 30.0  # seconds in which the route of a MAC address must come after its answer
MOST = 4096  # addresses of one subnet; as many as a bridge vport may have behind it; 1 MB
OF_ONE = 8  # of one MAC address, as behind bridge vports
RATE = 256  # answers a second that are looked at, of one subnet


@dataclass(slots=True)
class _Known:
    """Who answered for an address, and when (seconds since the epoch)."""

    hardware: bytes
    seen: float
    probes: int = 0


def _nobody(addresses: Mapping[RemoteKey, tuple[Ip, ...]]) -> None:
    """Nobody wants to know."""


class Beyond:
    """See the module. `tell` is BGP's: which addresses a MAC address elsewhere answered for, all of them each time."""

    def __init__(self, context: EdgeContext) -> None:
        self._context = context
        self._known: dict[str, dict[Ip, _Known]] = {}  # UUID of the subnet -> address
        self._allowance = Allowance(RATE, context.clock)
        self.tell: Callable[[Mapping[RemoteKey, tuple[Ip, ...]]], None] = _nobody
        context.punted.serve(Feature.ANSWER, self.heard)

    async def run(self) -> None:
        """Asks again for who has been silent, until it is cancelled."""
        self.recall()
        while True:
            await asyncio.sleep(1.0)
            self.second()

    def recall(self) -> None:
        """What an earlier process knew is not told from what its routes said: all of it is asked for once."""
        state = self._context.network.state
        told: set[RemoteKey] = set()
        for key, fact in state.placement.all_remote():
            if isinstance(fact, RemoteMac) and isinstance(key.what, bytes):
                known = self._known.setdefault(key.owner, {})
                for ip in fact.addresses[: MOST - len(known)]:
                    known[ip] = _Known(key.what, self._context.clock() - AGE)
                    told.add(key)
        self._tell(told)

    def heard(self, punt: Punt) -> None:
        """A machine has answered a question of the gateways."""
        state, frame = self._context.network.state, parse(punt.frame)
        body = None if punt.path is None else state.view.get(punt.path)
        if punt.path is None or not isinstance(body, Subnet) or frame is None or not self._allowance.take(body.uuid):
            return
        ip, sender = claimed(punt.frame, frame.source_mac), mac(frame.source_mac)
        if ip is None or sender[0] & 1 or not any(sender) or not may_have(state, punt.path, ip):
            return
        if has_object(state, punt.path, frame.source_mac):
            return
        known = self._known.setdefault(body.uuid, {})
        entry, now = known.get(ip), self._context.clock()
        if entry is not None and entry.hardware == sender:
            entry.seen, entry.probes = now, 0
            return
        if (entry is None and len(known) >= MOST) or sum(one.hardware == sender for one in known.values()) >= OF_ONE:
            return
        known[ip] = _Known(sender, now)
        self._tell({RemoteKey(body.uuid, "mac", one) for one in (sender, *([entry.hardware] if entry else []))})

    def second(self) -> None:
        """What is to be done every second."""
        state, now = self._context.network.state, self._context.clock()
        gone: set[RemoteKey] = set()
        for uuid, known in tuple(self._known.items()):
            subnet = state.view.by_uuid(uuid)
            for ip, entry in tuple(known.items()):
                found = None if subnet is None else machine(state, subnet, entry.hardware)
                if subnet is not None and found is not None and now - entry.seen < AGE:
                    continue
                if found is None and now - entry.seen < ROUTE_WITHIN:
                    continue
                if subnet is not None and found is not None and entry.probes < PROBES and may_have(state, subnet, ip):
                    entry.probes += 1
                    frame = question(state, subnet, ip, entry.hardware.hex(":"))
                    into(self._context, subnet, frame, [found.tunnel])
                else:
                    del known[ip]
                    gone.add(RemoteKey(uuid, "mac", entry.hardware))
            if not known:
                del self._known[uuid]
        self._tell(gone)

    def _tell(self, keys: Iterable[RemoteKey]) -> None:
        told: dict[RemoteKey, tuple[Ip, ...]] = {}
        for key in keys:
            known = self._known.get(key.owner, {})
            told[key] = tuple(sorted(ip for ip, entry in known.items() if entry.hardware == key.what))
        if told:
            self.tell(told)


def into(context: EdgeContext, subnet: Path, frame: bytes, tunnels: Iterable[Tunnel]) -> None:
    """Sends a frame of the gateways to VTEPs of a subnet, from one of the hypervisors that route for it."""
    state = context.network.state
    for dvrs in sorted(gateways_at(state, subnet)):
        acts: list[Action] = []
        for tunnel in tunnels:
            to = FAMILIES[tunnel.endpoint.version].tunnel_destination
            acts.append(actions.set_field("tunnel_id", tunnel.number))
            acts.append(actions.set_field(to, value(tunnel.endpoint)))
            acts.append(actions.output(state.placement.tunnel_ports[dvrs]))
        if acts and context.punted.send(dvrs, frame, acts):
            return

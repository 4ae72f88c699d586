"""A packet followed through switches: tables, actions, connection tracking, tunnels. Pure, and as Open vSwitch does it.

    enter ── a packet at a hypervisor: classify ── goto … ── End
               │ resubmit     another table, then on with the next action; what it changes stays changed
               │ ct(table=N)  a tracked copy goes on at N, this one goes on untracked; a fragment waits for the others
               │ clone        a copy; straight to an interface or tunnel it is a mirror's, and no End of the packet
               │ multipath    what follows depends on a hash: one way for each thing that can follow
               └ output       an interface, or a tunnel: enter there

A Machine goes one way; `choices` say which, `forks` what there was to choose. Where a packet simply stops, the last
table it was in is what dropped it. Read next: `follow.py` (who asks), `words.py` (what it means).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from controller.openflow.wire import PORT_IN_PORT
from controller.pipeline import Table
from controller.trace.contents import Contents
from controller.trace.decode import Unreadable
from controller.trace.packet import Packet, as_seen, on_the_wire, write
from controller.trace.parts import (
    Action,
    Clone,
    Conjunction,
    Controller,
    Ct,
    DecTtl,
    Load,
    Move,
    Multipath,
    Nat,
    Output,
    PopMpls,
    PopVlan,
    PushMpls,
    PushVlan,
    Resubmit,
    Sample,
    SetField,
    SetTtl,
)
from controller.trace.question import Connection
from controller.trace.tables import Flow, Tables
from controller.trace.tracker import Tracker
from controller.trace.wires import COLLECTORS, MPLS_OFPORT, Wires
from data.addresses import Ip
from data.steps import Steps

__all__ = ["Asked", "End", "Fork", "Machine", "Step", "What"]

_LOOKUPS = 4096  # of one packet and its copies, as Open vSwitch bounds them (MAX_RESUBMITS)
_SUBROUTINES = frozenset((Table.INGRESS_ACL, Table.EGRESS_ACL))


class What(Enum):
    """How a packet ends."""

    PORT = "sent out of a port"
    TUNNEL = "sent to an endpoint that is not ours"
    MPLS = "sent to a PE"
    COLLECTOR = "sent to a collector"
    CONTROLLER = "sent to the controller"
    TTL = "sent to the controller, its TTL has run out"
    WAITS = "connection tracking waits for fragments that do not come"
    NOTHING = "nothing more is done"
    UNREADABLE = "a flow does what is not known"
    ENDLESS = "too many lookups"


@dataclass(slots=True)
class Step:
    """One lookup: the packet before, the flow that it met (None: no flow), the packet after the flow's actions."""

    number: int
    dvrs: str
    table: int
    before: Packet
    flow: Flow | None
    copy: bool
    after: Packet = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """Where a packet ended, at the step with this number; `copy`: of a packet that goes on elsewhere."""

    what: What
    dvrs: str
    step: int
    packet: Packet
    port: int = 0
    copy: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Fork:
    """A hash that decided: at which step, the part of all flows that each thing has that can follow."""

    step: int
    shares: tuple[float, ...]


class Asked(NamedTuple):
    """Where connection tracking was asked: in a table, about a zone."""

    dvrs: str
    table: int
    zone: int


@dataclass(slots=True)
class _Here:
    """Where a packet is."""

    dvrs: str
    tables: Tables
    copy: bool


class Machine:
    """One way of one packet; what it left behind in `trackers` meets the next that is entered. `connection`: what
    they know of it before. `others`: where the other fragments of it come, None of a whole packet."""

    def __init__(
        self,
        contents: Contents,
        fabric: Wires,
        choices: Sequence[int] = (),
        trackers: dict[str, Tracker] | None = None,
        connection: Connection = Connection.NEW,
        others: Container[Asked] | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self.ends: list[End] = []
        self.forks: list[Fork] = []
        self.asked: set[Asked] = set()
        self.trackers = {} if trackers is None else trackers
        self._connection = connection
        self._others = others
        self._contents = contents
        self._wires = fabric
        self._choices = choices

    def enter(self, dvrs: str, packet: Packet, copy: bool = False) -> Steps[None]:
        """Follows a packet that comes to a hypervisor by its in_port. Raises Unread."""
        tables = yield from self._contents.of(dvrs)
        yield from self._branch(_Here(dvrs, tables, copy), Table.CLASSIFY, packet)

    def _branch(self, here: _Here, table: int, packet: Packet) -> Steps[None]:
        """A packet from this table on; what stops without having gone anywhere is dropped there."""
        before = sum(not end.copy or here.copy for end in self.ends)
        yield from self._table(here, table, packet)
        if before == sum(not end.copy or here.copy for end in self.ends):
            last = next(step for step in reversed(self.steps) if step.copy == here.copy)
            self._end(What.NOTHING, here, last, packet)

    def _end(
        self, what: What, here: _Here, step: Step, packet: Packet, port: int = 0, copy: bool = False, told: str = ""
    ) -> None:
        self.ends.append(End(what, here.dvrs, step.number, dict(packet), port, copy or here.copy, told))

    def _table(self, here: _Here, table: int, packet: Packet) -> Steps[None]:
        """One lookup, and those that goto leads to."""
        following: int | None = table
        while following is not None:
            if len(self.steps) >= _LOOKUPS:
                self._end(What.ENDLESS, here, self.steps[-1], packet)
                return
            at, before, following = following, dict(packet), None
            step = Step(len(self.steps), here.dvrs, at, before, None, here.copy)
            self.steps.append(step)
            try:
                step.flow = yield from here.tables.find(at, as_seen(packet))
                if step.flow is not None:
                    does = step.flow.does
                    if (yield from self._actions(here, step, does.actions, packet)):
                        following = does.goto
            except Unreadable as problem:
                self._end(What.UNREADABLE, here, step, packet, told=str(problem))
            step.after = dict(packet)

    def _actions(self, here: _Here, step: Step, actions: Sequence[Action], packet: Packet) -> Steps[bool]:
        """Does them in order; whether the packet goes on behind them."""
        for action in actions:
            if isinstance(action, DecTtl) and packet.get("nw_ttl", 0) <= 1:
                self._end(What.TTL, here, step, packet)
                return False
            if isinstance(action, Output):
                yield from self._output(here, step, action.port, packet)
            elif isinstance(action, Controller):
                goes_on = step.table in _SUBROUTINES or (step.flow is not None and step.flow.does.goto is not None)
                self._end(What.CONTROLLER, here, step, packet, copy=goes_on)
            elif isinstance(action, Resubmit):
                follow = self._branch if step.table == Table.FLOOD else self._table
                yield from follow(here, action.table, packet)
            elif isinstance(action, Ct):
                if not (yield from self._track(here, step, action, packet)):
                    return False
            elif isinstance(action, Multipath):
                yield from self._spread(here, step, action, packet)
            elif isinstance(action, Clone):
                copy = here.copy or _is_mirror(step, actions, action)
                yield from self._actions(_Here(here.dvrs, here.tables, copy), step, action.actions, dict(packet))
            else:
                _change(packet, action)
        return True

    def _output(self, here: _Here, step: Step, port: int, packet: Packet) -> Steps[None]:
        came_by = packet.get("in_port", 0)
        if port == PORT_IN_PORT:
            port = came_by
        elif port == came_by:
            return  # Open vSwitch sends nothing back by itself
        if port == self._wires.tunnel_ports.get(here.dvrs):
            there = self._wires.at.get(_endpoint(packet))
            if there is None or there == here.dvrs:
                self._end(What.TUNNEL, here, step, packet, port)
                return
            mine = self._wires.addresses[here.dvrs]
            onward = on_the_wire(packet)
            onward["in_port"] = self._wires.tunnel_ports[there]
            onward["tunnel_id"] = packet.get("tunnel_id", 0)
            onward[f"tun_ipv{mine.version}_src"] = mine.number
            onward[f"tun_ipv{mine.version}_dst"] = self._wires.addresses[there].number
            yield from self.enter(there, onward, here.copy)
        elif port == MPLS_OFPORT:
            self._end(What.MPLS, here, step, packet, port)
        elif port in COLLECTORS:
            self._end(What.COLLECTOR, here, step, packet, port, copy=True)
        else:
            self._end(What.PORT, here, step, packet, port)

    def _track(self, here: _Here, step: Step, action: Ct, packet: Packet) -> Steps[bool]:
        """Whether the packet goes on: a fragment is held until all are there (lib/ipf.c)."""
        where = action.zone_from
        zone = action.zone if where is None else packet.get(where.field, 0) >> where.first & (1 << where.bits) - 1
        asked = Asked(here.dvrs, step.table, zone)
        self.asked.add(asked)
        if self._others is not None and asked not in self._others:
            self._end(What.WAITS, here, step, packet)
            return False
        tracker = self.trackers.setdefault(here.dvrs, Tracker())
        tracked = dict(packet)
        tracker.track(tracked, zone, action.commit, action.nat, self._connection)
        if action.table is not None:
            yield from self._branch(here, action.table, tracked)
        packet["ct_state"] = packet["ct_zone"] = 0
        return True

    def _spread(self, here: _Here, step: Step, action: Multipath, packet: Packet) -> Steps[None]:
        """Chooses among what can follow: the numbers of the hash that lead to the same are one choice."""
        goto = None if step.flow is None else step.flow.does.goto
        found: dict[object, list[int]] = {}
        for number in range(action.n if goto is not None else 1):
            trial = dict(packet)
            write(trial, action.to, number)
            flow = (yield from here.tables.find(goto, as_seen(trial))) if goto is not None else None
            found.setdefault(None if flow is None else (flow.cookie, flow.does), []).append(number)
        options = list(found.values())
        if len(options) > 1:
            nth = len(self.forks)
            self.forks.append(Fork(step.number, tuple(len(numbers) / action.n for numbers in options)))
            write(packet, action.to, options[self._choices[nth] if nth < len(self._choices) else 0][0])
        else:
            write(packet, action.to, options[0][0])


def _is_mirror(step: Step, actions: Sequence[Action], clone: Clone) -> bool:
    """Whether a clone is a mirror's copy: it goes straight out. So does what a limited vport, or one behind an uplink,
    is delivered, but there it is all that is done."""
    if step.table == Table.DELIVER and len(actions) == 1 and clone in actions:
        return False
    return not any(isinstance(action, Resubmit) for action in clone.actions)


def _endpoint(packet: Packet) -> Ip:
    six = packet.get("tun_ipv6_dst", 0)
    return Ip(6, six) if six else Ip(4, packet.get("tun_ipv4_dst", 0))


def _change(packet: Packet, action: Action) -> None:
    """An action that only alters the packet."""
    if isinstance(action, SetField):
        packet[action.field] = action.value
    elif isinstance(action, Load):
        write(packet, action.to, action.value)
    elif isinstance(action, Move):
        write(packet, action.to, packet.get(action.source.field, 0) >> action.source.first)
    elif isinstance(action, SetTtl):
        packet["nw_ttl"] = action.ttl
    elif isinstance(action, DecTtl):
        packet["nw_ttl"] -= 1
    elif isinstance(action, PushVlan):
        packet["vlan_under"], packet["vlan_vid"] = packet.get("vlan_vid", 0), 0x1000
    elif isinstance(action, PopVlan):
        packet["vlan_vid"], packet["vlan_under"] = packet.get("vlan_under", 0), 0
    elif isinstance(action, PushMpls):
        packet["eth_type"], packet["mpls_label"], packet["mpls_bos"] = action.eth_type, 0, 1
    elif isinstance(action, PopMpls):
        packet["eth_type"], packet["mpls_label"], packet["mpls_bos"] = action.eth_type, 0, 0
    else:
        assert isinstance(action, Conjunction | Nat | Sample), f"{action} is not done"

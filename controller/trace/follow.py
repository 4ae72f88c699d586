"""trace(): from a question to its answer.

The sender first asks who has the address (ARP, ND), as a machine does: of the receiver in its own subnet, of the
gateway otherwise. Then its packet is followed, once for each thing that a hash can decide, and if it was asked for, the
answer that the receiver gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.compile.addresses import mac as mac_bytes
from controller.compile.state import Place, State
from controller.pipeline import Table
from controller.trace.contents import Contents
from controller.trace.ends import ends_of, group_mac, hardware_of, next_hop, own_address
from controller.trace.judge import judge, leavings
from controller.trace.machine import Asked, Machine, What
from controller.trace.packet import (
    Packet,
    answering,
    arp_request,
    described,
    question_packet,
    solicitation,
    the_other_part,
)
from controller.trace.question import Connection, Question, Trace, Verdict, Way
from controller.trace.scene import Scene, owners
from controller.trace.wires import Wires, wires
from controller.trace.words import hops
from data.addresses import Ip
from data.errors import CommandFailed
from data.schema.objects import Vport
from data.steps import Steps

__all__ = ["MOST_WAYS", "trace"]

MOST_WAYS = 64  # that a hash can decide between and that are followed
_GUARDS = (Table.CLASSIFY, Table.SPOOF_GUARD)
_PLACES = 4  # outside that are named of those to which a question is flooded
_GROUP = 1 << 40  # bit of a MAC address
_SOLICITED, _REPLIED = 136, 2  # RFC 4861, RFC 826
_RECEIVED = (Verdict.DELIVERED, Verdict.LEFT)  # what may be answered, by a vport or from behind a bridge vport
_BACK = {Connection.ESTABLISHED: Connection.ANSWER, Connection.ANSWER: Connection.ESTABLISHED}
"""What the answer to a packet is, in the same connection."""


def trace(state: State, question: Question, contents: Contents, *, underlay: bool = True) -> Steps[Trace]:
    """Where the packet of a question goes, by the flows that `contents` gives; `underlay`: whether the words may name
    tunnel addresses. Pure. Raises CommandFailed for a question without an answer, Unread (`contents.Held`)."""
    vport = state.view.get(question.source)
    if not isinstance(vport, Vport):
        raise CommandFailed(f"vport {question.source[-1]}", "there is no such vport", "see 'show vports'")
    source, destination, wanted = ends_of(state, question, vport)
    packet = question_packet(question, source, destination, hardware_of(state, question.source, vport, source))
    scene = Scene(state, question, wanted, underlay)
    if wanted is None:
        scene = Scene(state, question, scene.holder(destination), underlay)
    said = described(packet, question.connection)
    place = state.place(question.source)
    if place is None:
        reason = f"{question.source[-1]} is not resolved: no hypervisor reports its interface"
        return Trace(question, said, (Way((), Verdict.UNRESOLVED, question.source, reason),))
    ask = _Asking(scene, wires(state), contents, place)
    segment = state.view.get(place.subnet)
    hardware = group_mac(segment, destination)
    if hardware is None:
        target = next_hop(segment, destination)
        hardware = yield from ask.neighbour(packet, target)
        if hardware is None:
            nowhere = yield from ask.silence(packet, target)
            return Trace(question, said, (nowhere,), (place.location.dvrs,))
    packet["eth_dst"] = hardware
    ways, visited = yield from ask.ways(packet)
    return Trace(question, said, tuple(ways), visited)


class _Asking:
    """What one question is asked of."""

    def __init__(self, scene: Scene, fabric: Wires, contents: Contents, place: Place) -> None:
        self._scene = scene
        self._wires = fabric
        self._contents = contents
        self._place = place

    def _enter(self, machine: Machine, packet: Packet, place: Place) -> Steps[None]:
        entering = {**packet, "in_port": place.location.port}
        if place.vport.vlan is not None:
            entering["vlan_vid"] = 0x1000 | place.vport.vlan
        yield from machine.enter(place.location.dvrs, entering)

    # Who has the address --------------------------------------------------------------------------------------

    def neighbour(self, packet: Packet, target: Ip) -> Steps[int | None]:
        """The MAC address that the switch, or whoever has the address, answers with."""
        machine = Machine(self._contents, self._wires)
        yield from self._enter(machine, self._question(packet, target), self._place)
        own = self._place.location
        for end in machine.ends:
            if end.what is not What.PORT or end.copy:
                continue
            if (end.dvrs, end.port) == (own.dvrs, own.port):
                if end.packet.get("arp_op") == _REPLIED:
                    return end.packet["arp_sha"]
                if end.packet.get("icmpv6_type") == _SOLICITED:
                    return end.packet["nd_tll"]
        holder = self._scene.holder(target)
        place = None if holder is None else self._scene.state.place(holder)
        if place is not None and place.vport.mac is not None and holder != self._scene.question.source:
            there = (place.location.dvrs, place.location.port)
            if any((end.dvrs, end.port) == there for end in machine.ends if not end.copy):
                return int.from_bytes(mac_bytes(place.vport.mac), "big")
        return None

    def _question(self, packet: Packet, target: Ip) -> Packet:
        vport, mac = self._place.vport, packet["eth_src"]
        source = own_address(vport, target.version)
        if source is None:
            name = "ipv4_src" if target.version == 4 else "ipv6_src"
            source = Ip(target.version, packet[name])
        own = int.from_bytes(mac_bytes(vport.mac), "big") if vport.mac else mac
        return (arp_request if target.version == 4 else solicitation)(own, source, target)

    def silence(self, packet: Packet, target: Ip) -> Steps[Way]:
        """What becomes of a question for an address that nobody answers: the packet is never sent."""
        machine = Machine(self._contents, self._wires)
        yield from self._enter(machine, self._question(packet, target), self._place)
        yield from self._name(machine)
        asked = "ARP" if target.version == 4 else "neighbour discovery"
        path = self._scene.holder(target)
        told = tuple(hops(self._scene, machine.steps, machine.ends))
        came = judge(self._scene, machine)
        if came.verdict is Verdict.DROPPED and machine.steps[-1].table in _GUARDS:
            return Way(told, came.verdict, came.at, f"{asked} for {target}: {came.reason}")
        if path == self._scene.question.source:
            return Way(told, Verdict.DROPPED, path, f"{target} is its own address")
        if path is not None and self._scene.state.place(path) is None:
            reason = f"{target} is {self._scene.name(path)}'s, which is not resolved: nobody answers {asked} for it"
            return Way(told, Verdict.UNRESOLVED, path, reason)
        if path is not None:
            return Way(told, Verdict.DROPPED, path, f"{asked} for {target} is not answered")
        if outside := leavings(self._scene, machine):
            where = " and ".join(one.reason for one in outside[:_PLACES])
            return Way(told, Verdict.LEFT, None, f"{asked} for {target} {where}: nobody here is known to have it")
        return Way(told, Verdict.DROPPED, None, f"nobody has {target}: nobody answers {asked} for it")

    # The packet -----------------------------------------------------------------------------------------------

    def ways(self, packet: Packet) -> Steps[tuple[list[Way], tuple[str, ...]]]:
        """One for each thing that a hash can decide, and the hypervisors that were visited."""
        found: list[Way] = []
        visited: dict[str, None] = {self._place.location.dvrs: None}
        others = (yield from self._others(packet)) if packet.get("ip_frag") else None
        for machine, share in (yield from self._runs(packet, others)):
            visited.update(dict.fromkeys(step.dvrs for step in machine.steps))
            found.append((yield from self._way(machine, share)))
        return found, tuple(visited)

    def _runs(self, packet: Packet, others: frozenset[Asked] | None) -> Steps[list[tuple[Machine, float]]]:
        """The packet followed once for each thing that a hash can decide, with the part of all flows."""
        waiting: list[tuple[int, ...]] = [()]
        found: list[tuple[Machine, float]] = []
        while waiting and len(found) < MOST_WAYS:
            choices = waiting.pop(0)
            machine = Machine(self._contents, self._wires, choices, {}, self._scene.question.connection, others)
            yield from self._enter(machine, packet, self._place)
            for nth in range(len(choices), len(machine.forks)):
                before = (*choices, *(0,) * (nth - len(choices)))
                waiting += [(*before, other) for other in range(1, len(machine.forks[nth].shares))]
            found.append((machine, _share(machine, choices)))
        return found

    def _others(self, packet: Packet) -> Steps[frozenset[Asked]]:
        """Where the other fragments ask connection tracking, which lets none on before it has seen all: what one of
        them does not come to holds up the rest."""
        mine: frozenset[Asked] | None = None
        while True:
            theirs = yield from self._asked(the_other_part(packet), mine)
            now = yield from self._asked(packet, theirs)
            if now == mine:
                return theirs
            mine = now

    def _asked(self, packet: Packet, others: frozenset[Asked] | None) -> Steps[frozenset[Asked]]:
        runs = yield from self._runs(packet, others)
        return frozenset(asked for machine, _ in runs for asked in machine.asked)

    def _way(self, machine: Machine, share: float) -> Steps[Way]:
        yield from self._name(machine)
        told = judge(self._scene, machine)
        reply = None
        if self._scene.question.reply and told.verdict in _RECEIVED and told.receiver is not None:
            place = self._scene.state.place(told.receiver)
            answer = None if told.packet["eth_dst"] & _GROUP else answering(told.packet)
            if place is not None and answer is not None:
                connection = self._scene.question.connection
                back = Machine(self._contents, self._wires, (), machine.trackers, _BACK.get(connection, connection))
                yield from self._enter(back, answer, place)
                yield from self._name(back)
                came = judge(self._scene, back, wanted=self._scene.question.source)
                reply = Way(
                    tuple(hops(self._scene, back.steps, back.ends)), came.verdict, came.at, came.reason,
                    receiver=came.receiver,
                )  # fmt: skip
        steps = tuple(hops(self._scene, machine.steps, machine.ends, machine.forks))
        return Way(steps, told.verdict, told.at, told.reason, share, told.receiver, reply)

    def _name(self, machine: Machine) -> Steps[None]:
        """Finds out whose flows were met."""
        source = self._scene.question.source[:4]
        self._scene.owners.update((yield from owners(self._scene.state, source, machine.steps)))


def _share(machine: Machine, choices: Sequence[int]) -> float:
    """The part of all flows that goes this way."""
    part = 1.0
    for nth, fork in enumerate(machine.forks):
        part *= fork.shares[choices[nth] if nth < len(choices) else 0]
    return part

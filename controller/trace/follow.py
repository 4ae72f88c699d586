"""trace(): from a question to its answer.

The sender first asks who has the address (ARP, ND), as a machine does: of the receiver in its own subnet, of the
gateway otherwise. Then its packet is followed, once for each thing that a hash can decide, and if it was asked for, the
answer that the receiver gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.compile.addresses import mac as mac_bytes
from controller.compile.addresses import prefixes
from controller.compile.services.bridging import known_behind
from controller.compile.state import Place, State
from controller.trace.contents import Contents
from controller.trace.judge import judge
from controller.trace.machine import Machine, What
from controller.trace.packet import (
    Packet,
    answering,
    arp_request,
    described,
    question_packet,
    solicitation,
)
from controller.trace.question import Question, Trace, Verdict, Way
from controller.trace.scene import Scene, own_address, owners
from controller.trace.tracker import Tracker
from controller.trace.wires import Wires, wires
from controller.trace.words import hops
from data.addresses import Ip, address, gateway, prefix
from data.errors import CommandFailed
from data.path import Path, vport_name
from data.schema.objects import Subnet, Vport
from data.steps import Steps

__all__ = ["MOST_WAYS", "trace"]

MOST_WAYS = 64  # that a hash can decide between and that are followed
_BROADCAST = 0xFFFFFFFFFFFF
_SOLICITED, _REPLIED = 136, 2  # RFC 4861, RFC 826
_RECEIVED = (Verdict.DELIVERED, Verdict.LEFT)  # what may be answered, by a vport or from behind a bridge vport


def trace(state: State, question: Question, contents: Contents, *, underlay: bool = True) -> Steps[Trace]:
    """Where the packet of a question goes, by the flows that `contents` gives; `underlay`: whether the words may name
    tunnel addresses. Pure. Raises CommandFailed for a question without an answer, Unread (`contents.Held`)."""
    vport = state.view.get(question.source)
    if not isinstance(vport, Vport):
        raise CommandFailed(f"vport {question.source[-1]}", "there is no such vport", "see 'show vports'")
    source, destination, wanted = _ends(state, question, vport)
    packet = question_packet(question, source, destination, _hardware(state, question.source, vport, source))
    scene = Scene(state, question, wanted, underlay)
    if wanted is None:
        scene = Scene(state, question, scene.holder(destination), underlay)
    place = state.place(question.source)
    if place is None:
        reason = f"{question.source[-1]} is not resolved: no hypervisor reports its interface"
        return Trace(question, described(packet), (Way((), Verdict.UNRESOLVED, question.source, reason),))
    ask = _Asking(scene, wires(state), contents, place)
    target = ask.next_hop(destination)
    if target is not None:
        hardware = yield from ask.neighbour(packet, target)
        if hardware is None:
            nowhere = yield from ask.silence(packet, target)
            return Trace(question, described(packet), (nowhere,), (place.location.dvrs,))
        packet["eth_dst"] = hardware
    ways, visited = yield from ask.ways(packet)
    return Trace(question, described(packet), tuple(ways), visited)


def _ends(state: State, question: Question, vport: Vport) -> tuple[Ip, Ip, Path | None]:
    """From which address to which, and the vport that is meant. Raises CommandFailed."""
    known = question.source_address
    to = question.destination
    name = vport_name(question.source)
    if isinstance(to, Ip):
        source = known or own_address(vport, to.version) or _behind(state, question.source, to.version)
        if source is None or source.version != to.version:
            raise CommandFailed(f"vport {name}", f"it has no IPv{to.version} address", "say one with 'source'")
        return source, to, None
    body = state.view.get(to)
    if not isinstance(body, Vport):
        raise CommandFailed(f"vport {to[-1]}", "there is no such vport", "see 'show vports'")
    versions = [known.version] if known else [ip.version for ip in map(address, vport.address)] or [4, 6]
    for version in versions:
        source = known or own_address(vport, version) or _behind(state, question.source, version)
        destination = own_address(body, version)
        if source is not None and destination is not None:
            return source, destination, to
    raise CommandFailed(f"vport {vport_name(to)}", f"it has no address of a family of {name}", "name an address")


def _behind(state: State, path: Path, version: int) -> Ip | None:
    """The first address learned behind a bridge vport."""
    known = (address(text) for held in known_behind(state, path).values() for text in held)
    return next((ip for ip in known if ip.version == version), None)


def _hardware(state: State, path: Path, vport: Vport, source: Ip) -> int:
    """The MAC address that a packet from an address bears."""
    learned = (mac for mac, held in known_behind(state, path).items() if str(source) in held)
    text = next(learned, vport.mac or "02:00:00:00:00:01")
    return int.from_bytes(mac_bytes(text), "big")


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

    def next_hop(self, destination: Ip) -> Ip | None:
        """Whom the sender asks for: the receiver in its own segment, else its gateway; None for many at once."""
        body = self._scene.state.view.get(self._place.subnet)
        if not isinstance(body, Subnet):
            return destination
        if destination.number >> (28 if destination.version == 4 else 120) == (
            0xE if destination.version == 4 else 0xFF
        ):
            return None
        for network in prefixes(body):
            if network.covers(destination):
                return destination
        for text, own in ((body.prefix, body.gateway), (body.ipv6_prefix, body.ipv6_gateway)):
            if text and prefix(text).version == destination.version:
                return gateway(prefix(text), own)
        return destination

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
        if path == self._scene.question.source:
            return Way(told, Verdict.DROPPED, path, f"{target} is its own address")
        if path is not None and self._scene.state.place(path) is None:
            reason = f"{target} is {self._scene.name(path)}'s, which is not resolved: nobody answers {asked} for it"
            return Way(told, Verdict.UNRESOLVED, path, reason)
        if path is not None:
            return Way(told, Verdict.DROPPED, path, f"{asked} for {target} is not answered")
        return Way(told, Verdict.DROPPED, None, f"nobody has {target}: nobody answers {asked} for it")

    # The packet -----------------------------------------------------------------------------------------------

    def ways(self, packet: Packet) -> Steps[tuple[list[Way], tuple[str, ...]]]:
        """One for each thing that a hash can decide, and the hypervisors that were visited."""
        waiting: list[tuple[int, ...]] = [()]
        found: list[Way] = []
        visited: dict[str, None] = {self._place.location.dvrs: None}
        while waiting and len(found) < MOST_WAYS:
            choices = waiting.pop(0)
            trackers: dict[str, Tracker] = {}
            machine = Machine(self._contents, self._wires, choices, trackers)
            yield from self._enter(machine, packet, self._place)
            visited.update(dict.fromkeys(step.dvrs for step in machine.steps))
            for nth in range(len(choices), len(machine.forks)):
                before = (*choices, *(0,) * (nth - len(choices)))
                waiting += [(*before, other) for other in range(1, len(machine.forks[nth].shares))]
            share = _share(machine, choices)
            found.append((yield from self._way(machine, share, trackers)))
        return found, tuple(visited)

    def _way(self, machine: Machine, share: float, trackers: dict[str, Tracker]) -> Steps[Way]:
        yield from self._name(machine)
        told = judge(self._scene, machine)
        reply = None
        if self._scene.question.reply and told.verdict in _RECEIVED and told.receiver is not None:
            place, answer = self._scene.state.place(told.receiver), answering(told.packet)
            if place is not None and answer is not None:
                back = Machine(self._contents, self._wires, (), trackers)
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

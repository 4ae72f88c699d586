"""What it came to: the verdict of a packet, the object that decided, and the reason in words.

A packet that was flooded ends in several places: it counts what happened on the way to whom it was meant for.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.openflow.wire import ETH_ARP, ETH_IPV4
from controller.pipeline import Feature, Owner, Table
from controller.trace.dropped import why_dropped
from controller.trace.machine import End, Machine, What
from controller.trace.packet import Packet
from controller.trace.places import endpoint_words
from controller.trace.question import Verdict
from controller.trace.scene import Scene, Told
from data.addresses import Ip
from data.path import Path

__all__ = ["Judgement", "judge", "leavings"]

_ANSWERED = {
    Feature.DHCP: "the controller answers: DHCP",
    Feature.SOLICITED: "the controller answers: router advertisement",
    Feature.DNS: "the controller answers: DNS",
    Feature.CLAIM: "the controller takes it as a claim of the virtual IP",
    Feature.PROBED: "the controller takes it as the answer to a health probe",
    Feature.ANSWER: "the controller takes it as the answer to a question of the gateway",
}
_ACLS = (Table.INGRESS_ACL, Table.EGRESS_ACL)
_SWITCH_ANSWERS = (Table.RESPONDER, Table.ND_REPLY)


@dataclass(frozen=True, slots=True)
class Judgement:
    """See the module; `packet` as it ended, `receiver` the vport that got it."""

    verdict: Verdict
    at: Path | None
    reason: str
    packet: Packet
    receiver: Path | None = None


def judge(scene: Scene, machine: Machine, wanted: Path | None = None) -> Judgement:
    """Of all ends of a packet the one that counts. `wanted`: the receiver, when it is not that of the question."""
    meant = wanted or scene.wanted
    found = [_one(scene, machine, end, meant) for end in machine.ends if not end.copy]
    if not found:
        return Judgement(Verdict.DROPPED, None, "nothing comes of it", {})
    best = min(found, key=lambda one: _rank(one, meant))
    others = sorted({scene.name(one.receiver) for one in found if one.receiver not in (None, best.receiver)})
    others += sorted(
        {one.reason for one in found if one.verdict is Verdict.LEFT and one.receiver is None} - {best.reason}
    )
    if others:
        best = Judgement(
            best.verdict, best.at, f"{best.reason} (flooded: {', '.join(others[:4])}{', ...' if others[4:] else ''})",
            best.packet, best.receiver,
        )  # fmt: skip
    return best


def leavings(scene: Scene, machine: Machine) -> list[Judgement]:
    """The ends by which a packet goes where only others know what becomes of it, each once."""
    found = (_one(scene, machine, end, None) for end in machine.ends if not end.copy)
    return list({one.reason: one for one in found if one.verdict is Verdict.LEFT}.values())


def _rank(one: Judgement, meant: Path | None) -> int:
    if one.verdict is Verdict.DELIVERED:
        return 0 if meant is None or one.receiver == meant else 5
    order = (Verdict.ANSWERED, Verdict.LEFT, Verdict.UNRESOLVED, Verdict.UNKNOWN, Verdict.DENIED, Verdict.DROPPED)
    return 1 + order.index(one.verdict) if one.verdict in order else 9


def _one(scene: Scene, machine: Machine, end: End, meant: Path | None) -> Judgement:
    step = machine.steps[end.step]
    told = scene.told(step)
    path = None if told is None else told.path
    if end.what is What.PORT:
        return _out(scene, machine, end, told, meant)
    if end.what in (What.TUNNEL, What.MPLS):
        routes = (scene.told(step) for step in reversed(machine.steps[: end.step]) if step.table == Table.ROUTE)
        path = path or next((route.path for route in routes if route is not None), None)
        return Judgement(Verdict.LEFT, path, f"leaves to {endpoint_words(scene, end)}", end.packet)
    if end.what is What.CONTROLLER:
        if told is not None and told.feature in _ANSWERED:
            return Judgement(Verdict.ANSWERED, path, _ANSWERED[told.feature], end.packet)
        if told is not None and told.feature is Feature.GLEAN:
            reason = f"nobody is known to have {_destination(end.packet)}; the controller asks for it in the segment"
            return Judgement(Verdict.DROPPED, path, reason, end.packet)
        return Judgement(Verdict.ANSWERED, path, "the controller gets it", end.packet)
    if end.what is What.TTL:
        return Judgement(Verdict.DROPPED, path, "its time to live has run out", end.packet)
    if end.what is What.WAITS:
        reason = "connection tracking waits for the other fragments of the packet, which are stopped before"
        return Judgement(Verdict.DROPPED, None, reason, end.packet)
    if end.what is What.UNREADABLE:
        reason = f"a flow in table {_table(step.table)} of {end.dvrs} does what trace does not know ({end.told})"
        return Judgement(Verdict.UNKNOWN, path, reason, end.packet)
    if end.what is What.ENDLESS:
        return Judgement(Verdict.UNKNOWN, path, "it goes round and round: a switch gives up, too", end.packet)
    return _nothing(scene, machine, end, told)


def _out(scene: Scene, machine: Machine, end: End, told: Told | None, meant: Path | None) -> Judgement:
    """Out of an interface."""
    receiver = told.path if told is not None and told.owner is Owner.VPORT else None
    for step in reversed(machine.steps[: end.step + 1]):
        answers = scene.told(step)
        if answers is not None and answers.feature is Feature.RESPONDER and step.table in _SWITCH_ANSWERS:
            if step.flow is not None and step.flow.does.goto is None:
                name = "the gateway" if answers.owner is Owner.SUBNET else scene.name(answers.path or ())
                reason = f"the switch answers in the name of {name}"
                return Judgement(Verdict.ANSWERED, answers.path, reason, end.packet)
    if receiver is None:
        return Judgement(Verdict.LEFT, None, f"leaves {end.dvrs} by port {end.port}", end.packet)
    name = scene.name(receiver)
    if scene.bridge(receiver):
        return Judgement(Verdict.LEFT, receiver, f"leaves by bridge vport {name}", end.packet, receiver)
    reason = f"to {name}"
    if meant is not None and receiver != meant and scene.underlay:
        reason += f", which is not {scene.name(meant)}"
        way = next((one for one in map(scene.told, machine.steps) if one and one.feature is Feature.REDIRECT), None)
        if way is not None and way.path is not None:
            reason = f"to {name}, through which {scene.name(way.path)} leads it"
    return Judgement(Verdict.DELIVERED, receiver, reason, end.packet, receiver)


def _nothing(scene: Scene, machine: Machine, end: End, told: Told | None) -> Judgement:
    """Dropped where it stopped."""
    step = machine.steps[end.step]
    verdict = step.table in (Table.INGRESS_VERDICT, Table.EGRESS_VERDICT)
    if verdict and told is not None and told.feature is Feature.DENIED:
        for before in reversed(machine.steps[: end.step]):
            if before.table in _ACLS and before.dvrs == end.dvrs:
                rule = scene.told(before)
                side = "ingress" if step.table == Table.INGRESS_VERDICT else "egress"
                return _denied(scene, side, rule, end)
    path = None if told is None or told.feature is Feature.INVALID else told.path  # it is the tracker that refuses
    if told is not None and told.feature is Feature.NO_ROUTE and scene.wanted is not None:
        if scene.state.place(scene.wanted) is None and _is_his(scene, end):
            reason = f"{_destination(end.packet)} is {scene.name(scene.wanted)}'s, which is not resolved"
            return Judgement(Verdict.UNRESOLVED, scene.wanted, reason, end.packet)
    return Judgement(Verdict.DROPPED, path, why_dropped(scene, step, told, end), end.packet)


def _denied(scene: Scene, side: str, rule: Told | None, end: End) -> Judgement:
    if rule is None or rule.path is None:
        return Judgement(Verdict.DENIED, None, f"by the {side} policy", end.packet)
    if rule.feature is Feature.RULE:
        name = "/".join(rule.path[-3::2])
        return Judgement(Verdict.DENIED, rule.path, f"by {side}-policy entry {name}", end.packet)
    return Judgement(Verdict.DENIED, rule.path, f"by the {side} default of {scene.name(rule.path)}", end.packet)


def _is_his(scene: Scene, end: End) -> bool:
    found = _destination(end.packet)
    return isinstance(found, Ip) and scene.holder(found) == scene.wanted


def _destination(packet: Packet) -> Ip | str:
    kind = packet.get("eth_type", 0)
    if kind == ETH_ARP:
        return Ip(4, packet.get("arp_tpa", 0))
    if kind == ETH_IPV4:
        return Ip(4, packet.get("ipv4_dst", 0))
    return Ip(6, packet.get("ipv6_dst", 0))


def _table(number: int) -> str:
    return Table(number).name.lower() if number in Table._value2member_map_ else str(number)

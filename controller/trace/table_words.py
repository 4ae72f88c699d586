"""What a table decided, in words: one function for each table, None where it decided nothing. `words.py` asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from controller.compile.services.limits import qos_of
from controller.openflow.wire import CT_RELATED, ETH_ARP, ETH_MPLS
from controller.pipeline import Feature, Owner, Register, Table, Verdict
from controller.trace.dropped import hardware, source_of, target_of
from controller.trace.machine import End, Step, What
from controller.trace.packet import Packet
from controller.trace.places import endpoint_words
from controller.trace.policy_words import entry_words
from controller.trace.scene import Scene, Told
from data.addresses import Ip
from data.path import Path
from data.schema.objects import Entry, Vport

__all__ = ["TABLES"]


def _is_own(told: Told | None) -> bool:
    """Whether a flow is of the fabric itself."""
    return told is None or told.owner is Owner.FABRIC


def _classify(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.path is None:
        return None
    name = scene.name(told.path)
    tunnel = step.before.get("tunnel_id", 0)
    if told.feature is Feature.MIRRORED:
        return f"a copy of mirror {name} arrives"
    if told.feature is Feature.ENTERED:
        return f"from the WAN into {name}"
    if told.feature is Feature.RESPONDER:
        return f"a question to the gateway of {name}"
    if tunnel:
        number = f" on VXLAN vni {tunnel}" if scene.underlay else ""
        return f"in by the tunnel{number}: subnet {name}"
    vport = scene.state.view.get(told.path)
    where = f"{told.path[1]}/{told.path[3]}"
    if isinstance(vport, Vport):
        where += f", subnet {vport.subnet}" if vport.subnet else ""
        where += f", VLAN {vport.vlan}" if vport.vlan is not None else ""
    rate = _limit(scene, step, told, "ingress")
    return f"in from {told.path[-1]} ({where})" + (f", {rate}" if rate else "")


def _limit(scene: Scene, step: Step, told: Told, side: str) -> str | None:
    """The rate that a vport's packets in a direction are held to."""
    vport = None if told.path is None else scene.state.view.get(told.path)
    if step.flow is None or step.flow.does.meter is None or told.path is None or not isinstance(vport, Vport):
        return None
    qos = qos_of(scene.state, told.path, vport)
    return None if qos is None else f"limited to {getattr(qos, f'{side}_rate')} kbit/s"


def _spoof_guard(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.path is None:
        return None
    name, sender = scene.name(told.path), hardware(step.before.get("eth_src", 0))
    if told.feature is Feature.LEARN:
        return f"{sender} behind {name} is not known yet; the controller learns it"
    vport = scene.state.view.get(told.path)
    if isinstance(vport, Vport) and vport.anti_spoofing == "off":
        return f"{name} is not checked (anti-spoofing off)"
    if isinstance(vport, Vport) and vport.anti_spoofing == "mac":
        return f"source {sender} is {name}'s (anti-spoofing mac)"
    if step.before.get("eth_type") == ETH_ARP:
        return f"ARP of {Ip(4, step.before.get('arp_spa', 0))} / {sender} is {name}'s"
    return f"source {source_of(step.before)} / {sender} is {name}'s"


def _responder(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.feature is not Feature.RESPONDER or step.flow is None or step.flow.does.goto is not None:
        return None
    name = "the gateway" if told.owner is Owner.SUBNET else scene.name(told.path or ())
    what = "ARP" if step.before.get("eth_type") == ETH_ARP else "ping"
    if step.before.get("icmpv6_type") in (135, 136):
        what = "neighbour discovery"
    return f"answered here: {what}, in the name of {name}"


def _rule(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.path is None:
        return None
    side = "ingress" if step.table == Table.INGRESS_ACL else "egress"
    verdict = step.after.get(f"reg{Register.VERDICT}", 0)
    reply = step.before.get(f"reg{Register.REPLY}", 0)
    passes = verdict in (Verdict.ALLOW_STATEFUL, Verdict.ALLOW_TRACKED)
    if reply and not passes:
        return None  # it goes on to the ordinary rules
    body = scene.state.view.get(told.path)
    if isinstance(body, Entry):
        name = "/".join(told.path[-3::2])
        origin = " of the template" if body.inherited else ""
        if reply:
            return f"reply to what entry {name}{origin} of the {side} policy allows ({entry_words(body)})"
        word = "denies" if verdict == Verdict.DENY else "allows"
        stateful = ", stateful" if verdict == Verdict.ALLOW_STATEFUL else ""
        return f"entry {name}{origin} {word} ({entry_words(body)}){stateful}"
    if reply:
        return f"reply to what the {side} default of {scene.name(told.path)} allows"
    word = "denies" if verdict == Verdict.DENY else "allows"
    unsaid = getattr(body, f"{side}_default", None) is None and verdict == Verdict.DENY
    why = f", because an {side}-policy has entries" if unsaid else ""
    return f"no entry matches, the default of {scene.name(told.path)} {word}{why}"


def _state(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    return "related to a connection: passes" if step.before.get("ct_state", 0) & CT_RELATED else None


def _forward(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if _is_own(told) or told is None or told.path is None:
        return None
    if told.owner is Owner.VPORT:
        return f"from {scene.name(told.path)}: never redirected again"
    name = "/".join(told.path[-3::2])
    return (
        f"redirect {name} sets it aside" if step.after.get(f"reg{Register.TARGET}") else f"redirect {name}: as routed"
    )


def _mark(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    return None if _is_own(told) else f"marked with dscp {step.after.get('ip_dscp', 0)}"


def _service(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.owner is not Owner.SERVICE or told.path is None:
        return None
    return f"to the virtual address of load-balancer {scene.name(told.path)}"


def _balanced(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.path is None or told.owner is not Owner.SERVICE:
        return None
    to = next((target_of(later.before) for later in rest if later.table == Table.DESTINATION), None)
    holder = None if to is None else scene.holder(to)
    backend = str(to) if holder is None else scene.name(holder)
    return f"load-balancer {scene.name(told.path)} chooses backend {backend}"


def _route(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if _is_own(told) or told is None:
        return None
    before, after = step.before, step.after
    name = "?" if told.path is None else scene.name(told.path)
    if told.owner is Owner.VPORT or told.feature is Feature.REMOTE_MAC:
        what = f"{target_of(before)} is {name}'s"
        if told.owner is Owner.VPORT and told.path is not None:
            vport = scene.state.view.get(told.path)
            if isinstance(vport, Vport):
                what += f", subnet {vport.subnet}"
        else:
            what = f"{target_of(before)} is a machine elsewhere in {name}"
    elif told.feature is Feature.REMOTE_PREFIX:
        what = f"a route that BGP told leads to {target_of(before)}"
    elif told.owner is Owner.DOMAIN:
        what = f"into a shared domain that {name} uses"
    else:
        kind = "" if told.path is None else f"{told.path[-2]} "
        what = f"{kind}{name}"
    return what + _changed(before, after)


def _changed(before: Packet, after: Packet) -> str:
    text = ""
    if target_of(before) != target_of(after):
        text += f", destination becomes {target_of(after)}"
    if source_of(before) != source_of(after):
        text += f", source becomes {source_of(after)}"
    if before.get("nw_ttl") != after.get("nw_ttl") and "nw_ttl" in after:
        text += f", ttl {before.get('nw_ttl')} -> {after['nw_ttl']}"
    return text


def _translate(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if _is_own(told) or told is None or told.path is None:
        return None
    source = source_of(rest[0].before) if rest else source_of(step.after)
    what = {"floating-ip": "floating-ip", "source-nat": "source-nat"}.get(told.path[-2], "translated for")
    return f"{what} {scene.name(told.path)}: source {source_of(step.before)} becomes {source}"


def _nat_out(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    return _translate(scene, step, told, rest) if told is not None and told.owner is Owner.SERVICE else None


def _nat_in(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.owner is not Owner.SERVICE or told.path is None or not rest:
        return None
    return (
        f"source-nat {scene.name(told.path)}: destination {target_of(step.before)} becomes {target_of(rest[0].before)}"
    )


def _switch(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if _is_own(told) or told is None:
        return None
    name = "?" if told.path is None else scene.name(told.path)
    there = rest[0].dvrs if rest and rest[0].dvrs != step.dvrs else None
    if step.flow is not None and step.flow.does.goto is not None:
        return f"{name} is here"
    if told.feature is Feature.REMOTE_MAC:
        where = f": {endpoint_words(scene, End(What.TUNNEL, step.dvrs, 0, step.after))}" if scene.underlay else ""
        return f"to a machine elsewhere in {name}{where}"
    way = f": {_tunnel(step.after)}" if scene.underlay else ""
    return f"{name} is on {there or 'another hypervisor'}{way}"


def _tunnel(packet: Packet) -> str:
    six = packet.get("tun_ipv6_dst", 0)
    to = Ip(6, six) if six else Ip(4, packet.get("tun_ipv4_dst", 0))
    return f"VXLAN vni {packet.get('tunnel_id', 0)} to {to}"


def _spread(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if _is_own(told) or told is None or told.path is None:
        return None
    to = hardware(step.after.get("eth_dst", 0))
    vport = next((path for path in _with_mac(scene, to)), None)
    whom = to if vport is None else scene.name(vport)
    return f"{told.path[-2]} {scene.name(told.path)}: by way of {whom}{_changed(step.before, step.after)}"


def _with_mac(scene: Scene, mac: str) -> Iterator[Path]:
    return iter(scene.state.view.holders("vport", "mac", scene.question.source[:4], mac))


def _flood(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    name = "?" if told is None or told.path is None else scene.name(told.path)
    others = "" if step.before.get("tunnel_id") else " and every hypervisor that has one"
    return f"flooded in {name}: to every vport here{others}"


def _returned(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if step.table == Table.RETURNED and step.flow is not None and step.before.get("ct_state", 0) & 0xC0:
        return f"the answer of a load balancer: it comes from {source_of(step.before)}"
    return None


def _deliver(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    if told is None or told.path is None:
        return None
    vport = scene.state.view.get(told.path)
    tag = f" in VLAN {vport.vlan}" if isinstance(vport, Vport) and vport.vlan is not None else ""
    return f"out to {scene.name(told.path)}{tag}"


def _limited(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    return None if told is None else _limit(scene, step, told, "egress")


def _depart(scene: Scene, step: Step, told: Told | None, rest: Sequence[Step]) -> str | None:
    what = What.MPLS if step.after.get("eth_type") == ETH_MPLS else What.TUNNEL
    return f"leaves to {endpoint_words(scene, End(what, step.dvrs, 0, step.after))}"


Words = Callable[[Scene, Step, Told | None, Sequence[Step]], str | None]
TABLES: dict[int, Words] = {
    Table.CLASSIFY: _classify,
    Table.SPOOF_GUARD: _spoof_guard,
    Table.RESPONDER: _responder,
    Table.NAT_IN: _nat_in,
    Table.INGRESS_STATE: _state,
    Table.EGRESS_STATE: _state,
    Table.INGRESS_ACL: _rule,
    Table.EGRESS_ACL: _rule,
    Table.FORWARD: _forward,
    Table.MARK: _mark,
    Table.SERVICE: _service,
    Table.BALANCED: _balanced,
    Table.ROUTE: _route,
    Table.SPREAD: _spread,
    Table.TRANSLATE: _translate,
    Table.SWITCH: _switch,
    Table.FLOOD: _flood,
    Table.RETURNED: _returned,
    Table.NAT_OUT: _nat_out,
    Table.DELIVER: _deliver,
    Table.LIMITED: _limited,
    Table.DEPART: _depart,
}

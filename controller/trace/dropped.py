"""Why a packet was dropped, in words: what the flow that dropped it is there for."""

from __future__ import annotations

from collections.abc import Callable

from controller.compile.addresses import FAMILIES
from controller.openflow.wire import ETH_IPV6
from controller.pipeline import Feature, Owner, Table
from controller.trace.machine import End, Step
from controller.trace.packet import Packet
from controller.trace.scene import Scene, Told
from data.addresses import Ip

__all__ = ["hardware", "source_of", "table_name", "target_of", "why_dropped"]


def table_name(number: int) -> str:
    """Of the pipeline; its number when it has no such table."""
    return Table(number).name.lower() if number in Table._value2member_map_ else str(number)


def hardware(value: int) -> str:
    """A MAC address as people write it."""
    return value.to_bytes(6, "big").hex(":")


def source_of(packet: Packet) -> Ip:
    """The source address of an IP packet."""
    version = 6 if packet.get("eth_type") == ETH_IPV6 else 4
    return Ip(version, packet.get(FAMILIES[version].source, 0))


def target_of(packet: Packet) -> Ip:
    """Its destination."""
    version = 6 if packet.get("eth_type") == ETH_IPV6 else 4
    return Ip(version, packet.get(FAMILIES[version].destination, 0))


def _named(scene: Scene, told: Told) -> str:
    return "it" if told.path is None else scene.name(told.path)


Words = Callable[[Scene, Step, Told], str]

_BECAUSE: dict[Feature, Words] = {
    Feature.SPOOFED_MAC: lambda scene, step, told: (
        f"source {hardware(step.before.get('eth_src', 0))} is not {_named(scene, told)}'s MAC address (anti-spoofing)"
    ),
    Feature.SPOOFED_IP: lambda scene, step, told: (
        f"source {source_of(step.before)} is not {_named(scene, told)}'s (anti-spoofing)"
    ),
    Feature.SPOOFED_ARP: lambda scene, step, told: f"the sender of the ARP is not {_named(scene, told)}",
    Feature.SPOOFED_ND: lambda scene, step, told: f"the neighbour discovery is not {_named(scene, told)}'s to send",
    Feature.SPOOFED_DHCP: lambda scene, step, told: f"{_named(scene, told)} is no DHCP server (anti-spoofing)",
    Feature.OTHER_PROTOCOL: lambda scene, step, told: f"{_named(scene, told)} may send no such protocol",
    Feature.VLAN_TAGGED: lambda scene, step, told: f"it bears a VLAN tag that {_named(scene, told)} may not use",
    Feature.INVALID: lambda scene, step, told: "it belongs to no connection, or is incomplete",
    Feature.UNKNOWN_ARP: lambda scene, step, told: "nobody is known to have the address asked for",
    Feature.UNKNOWN_ND: lambda scene, step, told: "nobody is known to have the address asked for",
    Feature.TOO_MANY: lambda scene, step, told: f"mac-limit of {_named(scene, told)} is reached",
    Feature.BLACKHOLE: lambda scene, step, told: f"static-route {_named(scene, told)} is a black hole",
    Feature.NO_MEMBER: lambda scene, step, told: f"nobody serves {_named(scene, told)} now",
    Feature.UNICAST: lambda scene, step, told: "the MAC address is unknown, and the segment does not flood it",
    Feature.RESPONDER: lambda scene, step, told: "nobody is answered about its own address",
    Feature.TRANSIT: lambda scene, step, told: "it came from the WAN and would go back there",
    Feature.TRANSLATE: lambda scene, step, told: "users of a shared domain do not reach each other",
}


def why_dropped(scene: Scene, step: Step, told: Told | None, end: End) -> str:
    """The reason, as in 'dropped: …'."""
    table = table_name(step.table)
    if step.flow is None:
        return _missed(scene, step, table)
    if told is None:
        return f"a flow in table {table} that is not of nshell drops it"
    if told.feature is Feature.NO_ROUTE:
        return _unrouted(scene, step, told)
    if step.table == Table.DELIVER and told.owner is Owner.VPORT:
        return f"not back to {_named(scene, told)}, which sent it, and there is nobody else"
    because = _BECAUSE.get(told.feature)
    if because is not None:
        return because(scene, step, told)
    return f"table {table} does nothing with it"


def _missed(scene: Scene, step: Step, table: str) -> str:
    if step.table == Table.CLASSIFY:
        return f"{step.dvrs} knows nobody who sends like this (tunnel or port)"
    if step.table == Table.ROUTE:
        return f"there is no route to {target_of(step.before)}"
    if step.table == Table.FLOOD:
        return f"{step.dvrs} knows no segment to flood it in"
    if step.table == Table.DELIVER:
        return "there is no such vport on this hypervisor"
    return f"no flow of table {table} is about it"


def _unrouted(scene: Scene, step: Step, told: Told) -> str:
    target = target_of(step.before)
    if told.path is None:
        return f"there is no route to {target}"
    if told.path[-2] == "subnet":
        return f"{target} is in subnet {_named(scene, told)}, and nobody there has it"
    return f"{target} is {_named(scene, told)}'s, which has nothing at this port"

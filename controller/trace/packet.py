"""A packet as a flow sees it: fields of `controller/openflow/wire.py` by name, and the one that a question is about.

What is not in a packet is 0, as for Open vSwitch: matches name what must be there first. Registers, metadata and the
tunnel are beside the fields that go over the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from controller.compile.addresses import FAMILIES
from controller.openflow import wire
from controller.trace.parts import Place
from controller.trace.question import Connection, Fragment, Question
from data.addresses import Ip
from data.schema.types import PROTOCOL_NUMBERS

__all__ = ["Packet", "answering", "arp_request", "as_seen", "described", "icmp_types", "on_the_wire", "protocol_number",
           "question_packet", "solicitation", "the_other_part", "write"]  # fmt: skip

Packet: TypeAlias = "dict[str, int]"

_PORTS = {wire.IP_TCP: "tcp", wire.IP_UDP: "udp", wire.IP_SCTP: "sctp"}
_ECHO = {4: (wire.IP_ICMP, 8), 6: (wire.IP_ICMPV6, 128)}  # RFC 792, RFC 4443
_ANSWER = {4: {8: 0, 13: 14, 15: 16, 17: 18}, 6: {128: 129}}  # request -> reply
_ERRORS = {4: (3, 11, 12), 6: (1, 2, 3, 4)}
_ICMP_NAMES = {
    (4, 8): "echo request", (4, 0): "echo reply", (6, 128): "echo request", (6, 129): "echo reply",
    (4, 3): "unreachable", (4, 11): "time exceeded", (6, 1): "unreachable", (6, 2): "packet too big",
    (6, 3): "time exceeded",
}  # fmt: skip
_SOURCE_PORT = 49152  # the first ephemeral port (RFC 6335 section 6)
_TTL = 64
_SYN, _ACK, _SYN_ACK = 0x02, 0x10, 0x12  # RFC 9293
_FIRST, _LATER = 0x01, 0x03  # ip_frag of Open vSwitch
_TRANSPORT = ("tcp_", "udp_", "sctp_", "icmpv4_", "icmpv6_", "nd_")
"""How the names begin of what the first fragment alone has."""
_CONNECTIONS = {
    Connection.ESTABLISHED: "in an established connection",
    Connection.ANSWER: "an answer in an established connection",
    Connection.RELATED: "about a packet of an established connection",
}
_BROADCAST = 0xFFFFFFFFFFFF
_SOLICITATION = 135  # RFC 4861
_METADATA = ("reg", "ct_", "tun", "metadata", "conj_id", "in_port")
"""How the names begin of what does not go over the wire."""


def write(packet: Packet, to: Place, value: int) -> None:
    """Sets some bits of a field."""
    mask = (1 << to.bits) - 1
    packet[to.field] = packet.get(to.field, 0) & ~(mask << to.first) | (value & mask) << to.first


def on_the_wire(packet: Packet) -> Packet:
    """What of a packet comes to the other end of a tunnel, or to an interface."""
    return {name: value for name, value in packet.items() if not name.startswith(_METADATA)}


def as_seen(packet: Packet) -> Packet:
    """What flows see of it: of a later fragment no ports and no ICMP type, and over IPv6 the fragment header for its
    protocol (`parse_ipv6_ext_hdrs` in lib/flow.c). Connection tracking knows them."""
    if packet.get("ip_frag") != _LATER:
        return packet
    seen = {name: value for name, value in packet.items() if not name.startswith(_TRANSPORT)}
    if seen.get("eth_type") == wire.ETH_IPV6:
        seen["ip_proto"] = wire.IP_FRAGMENT
    return seen


def the_other_part(packet: Packet) -> Packet:
    """Of a first fragment a later one, and the other way round."""
    return {**packet, "ip_frag": _FIRST if packet["ip_frag"] == _LATER else _LATER}


def question_packet(question: Question, source: Ip, destination: Ip, mac: int) -> Packet:
    """The packet of a question, from a MAC address; whom it is sent to is not known yet. Raises ValueError for a
    protocol that is none."""
    version = source.version
    family = FAMILIES[version]
    number = protocol_number(question.protocol, version)
    packet = {
        "eth_src": mac, "eth_type": family.eth_type, family.source: source.number,
        family.destination: destination.number, "ip_proto": number, "ip_dscp": question.dscp, "nw_ttl": _TTL,
    }  # fmt: skip
    name = _PORTS.get(number)
    if name is not None:
        packet[f"{name}_src"] = _SOURCE_PORT if question.source_port is None else question.source_port
        packet[f"{name}_dst"] = question.destination_port or 0
    if name == "tcp":
        packet["tcp_flags"] = _SYN if question.connection is Connection.NEW else _ACK
    if number == _ECHO[version][0]:
        kind = icmp_types(question.connection, version)[0] if question.icmp_type is None else question.icmp_type
        packet[f"icmpv{version}_type"] = kind
        packet[f"icmpv{version}_code"] = question.icmp_code or 0
    if question.fragment is not None:
        packet["ip_frag"] = _FIRST if question.fragment is Fragment.FIRST else _LATER
    return packet


def icmp_types(connection: Connection, version: int) -> Sequence[int]:
    """Which ICMP messages have such a place in a connection, the usual one first."""
    if connection is Connection.RELATED:
        return _ERRORS[version]
    return tuple(_ANSWER[version].values() if connection is Connection.ANSWER else _ANSWER[version])


def protocol_number(name: str | None, version: int) -> int:
    """The number of a protocol; `icmp` is that of the family. Raises ValueError."""
    if name in (None, "icmp", "icmpv6"):
        return _ECHO[version][0]
    number = PROTOCOL_NUMBERS.get(str(name))
    return int(str(name)) if number is None else number


def answering(packet: Packet) -> Packet | None:
    """What whoever gets a packet sends back; None when nothing answers such a packet."""
    version = 4 if packet.get("eth_type") == wire.ETH_IPV4 else 6
    family = FAMILIES[version]
    back = on_the_wire(packet)
    back.update({
        "eth_src": packet["eth_dst"], "eth_dst": packet["eth_src"], "nw_ttl": _TTL, "vlan_vid": 0,
        family.source: packet[family.destination], family.destination: packet[family.source], "ip_frag": 0,
    })  # fmt: skip
    name = _PORTS.get(packet.get("ip_proto", 0))
    if name is not None:
        back[f"{name}_src"], back[f"{name}_dst"] = packet[f"{name}_dst"], packet[f"{name}_src"]
    if name == "tcp":
        back["tcp_flags"] = _SYN_ACK if packet["tcp_flags"] == _SYN else _ACK
    if packet.get("ip_proto") == _ECHO[version][0]:
        kind = _ANSWER[version].get(packet.get(f"icmpv{version}_type", 0))
        if kind is None:
            return None
        back[f"icmpv{version}_type"] = kind
    return back


def arp_request(mac: int, source: Ip, target: Ip) -> Packet:
    """Who has this address?"""
    return {
        "eth_src": mac, "eth_dst": _BROADCAST, "eth_type": wire.ETH_ARP, "arp_op": 1, "arp_spa": source.number,
        "arp_sha": mac, "arp_tpa": target.number,
    }  # fmt: skip


def solicitation(mac: int, source: Ip, target: Ip) -> Packet:
    """The same in IPv6 (RFC 4861 section 4.3), to the solicited-node address (RFC 4291 section 2.7.1)."""
    low = target.number & 0xFFFFFF
    return {
        "eth_src": mac, "eth_dst": 0x3333FF000000 | low, "eth_type": wire.ETH_IPV6, "ipv6_src": source.number,
        "ipv6_dst": 0xFF0200000000000000000001FF000000 | low, "ip_proto": wire.IP_ICMPV6, "nw_ttl": 255,
        "icmpv6_type": _SOLICITATION, "nd_target": target.number, "nd_sll": mac, "nd_options_type": 1,
    }  # fmt: skip


def described(packet: Packet, connection: Connection = Connection.NEW) -> str:
    """'10.1.1.11 -> 10.1.3.21, tcp 49152 -> 5432': what is sent, in words."""
    kind = packet.get("eth_type")
    if kind == wire.ETH_ARP:
        return f"ARP for {IPv4Address(packet['arp_tpa'])}"
    version = 6 if kind == wire.ETH_IPV6 else 4
    family = FAMILIES[version]
    make = IPv4Address if version == 4 else IPv6Address
    text = f"{make(packet.get(family.source, 0))} -> {make(packet.get(family.destination, 0))}"
    number = packet.get("ip_proto", 0)
    name = _PORTS.get(number)
    if name is not None:
        text += f", {name} {packet[f'{name}_src']} -> {packet[f'{name}_dst']}"
    elif number == _ECHO[version][0]:
        of = packet.get(f"icmpv{version}_type", 0), packet.get(f"icmpv{version}_code", 0)
        text += f", {'icmp' if version == 4 else 'icmpv6'} " + _ICMP_NAMES.get(
            (version, of[0]), f"type {of[0]} code {of[1]}"
        )
    else:
        text += f", protocol {number}"
    text += f", dscp {packet['ip_dscp']}" if packet.get("ip_dscp") else ""
    if packet.get("ip_frag"):
        text += ", a later fragment" if packet["ip_frag"] == _LATER else ", the first fragment"
    return text + (f", {_CONNECTIONS[connection]}" if connection in _CONNECTIONS else "")

"""Answers given on the hypervisor itself: ARP and ND for known addresses, ARP, ND and ping of the gateway.

What is answered is not flooded, and an answer leaves as any packet to its vport does. An ND answer takes two tables:
the options of a neighbour advertisement can be set only once the packet is one. The address alone decides; a probe
whether an address is free (RFC 4862 section 5.4.2, from ::) is answered to all nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.addresses import Ip, link_local, value
from controller.openflow import actions, match, wire
from controller.openflow.match import Match
from controller.openflow.packed import Template
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie

__all__ = ["BACK", "answers", "gateway_ping", "link_local_answers", "unanswered"]

_ARP_REQUEST, _ARP_REPLY = 1, 2  # RFC 826
_ECHO = {4: (wire.IP_ICMP, 8, 0), 6: (wire.IP_ICMPV6, 128, 129)}  # RFC 792, RFC 4443: protocol, request, reply
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861
_TARGET_OPTION = 2  # RFC 4861 section 4.6.1: target link-layer address
_ROUTER, _SOLICITED_FLAG, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000  # of an advertisement, RFC 4861 section 4.4
_ALL_NODES = "ff02::1"
_MAC, _ADDRESS, _GATEWAY = Field("mac"), Field("address"), Field("gateway")
_FIELDS = ("cookie", "priority", "vni", "address", "mac")
BACK = [
    actions.move(f"reg{Register.FROM_PORT}", f"reg{Register.TO_PORT}"),
    actions.set_reg(Register.FROM_PORT, 0),
    actions.load_in_port(0),
    actions.resubmit(Table.DELIVER),
]
"""Sends a packet that has become an answer to the vport that it came from: with its VLAN tag, behind an uplink."""

_ARP = Template(
    table=Table.RESPONDER,
    priority=Field("priority"),
    cookie=Field("cookie"),
    match=[
        match.reg(Register.SUBNET, Field("vni")),
        match.eth_type(wire.ETH_ARP),
        match.arp_op(_ARP_REQUEST),
        match.arp_tpa(_ADDRESS),
    ],
    actions=[
        actions.move("eth_src", "eth_dst"),
        actions.set_field("eth_src", _MAC),
        actions.set_field("arp_op", _ARP_REPLY),
        actions.move("arp_sha", "arp_tha"),
        actions.move("arp_spa", "arp_tpa"),
        actions.set_field("arp_sha", _MAC),
        actions.set_field("arp_spa", _ADDRESS),
        *BACK,
    ],
    fields=_FIELDS,
)
_ICMPV6 = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6)]
_SUBNET = match.reg(Register.SUBNET, Field("vni"))
_SOLICITED = Template(
    table=Table.RESPONDER,
    priority=Field("priority"),
    cookie=Field("cookie"),
    match=[_SUBNET, *_ICMPV6, match.icmpv6_type(_SOLICITATION), match.nd_target(_ADDRESS)],
    actions=[actions.set_field("icmpv6_type", _ADVERTISEMENT), actions.resubmit(Table.ND_REPLY)],
    fields=("cookie", "priority", "vni", "address"),
)
_ADVERTISED = [
    actions.move("eth_src", "eth_dst"),
    actions.set_field("eth_src", _MAC),
    actions.set_field("ipv6_src", _ADDRESS),
    actions.set_ttl(255),
    actions.set_field("nd_options_type", _TARGET_OPTION),
    actions.set_field("nd_tll", _MAC),
    *BACK,
]
_ADVERTISE = Template(
    table=Table.ND_REPLY,
    priority=Field("priority"),
    cookie=Field("cookie"),
    match=[_SUBNET, *_ICMPV6, match.icmpv6_type(_ADVERTISEMENT), match.nd_target(_ADDRESS)],
    actions=[
        actions.move("ipv6_src", "ipv6_dst"),
        actions.set_field("nd_reserved", Field("flags")),
        *_ADVERTISED,
    ],
    fields=(*_FIELDS, "flags"),
)
_DEFEND = Template(
    table=Table.ND_REPLY,
    priority=Field("priority"),
    cookie=Field("cookie"),
    match=[
        _SUBNET, *_ICMPV6, match.icmpv6_type(_ADVERTISEMENT), match.nd_target(_ADDRESS), match.ipv6_src("::"),
    ],
    actions=[
        actions.set_field("ipv6_dst", _ALL_NODES),
        actions.set_field("nd_reserved", Field("flags")),
        *_ADVERTISED,
    ],
    fields=(*_FIELDS, "flags"),
)  # fmt: skip

_OWN = match.reg(Register.FROM_PORT, Field("slot"))
_OWN_ARP = Template(
    table=Table.RESPONDER,
    priority=Priority.HIGHEST,
    cookie=Field("cookie"),
    match=[_OWN, match.eth_type(wire.ETH_ARP), match.arp_tpa(_ADDRESS)],
    fields=("cookie", "slot", "address"),
)
_OWN_ND = Template(
    table=Table.RESPONDER,
    priority=Priority.HIGHEST,
    cookie=Field("cookie"),
    match=[_OWN, *_ICMPV6, match.icmpv6_type(_SOLICITATION), match.nd_target(_ADDRESS)],
    fields=("cookie", "slot", "address"),
)


def _ping(version: int, whose: Match, *names: str) -> Template:
    protocol, request, reply = _ECHO[version]
    ip, icmp = ("ipv4", "icmpv4_type") if version == 4 else ("ipv6", "icmpv6_type")
    return Template(
        table=Table.RESPONDER,
        priority=Priority.HIGH,
        cookie=Field("cookie"),
        match=[
            whose,
            match.eth_dst(_GATEWAY),
            match.eth_type(wire.ETH_IPV4 if version == 4 else wire.ETH_IPV6),
            match.ip_proto(protocol),
            match.field(icmp, request),
            match.field(f"{ip}_dst", _ADDRESS),
        ],
        actions=[
            actions.move("eth_src", "eth_dst"),
            actions.set_field("eth_src", _GATEWAY),
            actions.move(f"{ip}_src", f"{ip}_dst"),
            actions.set_field(f"{ip}_src", _ADDRESS),
            actions.set_ttl(64),
            actions.set_field(icmp, reply),
            *BACK,
        ],
        fields=("cookie", *names, "gateway", "address"),
    )


_PING = {version: _ping(version, match.metadata(Field("domain")), "domain").pack for version in _ECHO}
_PING_LINK_LOCAL = _ping(6, _SUBNET, "vni").pack


def answers(
    owner: Owner, number: int, vni: int, ip: Ip, hardware: bytes, below: int = 0, *, router: bool = True
) -> Iterator[bytes]:
    """The answers for one address inside its subnet; `number` is that of the object of kind `owner` that has it.

    Of two that answer for an address the one with the smaller `below` (-9 to 9) does. What answers for a subnet itself
    is its `router`, or else not.
    """
    mark = cookie(owner, Feature.RESPONDER, number)
    if ip.version == 4:
        yield _ARP.pack(mark, Priority.HIGH - below, vni, ip.number, hardware)
        return
    # A gateway that did not say so any more would lose its hosts' default route (RFC 4861 section 7.2.5).
    flags = _OVERRIDE | (_ROUTER if owner is Owner.SUBNET and router else 0)
    yield _SOLICITED.pack(mark, Priority.HIGH - below, vni, ip.packed)
    yield _ADVERTISE.pack(mark, Priority.NORMAL - below, vni, ip.packed, hardware, flags | _SOLICITED_FLAG)
    yield _DEFEND.pack(mark, Priority.HIGH - below, vni, ip.packed, hardware, flags)


def unanswered(number: int, slot: int, ip: Ip) -> bytes:
    """A vport (of this number and slot) that asks for an address of its own gets no answer: it looks for duplicates."""
    template = _OWN_ARP if ip.version == 4 else _OWN_ND
    return template.pack(cookie(Owner.VPORT, Feature.RESPONDER, number), slot, value(ip))


def gateway_ping(number: int, domain: int, ip: Ip, hardware: bytes, owner: Owner = Owner.SUBNET) -> bytes:
    """Echo replies of a subnet's gateway, to every vport of its domain; or of another address that the gateway has."""
    return _PING[ip.version](cookie(owner, Feature.RESPONDER, number), domain, hardware, value(ip))


def link_local_answers(number: int, vni: int, hardware: bytes) -> Iterator[bytes]:
    """ND and ping of the link-local address of a subnet's gateway, by which hosts know their router."""
    ip = Ip(6, int.from_bytes(link_local(hardware), "big"))
    yield from answers(Owner.SUBNET, number, vni, ip, hardware)
    yield _PING_LINK_LOCAL(cookie(Owner.SUBNET, Feature.RESPONDER, number), vni, hardware, ip.packed)

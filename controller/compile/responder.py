"""Answers given on the hypervisor itself: ARP for known addresses, ARP and ping of the gateway. Nothing is flooded."""

from __future__ import annotations

from collections.abc import Iterator

from controller.openflow import actions, match, wire
from controller.openflow.packed import Template
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie

__all__ = ["arp", "gateway_arp", "gateway_ping"]

_ARP_REQUEST, _ARP_REPLY = 1, 2  # RFC 826
_ECHO_REPLY, _ECHO_REQUEST = 0, 8  # RFC 792
_MAC, _ADDRESS, _GATEWAY = Field("mac"), Field("address"), Field("gateway")

_ARP = Template(
    table=Table.RESPONDER,
    priority=Priority.HIGH,
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
        actions.in_port(),
    ],
    fields=("cookie", "vni", "address", "mac"),
)
_PING = Template(
    table=Table.RESPONDER,
    priority=Priority.HIGH,
    cookie=Field("cookie"),
    match=[
        match.metadata(Field("domain")),
        match.eth_dst(_GATEWAY),
        match.eth_type(wire.ETH_IPV4),
        match.ip_proto(wire.IP_ICMP),
        match.icmpv4_type(_ECHO_REQUEST),
        match.ipv4_dst(_ADDRESS),
    ],
    actions=[
        actions.move("eth_src", "eth_dst"),
        actions.set_field("eth_src", _GATEWAY),
        actions.move("ipv4_src", "ipv4_dst"),
        actions.set_field("ipv4_src", _ADDRESS),
        actions.set_ttl(64),
        actions.set_field("icmpv4_type", _ECHO_REPLY),
        actions.in_port(),
    ],
    fields=("cookie", "domain", "gateway", "address"),
)


def arp(number: int, vni: int, address: int, hardware: bytes) -> bytes:
    """The answer for one address of the vport with this number, inside its subnet."""
    return _ARP.pack(cookie(Owner.VPORT, Feature.RESPONDER, number), vni, address, hardware)


def gateway_arp(number: int, vni: int, address: int, hardware: bytes) -> Iterator[bytes]:
    """The answer for the gateway of the subnet with this number."""
    yield _ARP.pack(cookie(Owner.SUBNET, Feature.RESPONDER, number), vni, address, hardware)


def gateway_ping(number: int, domain: int, address: int, hardware: bytes) -> Iterator[bytes]:
    """Echo replies of a subnet's gateway, to every vport of its domain."""
    yield _PING.pack(cookie(Owner.SUBNET, Feature.RESPONDER, number), domain, hardware, address)

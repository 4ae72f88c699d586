"""A vport on its own hypervisor: what it may send (anti-spoofing) and where it enters the pipeline.

Every packet must bear the vport's MAC and one of its addresses, ARP inside and out; what does not is dropped and
counted by kind (`show vports NAME detail`), and nothing with a VLAN tag enters, so a double tag gets nowhere either.
An ARP probe from 0.0.0.0 is let through (RFC 5227 section 2.1.1), the vport's own address is never answered.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.addresses import ipv4, mac
from controller.openflow import actions, match, wire
from controller.openflow.packed import Template
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie
from data.schema.objects import Vport

__all__ = ["flows"]

_PORT, _COOKIE, _MAC, _IP = Field("port"), Field("cookie"), Field("mac"), Field("address")
_FROM = [match.in_port(_PORT), match.eth_src(_MAC)]
_IPV4, _ARP = match.eth_type(wire.ETH_IPV4), match.eth_type(wire.ETH_ARP)

_ENTER = Template(
    table=Table.CLASSIFY,
    priority=Priority.NORMAL,
    cookie=_COOKIE,
    match=[match.in_port(_PORT), match.vlan_vid(0)],
    actions=[
        actions.set_reg(Register.SUBNET, Field("vni")),
        actions.set_reg(Register.FROM_PORT, _PORT),
        actions.set_metadata(Field("domain")),
    ],
    goto=Table.SPOOF_GUARD,
    fields=("cookie", "port", "vni", "domain"),
)
_TAGGED = Template(
    table=Table.CLASSIFY, priority=Priority.LOW, cookie=_COOKIE, match=[match.in_port(_PORT)], fields=("cookie", "port")
)
_SENDS_IP = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.HIGH,
    cookie=_COOKIE,
    match=[*_FROM, _IPV4, match.ipv4_src(_IP)],
    goto=Table.RESPONDER,
    fields=("cookie", "port", "mac", "address"),
)
_SENDS_ARP = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.HIGH,
    cookie=_COOKIE,
    match=[*_FROM, _ARP, match.arp_spa(_IP), match.arp_sha(_MAC)],
    goto=Table.RESPONDER,
    fields=("cookie", "port", "mac", "address"),
)
_SPOOFED_IP = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.NORMAL,
    cookie=_COOKIE,
    match=[*_FROM, _IPV4],
    fields=("cookie", "port", "mac"),
)
_SPOOFED_ARP = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.NORMAL,
    cookie=_COOKIE,
    match=[*_FROM, _ARP],
    fields=("cookie", "port", "mac"),
)
_OTHER_PROTOCOL = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.LOW,
    cookie=_COOKIE,
    match=_FROM,
    fields=("cookie", "port", "mac"),
)
_SPOOFED_MAC = Template(
    table=Table.SPOOF_GUARD,
    priority=Priority.MISS,
    cookie=_COOKIE,
    match=[match.in_port(_PORT)],
    fields=("cookie", "port"),
)
_OWN_ADDRESS = Template(
    table=Table.RESPONDER,
    priority=Priority.HIGHEST,
    cookie=_COOKIE,
    match=[match.in_port(_PORT), _ARP, match.arp_tpa(_IP)],
    fields=("cookie", "port", "address"),
)
_DELIVER = Template(
    table=Table.DELIVER,
    priority=Priority.NORMAL,
    cookie=_COOKIE,
    match=[match.reg(Register.TO_PORT, _PORT)],
    actions=[actions.output(_PORT)],
    fields=("cookie", "port"),
)


def flows(vport: Vport, number: int, port: int, vni: int, domain: int) -> Iterator[bytes]:
    """Entry, anti-spoofing and delivery of one resolved vport; `port` is its OpenFlow port."""

    def of(feature: Feature) -> int:
        return cookie(Owner.VPORT, feature, number)

    hardware = mac(vport.mac)
    yield _ENTER.pack(of(Feature.RECEIVED), port, vni, domain)
    yield _TAGGED.pack(of(Feature.VLAN_TAGGED), port)
    forward = of(Feature.FORWARD)
    for text in vport.address:
        address = ipv4(text)
        yield _SENDS_IP.pack(forward, port, hardware, address)
        yield _SENDS_ARP.pack(forward, port, hardware, address)
        yield _OWN_ADDRESS.pack(of(Feature.RESPONDER), port, address)
    yield _SENDS_ARP.pack(forward, port, hardware, 0)
    yield _SPOOFED_IP.pack(of(Feature.SPOOFED_IP), port, hardware)
    yield _SPOOFED_ARP.pack(of(Feature.SPOOFED_ARP), port, hardware)
    yield _OTHER_PROTOCOL.pack(of(Feature.OTHER_PROTOCOL), port, hardware)
    yield _SPOOFED_MAC.pack(of(Feature.SPOOFED_MAC), port)
    yield _DELIVER.pack(of(Feature.DELIVERED), port)

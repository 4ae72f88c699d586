"""What the controller answers for workloads: DHCP, DHCPv6, router solicitations, and DNS at the gateways.

    spoof_guard   of a vport: DHCP, DHCPv6, router solicitations     to the controller, and nowhere else
                  what a server of DHCP says                         dropped, unless it is trusted (anti-spoofing)
    responder     of a subnet: UDP to port 53 of its gateways        to the controller

The first are the vport's own flows, with its MAC address, so that the controller knows by the cookie who asks, and
nobody asks in the name of another. They go before the vport's guard, because a client has no address yet, and before
any policy. What is behind a bridge vport is left alone: there may be servers of its own. Read next: `controller/edge/`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile.addresses import FAMILIES, address, gateways, mac, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, own, placed, subnet_hosts, vport_host
from controller.compile.state import BRIDGE, State
from controller.openflow import actions, match, wire
from controller.openflow.match import Match
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature as Doing
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import Object, Subnet, Vport

__all__ = ["ASKS", "DNS", "DNS_PORT", "FEATURE", "advertises", "leases", "leases6", "served"]

DNS_PORT = 53
_FIRST = Priority.HIGHEST + 80  # before the guards, behind what is said of VLAN tags
_SOLICITATION = 133  # RFC 4861
_UDP4 = [match.eth_type(wire.ETH_IPV4), match.ip_proto(wire.IP_UDP)]
_UDP6 = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_UDP)]
_UDP = {4: _UDP4, 6: _UDP6}
_REQUESTS = [*_UDP4, match.udp_src(68), match.udp_dst(67)]  # RFC 2131
_OFFERS = [*_UDP4, match.udp_src(67), match.udp_dst(68)]
_REQUESTS6 = [*_UDP6, match.udp_src(546), match.udp_dst(547)]  # RFC 8415
_OFFERS6 = [*_UDP6, match.udp_src(547), match.udp_dst(546)]
_SOLICITS = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6), match.icmpv6_type(_SOLICITATION)]
_SLOT, _MAC, _COOKIE = Field("slot"), Field("mac"), Field("cookie")


def _asks(matches: list[Match]) -> Template:
    return Template(
        table=Table.SPOOF_GUARD,
        priority=_FIRST,
        cookie=_COOKIE,
        match=[match.reg(Register.FROM_PORT, _SLOT), match.eth_src(_MAC), *matches],
        actions=[actions.controller()],
        fields=("cookie", "slot", "mac"),
    )


def _serves(matches: list[Match]) -> Template:
    return Template(
        table=Table.SPOOF_GUARD,
        priority=_FIRST,
        cookie=_COOKIE,
        match=[match.reg(Register.FROM_PORT, _SLOT), *matches],
        fields=("cookie", "slot"),
    )


_ASKS, _ASKS6, _LOOKS = _asks(_REQUESTS), _asks(_REQUESTS6), _asks(_SOLICITS)
_SERVES, _SERVES6 = _serves(_OFFERS), _serves(_OFFERS6)


# What a subnet and a vport of it have


def advertises(subnet: Object | None) -> bool:
    """Whether the gateway of a subnet sends router advertisements."""
    return isinstance(subnet, Subnet) and bool(subnet.ipv6_prefix) and subnet.ipv6_addressing != "none"


def leases(subnet: Object | None) -> bool:
    """Whether the gateway of a subnet answers DHCP."""
    return isinstance(subnet, Subnet) and subnet.dhcp and bool(subnet.prefix)


def leases6(subnet: Object | None) -> bool:
    """Whether the gateway of a subnet answers DHCPv6."""
    return isinstance(subnet, Subnet) and advertises(subnet) and subnet.ipv6_addressing == "dhcpv6"


def served(vport: Vport, version: int) -> bool:
    """Whether a vport is told of this IP version: it has an address of it, or is free to use any."""
    if vport.mac is None or vport.type == BRIDGE:
        return False
    if not vport.address or vport.anti_spoofing != "full":
        return True
    return any(address(text).version == version for text in vport.address)


# Flows


def _vport(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet_path, _ = placed(state, path)
    subnet = state.view.get(subnet_path)
    if not isinstance(subnet, Subnet) or vport.mac is None or vport.type == BRIDGE:
        return
    number, slot, hardware = state.number(path), state.slot(path), mac(vport.mac)
    trusted = vport.anti_spoofing != "full"

    def of(feature: Doing) -> int:
        return cookie(Owner.VPORT, feature, number)

    if leases(subnet):
        if served(vport, 4):
            yield _ASKS.pack(of(Doing.DHCP), slot, hardware)
        if not trusted:
            yield _SERVES.pack(of(Doing.SPOOFED_DHCP), slot)
    if advertises(subnet) and served(vport, 6):
        yield _LOOKS.pack(of(Doing.SOLICITED), slot, hardware)
        if leases6(subnet):
            yield _ASKS6.pack(of(Doing.DHCP), slot, hardware)
            if not trusted:
                yield _SERVES6.pack(of(Doing.SPOOFED_DHCP), slot)


def _proxy(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    subnet = state.view.get(path)
    if not isinstance(subnet, Subnet) or not subnet.dns_proxy:
        return
    owner, router = cookie(Owner.SUBNET, Doing.DNS, state.number(path)), state.gateway_mac()
    for gateway in gateways(subnet):
        matches = [
            match.reg(Register.SUBNET, state.vni(path)),
            match.eth_dst(router),
            *_UDP[gateway.version],
            match.field(FAMILIES[gateway.version].destination, value(gateway)),
            match.udp_dst(DNS_PORT),
        ]
        yield flow(Table.RESPONDER, Priority.HIGH, owner, matches, [actions.controller()])


ASKS = Kind("asks", vport_host, _vport, own)
DNS = Kind("dns", subnet_hosts, _proxy)


def _asking(subnet: Object | None) -> bool:
    return leases(subnet) or advertises(subnet)


def _proxied(subnet: Object | None) -> bool:
    return isinstance(subnet, Subnet) and subnet.dns_proxy


def _of_subnet(state: State, path: Path) -> Iterator[Fragment]:
    subnet = state.view.get(path)
    if _proxied(subnet):
        yield Fragment(DNS, path)
    if _asking(subnet):
        for vports in state.members_of(path).values():
            for vport in vports:
                yield Fragment(ASKS, vport)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if state.routed(domain):
        for subnet in state.subnets(domain):
            yield from _of_subnet(state, subnet)


def _facts(subnet: Object | None) -> Collection[object]:
    """All that the flows of a subnet depend on."""
    if not isinstance(subnet, Subnet):
        return ()
    return (subnet.uuid, leases(subnet), advertises(subnet), leases6(subnet), subnet.dns_proxy, gateways(subnet))


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path in delta.edited("subnet"):
        if _facts(delta.old.view.get(path)) != _facts(delta.new.view.get(path)):
            for state in (delta.old, delta.new):
                yield from _of_subnet(state, path)
    for path in delta.vports:
        for state in (delta.old, delta.new):
            place = state.place(path)
            subnet = None if place is None else state.view.get(place.subnet)
            if place is not None and _asking(subnet):
                yield Fragment(ASKS, path)
            if place is not None and _proxied(subnet):  # its hypervisor may be the first of the subnet, or the last
                yield Fragment(DNS, place.subnet)


FEATURE = Feature(_fragments, _touched)

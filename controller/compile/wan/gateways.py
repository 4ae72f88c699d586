"""The gateways of a subnet for machines behind VTEPs: routed here, where they send to (asymmetric, RFC 9135 section 5).

    to a gateway's MAC address                -> nat_in, as from the WAN: routed to the vports of the domain
    ARP, ND and ping of its address           -> responder, and back into the tunnel by `deliver`
    ARP replies, ND advertisements to it      -> controller: answers to what it asked (`controller/edge/beyond.py`)

Each gateway is told by BGP as a type 2 route with the default gateway community (RFC 7432 section 10.1) from every
hypervisor that holds this: a VTEP sends to one of them, so each packet is routed once. A VTEP that floods what it
should know would be answered, and its packets dropped by all: they are to the MAC address of many.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator

from controller.compile import responder
from controller.compile.addresses import FAMILIES, Ip, gateways, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind
from controller.compile.remote import Tunnel
from controller.compile.services.bridge_guard import PUNTED_BYTES
from controller.compile.state import State
from controller.compile.wan.facts import flooded, floods, gateways_at
from controller.openflow import actions, match, wire
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import Subnet

__all__ = ["FEATURE"]

_ICMPV6 = (match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6))
_ANSWERS = (
    (match.eth_type(wire.ETH_ARP), match.arp_op(2)),  # RFC 826: a reply
    (*_ICMPV6, match.icmpv6_type(136)),  # RFC 4861: a neighbour advertisement
)
_ECHO = {4: (match.ip_proto(wire.IP_ICMP), match.icmpv4_type(8)), 6: (match.ip_proto(wire.IP_ICMPV6),
         match.icmpv6_type(128))}  # fmt: skip


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, vni, router = state.number(path), state.vni(path), state.gateway_mac()
    domain, port = actions.set_metadata(state.number(path[:4])), state.placement.tunnel_ports[dvrs]
    here = [match.in_port(port), match.tunnel_id(vni)]
    mark = cookie(Owner.SUBNET, Purpose.ENTERED, number)
    # Open vSwitch sends nothing back by the port that it came in by: on the way to another hypervisor it must.
    enter = [domain, actions.load_in_port(0)]
    yield flow(Table.CLASSIFY, Priority.HIGH, mark, [*here, match.eth_dst(router)], enter, Table.NAT_IN)
    heard = cookie(Owner.SUBNET, Purpose.ANSWER, number)
    for answer in _ANSWERS:
        punt = [actions.controller(PUNTED_BYTES)]
        yield flow(Table.CLASSIFY, Priority.HIGH + 1, heard, [*here, match.eth_dst(router), *answer], punt)
    asked = [domain, actions.set_reg(Register.SUBNET, vni)]
    mark = cookie(Owner.SUBNET, Purpose.RESPONDER, number)
    for gateway in gateways(state.subnet(path)):
        for question in _questions(gateway, router):
            yield flow(Table.CLASSIFY, Priority.HIGH + 2, mark, [*here, *question], asked, Table.RESPONDER)
        if dvrs not in state.members_of(path):
            yield from responder.answers(Owner.SUBNET, number, vni, gateway, router)
    for tunnel in floods(state, path):
        yield _back(mark, vni, tunnel, port)


def _questions(gateway: Ip, router: bytes) -> Iterator[list[Match]]:
    family = FAMILIES[gateway.version]
    if gateway.version == 4:
        yield [match.eth_type(wire.ETH_ARP), match.arp_op(1), match.arp_tpa(gateway.number)]
    else:
        yield [*_ICMPV6, match.icmpv6_type(135), match.nd_target(gateway.packed)]
    to_it = [match.eth_dst(router), family.is_ip, match.field(family.destination, value(gateway))]
    yield [*to_it, *_ECHO[gateway.version]]


def _back(mark: int, vni: int, tunnel: Tunnel, port: int) -> bytes:
    """What answers somebody behind a VTEP goes to that VTEP, with its VNI."""
    version = tunnel.endpoint.version
    if version == 4:
        source, fields = match.tun_ipv4_src(tunnel.endpoint.number), ("tun_ipv4_src", "tun_ipv4_dst")
    else:
        source, fields = match.tun_ipv6_src(tunnel.endpoint.packed), ("tun_ipv6_src", "tun_ipv6_dst")
    matches = [match.reg(Register.SUBNET, vni), match.reg(Register.TO_PORT, 0), source]
    acts = [actions.move(*fields), actions.set_field("tunnel_id", tunnel.number), actions.output(port)]
    return flow(Table.DELIVER, Priority.NORMAL, mark, matches, acts)


def _hosts(state: State, path: Path) -> Collection[str]:
    if not isinstance(state.view.get(path), Subnet) or not floods(state, path):
        return ()
    return gateways_at(state, path)


def _variant(state: State, path: Path, dvrs: str) -> Hashable:
    return state.placement.tunnel_ports[dvrs], dvrs in state.members_of(path)


_GATEWAYS = Kind("gateways", _hosts, _flows, _variant)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if state.routed(domain):
        for subnet in state.subnets(domain):
            yield Fragment(_GATEWAYS, subnet)


def _touched(delta: Delta) -> Iterator[Fragment]:
    old, new = delta.old, delta.new
    for path in flooded(delta):
        yield Fragment(_GATEWAYS, path)
    subnets = {path for path, body in delta.edits.items()
               if isinstance(body, Subnet) or isinstance(old.view.get(path), Subnet)}  # fmt: skip
    domains: set[Path] = set()
    for vport in delta.vports:
        for state in (old, new):
            place = state.place(vport)
            if place is not None:
                subnets.add(place.subnet)
        domains.add(vport[:4])
    subnets = {path for path in subnets if path in delta.edits
               or old.members_of(path).keys() != new.members_of(path).keys()}  # fmt: skip
    for domain in domains:
        if set(old.hosts_of(domain)) != set(new.hosts_of(domain)):
            subnets.update(path for state in (old, new) for path in state.subnets(domain))
    yield from (Fragment(_GATEWAYS, path) for path in subnets)


FEATURE = Feature(_fragments, _touched)

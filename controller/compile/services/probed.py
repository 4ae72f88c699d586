"""The answers to health probes on their way to the controller.

Only in domains where something is probed, on hypervisors of its subnets: what answers a question of the gateway itself
is sent up from the responder, behind anti-spoofing, so a vport can speak for its own addresses alone. The packet says
which slot it came from, and the prober (`controller/edge/health.py`) takes no answer from another.

Nobody else is answered at these: the gateway pings nobody, asks nobody by ARP, and opens no connections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from controller.compile.addresses import FAMILIES, Ip, gateways, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, subnet_hosts
from controller.compile.health import Probe
from controller.compile.state import State
from controller.openflow import actions, match, wire
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import Subnet

__all__ = ["FIRST_PORT", "PORT_MASK", "probed", "probes_in"]

FIRST_PORT, PORT_MASK = 0xE000, 0xF000
"""TCP probes come from these ports of the gateway: 57344 to 61439."""
_ARP_REPLY, _ADVERTISEMENT = 2, 136  # RFC 826, RFC 4861
_ECHO_REPLY = {4: 0, 6: 129}  # RFC 792, RFC 4443


def probes_in(services: Sequence[Feature], state: State, domain: Path) -> Iterator[Probe]:
    """Everything that is to be found out in a domain, perhaps several times."""
    for service in services:
        if service.probes is not None:
            yield from service.probes(state, domain)


def probed(services: Sequence[Feature]) -> Feature:
    """The flows for whatever these services probe."""

    def wanted(state: State, domain: Path) -> bool:
        if not state.routed(domain) or state.view.get(domain) is None:
            return False
        return next(probes_in(services, state, domain), None) is not None

    def scope(state: State, subnet: Path) -> Collection[str]:
        return subnet_hosts(state, subnet) if wanted(state, subnet[:4]) else ()

    kind = Kind("probed", scope, _flows)

    def fragments(state: State, domain: Path) -> Iterator[Fragment]:
        if wanted(state, domain):
            for subnet in state.subnets(domain):
                yield Fragment(kind, subnet)

    def touched(delta: Delta) -> Iterator[Fragment]:
        domains = {path[:4] for path in delta.vports}
        for path in delta.edits:
            if len(path) > 4 and path[0] == "enterprise" and path[2] == "domain":
                domains.add(path[:4])
                if path[-2] == "subnet":
                    yield Fragment(kind, path)
        for uuid in delta.observed.learned:
            found = delta.new.view.by_uuid(uuid) or delta.old.view.by_uuid(uuid)
            if found is not None:
                domains.add(found[:4])
        for uuid in delta.observed.holders:
            found = delta.new.view.by_uuid(uuid) or delta.old.view.by_uuid(uuid)
            if found is not None:
                domains.add(found[:4])
        probing: set[Path] = set()
        for domain in domains:
            before, after = wanted(delta.old, domain), wanted(delta.new, domain)
            if before != after:
                for state in (delta.old, delta.new):
                    yield from (Fragment(kind, subnet) for subnet in state.subnets(domain))
            elif after:
                probing.add(domain)
        subnets = {
            place.subnet
            for state in (delta.old, delta.new)
            for path in (delta.vports if probing else ())
            if path[:4] in probing and (place := state.place(path))
        }
        yield from (Fragment(kind, subnet) for subnet in subnets)

    return Feature(fragments, touched)


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    subnet = state.view.get(path)
    if not isinstance(subnet, Subnet):
        return
    owner = cookie(Owner.SUBNET, Purpose.PROBED, state.number(path))
    here = match.reg(Register.SUBNET, state.vni(path))
    for gateway in gateways(subnet):
        for answer in _answers(gateway, state.gateway_mac()):
            yield flow(Table.RESPONDER, Priority.HIGHEST, owner, [here, *answer], [actions.controller()])


def _answers(gateway: Ip, router: bytes) -> Iterator[list[Match]]:
    """What answers a question of a gateway."""
    family = FAMILIES[gateway.version]
    to_it = [match.eth_dst(router), family.is_ip, match.field(family.destination, value(gateway))]
    if gateway.version == 4:
        yield [match.eth_type(wire.ETH_ARP), match.arp_op(_ARP_REPLY), match.arp_tpa(gateway.number)]
        yield [*to_it, match.ip_proto(wire.IP_ICMP), match.field("icmpv4_type", _ECHO_REPLY[4])]
    else:
        for kind in (_ADVERTISEMENT, _ECHO_REPLY[6]):
            yield [*to_it, match.ip_proto(wire.IP_ICMPV6), match.icmpv6_type(kind)]
    yield [*to_it, match.ip_proto(wire.IP_TCP), match.field("tcp_dst", FIRST_PORT, PORT_MASK)]

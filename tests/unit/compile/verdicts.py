"""What a domain's policy says of a packet, worked out slowly and plainly: the reference for the compiled flows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from controller.compile.acl import protocol_number
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Domain, EgressPolicy, Endpoint, Entry, IngressPolicy, NetworkMacro, Vport
from tests.unit.compile.fabric_model import ACME, PROD


@dataclass(frozen=True, slots=True)
class Packet:
    """The part of a packet that rules look at, besides its ends."""

    protocol: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int = 0
    dscp: int = 0


def allowed(view: Configuration, side: str, source: Path, target: Path, packet: Packet) -> bool:
    """Whether the first entry of the `side` policies that matches allows the packet, or the default does."""
    policies = []
    for name in view.children(PROD, f"{side}-policy"):
        policy = view.get((*PROD, f"{side}-policy", name))
        assert isinstance(policy, IngressPolicy | EgressPolicy)
        policies.append((policy.priority, name))
    entries = []
    for _, name in sorted(policies):
        parent = (*PROD, f"{side}-policy", name)
        entries += [view.get((*parent, "entry", n)) for n in sorted(view.children(parent, "entry"), key=int)]
    for entry in entries:
        assert isinstance(entry, Entry)
        if _matches(view, entry, source, target, packet):
            return entry.action == "allow"
    domain = view.get(PROD)
    assert isinstance(domain, Domain)
    said = domain.ingress_default if side == "ingress" else domain.egress_default
    return said == "allow" if said else not entries


def _matches(view: Configuration, entry: Entry, source: Path, target: Path, packet: Packet) -> bool:
    return (
        _is(view, entry.from_, source)
        and _is(view, entry.to, target)
        and (entry.protocol is None or protocol_number(entry.protocol) == packet.protocol)
        and _in(entry.source_port, packet.source_port)
        and _in(entry.destination_port, packet.destination_port)
        and entry.icmp_type in (None, packet.icmp_type)
        and entry.dscp in (None, packet.dscp)
    )


def _is(view: Configuration, end: Endpoint, path: Path) -> bool:
    vport = view.get(path)
    assert isinstance(vport, Vport)
    if end.kind == "any":
        return True
    if end.kind == "network-macro":
        macro = view.get((*ACME, "network-macro", end.name))
        assert isinstance(macro, NetworkMacro)
        return ipaddress.ip_address(vport.address[0]) in ipaddress.ip_network(macro.prefix)
    subnet = view.resolve(path, "subnet", vport.subnet)
    assert subnet is not None
    names = {("vport", path[-1]), ("subnet", subnet[-1]), ("zone", subnet[-3])}
    names |= {("policy-group", group) for group in vport.policy_group}
    return (end.kind, end.name) in names


def _in(ranges: tuple[str, ...], port: int) -> bool:
    def holds(text: str) -> bool:
        low, _, high = text.partition("-")
        return int(low) <= port <= int(high or low)

    return not ranges or any(map(holds, ranges))

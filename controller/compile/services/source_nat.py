"""Source NAT: many addresses go out behind one, where the packets leave the fabric.

The bridge vport of the subnet that the outside address lies in does it, in a conntrack zone of its own, so a connection
survives a move of its vport: its state is not where the vport is. It does not survive a move of the bridge
vport itself.

    nat_out   to the bridge vport, from one of these prefixes   -> ct(commit, nat(src=outside))
    nat_in    from the bridge vport, to the outside address     -> ct(nat), on as an ordinary packet from outside

The outside address answers ARP and ND with the gateways' MAC. Addresses of the outside subnet itself (its hosts,
floating IPs) are left as they are. Of several source NATs the one with the longest prefix decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from controller.compile.addresses import FAMILIES, Ip, Prefix, address, narrow, prefix, prefixes, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, own
from controller.compile.services.floating import outside_answers
from controller.compile.state import State
from controller.openflow import actions, match
from controller.openflow.packed import flow
from controller.pipeline import SERVICE_ZONE, Owner, Priority, Register, Table, cookie
from controller.pipeline import Feature as Doing
from data.networks import holds
from data.path import Path
from data.schema.objects import NetworkMacro, Subnet, Vport
from data.schema.services import SourceNat

__all__ = ["EXIT"]


def _translations(state: State, subnet: Path) -> Iterator[tuple[Path, SourceNat]]:
    """The source NATs whose outside address lies in a subnet, in order of their names."""
    body = state.view.get(subnet)
    if isinstance(body, Subnet):
        for path in state.objects(subnet[:4], "source-nat"):
            found = state.view.get(path)
            if isinstance(found, SourceNat) and holds(body, address(found.address)):
                yield path, found


def _exits(state: State, subnet: Path) -> Iterator[tuple[str, int]]:
    """(hypervisor, slot) of each bridge vport of a subnet."""
    for dvrs, vports in state.members_of(subnet).items():
        for path, slot in vports.items():
            body = state.view.get(path)
            if isinstance(body, Vport) and body.type == "bridge":
                yield dvrs, slot


def _sources(state: State, path: Path, body: SourceNat) -> Iterator[Prefix]:
    """The prefixes whose packets are translated, of the family of the outside address."""
    version = address(body.address).version
    end, domain = body.from_, path[:4]
    found: list[Prefix] = []
    if end.kind == "any":
        found = [prefix("0.0.0.0/0" if version == 4 else "::/0")]
    named = None if end.kind == "any" else state.view.resolve(path, end.kind, end.name)
    inside = None if named is None else state.view.get(named)
    if isinstance(inside, Subnet):
        found = prefixes(inside)
    elif isinstance(inside, NetworkMacro):
        found = [prefix(inside.prefix)]
    elif isinstance(inside, Vport):
        found = [prefix(f"{text}/{FAMILIES[address(text).version].bits}") for text in inside.address]
    elif named is not None and end.kind == "zone":
        for subnet in state.subnets(domain):
            part = state.view.get(subnet)
            if subnet[:6] == named and isinstance(part, Subnet):
                found += prefixes(part)
    return (network for network in found if network.version == version)


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    body, translations = state.view.get(path), list(_translations(state, path))
    assert isinstance(body, Subnet)
    outside: dict[Ip, Path] = {}
    for nat, found in translations:
        outside.setdefault(address(found.address), nat)
    for slot in (slot for exit, slot in _exits(state, path) if exit == dvrs):
        yield from _out(state, translations, slot)
        for network in prefixes(body):
            family = FAMILIES[network.version]
            alone = [match.reg(Register.TO_PORT, slot), family.is_ip, *narrow(family.source, network)]
            owner = cookie(Owner.SUBNET, Doing.TRANSLATE, state.number(path))
            yield flow(Table.NAT_OUT, Priority.HIGHEST, owner, alone, [], Table.DELIVER)
        for ip, nat in outside.items():
            family, owner = FAMILIES[ip.version], cookie(Owner.SERVICE, Doing.TRANSLATE, state.number(nat))
            back = [match.reg(Register.FROM_PORT, slot), family.is_ip, match.field(family.destination, value(ip))]
            restore = actions.ct(zone=slot | SERVICE_ZONE, table=Table.SOURCE, nested=[actions.nat()])
            yield flow(Table.NAT_IN, Priority.NORMAL, owner, back, [restore])
    for ip, nat in outside.items():
        yield from outside_answers(state, nat, ip)


def _out(state: State, translations: Sequence[tuple[Path, SourceNat]], slot: int) -> Iterator[bytes]:
    """What leaves by the bridge vport with this slot; of two source NATs for one prefix the first by name counts."""
    taken: set[Prefix] = set()
    for nat, found in translations:
        outside, owner = address(found.address), cookie(Owner.SERVICE, Doing.TRANSLATE, state.number(nat))
        family = FAMILIES[outside.version]
        nested = [actions.nat(src=(outside, outside))]
        translate = actions.ct(commit=True, zone=slot | SERVICE_ZONE, table=Table.DELIVER, nested=nested)
        for network in _sources(state, nat, found):
            if network not in taken:
                taken.add(network)
                matches = [match.reg(Register.TO_PORT, slot), family.is_ip, *narrow(family.source, network)]
                yield flow(Table.NAT_OUT, Priority.PREFIX + network.length, owner, matches, [translate])


def _hosts(state: State, path: Path) -> Collection[str]:
    if next(_translations(state, path), None) is None:
        return ()
    return {dvrs for dvrs, _ in _exits(state, path)}


EXIT = Kind("exit", _hosts, _flows, own)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if state.view.count(domain, "source-nat"):
        for subnet in state.subnets(domain):
            yield Fragment(EXIT, subnet)


def _touched(delta: Delta) -> Iterator[Fragment]:
    domains = {path[:4] for path in delta.edited("source-nat", "subnet", "network-macro", "vport")}
    domains |= {path[:4] for path in delta.vports}
    for path in delta.edits:
        if path[-2:-1] == ("network-macro",):
            for view in (delta.old.view, delta.new.view):
                domains |= {referrer[:4] for referrer in view.referrers(path) if referrer[-2] == "source-nat"}
    for domain in domains:
        for state in (delta.old, delta.new):
            yield from _fragments(state, domain)


FEATURE = Feature(_fragments, _touched)

"""Address to identity: two flows for each address that some rule can tell apart, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile.addresses import FAMILIES, Family, Ip, Prefix, identified, narrow, value
from controller.compile.fragments import Kind, same
from controller.compile.policy import vport_terms
from controller.compile.state import State
from controller.compile.wan.facts import elsewhere
from controller.openflow import actions, match
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import Vport

__all__ = ["IDENTITY", "address", "prefix"]

_FIELDS = ("priority", "cookie", "domain", "address", "identity")


def _priority(length: int) -> int:
    """Of an address or prefix of this length; the three below it are for what is less than a vport's own address."""
    return Priority.PREFIX + 3 * length


def _template(family: Family, table: Table, field: str, register: Register, following: Table) -> Template:
    return Template(
        table=table,
        priority=Field("priority"),
        cookie=Field("cookie"),
        match=[match.metadata(Field("domain")), family.is_ip, match.field(field, Field("address"))],
        actions=[actions.set_reg(register, Field("identity"))],
        goto=following,
        fields=_FIELDS,
    )


_SOURCE = {
    family.version: _template(family, Table.SOURCE, family.source, Register.SOURCE, Table.DESTINATION).pack
    for family in FAMILIES.values()
}
_DESTINATION = {
    family.version: _template(
        family, Table.DESTINATION, family.destination, Register.DESTINATION, Table.INGRESS_TRACK
    ).pack
    for family in FAMILIES.values()
}


def address(owner: int, domain: int, host: Ip, identity: int, *, learned: bool = False) -> Iterator[bytes]:
    """The two flows of one address; `owner` is the cookie. A `learned` one goes behind that of a vport."""
    priority = _priority(FAMILIES[host.version].bits) - learned
    yield _SOURCE[host.version](priority, owner, domain, value(host), identity)
    yield _DESTINATION[host.version](priority, owner, domain, value(host), identity)


def prefix(owner: int, domain: int, network: Prefix, identity: int) -> Iterator[bytes]:
    """The same for a subnet or macro that rules name; a longer prefix and a vport's own address go first."""
    # Below an address of the same length: the set of an address contains that of every prefix around it.
    priority = _priority(network.length) - 2
    family = FAMILIES[network.version]
    common = [match.metadata(domain), family.is_ip]
    for table, name, register, following in (
        (Table.SOURCE, family.source, Register.SOURCE, Table.DESTINATION),
        (Table.DESTINATION, family.destination, Register.DESTINATION, Table.INGRESS_TRACK),
    ):
        end = narrow(name, network)
        yield flow(table, priority, owner, [*common, *end], [actions.set_reg(register, identity)], following)


def _of_vport(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    policy, vport = state.policy(path[:4]), state.view.get(path)
    assert isinstance(vport, Vport)
    if not policy.used:
        return
    owner = cookie(Owner.VPORT, Feature.FORWARD, state.number(path))
    domain = state.number(path[:4])
    terms = vport_terms(state.view, path, vport)
    for ip in identified(vport):
        found = policy.of_address(terms, ip)
        if found:
            yield from address(owner, domain, ip, policy.numbers[found])


def _hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if state.place(path) is not None or elsewhere(state, path) else ()


IDENTITY = Kind("identity", _hosts, _of_vport, same)
"""The addresses of a vport that is resolved, here or at another site that shares its subnet."""

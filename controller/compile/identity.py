"""Address to identity: two flows for each address that some rule can tell apart, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.addresses import ALL_ONES, length
from controller.openflow import actions, match, wire
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Priority, Register, Table

__all__ = ["address", "prefix"]

_DOMAIN, _ADDRESS, _IDENTITY = match.metadata(Field("domain")), Field("address"), Field("identity")
_IPV4 = match.eth_type(wire.ETH_IPV4)
_FIELDS = ("cookie", "domain", "address", "identity")
_HOST = Priority.PREFIX + 32

_SOURCE = Template(
    table=Table.SOURCE,
    priority=_HOST,
    cookie=Field("cookie"),
    match=[_DOMAIN, _IPV4, match.ipv4_src(_ADDRESS)],
    actions=[actions.set_reg(Register.SOURCE, _IDENTITY)],
    goto=Table.DESTINATION,
    fields=_FIELDS,
)
_DESTINATION = Template(
    table=Table.DESTINATION,
    priority=_HOST,
    cookie=Field("cookie"),
    match=[_DOMAIN, _IPV4, match.ipv4_dst(_ADDRESS)],
    actions=[actions.set_reg(Register.DESTINATION, _IDENTITY)],
    goto=Table.INGRESS_TRACK,
    fields=_FIELDS,
)


def address(owner: int, domain: int, host: int, identity: int) -> Iterator[bytes]:
    """The two flows of one address; `owner` is the cookie."""
    yield _SOURCE.pack(owner, domain, host, identity)
    yield _DESTINATION.pack(owner, domain, host, identity)


def prefix(owner: int, domain: int, network: int, mask: int, identity: int) -> Iterator[bytes]:
    """The same for a subnet or macro that rules name; a longer prefix and a vport's own address go first."""
    # One below a vport's own address of the same length: a vport's set contains that of every prefix around it.
    priority = Priority.PREFIX + length(mask) - 1
    narrow = None if mask == ALL_ONES else mask
    common = [match.metadata(domain), _IPV4]
    for table, name, register, following in (
        (Table.SOURCE, "ipv4_src", Register.SOURCE, Table.DESTINATION),
        (Table.DESTINATION, "ipv4_dst", Register.DESTINATION, Table.INGRESS_TRACK),
    ):
        end = [match.field(name, network, narrow)] if mask else []
        yield flow(table, priority, owner, [*common, *end], [actions.set_reg(register, identity)], following)

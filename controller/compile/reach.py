"""How packets get to a vport: routed into its subnet at the source hypervisor, switched there or sent to its tunnel.

Routing is done where the packet starts (TTL minus one, gateway MAC), and the packet travels on the VNI of the
destination's subnet: its own hypervisor only switches. The longest prefix decides; of equal length, a vport's own
address goes before a route.
"""

from __future__ import annotations

from controller.compile.addresses import FAMILIES, Family, Ip, Prefix, narrow, value
from controller.openflow import actions, match
from controller.openflow.actions import Action
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie

__all__ = ["FIRST", "REMOTE", "here", "nobody", "priority", "route", "routed", "there", "to_tunnel"]

_VNI, _MAC, _GATEWAY = Field("vni"), Field("mac"), Field("gateway")
FIRST = 2
"""What an address of a vport adds to the priority of its length, so that it goes before every route."""
REMOTE = -1
"""What a route of others adds: of equal length, ours go before it; a longer one of theirs before a shorter of ours."""


def priority(length: int, among: int = 0) -> int:
    """The priority of a route to a prefix of this length; `among` (-1 to 2; 3 for a single
    address) orders those of equal length."""
    return Priority.PREFIX + 4 * length + among


def _route(family: Family) -> Template:
    return Template(
        table=Table.ROUTE,
        priority=priority(family.bits, FIRST),
        cookie=Field("cookie"),
        match=[
            match.metadata(Field("domain")),
            match.eth_dst(_GATEWAY),
            family.is_ip,
            match.field(family.destination, Field("address")),
        ],
        actions=[
            actions.dec_ttl(),
            actions.set_field("eth_src", _GATEWAY),
            actions.set_field("eth_dst", _MAC),
            actions.set_reg(Register.SUBNET, _VNI),
        ],
        goto=Table.SWITCH,
        fields=("cookie", "domain", "gateway", "address", "mac", "vni"),
    )


_ROUTE = {family.version: _route(family).pack for family in FAMILIES.values()}
_HERE = Template(
    table=Table.SWITCH,
    priority=Priority.NORMAL,
    cookie=Field("cookie"),
    match=[match.reg(Register.SUBNET, _VNI), match.eth_dst(_MAC)],
    actions=[actions.set_reg(Register.TO_PORT, Field("slot"))],
    goto=Table.RETURN,
    fields=("cookie", "vni", "mac", "slot"),
)


def _there(family: Family) -> Template:
    return Template(
        table=Table.SWITCH,
        priority=Priority.NORMAL,
        cookie=Field("cookie"),
        match=[match.reg(Register.SUBNET, _VNI), match.eth_dst(_MAC)],
        actions=[
            actions.set_field("tunnel_id", _VNI),
            actions.set_field(family.tunnel_destination, Field("endpoint")),
            actions.output(Field("tunnel_port")),
        ],
        fields=("cookie", "vni", "mac", "endpoint", "tunnel_port"),
    )


_THERE = {family.version: _there(family).pack for family in FAMILIES.values()}

here = _HERE.pack
"""(cookie, vni, mac, slot) -> flow: to a vport on this hypervisor."""


def route(owner: int, domain: int, router: bytes, ip: Ip, hardware: bytes, vni: int) -> bytes:
    """Into the subnet with this VNI, to the vport that has the address; `router` is the MAC of the gateways."""
    return _ROUTE[ip.version](owner, domain, router, value(ip), hardware, vni)


def there(owner: int, vni: int, hardware: bytes, endpoint: Ip, tunnel_port: int) -> bytes:
    """To a vport behind another hypervisor's tunnel address."""
    return _THERE[endpoint.version](owner, vni, hardware, value(endpoint), tunnel_port)


def routed(router: bytes, hardware: bytes, vni: int) -> list[Action]:
    """What routing does to a packet: one hop less, and to this MAC address in this subnet."""
    return [
        actions.dec_ttl(),
        actions.set_field("eth_src", router),
        actions.set_field("eth_dst", hardware),
        actions.set_reg(Register.SUBNET, vni),
    ]


def to_tunnel(vni: int, endpoint: Ip, tunnel_port: int) -> list[Action]:
    """Sends a packet to another hypervisor on this VNI."""
    field = FAMILIES[endpoint.version].tunnel_destination
    return [
        actions.set_field("tunnel_id", vni),
        actions.set_field(field, value(endpoint)),
        actions.output(tunnel_port),
    ]


def nobody(number: int, domain: int, router: bytes, network: Prefix) -> bytes:
    """Addresses of a subnet that nobody has lead nowhere, whatever a shorter route says; `number` is the subnet's."""
    family = FAMILIES[network.version]
    matches = [match.metadata(domain), match.eth_dst(router), family.is_ip, *narrow(family.destination, network)]
    return flow(Table.ROUTE, priority(network.length), cookie(Owner.SUBNET, Feature.NO_ROUTE, number), matches)

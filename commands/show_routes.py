"""show routes, show mac, show arp: what a domain's distributed router and switches know, as every hypervisor
is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from commands.context import Context
from commands.lookup import note, scope
from commands.registry import Arguments, command
from commands.show_dvrs import attachments
from commands.show_policy import domain_name, gateway_of
from controller.topology import Hypervisor
from data.errors import NothingThere
from data.path import Path
from data.schema.objects import Controller, Subnet
from views.models import Cell, Column, Table

TUNNEL = (Column("dvrs", "dVRS"), Column("tunnel", "Tunnel"))
IN_SUBNET = "[enterprise <enterprise> [domain <domain> [subnet <subnet>]]]"


def tunnel(hypervisors: Mapping[str, Hypervisor], dvrs: str | None) -> str | None:
    """The tunnel address of a hypervisor."""
    hypervisor = hypervisors.get(dvrs or "")
    return (hypervisor.tunnel_address or None) if hypervisor else None


@command("show routes enterprise <enterprise> domain <domain>", help="the routing table of a domain", confined=True)
async def show_routes(context: Context, arguments: Arguments) -> Table:
    """Subnets (routed at the source hypervisor) and the hosts in them with the tunnel endpoint that reaches each."""
    fabric, running = context.fabric, context.fabric.running
    hypervisors = fabric.topology.hypervisors
    under = scope(running, arguments)
    rows: list[tuple[Cell, ...]] = []
    hosts: dict[str, list[tuple[Cell, ...]]] = {}
    for path, vport, where in attachments(fabric, under):
        dvrs = where.dvrs if where else None
        for address in vport.address:
            hosts.setdefault(vport.subnet, []).append(
                (f"{address}/32", "host", path[-1], vport.subnet, dvrs, tunnel(hypervisors, dvrs))
            )
    for path, subnet in running.objects(Subnet, under):
        rows.append((subnet.prefix, "subnet", f"gateway {gateway_of(subnet)}", path[-1], "every", None))
        rows += hosts.get(path[-1], [])
    columns = (
        Column("prefix", "Prefix"),
        Column("type", "Type"),
        Column("next_hop", "Next hop"),
        Column("subnet", "Subnet", shrink=True),
        *TUNNEL,
    )
    return Table("Routes", columns, rows, "routes", note=note(under))


@command(f"show mac {IN_SUBNET}", help="MAC addresses of a domain and where they are", confined=True)
async def show_mac(context: Context, arguments: Arguments) -> Table:
    """One row per vport MAC, and the anycast gateway's of each subnet."""
    return addresses(context, arguments, "MAC addresses", by_mac=True)


@command(f"show arp {IN_SUBNET}", help="addresses that are answered for on the hypervisors", confined=True)
async def show_arp(context: Context, arguments: Arguments) -> Table:
    """One row per IPv4 address, gateways included."""
    return addresses(context, arguments, "ARP entries", by_mac=False)


def addresses(context: Context, arguments: Arguments, title: str, by_mac: bool) -> Table:
    """MACs with their addresses, or addresses with their MACs."""
    fabric, running = context.fabric, context.fabric.running
    hypervisors = fabric.topology.hypervisors
    under = scope(running, arguments)
    only = arguments.get("subnet")
    anycast = running.settings(Controller).anycast_gateway_mac
    rows: list[tuple[Cell, ...]] = []

    def add(path: Path, subnet: str, mac: str, addresses: tuple[str, ...], owner: str, dvrs: str | None) -> None:
        place = (f"{domain_name(path)}/{subnet}", owner, dvrs, tunnel(hypervisors, dvrs))
        if by_mac:
            rows.append((mac, ", ".join(addresses), *place))
        else:
            rows.extend((address, mac, *place) for address in addresses)

    matched = only is None
    for path, subnet in running.objects(Subnet, under):
        if only in (None, path[-1]):
            matched = True
            gateway = gateway_of(subnet)
            add(path, path[-1], anycast, (gateway,) if gateway else (), "gateway", None)
    if not matched:
        raise NothingThere(
            f"{note(under)} subnet {only}", f"there is no subnet {only}", "'show subnets' lists what there is"
        )
    for path, vport, where in attachments(fabric, under):
        if only in (None, vport.subnet):
            add(path, vport.subnet, vport.mac, vport.address, path[-1], where.dvrs if where else None)
    first = (
        (Column("mac", "MAC"), Column("address", "Address"))
        if by_mac
        else (Column("address", "Address"), Column("mac", "MAC"))
    )
    columns = (*first, Column("subnet", "Subnet", shrink=True), Column("owner", "Owner"), *TUNNEL)
    return Table(title, columns, rows, title, note=note(under))

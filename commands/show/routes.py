"""show routes, show mac, show arp: what a domain's distributed router and switches know, as every hypervisor
is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from itertools import islice

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.dvrs import attachments
from commands.show.policy import domain_name
from controller.compile.access import used_path
from controller.compile.services.sharing import Share
from controller.compile.wan.shown import way
from controller.topology import Hypervisor
from data.addresses import BITS, address
from data.errors import NothingThere
from data.networks import networks
from data.path import Path
from data.schema.objects import Controller, Domain, Subnet, Vport
from data.schema.services import StaticRoute, VirtualIp
from data.templates import in_template
from views.models import Cell, Column, Moment, Table

ROWS = 20_000
"""Routes of others that are shown: a table of a million would keep everybody else waiting."""
TUNNEL = (Column("dvrs", "dVRS"), Column("tunnel", "Tunnel"))
IN_SUBNET = "[enterprise <enterprise> [domain <domain> [subnet <subnet>]]]"


def tunnel(hypervisors: Mapping[str, Hypervisor], dvrs: str | None) -> str | None:
    """The tunnel address of a hypervisor."""
    hypervisor = hypervisors.get(dvrs or "")
    return (hypervisor.tunnel_address or None) if hypervisor else None


@command("show routes enterprise <enterprise> domain <domain>", help="the routing table of a domain", confined=True)
async def show_routes(context: Context, arguments: Arguments) -> Table:
    """Subnets (routed at the source hypervisor), the hosts in them with the tunnel endpoint that reaches each, virtual
    IPs, static routes with a row per next hop: whether it is alive, since when, and its share of the flows; what leads
    to the shared domains that it uses, as far as who asks may read those; and what BGP told: machines in its subnets,
    and prefixes, with a row per tunnel.
    """
    fabric, running = context.fabric, context.fabric.running
    hypervisors = fabric.topology.hypervisors
    under = scope(running, arguments)
    rows: list[tuple[Cell, ...]] = []
    hosts: dict[str, list[tuple[Cell, ...]]] = {}
    learned = fabric.learned()
    for path, vport, where in attachments(fabric, under):
        dvrs = where.dvrs if where else None
        known = [(text, "host") for text in vport.address]
        known += [(text, "learned") for entry in learned.get(path, {}).values() for text in entry.addresses]
        for text, kind in known:
            prefix = f"{text}/{BITS[address(text).version]}"
            hosts.setdefault(vport.subnet, []).append(
                (prefix, kind, path[-1], vport.subnet, dvrs, tunnel(hypervisors, dvrs))
            )
    for path, subnet in fabric.acting.objects(Subnet, under):
        for own in networks(subnet):
            rows.append((str(own.prefix), "subnet", f"gateway {own.gateway}", path[-1], "every", None))
        rows += hosts.get(path[-1], [])
    rows += virtual_routes(context, under, hypervisors)
    rows = [(*row, None, None, None) for row in rows]
    rows += static_routes(context, under, hypervisors)
    rows += shared_routes(context, under, {str(row[0]) for row in rows})
    rows += islice(told_routes(context, under), ROWS)
    columns = (
        Column("prefix", "Prefix"),
        Column("type", "Type"),
        Column("next_hop", "Next hop", shrink=True),
        Column("subnet", "Subnet", shrink=True),
        Column("dvrs", "dVRS"),
        Column("tunnel", "Tunnel", spare=True),
        Column("state", "State"),
        Column("since", "Since"),
        Column("share", "Share", "right"),
    )
    return Table("Routes", columns, rows, "routes", note=note(under))


def static_routes(context: Context, domain: Path, hypervisors: Mapping[str, Hypervisor]) -> Iterator[tuple[Cell, ...]]:
    """A row per next hop, or one for a black hole; those that came from the domain's template, too."""
    fabric = context.fabric
    since = known_since(context)
    for path, route in fabric.acting.objects(StaticRoute, domain):
        if route.blackhole:
            yield path[-1], "static", "blackhole", None, "every", None, "drops", None, None
        for one in fabric.sharing(path):
            subnet, dvrs = whereabouts(context, one)
            place = (subnet, dvrs, tunnel(hypervisors, dvrs))
            yield path[-1], "static", one.name, *place, one.state, since.get(one.probe), share(one)


def virtual_routes(context: Context, domain: Path, hypervisors: Mapping[str, Hypervisor]) -> Iterator[tuple[Cell, ...]]:
    """A row per virtual IP: the vport that has it now."""
    fabric = context.fabric
    places = {path: where for path, _, where in attachments(fabric, domain)}
    for path, _ in fabric.acting.objects(VirtualIp, domain):
        holder = fabric.held(path).vport
        vport = None if holder is None else fabric.acting.get(holder)
        where = None if holder is None else places.get(holder)
        dvrs = None if where is None else where.dvrs
        prefix = f"{path[-1]}/{BITS[address(path[-1]).version]}"
        subnet = vport.subnet if isinstance(vport, Vport) else None
        yield prefix, "virtual", holder[-1] if holder else None, subnet, dvrs, tunnel(hypervisors, dvrs)


def shared_routes(context: Context, domain: Path, own: Set[str]) -> Iterator[tuple[Cell, ...]]:
    """A row per subnet and static route of the shared domains that the domain uses; its own go first."""
    acting = context.fabric.acting
    body = acting.get(domain)
    for name in body.use if isinstance(body, Domain) else ():
        shared = used_path(name)
        prefixes = [str(one.prefix) for _, subnet in acting.objects(Subnet, shared) for one in networks(subnet)]
        prefixes += [path[-1] for path, _ in acting.objects(StaticRoute, shared)]
        for prefix in prefixes:
            if prefix not in own:
                yield prefix, "shared", name, None, "every", None, None, None, None


def told_routes(context: Context, domain: Path) -> Iterator[tuple[Cell, ...]]:
    """A row per tunnel of what BGP told, or one without a tunnel for who may not know it."""
    for one in context.fabric.remote_routes(domain):
        about = None if one.mac is None else one.mac.hex(":")
        kind = "remote" if one.mac is None else "remote host"
        for tunnel in one.tunnels or (None,):
            to = about if tunnel is None else way(tunnel)
            endpoint = None if tunnel is None else str(tunnel.endpoint)
            part = None if len(one.tunnels) < 2 else f"{100 / len(one.tunnels):.0f} %"
            yield str(one.prefix), kind, to, one.subnet, "every", endpoint, None, None, part


def known_since(context: Context) -> dict[str, Moment]:
    """Since when the health of each target is known to be what it is."""
    return {target.key: Moment(target.since) for target in context.fabric.health() if target.alive is not None}


def whereabouts(context: Context, one: Share) -> tuple[str | None, str | None]:
    """The subnet and the hypervisor of the vport that has a share."""
    vport = None if one.vport is None else context.fabric.acting.get(one.vport)
    if one.vport is None or not isinstance(vport, Vport):
        return None, None
    where = context.fabric.topology.attachment(one.vport, vport)
    return vport.subnet, where.dvrs if where else None


def share(one: Share) -> str:
    """Its part of the flows."""
    return f"{one.percent:.0f} %"


@command(f"show mac {IN_SUBNET}", help="MAC addresses of a domain and where they are", confined=True)
async def show_mac(context: Context, arguments: Arguments) -> Table:
    """One row per vport MAC, and the anycast gateway's of each subnet."""
    return addresses(context, arguments, "MAC addresses", by_mac=True)


@command(f"show arp {IN_SUBNET}", help="addresses that are answered for on the hypervisors", confined=True)
async def show_arp(context: Context, arguments: Arguments) -> Table:
    """One row per address, gateways included."""
    return addresses(context, arguments, "ARP entries", by_mac=False)


def addresses(context: Context, arguments: Arguments, title: str, by_mac: bool) -> Table:
    """MACs with their addresses, or addresses with their MACs."""
    fabric, running = context.fabric, context.fabric.running
    hypervisors = fabric.topology.hypervisors
    under = scope(running, arguments)
    only = arguments.get("subnet")
    anycast = running.settings(Controller).anycast_gateway_mac
    rows: list[tuple[Cell, ...]] = []

    def add(path: Path, subnet: str, mac: str | None, addresses: tuple[str, ...], owner: str, dvrs: str | None) -> None:
        place = (f"{domain_name(path)}/{subnet}".rstrip("/"), owner, dvrs, tunnel(hypervisors, dvrs))
        if by_mac:
            rows.append((mac, ", ".join(addresses), *place))
        else:
            rows.extend((address, mac, *place) for address in addresses)

    matched = only is None
    for path, subnet in fabric.acting.objects(Subnet, under):
        if only in (None, path[-1]) and not in_template(path):
            matched = True
            gateways = tuple(str(own.gateway) for own in networks(subnet))
            add(path, path[-1], anycast, gateways, "gateway", None)
    if not matched:
        raise NothingThere(
            f"{note(under)} subnet {only}", f"there is no subnet {only}", "'show subnets' lists what there is"
        )
    learned = fabric.learned()
    for path, vport, where in attachments(fabric, under):
        if only in (None, vport.subnet):
            dvrs = where.dvrs if where else None
            if vport.mac is not None:
                add(path, vport.subnet, vport.mac, vport.address, path[-1], dvrs)
            for mac, entry in learned.get(path, {}).items():
                add(path, vport.subnet, mac, tuple(entry.addresses), f"behind {path[-1]}", dvrs)
    first = (
        (Column("mac", "MAC"), Column("address", "Address"))
        if by_mac
        else (Column("address", "Address"), Column("mac", "MAC"))
    )
    columns = (*first, Column("subnet", "Subnet", shrink=True), Column("owner", "Owner"), *TUNNEL)
    return Table(title, columns, rows, title, note=note(under))

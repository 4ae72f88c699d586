"""show nat, show access-addresses: under which addresses vports are known outside, and in shared domains they use."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.dvrs import attachments
from commands.show.policy import domain_name
from data.addresses import address
from data.floating import inside_of
from data.networks import holds
from data.path import Path
from data.schema.objects import Domain, Subnet, Vport
from data.schema.services import FloatingIp, SourceNat, StaticRoute
from data.templates import in_template
from views.models import Cell, Column, Table

IN_DOMAIN = "[enterprise <enterprise> [domain <domain>]]"


@command(f"show nat {IN_DOMAIN}", help="floating IPs and source NAT", confined=True)
async def show_nat(context: Context, arguments: Arguments) -> Table:
    """One row per outside address: whose it is, and which hypervisors translate."""
    view = context.fabric.acting
    under = scope(context.fabric.running, arguments)
    places = {path: where for path, _, where in attachments(context.fabric, under)}
    rows: list[tuple[Cell, ...]] = []
    for path, body in view.objects(FloatingIp, under):
        vport = (*path[:4], "vport", body.vport)
        found = view.get(vport)
        own = inside_of(path, body, found) if isinstance(found, Vport) else body.address
        where = places.get(vport)
        if where is None:
            state = f"{body.vport} is down"
        else:
            state = "up" if _leads_out(context, path[:4]) else "no way out"
        rows.append((domain_name(path), "floating-ip", path[-1], f"{body.vport} {own or ''}".strip(), "every", state))
    for path, nat in view.objects(SourceNat, under):
        ways = [
            (vport[-1], where)
            for vport, one, where in attachments(context.fabric, path[:4])
            if one.type == "bridge" and _covers(context, vport, one, nat.address)
        ]
        exits = [where.dvrs for _, where in ways if where is not None]
        down = f"{', '.join(name for name, _ in ways)} is down" if ways else "no bridge vport"
        state = "up" if exits else down
        rows.append((domain_name(path), f"source-nat {path[-1]}", nat.address, str(nat.from_), ", ".join(exits), state))
    columns = (
        Column("domain", "Domain", shrink=True),
        Column("type", "Type"),
        Column("outside", "Outside"),
        Column("inside", "Inside"),
        Column("dvrs", "Translated on"),
        Column("state", "State"),
    )
    return Table("NAT", columns, rows, "translations", note=note(under))


def _leads_out(context: Context, domain: Path) -> bool:
    """Whether the domain itself has a way for packets of outside addresses: those it uses do not carry them."""
    acting = context.fabric.acting
    routes = any(not route.blackhole for _, route in acting.objects(StaticRoute, domain))
    return routes or any(vport.type == "bridge" for _, vport in acting.objects(Vport, domain))


def _covers(context: Context, path: Path, vport: Vport, outside: str) -> bool:
    subnet = context.fabric.acting.resolve(path, "subnet", vport.subnet) if vport.subnet else None
    body = None if subnet is None else context.fabric.acting.get(subnet)
    return isinstance(body, Subnet) and holds(body, address(outside))


@command(
    f"show access-addresses {IN_DOMAIN}",
    help="by which addresses shared domains know the vports of users",
    confined=True,
)
async def show_access_addresses(context: Context, arguments: Arguments) -> Table:
    """One row for each address of a vport and each shared domain that its domain uses."""
    fabric = context.fabric
    under = scope(fabric.running, arguments)
    rows: list[tuple[Cell, ...]] = []
    for path, body in fabric.acting.objects(Domain, under):
        if in_template(path):
            continue
        for name in body.use:
            for vport_path, vport in fabric.acting.objects(Vport, path):
                for text in vport.address:
                    known = fabric.access_address(name, vport, address(text))
                    shown = None if known is None else str(known)
                    rows.append((domain_name(path), vport_path[-1], text, name, shown))
    columns = (
        Column("domain", "Domain", shrink=True),
        Column("vport", "Vport"),
        Column("address", "Address"),
        Column("shared", "Shared domain"),
        Column("known", "Known there as"),
    )
    return Table("Access addresses", columns, rows, "access addresses", note=note(under))

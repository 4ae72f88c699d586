"""show virtual-ip: addresses that several virtual ports share, and who has them."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.dvrs import attachments
from commands.show.policy import domain_name
from data.schema.objects import Vport
from data.schema.services import VirtualIp
from views.models import Cell, Column, Model, Moment, Several, Table

IN_DOMAIN = "[enterprise <enterprise> [domain <domain>]]"
COLUMNS = (
    Column("domain", "Domain", shrink=True),
    Column("address", "Address"),
    Column("mac", "MAC"),
    Column("holder", "Holder"),
    Column("dvrs", "dVRS"),
    Column("since", "Since"),
    Column("vports", "Shared by", shrink=True),
)
CLAIMS = (
    Column("domain", "Domain", shrink=True),
    Column("vport", "Vport"),
    Column("dvrs", "dVRS"),
    Column("holds", "Holds it"),
    Column("claims", "Claims", "right"),
)


@command(
    f"show virtual-ip <virtual-ip> {IN_DOMAIN}", help="one shared address, and who claimed it how often", confined=True
)
@command(f"show virtual-ip {IN_DOMAIN}", help="addresses that virtual ports share, and who has them", confined=True)
async def show_virtual_ip(context: Context, arguments: Arguments) -> Model:
    """One row for each address; of a named one also its vports. Claims are counted since the controller started."""
    fabric, acting = context.fabric, context.fabric.acting
    under = scope(fabric.running, arguments)
    name = arguments.get("virtual-ip")
    chosen = set() if name is None else set(named(acting, "virtual-ip", name, arguments))
    places = {path: where for path, _, where in attachments(fabric, under)}
    rows: list[tuple[Cell, ...]] = []
    claims: list[tuple[Cell, ...]] = []
    for path, body in acting.objects(VirtualIp, under):
        if name is not None and path not in chosen:
            continue
        held = fabric.held(path)
        vport = None if held.vport is None else acting.get(held.vport)
        where = None if held.vport is None else places.get(held.vport)
        mac = body.mac or (vport.mac if isinstance(vport, Vport) else None)
        since = None if held.vport is None or held.since is None else Moment(held.since)
        holder = None if held.vport is None else held.vport[-1]
        dvrs = None if where is None else where.dvrs
        rows.append((domain_name(path), path[-1], mac, holder, dvrs, since, ", ".join(body.vport)))
        for one in body.vport:
            its = (*path[:4], "vport", one)
            there = places.get(its)
            of_it = held.claims.get(its, 0)
            claims.append((domain_name(path), one, there.dvrs if there else None, its == held.vport, of_it))
    table = Table("Virtual IPs", COLUMNS, rows, "virtual IPs", note=note(under))
    if name is None:
        return table
    return Several({"virtual_ip": table, "vports": Table("Shared by", CLAIMS, claims, "virtual ports", note=name)})

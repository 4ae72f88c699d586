"""show dhcp leases: which vports asked for their addresses, and what they heard."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.policy import domain_name
from data.schema.objects import Vport
from views.models import Cell, Clock, Column, Moment, Table

COLUMNS = (
    Column("vport", "Vport"),
    Column("subnet", "Subnet", shrink=True),
    Column("protocol", "Protocol"),
    Column("address", "Address"),
    Column("state", "State"),
    Column("asked", "Asked ago"),
    Column("until", "Until"),
)
PROTOCOLS = {4: "DHCP", 6: "DHCPv6"}


@command(
    "show dhcp leases subnet <subnet>",
    help="vports of one subnet that asked for addresses, and what they got",
    confined=True,
)
@command(
    "show dhcp leases [enterprise <enterprise> [domain <domain> [subnet <subnet>]]]",
    help="vports that asked for addresses by DHCP or DHCPv6, and what they got",
    words={"leases": "since the controller started: addresses themselves are configured, and outlast it"},
    confined=True,
)
async def show_dhcp_leases(context: Context, arguments: Arguments) -> Table:
    """One row per vport and protocol."""
    fabric = context.fabric
    under, only = scope(fabric.running, arguments), arguments.get("subnet")
    if only is not None:
        list(named(fabric.acting, "subnet", only, arguments))
    rows: list[tuple[Cell, ...]] = []
    for lease in fabric.dhcp_leases():
        vport = fabric.acting.get(lease.path)
        if not isinstance(vport, Vport) or lease.path[: len(under)] != under or only not in (None, vport.subnet):
            continue
        rows.append(
            (
                lease.path[-1],
                f"{domain_name(lease.path)}/{vport.subnet}",
                PROTOCOLS[lease.version],
                ", ".join(lease.addresses),
                lease.state,
                Moment(lease.asked),
                Clock(lease.until) if lease.until is not None else None,
            )
        )
    rows.sort(key=lambda row: (str(row[1]), str(row[0]), str(row[2])))
    return Table("DHCP leases", COLUMNS, rows, "leases", note=note(under))

"""show flow-export: which IPFIX collectors are told of whose packets, and by which numbers."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from commands.show.policy import domain_name
from data.path import Path
from data.schema.objects import Subnet
from data.schema.seen import FlowExport
from views.models import Cell, Column, Model, Several, Table

COLUMNS = (
    Column("name", "Name"),
    Column("collector", "Collector"),
    Column("port", "Port", "right"),
    Column("sampling", "One in", "right"),
    Column("subnets", "Subnets", "right"),
    Column("vports", "Vports up", "right"),
)
DOMAINS = (
    Column("subnet", "Subnet"),
    Column("domain", "Domain", shrink=True),
    Column("observation_domain", "Observation domain", "right"),
    Column("vports", "Vports up", "right"),
)
POINTS = (
    Column("vport", "Vport"),
    Column("subnet", "Subnet"),
    Column("dvrs", "dVRS"),
    Column("observation_point", "Observation point", "right"),
)


@command("show flow-export", help="IPFIX collectors, and how many are told of")
async def show_flow_exports(context: Context, arguments: Arguments) -> Model:
    """One row for each collector."""
    state = context.fabric.network.state
    rows: list[tuple[Cell, ...]] = []
    for path, export in sorted(context.fabric.acting.objects(FlowExport)):
        subnets = _subnets(context, path)
        up = sum(len(vports) for subnet in subnets for vports in state.members_of(subnet).values())
        rows.append((path[-1], export.collector, export.port, export.sampling, len(subnets), up))
    return Table("Flow export", COLUMNS, rows, "collectors")


@command("show flow-export <flow-export>", help="one collector: by which numbers it knows subnets and virtual ports")
async def show_flow_export(context: Context, arguments: Arguments) -> Model:
    """What the numbers stand for that the collector sees."""
    fabric, name = context.fabric, arguments.values["flow-export"]
    path = require(fabric.acting, ("flow-export", name))
    state = fabric.network.state
    domains: list[tuple[Cell, ...]] = []
    points: list[tuple[Cell, ...]] = []
    for subnet in _subnets(context, path):
        members = [(dvrs, vport) for dvrs, vports in state.members_of(subnet).items() for vport in vports]
        domains.append((subnet[-1], domain_name(subnet), state.vni(subnet), len(members)))
        found = sorted((vport[-1], dvrs, state.number(vport)) for dvrs, vport in members)
        points += [(vport, subnet[-1], dvrs, number) for vport, dvrs, number in found]
    return Several(
        {
            "subnets": Table("Subnets", DOMAINS, domains, "subnets", note=name),
            "vports": Table("Virtual ports", POINTS, points, "virtual ports", note=name),
        }
    )


def _subnets(context: Context, export: Path) -> list[Path]:
    acting = context.fabric.acting
    return sorted(path for path in acting.referrers(export) if isinstance(acting.get(path), Subnet))

"""show domain-template: the templates, and with a name what it gives and to which domains."""

from __future__ import annotations

from collections import Counter

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from data.configuration import Configuration
from data.path import Path, path_text
from data.schema.nodes import order_key
from data.schema.objects import DomainTemplate, Vport
from data.templates import TEMPLATE, instances, placed
from views.models import Cell, Column, Model, Several, Table

NAME = Column("name", "Name")


@command(f"show {TEMPLATE} [<{TEMPLATE}>]", help="templates, what each gives and which domains are made from it")
async def show_domain_template(context: Context, arguments: Arguments) -> Model:
    """One row per template; of one its objects and the domains made from it."""
    running = context.fabric.running
    name = arguments.get(TEMPLATE)
    if name is not None:
        path = require(running, (TEMPLATE, name))
        return Several({"objects": _objects(running, path), "domains": _domains(context, path)})
    rows: list[tuple[Cell, ...]] = []
    for path, template in running.objects(DomainTemplate):
        counts = Counter(below[-2] for below, _ in running.walk(path))
        policies = counts["ingress-policy"] + counts["egress-policy"] + counts["forwarding-policy"]
        numbers = counts["zone"], counts["subnet"], counts["policy-group"], policies, counts["entry"], counts["qos"]
        rows.append((path[-1], len(instances(running, path)), *numbers, template.description))
    columns = (
        NAME,
        Column("domains", "Domains", "right"),
        Column("zones", "Zones", "right"),
        Column("subnets", "Subnets", "right"),
        Column("groups", "Groups", "right"),
        Column("policies", "Policies", "right"),
        Column("entries", "Entries", "right"),
        Column("qos", "Qos", "right"),
        Column("description", "Description", shrink=True),
    )
    return Table("Domain templates", columns, rows, "domain templates")


def _objects(running: Configuration, template: Path) -> Table:
    """What the template gives, and in how many domains something is said about it."""
    domains = instances(running, template)
    rows = []
    for path, item in running.walk(template):
        if path != template:
            overridden = sum(1 for domain in domains if running.get(placed(domain, path)) is not None)
            rows.append((path_text(path[2:]), overridden, item.description))
    columns = (
        Column("object", "Object"),
        Column("overridden", "Overridden in", "right"),
        Column("description", "Description", shrink=True),
    )
    return Table("Objects", columns, rows, "objects", note=path_text(template))


def _domains(context: Context, template: Path) -> Table:
    """The domains made from the template, with what of it they override."""
    running, topology = context.fabric.running, context.fabric.topology
    given = [path for path, _ in running.walk(template)][1:]
    rows = []
    for domain in sorted(instances(running, template), key=order_key):
        overrides = sum(1 for path in given if running.get(placed(domain, path)) is not None)
        there = set()
        for path, vport in running.objects(Vport, domain):
            where = topology.attachment(path, vport)
            if where is not None:
                there.add(where.dvrs)
        vports = running.count(domain, "vport")
        rows.append((domain[3], domain[1], vports, overrides, ", ".join(sorted(there)) or None))
    columns = (
        NAME,
        Column("enterprise", "Enterprise"),
        Column("vports", "Vports", "right"),
        Column("overrides", "Overrides", "right"),
        Column("dvrs", "dVRS", shrink=True),
    )
    return Table("Domains", columns, rows, "domains", note=path_text(template))

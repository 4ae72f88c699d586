"""show mirror: whose packets are copied, where to, and whether the copies get there."""

from __future__ import annotations

from collections.abc import Mapping

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.dvrs import attachments
from commands.show.policy import domain_name
from controller.topology import Attachment
from data.path import Path
from data.schema.services import Mirror
from views.models import Cell, Column, Model, Several, Table

IN_DOMAIN = "[enterprise <enterprise> [domain <domain>]]"
COLUMNS = (
    Column("domain", "Domain", shrink=True),
    Column("name", "Name"),
    Column("vports", "Vports", shrink=True),
    Column("direction", "Direction"),
    Column("to", "To"),
    Column("state", "State"),
)
COPIED = (
    Column("domain", "Domain", shrink=True),
    Column("vport", "Vport"),
    Column("role", "Role"),
    Column("dvrs", "dVRS"),
)
Places = Mapping[Path, Attachment | None]


@command(f"show mirror <mirror> {IN_DOMAIN}", help="one mirror, and where its virtual ports are", confined=True)
@command(f"show mirror {IN_DOMAIN}", help="copies of the packets of virtual ports", confined=True)
async def show_mirror(context: Context, arguments: Arguments) -> Model:
    """One row for each mirror; of a named one also the vports that are copied and the one that gets the copies."""
    acting = context.fabric.acting
    under = scope(context.fabric.running, arguments)
    name = arguments.get("mirror")
    chosen = set() if name is None else set(named(acting, "mirror", name, arguments))
    found = [(path, mirror) for path, mirror in acting.objects(Mirror, under) if name is None or path in chosen]
    places = {path: where for path, _, where in attachments(context.fabric, under)}
    rows = [_row(path, mirror, places) for path, mirror in found]
    table = Table("Mirrors", COLUMNS, rows, "mirrors", note=note(under))
    if name is None:
        return table
    copied: list[tuple[Cell, ...]] = []
    for path, mirror in found:
        ends = [(vport, "copied") for vport in mirror.vport] + ([(mirror.to, "gets the copies")] if mirror.to else [])
        for vport, role in ends:
            where = places.get((*path[:4], "vport", vport))
            copied.append((domain_name(path), vport, role, None if where is None else where.dvrs))
    return Several({"mirrors": table, "vports": Table("Virtual ports", COPIED, copied, "virtual ports", note=name)})


def _row(path: Path, mirror: Mirror, places: Places) -> tuple[Cell, ...]:
    to = f"vport {mirror.to}"
    if mirror.collector:
        to = f"{mirror.collector}, {mirror.encapsulation} {mirror.session}"
    return (
        domain_name(path), path[-1], ", ".join(mirror.vport), mirror.direction, to, _state(path, mirror, places),
    )  # fmt: skip


def _state(path: Path, mirror: Mirror, places: Places) -> str:
    if mirror.to and places.get((*path[:4], "vport", mirror.to)) is None:
        return f"vport {mirror.to} is down"
    if not any(places.get((*path[:4], "vport", name)) for name in mirror.vport):
        return "nothing to copy: its vports are down"
    return "copying"

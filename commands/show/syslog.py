"""show syslog, show thresholds: who is told events, and what is too high now."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from data.schema.seen import Threshold
from views.models import Cell, Column, Moment, PerSecond, Rate, Table

SERVERS = (
    Column("name", "Name"),
    Column("protocol", "Protocol"),
    Column("address", "Address"),
    Column("port", "Port", "right"),
    Column("severity", "Severity", spare=True),
    Column("state", "State"),
    Column("since", "Since"),
    Column("told", "Told", "right"),
    Column("waiting", "Waiting", "right"),
    Column("lost", "Lost", "right"),
    Column("reason", "Reason", shrink=True, whole=True),
)
THRESHOLDS = (
    Column("name", "Name"),
    Column("of", "Of"),
    Column("measure", "Measure"),
    Column("above", "Above", "right"),
    Column("for", "For s", "right"),
    Column("severity", "Severity", spare=True),
    Column("state", "State"),
    Column("object", "Object", shrink=True),
    Column("value", "Now", "right"),
    Column("since", "Since"),
)
BITS = ("sends", "gets")
SHOWN = 50
"""Objects of one threshold that are listed, the highest first."""


@command("show syslog", help="servers that are told events, and whether they take them")
async def show_syslog(context: Context, arguments: Arguments) -> Table:
    """One row per server; told, waiting and lost are events since the controller started."""
    rows = [
        (
            one.name, one.protocol, one.address, one.port, one.severity, one.state, Moment(one.since), one.told,
            one.waiting, one.lost, one.reason or None,
        )
        for one in context.fabric.told.syslog.seen()
    ]  # fmt: skip
    return Table("Syslog servers", SERVERS, rows, "servers")


@command("show thresholds", help="thresholds, and what is above them now")
async def show_thresholds(context: Context, arguments: Arguments) -> Table:
    """A row for each object that is above its threshold, and one for each threshold where none is. `rising` is above
    it for a shorter time than it asks for.
    """
    fabric = context.fabric
    rows: list[tuple[Cell, ...]] = []
    for path, item in sorted(fabric.acting.objects(Threshold)):
        head = (path[-1], item.of, item.measure, quantity(item.above, item.measure), item.for_, item.severity)
        crossings = fabric.told.thresholds.crossings(path[-1])
        for one in crossings[:SHOWN]:
            state = "crossed" if one.told is not None else "rising"
            rows.append((*head, state, one.name, quantity(one.value, item.measure), Moment(one.since)))
        if not crossings:
            rows.append((*head, "below", item.name or "all", None, None))
    crossed = sum(row[6] == "crossed" for row in rows)
    return Table("Thresholds", THRESHOLDS, rows, "rows", f"crossed {crossed}")


def quantity(value: float | None, measure: str) -> Cell:
    """A value in its unit: bits per second, or packets and messages per second."""
    if value is None:
        return None
    return Rate(value) if measure in BITS else PerSecond(round(value, 1))

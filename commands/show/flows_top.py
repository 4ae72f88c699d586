"""show flows top: the busiest flows of the switches, or what they are there for, from two reads.

What a flow is there for leads on: `show policies` has the entry, `show configuration` its text, and the columns beside
it say which revision made it so and whose that was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands.context import Context
from commands.counters import reachable
from commands.language.registry import Arguments, command
from commands.lookup import hypervisor
from controller.flow_words import flow_text, owner_name
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.pipeline import TABLE_NAMES, Feature, split_cookie
from data.errors import CommandFailed
from data.path import Path, path_text, vport_name
from data.steps import Pace
from views.models import Cell, Column, PerSecond, Rate, Table

if TYPE_CHECKING:
    from controller.fabric import Fabric

APART = 2.0
"""Seconds between the two reads; a switch brings its own counters up to date every half second."""
ROWS = 20
"""Rows unless a number is given."""
BY = ("flow", "vport", "rule", "table")
MOST = 200_000
"""Flows that are remembered between the two reads, about 100 MB."""


@dataclass(slots=True)
class Busy:
    """Flows that are shown as one: packets and bytes between the reads, packets in all, and one of the flows."""

    dvrs: str
    flow: FlowEntry
    flows: int = 0
    packets: int = 0
    octets: int = 0
    total: int = 0


@command(
    "show flows top [by {flow|vport|rule|table}] [dvrs <dvrs>] [limit <number>]",
    help="the busiest flows, by two reads a moment apart, and whose they are",
    words={
        "top": "the busiest",
        "by": "what is added up",
        "flow": "each flow",
        "vport": "what each virtual port sends and gets",
        "rule": "what each policy entry matches",
        "table": "what comes through each table of the pipeline",
        "dvrs": "of one hypervisor",
        "limit": f"so many rows instead of {ROWS}",
    },
    confined=True,
)
async def show_flows_top(context: Context, arguments: Arguments) -> Table:
    """Idle flows follow by what they have counted in all."""
    fabric, by = context.fabric, arguments.get("by") or "flow"
    name = arguments.get("dvrs")
    if name is not None:
        hypervisor(context, name)
    busy, passed = await measured(fabric, [name] if name is not None else reachable(fabric), by, name is not None)
    busy.sort(key=lambda one: (-one.octets, -one.packets, -one.total))
    shown = busy[: int(arguments.get("number") or ROWS)]
    paths = {path for one in shown if (path := fabric.explain(one.flow.cookie)) is not None}
    last = await fabric.last_changes(paths) if by != "table" else {}
    rows = [row(fabric, one, by, passed, last) for one in shown]
    hidden = len(busy) - len(shown)
    detail = f"{hidden} more are less busy" if hidden else ""
    title = "Busiest flows" if by == "flow" else f"Busiest flows by {by}"
    return Table(title, COLUMNS[by], rows, COUNTED[by], detail, f"over {passed:.1f} s")


_RATES = (Column("rate", "Rate", "right"), Column("packet_rate", "Packets", "right"))
_WHOSE = (
    Column("revision", "Rev", "right", spare=True),
    Column("author", "Author", spare=True),
    Column("path", "Path", unseen=True),
)
COLUMNS = {
    "flow": (
        *_RATES,
        Column("dvrs", "dVRS"),
        Column("table", "Table"),
        Column("object", "Object", shrink=True),
        *_WHOSE,
        Column("flow", "Flow", shrink=True, spare=True),
    ),
    "vport": (*_RATES, Column("flows", "Flows", "right"), Column("object", "Virtual port", shrink=True), *_WHOSE),
    "rule": (*_RATES, Column("flows", "Flows", "right"), Column("object", "Rule", shrink=True), *_WHOSE),
    "table": (*_RATES, Column("flows", "Flows", "right"), Column("table", "Table")),
}
COUNTED = {"flow": "flows", "vport": "virtual ports", "rule": "rules", "table": "tables"}
Changes = dict[Path, tuple[int, str]]


def row(fabric: Fabric, one: Busy, by: str, passed: float, last: Changes) -> tuple[Cell, ...]:
    """A row of the table."""
    rates = (Rate(round(one.octets * 8 / passed, 1)), PerSecond(round(one.packets / passed, 3)))
    table = TABLE_NAMES.get(one.flow.table, str(one.flow.table))
    if by == "table":
        return (*rates, one.flows, table)
    path = fabric.explain(one.flow.cookie)
    revision, author = last.get(path, (None, None)) if path is not None else (None, None)
    whose = owner_name(one.flow.cookie, fabric.explain)
    changed = (revision, author, None if path is None else path_text(path))
    if by == "flow":
        text = flow_text(one.flow.priority, one.flow.match, one.flow.instructions)
        return (*rates, one.dvrs, table, whose, *changed, text)
    assert path is not None  # group() lets no other through
    return (*rates, one.flows, vport_name(path) if by == "vport" else whose, *changed)


async def measured(fabric: Fabric, dvrs: list[str], by: str, asked: bool) -> tuple[list[Busy], float]:
    """What each was used between two reads, and the seconds between these. Raises CommandFailed for a hypervisor that
    was asked for and cannot be read; others are left out.
    """
    before: dict[Hashable, FlowEntry] = {}
    began = time.monotonic()
    for name in dvrs:
        for flow in await read(fabric, name, asked):
            before[name, flow.key] = flow
            if len(before) > MOST:
                raise CommandFailed("show flows top", f"there are more than {MOST} flows", "name one hypervisor: dvrs")
    if before:
        await asyncio.sleep(max(0.0, APART - (time.monotonic() - began)))
    found: dict[Hashable, Busy] = {}
    again = time.monotonic()
    pace = Pace()
    for name in dvrs:
        for flow in await read(fabric, name, asked):
            await pace.breathe()
            key = group(fabric, name, flow, by)
            if key is None:
                continue
            packets, octets = grown(flow, before.get((name, flow.key)))
            one = found.setdefault(key, Busy(name, flow))
            one.flows += 1
            one.packets += packets
            one.octets += octets
            one.total += flow.packets
    return list(found.values()), max(again - began, 0.001)


async def read(fabric: Fabric, dvrs: str, asked: bool) -> list[FlowEntry]:
    """The flows of a hypervisor; none of one that went away, unless it was asked for. Raises CommandFailed."""
    try:
        return await fabric.flows(dvrs, ALL_TABLES)
    except CommandFailed:
        if asked:
            raise
        return []


def group(fabric: Fabric, dvrs: str, flow: FlowEntry, by: str) -> Hashable | None:
    """What a flow is added up with; None for one that does not count. Of a vport only those flows count which every
    packet from it, or to it, comes through once.
    """
    if by == "flow":
        return dvrs, flow.key
    if by == "table":
        return flow.table
    parts, path = split_cookie(flow.cookie), fabric.explain(flow.cookie)
    if parts is None or path is None:
        return None
    counts = parts[1] is Feature.RULE if by == "rule" else parts[1] in (Feature.RECEIVED, Feature.DELIVERED)
    return path if counts else None


def grown(flow: FlowEntry, before: FlowEntry | None) -> tuple[int, int]:
    """Packets and bytes since the first read; all of a flow that was made after it."""
    if before is None or before.duration > flow.duration or before.packets > flow.packets:
        return flow.packets, flow.octets
    return flow.packets - before.packets, flow.octets - before.octets

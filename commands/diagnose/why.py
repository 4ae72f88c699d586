"""why flow: what a flow in a switch is there for: the object, its last change and author, its purpose, its set lines.

A flow is named by text that is in it as `show flows` prints it (all of its match, or a part: `reg1=3`, `10.1.1.11`), or
by its cookie, as OVS's own tools print that. Several can have both.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import hypervisor
from commands.show.flows import table_number
from controller.flow_words import flow_text, object_name, owner_name, purpose
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.pipeline import TABLE_NAMES
from data.acting import inherited_from
from data.errors import CommandFailed, NothingThere
from data.path import Path, path_text
from data.text.set_lines import set_lines
from views.models import Document, Model, Several

__all__ = ["why_flow"]

MOST = 8
"""Flows that are explained at once; of more nobody asks for the reason of each."""
LINES = 20
"""Set lines of an object that are shown; a domain has thousands."""


@command(
    "why flow dvrs <dvrs> [table <table>] {cookie <cookie>|match <match:text>}",
    help="what a flow is there for, and who wanted it",
    words={
        "flow": "a flow in a switch",
        "cookie": "all flows with this cookie",
        "match": "flows in whose text this is, as 'show flows' prints it",
    },
    confined=True,
)
async def why_flow(context: Context, arguments: Arguments) -> Model:
    """The flows that are meant, each with the object behind it. Raises NothingThere when there are none."""
    fabric, name = context.fabric, hypervisor(context, arguments.values["dvrs"])
    table = arguments.get("table")
    flows = await fabric.flows(name, ALL_TABLES if table is None else table_number(table))
    wanted = _cookie(arguments.get("cookie"))
    text = (arguments.get("match") or "").partition(" actions=")[0].strip()
    found = [flow for flow in flows if (flow.cookie == wanted if wanted is not None else text in _text(flow))]
    if not found:
        raise NothingThere(
            path_text(("dvrs", name)), "it holds no such flow", f"'show flows dvrs {name}' lists those it holds"
        )
    paths = {flow.cookie: fabric.explain(flow.cookie) for flow in found[:MOST]}
    stored = {path: _stored(context, path) for path in paths.values() if path is not None}
    changes = await fabric.last_changes(dict.fromkeys(stored.values()))
    parts: dict[str, Model] = {}
    for number, flow in enumerate(found[:MOST], 1):
        path = paths[flow.cookie]
        change = None if path is None else changes.get(stored[path])
        parts[f"flow {number}"] = _explained(context, name, flow, path, change)
    if len(found) > MOST:
        parts["more"] = Document({"more": f"{len(found) - MOST} others are like that: say more of the one you mean"})
    return next(iter(parts.values())) if len(parts) == 1 else Several(parts)


def _cookie(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text, 0)
    except ValueError:
        raise CommandFailed("cookie", f"'{text}' is not a cookie", "write it as in 0x6e050900000000f1") from None


def _text(flow: FlowEntry) -> str:
    return flow_text(flow.priority, flow.match, flow.instructions)


def _stored(context: Context, path: Path) -> Path:
    """Where the object is configured: in the domain itself, or in its template."""
    running = context.fabric.running
    return path if running.get(path) is not None else inherited_from(running, path) or path


def _explained(
    context: Context, dvrs: str, flow: FlowEntry, path: Path | None, change: tuple[int, str] | None
) -> Document:
    explain = context.fabric.explain
    facts: dict[str, object] = {
        "dvrs": dvrs,
        "table": TABLE_NAMES.get(flow.table, str(flow.table)),
        "flow": _text(flow),
        "cookie": f"0x{flow.cookie:016x}",
        "counted": _counted(flow),
        "object": owner_name(flow.cookie, explain),
        "does": purpose(flow.cookie),
    }
    if path is not None:
        facts |= _of_object(context, path, change)
    return Document(facts)


def _counted(flow: FlowEntry) -> str:
    return f"{flow.packets} packets, {flow.octets} bytes in {flow.duration} s"


def _of_object(context: Context, path: Path, change: tuple[int, str] | None) -> Mapping[str, object]:
    stored = _stored(context, path)
    lines = list(islice(set_lines(context.fabric.running, stored), LINES + 1))
    facts: dict[str, object] = {}
    if stored != path:
        facts["from"] = object_name(stored[:2])
    if change is not None:
        facts["changed"] = f"revision {change[0]} by {change[1]}"
    facts["set"] = [*lines[:LINES], *(["..."] if len(lines) > LINES else [])]
    return facts

"""show flows: what the switches hold right now, each flow with the object it comes from."""

from __future__ import annotations

from commands.context import Context
from commands.lookup import named, require
from commands.registry import Arguments, command
from controller.openflow.readback import FlowEntry
from controller.openflow.text import Names, actions_text, match_text
from controller.pipeline import TABLE_NAMES
from controller.topology import Standing
from data.errors import NothingThere
from data.path import path_text
from views.models import Column, Table

COLUMNS = (
    Column("dvrs", "dVRS"),
    Column("table", "Table"),
    Column("packets", "Packets", "right"),
    Column("bytes", "Bytes", "right"),
    Column("object", "Object", shrink=True),
    Column("flow", "Flow", shrink=True),
)


NAMES = Names(tables=TABLE_NAMES)


def flow_text(flow: FlowEntry) -> str:
    """Match and actions in ovs-ofctl's words; table and cookie have columns of their own."""
    return f"{match_text(flow.priority, flow.match, NAMES)} actions={actions_text(flow.instructions, NAMES)}"


def table_number(name: str) -> int:
    """A table by name or number. Raises NothingThere."""
    for number, known in TABLE_NAMES.items():
        if name in (known, str(number)):
            return number
    raise NothingThere(f"table {name}", "there is no such table", f"there are: {', '.join(TABLE_NAMES.values())}")


@command(
    "show flows [dvrs <dvrs>] [vport <vport>] [table <table>]",
    help="flows in the switches, with counters",
    words={"dvrs": "of one hypervisor", "vport": "that come from one virtual port", "table": "of one table"},
)
async def show_flows(context: Context, arguments: Arguments) -> Table:
    """Flows read from the switches now; hypervisors that are away are left out unless one is named."""
    fabric = context.fabric
    name, vport, table = arguments.get("dvrs"), arguments.get("vport"), arguments.get("table")
    number = None if table is None else table_number(table)
    owner = None if vport is None else next(iter(named(fabric.running, "vport", vport, arguments)))
    if name is not None:
        require(fabric.running, ("dvrs", name))
    ready = [
        each
        for each, known in fabric.topology.hypervisors.items()
        if known.state in (Standing.READY, Standing.CONNECTED)
    ]
    rows = []
    for dvrs in [name] if name is not None else sorted(ready):
        for flow in sorted(await fabric.flows(dvrs), key=lambda flow: (flow.table, -flow.priority, flow.match)):
            if number is not None and flow.table != number:
                continue
            path = fabric.explain(flow.cookie)
            if owner is not None and path != owner:
                continue
            rows.append(
                (
                    dvrs,
                    TABLE_NAMES.get(flow.table, str(flow.table)),
                    flow.packets,
                    flow.octets,
                    path_text(path) if path else None,
                    flow_text(flow),
                )
            )
    return Table("Flows", COLUMNS, rows, "flows")

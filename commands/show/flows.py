"""show flows: what the switches hold right now, each flow with the object it comes from."""

from __future__ import annotations

from commands.context import Context
from commands.counters import reachable
from commands.language.registry import Arguments, command
from commands.lookup import hypervisor, named
from controller.flow_words import flow_text, owner_name, purpose
from controller.openflow.wire import ALL_TABLES
from controller.pipeline import TABLE_NAMES
from data.errors import NothingThere
from views.models import Column, Table

COLUMNS = (
    Column("dvrs", "dVRS"),
    Column("table", "Table"),
    Column("packets", "Packets", "right"),
    Column("bytes", "Bytes", "right", spare=True),
    Column("object", "Object", shrink=True),
    Column("purpose", "Does", spare=True),
    Column("flow", "Flow", shrink=True),
)


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
    confined=True,
)
async def show_flows(context: Context, arguments: Arguments) -> Table:
    """Flows read from the switches now; hypervisors that are away are left out unless one is named."""
    fabric = context.fabric
    name, vport, table = arguments.get("dvrs"), arguments.get("vport"), arguments.get("table")
    number = ALL_TABLES if table is None else table_number(table)
    owner = None if vport is None else next(iter(named(fabric.running, "vport", vport, arguments)))
    if name is not None:
        hypervisor(context, name)
    rows = []
    for dvrs in [name] if name is not None else reachable(fabric):
        flows = await fabric.flows(dvrs, number)
        for flow in sorted(flows, key=lambda flow: (flow.table, -flow.priority, flow.match)):
            if owner is not None and fabric.explain(flow.cookie) != owner:
                continue
            rows.append(
                (
                    dvrs,
                    TABLE_NAMES.get(flow.table, str(flow.table)),
                    flow.packets,
                    flow.octets,
                    owner_name(flow.cookie, fabric.explain),
                    purpose(flow.cookie),
                    flow_text(flow.priority, flow.match, flow.instructions),
                )
            )
    return Table("Flows", COLUMNS, rows, "flows")

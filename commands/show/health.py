"""show health: who serves others and is probed for it, and whether he answers."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.policy import domain_name
from data.path import Path
from views.models import Cell, Column, Moment, Table

HEALTH = {True: "alive", False: "dead", None: "unknown"}


@command(
    "show health [enterprise <enterprise> [domain <domain>]]",
    help="who is probed on behalf of routes, redirection targets and load balancers",
    confined=True,
)
async def show_health(context: Context, arguments: Arguments) -> Table:
    """One row per address and probe. A target whose vport is not there, or whose hypervisor is away, is not asked and
    stays what it was; `unknown` is one that has not been asked yet.
    """
    fabric, running = context.fabric, context.fabric.running
    under: Path = scope(running, arguments)
    rows: list[tuple[Cell, ...]] = []
    for target in sorted(fabric.health(), key=lambda one: one.probe):
        probe = target.probe
        if probe.vport[: len(under)] == under:
            kind = f"tcp {probe.port}" if probe.kind == "tcp" else probe.kind
            state = HEALTH[target.alive]
            rows.append(
                (domain_name(probe.vport), probe.vport[-1], probe.address, kind, probe.interval, state,
                 None if target.alive is None else Moment(target.since))
            )  # fmt: skip
    columns = (
        Column("domain", "Domain"),
        Column("vport", "Vport"),
        Column("address", "Address"),
        Column("probe", "Probe"),
        Column("interval", "Interval ms", "right"),
        Column("health", "Health"),
        Column("since", "Since"),
    )
    return Table("Health", columns, rows, "probed addresses", note=note(under))

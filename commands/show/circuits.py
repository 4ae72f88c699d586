"""show circuits: the labels by which domains and PE routers exchange packets."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.policy import DOMAIN, SCOPE, domain_name
from views.models import Cell, Column, Table

WORDS = {"circuits": "MPLS to PE routers: labels and whether they are in use"}
_SESSION = {True: "established", False: "down", None: None}


@command(f"show circuits {SCOPE}", help="MPLS circuits to PE routers", confined=False)
async def show_circuits(context: Context, arguments: Arguments) -> Table:
    """A row per domain and PE: the labels that packets there bear, those that packets from there bear, for IPv4 and
    IPv6, and how many prefixes lead there. A circuit is up while there is a label each way and its session stands;
    stale while the session is lost and its routes are kept.
    """
    under = scope(context.fabric.running, arguments)
    rows: list[tuple[Cell, ...]] = []
    for one in await context.fabric.circuits():
        if one.domain[: len(under)] == under:
            labels = "/".join(str(one.labels[version]) for version in sorted(one.labels))
            rows.append((
                domain_name(one.domain), str(one.endpoint), str(one.standing), _SESSION[one.session],
                ", ".join(map(str, one.out)) or None, labels, one.prefixes, ", ".join(one.hypervisors) or None,
            ))  # fmt: skip
    columns = (
        DOMAIN,
        Column("pe", "PE"),
        Column("state", "State"),
        Column("session", "Session", spare=True),
        Column("label_out", "Label out", shrink=True),
        Column("label_in", "Label in"),
        Column("prefixes", "Prefixes", "right"),
        Column("dvrs", "dVRS", shrink=True),
    )
    return Table("Circuits", columns, rows, "circuits", note=note(under))

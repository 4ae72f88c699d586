"""show qos: rates and marking, and which virtual ports have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.dvrs import attachments
from commands.show.policy import domain_name
from controller.compile.services.limits import burst
from data.configuration import Configuration
from data.path import Path
from data.qos import effective
from data.schema.objects import Vport
from data.schema.services import Qos
from data.templates import in_template
from views.models import Cell, Column, Model, Several, Table

NAMED_BY = {"vport": "the vport", "subnet": "its subnet", "domain": "the domain"}
IN_DOMAIN = "[enterprise <enterprise> [domain <domain>]]"
COLUMNS = (
    Column("domain", "Domain", shrink=True),
    Column("name", "Name"),
    Column("ingress_rate", "Sends kbit/s", "right"),
    Column("ingress_burst", "Burst kbit", "right", spare=True),
    Column("egress_rate", "Receives kbit/s", "right"),
    Column("egress_burst", "Burst kbit", "right", spare=True),
    Column("dscp", "DSCP"),
    Column("vports", "Vports", "right"),
)
USERS = (
    Column("domain", "Domain", shrink=True),
    Column("vport", "Vport"),
    Column("named_by", "Named by"),
    Column("dvrs", "dVRS"),
)


def marking(qos: Qos) -> str:
    """What becomes of the code point of packets that a vport sends."""
    if qos.dscp is not None:
        return str(qos.dscp)
    return "trusted" if qos.trust else "0"


def qos_words(qos: Qos) -> Iterator[str]:
    """A qos in a few words."""
    for side, rate in (("ingress", qos.ingress_rate), ("egress", qos.egress_rate)):
        if rate is not None:
            yield f"{side} {rate} kbit/s"
    yield f"dscp {marking(qos)}"


def qos_of(acting: Configuration, path: Path, vport: Vport) -> str | None:
    """The qos that a vport has, in words; None when it has none, or is not there."""
    found = effective(acting, path, vport) if acting.get(path) is not None else None
    if found is None:
        return None
    return f"{found.path[-1]} (named by {NAMED_BY[found.source]}): {', '.join(qos_words(found.qos))}"


@command(f"show qos <qos> {IN_DOMAIN}", help="one qos, and the virtual ports that have it", confined=True)
@command(f"show qos {IN_DOMAIN}", help="rates and marking of virtual ports", confined=True)
async def show_qos(context: Context, arguments: Arguments) -> Model:
    """One row for each qos; of a named one also the vports that have it, by themselves or by default."""
    acting = context.fabric.acting
    under = scope(context.fabric.running, arguments)
    name = arguments.get("qos")
    if name is not None:
        chosen = set(named(acting, "qos", name, arguments))
    else:
        chosen = {path for path, _ in acting.objects(Qos, under) if not in_template(path)}
    users: defaultdict[Path, list[tuple[Cell, ...]]] = defaultdict(list)
    for path, _, where in attachments(context.fabric, under):
        vport = acting.get(path)
        found = effective(acting, path, vport) if isinstance(vport, Vport) else None
        if found is not None and found.path in chosen:
            dvrs = None if where is None else where.dvrs
            users[found.path].append((domain_name(path), path[-1], NAMED_BY[found.source], dvrs))
    rows = [_row(path, qos, len(users[path])) for path, qos in acting.objects(Qos, under) if path in chosen]
    table = Table("QoS", COLUMNS, rows, "qos", note=note(under))
    if name is None:
        return table
    listed = [row for path in sorted(chosen) for row in users[path]]
    return Several({"qos": table, "vports": Table("Virtual ports", USERS, listed, "virtual ports", note=f"qos {name}")})


def _row(path: Path, qos: Qos, vports: int) -> tuple[Cell, ...]:
    return (
        domain_name(path),
        path[-1],
        qos.ingress_rate,
        None if qos.ingress_rate is None else burst(qos.ingress_rate, qos.ingress_burst),
        qos.egress_rate,
        None if qos.egress_rate is None else burst(qos.egress_rate, qos.egress_burst),
        marking(qos),
        vports,
    )

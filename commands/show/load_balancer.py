"""show load-balancers, show load-balancer NAME: virtual addresses, who serves them, and what part each takes."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.policy import DOMAIN, SCOPE, domain_name
from commands.show.routes import known_since, share, whereabouts
from data.path import Path
from data.schema.services import Backend, LoadBalancer
from data.templates import in_template
from views.models import Cell, Column, Table


@command(f"show load-balancers {SCOPE}", help="virtual addresses and the vports that serve them", confined=True)
async def show_load_balancers(context: Context, arguments: Arguments) -> Table:
    """A row per backend: whether it is alive, since when, and its share of the new connections."""
    under = scope(context.fabric.running, arguments)
    found = [path for path, _ in context.fabric.running.objects(LoadBalancer, under) if not in_template(path)]
    return _table(context, found, note(under))


@command(f"show load-balancer <load-balancer> {SCOPE}", help="one of them, by its name", confined=True)
async def show_load_balancer(context: Context, arguments: Arguments) -> Table:
    """The same of the load balancers with one name."""
    name = arguments.values["load-balancer"]
    found = list(named(context.fabric.running, "load-balancer", name, arguments))
    return _table(context, found, f"load-balancer {name}")


def _table(context: Context, paths: list[Path], about: str) -> Table:
    fabric = context.fabric
    since = known_since(context)
    rows: list[tuple[Cell, ...]] = []
    for path in paths:
        balancer = fabric.acting.get(path)
        if not isinstance(balancer, LoadBalancer):
            continue
        virtual = f"[{balancer.address}]" if ":" in balancer.address else balancer.address
        service = f"{virtual}:{balancer.port}/{balancer.protocol}"
        shared = fabric.sharing(path)
        if not shared:
            rows.append((domain_name(path), path[-1], service, *[None] * 9))
        for one in shared:
            backend = fabric.acting.get((*path, "backend", one.name))
            assert isinstance(backend, Backend)
            port = backend.port or balancer.port
            probe = f"tcp {balancer.health_port or port}" if balancer.health == "tcp" else balancer.health
            _, dvrs = whereabouts(context, one)
            rows.append((
                domain_name(path), path[-1], service, one.name, backend.vport or one.name, port, dvrs, probe, one.state,
                since.get(one.probe), backend.weight, share(one),
            ))  # fmt: skip
    columns = (
        DOMAIN,
        Column("name", "Name"),
        Column("address", "Virtual"),
        Column("backend", "Backend"),
        Column("vport", "Vport", spare=True),
        Column("port", "Port", "right", spare=True),
        Column("dvrs", "dVRS"),
        Column("probe", "Probe", spare=True),
        Column("state", "State"),
        Column("since", "Since"),
        Column("weight", "Weight", "right"),
        Column("share", "Share", "right"),
    )
    return Table("Load balancers", columns, rows, "entries", note=about)

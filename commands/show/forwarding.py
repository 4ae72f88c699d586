"""show redirection-targets, show redirection-target NAME: service vports, whether they are alive, and their shares."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.policy import DOMAIN, SCOPE, domain_name
from commands.show.routes import known_since, share, whereabouts
from data.path import Path, natural_key
from data.schema.services import RedirectionTarget
from data.templates import in_template
from views.models import Cell, Column, Table


@command(f"show redirection-targets {SCOPE}", help="service vports that packets are led through", confined=True)
async def show_redirection_targets(context: Context, arguments: Arguments) -> Table:
    """A row per service vport: whether it is alive, since when, and its share of the redirected flows."""
    under = scope(context.fabric.running, arguments)
    found = [path for path, _ in context.fabric.running.objects(RedirectionTarget, under) if not in_template(path)]
    return _table(context, found, note(under))


@command(
    f"show redirection-target <redirection-target> {SCOPE}",
    help="one of them, by its name",
    confined=True,
)
async def show_redirection_target(context: Context, arguments: Arguments) -> Table:
    """The same of the targets with one name."""
    name = arguments.values["redirection-target"]
    found = list(named(context.fabric.running, "redirection-target", name, arguments))
    return _table(context, found, f"redirection-target {name}")


def _table(context: Context, paths: list[Path], about: str) -> Table:
    fabric = context.fabric
    since = known_since(context)
    rows: list[tuple[Cell, ...]] = []
    for path in paths:
        target = fabric.acting.get(path)
        if not isinstance(target, RedirectionTarget):
            continue
        probe = f"tcp {target.health_port}" if target.health == "tcp" else target.health
        rules = [f"{one[-3]}/{one[-1]}" for one in fabric.acting.referrers(path) if one[-2] == "redirect"]
        for one in fabric.sharing(path):
            _, dvrs = whereabouts(context, one)
            rows.append((
                domain_name(path), path[-1], one.name, dvrs, probe, one.state,
                since.get(one.probe), share(one), target.fail,
                ", ".join(sorted(rules, key=natural_key)) or None,
            ))  # fmt: skip
    columns = (
        DOMAIN,
        Column("name", "Target"),
        Column("vport", "Vport"),
        Column("dvrs", "dVRS"),
        Column("probe", "Probe"),
        Column("state", "State"),
        Column("since", "Since"),
        Column("share", "Share", "right"),
        Column("fail", "Fails"),
        Column("redirects", "Redirects", shrink=True),
    )
    return Table("Redirection targets", columns, rows, "service vports", note=about)

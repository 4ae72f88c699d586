"""The table of `show underlay paths`: places by any of their names, and the paths between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.addresses import address
from data.errors import NothingThere
from views.models import Cell, Column, Table

if TYPE_CHECKING:
    from controller.underlay.paths import Path
    from controller.underlay.service import Underlay
    from controller.underlay.view import Seen

NAMES_LISTED = 12
"""Places that an error offers."""
COLUMNS = (
    Column("from", "From", shrink=True),
    Column("to", "To", shrink=True),
    Column("kind", "Kind"),
    Column("cost", "Cost", "right"),
    Column("hops", "Hops", "right", spare=True),
    Column("path", "Path"),
    Column("listener", "Listener", spare=True),
)


def ways(underlay: Underlay, origin: str | None, target: str | None) -> Table:
    """A row per path; one without where there is none. Raises NothingThere for a place that nobody knows."""
    rows: list[tuple[Cell, ...]] = []
    known = False
    for seen in underlay.topologies():
        start = seen.topology.own if origin is None else _node(seen, underlay, origin)
        ends = _endpoints(seen, underlay) if target is None else {target: _node(seen, underlay, target)}
        if start is None or (target is not None and ends[target] is None):
            continue
        known = True
        begin = origin or f"listener {seen.name}"
        for end, node in ends.items():
            if node is not None:
                rows += _rows(seen, start, node, begin, end)
    if not known:
        raise _nobody(underlay, origin, target)
    return Table("Underlay paths", COLUMNS, rows, "paths")


def places(underlay: Underlay) -> list[tuple[str, str]]:
    """Names that can be given, each with what it is."""
    found = [
        (node.name, f"router of {seen.name}")
        for seen in underlay.topologies()
        for node in seen.topology.nodes.values()
        if not node.lan
    ]
    return sorted({*found, *((str(one.address), one.who) for one in underlay.endpoints)})


def _rows(seen: Seen, start: str, node: str, begin: str, end: str) -> list[tuple[Cell, ...]]:
    if start == node:
        return [(begin, end, "same router", 0, 0, seen.topology.nodes[node].name, seen.name)]
    paths = seen.paths.between(start, node)
    if not paths:
        return [(begin, end, "no path", None, None, None, seen.name)]
    equal = sum(not path.alternate for path in paths)
    return [
        (
            begin, end, "alternate" if path.alternate else "equal" if equal > 1 else "shortest", path.cost,
            sum(not seen.topology.nodes[link.target].lan for link in path.links), _drawn(seen, path), seen.name,
        )
        for path in paths
    ]  # fmt: skip


def _drawn(seen: Seen, path: Path) -> str:
    """r1 -10- r2 -10- r4: the routers on the way with the metric of each link; a LAN is no stop."""
    nodes = seen.topology.nodes
    text, metric = nodes[path.links[0].source].name, 0
    for link in path.links:
        metric += link.metric
        if not nodes[link.target].lan or link is path.links[-1]:
            text += f" -{metric}- {nodes[link.target].name}"
            metric = 0
    return text


def _endpoints(seen: Seen, underlay: Underlay) -> dict[str, str | None]:
    return {f"{one.who} ({one.address})": seen.node_of(one.address) for one in underlay.endpoints}


def _node(seen: Seen, underlay: Underlay, word: str) -> str | None:
    """The node that a word means: a router's name or key, an address behind it, or who has a tunnel endpoint."""
    nodes = seen.topology.nodes
    named = [key for key, node in nodes.items() if word in (key, node.name)]
    if len(named) == 1:
        return named[0]
    for one in underlay.endpoints:
        if word in one.who.replace(",", "").split() or word == one.who:
            return seen.node_of(one.address)
    try:
        return seen.node_of(address(word))
    except OSError:
        return None


def _nobody(underlay: Underlay, origin: str | None, target: str | None) -> NothingThere:
    pictures = underlay.topologies()
    unknown = next(
        (word for word in (origin, target) if word and all(_node(one, underlay, word) is None for one in pictures)),
        None,
    )
    some = ", ".join(name for name, _ in places(underlay)[:NAMES_LISTED])
    if unknown is None:
        return NothingThere("show underlay paths", "no listener hears of both places", f"there are: {some}")
    return NothingThere(
        f"show underlay paths {unknown}",
        f"{unknown} is no router, no tunnel endpoint, and no address of the underlay",
        f"there are: {some}",
    )

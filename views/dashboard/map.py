"""The map of the topology screen: hypervisors and who else ends tunnels, as boxes while there is room for them.

few                                       many: a line each             too many: those first of which something
┌ hv1 ───────────┐ ┌ hv2 ───────────┐     hv1  ready   5  hv2  ready    is not well, then `N more`
│ ready          │ │ ready          │     hv3  away    0  hv4  ready
│ 172.31.0.1     │ │ 172.31.0.2     │
│ 5 vports       │ │ 4 vports       │     Below them, where there is room, who sends how much to whom: a row sends,
└────────────────┘ └────────────────┘     a column gets, the shade is the load against the busiest tunnel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from views.dashboard.canvas import Canvas, Row, Span, tail
from views.dashboard.palette import role_of
from views.models import Rate
from views.render import harmless
from views.table import cell_text, cut

__all__ = ["Facts", "Map"]

BOX = 18
"""Cells of a box, with its frame."""
FRAME = 4
BOX_ROWS = 5
LINE = 26
"""Cells of one that is a line: name, state, number of vports."""
WELL = frozenset({"ready", "reachable"})
"""States of what works."""
SHADES, ASCII_SHADES = " ░▒▓█", " .:+#"
NAME = 14
"""Cells of a name beside the matrix."""
COLUMN, WIDEST = 4, 16
"""Cells of one of its columns: at least, and where there is room; it has the load in figures from FIGURES on."""
FIGURES = 11
CORNER = "from    to"
BROADEST = 28
"""Cells of a box where there are few."""
NAMED = 8
"""Vports that are named in a box before something else has the room."""
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One that is on the map, in words."""

    name: str
    state: str
    address: str
    what: str
    short: str
    vports: tuple[str, ...] = ()


class Map(Canvas):
    """The boxes, and below them the matrix of loads. `facts` is the document of `show topology`."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: Facts = {}
        self.problem = ""

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self.problem:
            lines = [part for line in self.problem.splitlines() for part in wrap(harmless(line), max(1, width - 1))]
            return [((f" {line}", "dim" if number else "soon"),) for number, line in enumerate(lines)]
        nodes = _nodes(self.facts)
        if not nodes:
            return [((" no hypervisor is configured: 'set dvrs NAME' admits one" if self.facts else "", "dim"),)]
        matrix = self._matrix(width)
        broad = -(-len(nodes) // max(1, width // BROADEST)) * BOX_ROWS + len(matrix) < height
        box = min(width, BROADEST) if broad else max(BOX, min(BROADEST, width // len(nodes)))
        across = max(1, width // box)
        rows = self._boxes(nodes, across, box, 0)
        if len(rows) > height:
            rows = self._lines(nodes, max(1, width // LINE), height)
        elif free := (height - len(rows) - len(matrix) - 1) // -(-len(nodes) // across):
            rows = self._boxes(nodes, across, box, max(0, free))
        if matrix and len(rows) + len(matrix) < height:
            rows += [(), *matrix]
        return rows

    def needed(self, width: int) -> int:
        """Rows that everything takes as boxes with up to NAMED vports each, and the matrix."""
        nodes = _nodes(self.facts)
        lines = -(-len(nodes) // max(1, width // BROADEST))
        named = min(NAMED, max((len(node.vports) for node in nodes), default=0))
        matrix = self._matrix(width)
        return lines * (BOX_ROWS + named) + (len(matrix) + 1 if matrix else 0)

    @property
    def _ellipsis(self) -> str:
        return "…" if self.dashboard.unicode else "~"

    def _boxes(self, nodes: Sequence[Node], across: int, box: int, named: int) -> list[Row]:
        """All as boxes, `across` in a row, each with so many vports by name as there are, at most `named`."""
        edges = tuple("┌─┐│└┘" if self.dashboard.unicode else "+-+|++")
        rows: list[Row] = []
        for first in range(0, len(nodes), across):
            some = nodes[first : first + across]
            lines = min(named, max(len(node.vports) for node in some))
            drawn = [self._box(edges, node, box - FRAME, lines) for node in some]
            rows += [tuple(span for one in drawn for span in one[line]) for line in range(len(drawn[0]))]
        return rows

    def _box(self, edges: Sequence[str], node: Node, room: int, named: int) -> list[list[Span]]:
        left, flat, right, side, low, last = edges
        title = cut(harmless(node.name), room, self._ellipsis)
        top: list[Span] = [
            (f"{left} ", "dim"), (title, "title"), (f" {flat * (room - len(title))}{right}", "dim"),
        ]  # fmt: skip
        names = [*node.vports[:named], *[""] * (named - len(node.vports))]
        if named and len(node.vports) > named:
            names[-1] = f"and {len(node.vports) - named + 1} more"
        inside = [
            (node.state, role_of(node.state)), (node.address, "dim"), (node.what, ""),
            *((tail(harmless(name), room, self._ellipsis), "dim") for name in names),
        ]  # fmt: skip
        body = [
            [
                (f"{side} ", "dim"),
                (cut(harmless(text), room, self._ellipsis).ljust(room), role),
                (f" {side}", "dim"),
            ]
            for text, role in inside
        ]
        return [top, *body, [(f"{low}{flat * (room + 2)}{last}", "dim")]]

    def _lines(self, nodes: Sequence[Node], across: int, height: int) -> list[Row]:
        """Each in a few cells; when even that is too much, what is not well stands first and the rest is counted."""
        room = across * max(0, height)
        more = ""
        if len(nodes) > room:
            nodes = sorted(nodes, key=lambda node: node.state in WELL)
            shown = across * max(0, height - 1)
            hidden = nodes[shown:]
            unwell = sum(node.state not in WELL for node in hidden)
            more = f" {len(hidden)} more, {unwell} of them not well: 'show dvrs'" if unwell else (
                f" {len(hidden)} more, all well"
            )  # fmt: skip
            nodes = nodes[:shown]
        rows = [
            tuple(span for node in nodes[first : first + across] for span in self._short(node))
            for first in range(0, len(nodes), across)
        ]
        return [*rows, ((more, "dim"),)] if more else rows

    def _short(self, node: Node) -> list[Span]:
        name = cut(harmless(node.name), LINE - 16, self._ellipsis)
        state = cut(harmless(node.state), 9, self._ellipsis)
        return [
            (f" {name.ljust(LINE - 16)} ", "title"), (f"{state.ljust(9)} ", role_of(node.state)),
            (f"{node.short:>3} ", "dim"),
        ]  # fmt: skip

    def _matrix(self, width: int) -> list[Row]:
        """Who sends how much to whom. Of more ends than fit those that get most."""
        tunnels = self.facts.get("tunnels", ())
        if not tunnels:
            return []
        loads = {(str(one["from"]), str(one["to"])): float(one["rate"] or 0) for one in tunnels}
        gets: dict[str, float] = {}
        for (_, end), load in loads.items():
            gets[end] = gets.get(end, 0.0) + load
        sources = sorted({source for source, _ in loads})
        names = max(len(CORNER), min(NAME, max(len(harmless(name)) for name in sources)))
        room = max(1, (width - names - 2) // COLUMN)
        ends = sorted(sorted(gets, key=lambda end: -gets[end])[:room])
        column = max(COLUMN, min(WIDEST, (width - names - 2) // len(ends)))
        shades, busiest = SHADES if self.dashboard.unicode else ASCII_SHADES, max(loads.values())
        heads = "".join(f"{tail(harmless(name), column - 1, self._ellipsis):>{column - 1}} " for name in ends)
        rows: list[Row] = [((f" {CORNER.ljust(names)} ", "dim"), (heads, "head"))]
        for source in sources:
            spans: list[Span] = [(f" {cut(harmless(source), names, self._ellipsis).ljust(names)} ", "head")]
            spans += [(self._load(loads.get((source, end)), busiest, shades, column), "graph") for end in ends]
            rows.append(tuple(spans))
        return rows

    def _load(self, load: float | None, busiest: float, shades: str, column: int) -> str:
        if load is None:
            return " " * column
        if column >= FIGURES:
            return f"{cell_text(Rate(load)):>{column - 1}} "
        if not load:
            return f"{'·' if self.dashboard.unicode else '-'} ".rjust(column)
        shade = shades[max(1, round(load / busiest * (len(shades) - 1)))] * (COLUMN - 1)
        return f"{shade} ".rjust(column)


def _nodes(facts: Facts) -> list[Node]:
    return [*map(_hypervisor, facts.get("hypervisors", ())), *map(_end, facts.get("ends", ()))]


def _hypervisor(one: Facts) -> Node:
    names = tuple(sorted(str(row["vport"]) for row in one.get("interfaces", ()) if row.get("vport") is not None))
    words = f"{len(names)} {'vport' if len(names) == 1 else 'vports'}"
    address = str(one["tunnel_address"] or "no tunnel")
    return Node(str(one["name"]), str(one["state"]), address, words, str(len(names)), names)


def _end(one: Facts) -> Node:
    kind = "PE router" if one["kind"] == "pe" else str(one.get("neighbor") or "elsewhere")
    return Node(str(one["name"]), str(one["state"]), str(one["address"] or "-"), kind, "")

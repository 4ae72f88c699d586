"""Overview: whether all is well (`show fabric`), traffic, hypervisors or busiest vports, and the last events.

┌ Fabric ──────┐┌ Traffic ─────┐     Those who are confined to tenants see their own vports, traffic and events,
├ dVRS ────────┤├ Events ──────┤     and their busiest vports in place of hypervisors.
└──────────────┘└──────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from data.errors import NotPermitted
from data.steps import spread
from views.dashboard.arranging import joined, only
from views.dashboard.bars import area
from views.dashboard.board import Ask, Board, said
from views.dashboard.canvas import Canvas, Row, Span, tail, width_of
from views.dashboard.grid import Grid
from views.dashboard.palette import role_of
from views.dashboard.screens.events import event_of
from views.dashboard.screens.hypervisors import Hypervisor
from views.dashboard.screens.vports import Vport
from views.models import Document, Model, Rate, Table, Trend
from views.render import harmless
from views.table import cell_text, cut

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Overview"]

LABELS = {"dvrs": "dVRS", "vports": "vports", "flows": "flows", "bgp": "BGP", "pe": "PE"}
BAD = ("away", "unknown", "unresolved", "down")
HYPERVISORS = ("name", "state", "vports", "sends", "gets", "trend", "flows")
VPORTS = ("name", "state", "sends", "gets", "trend")
SPARE = ("vports", "gets", "flows")
"""Columns that are seen of either, and those of them that a narrow panel leaves out."""
WIDE = 60
"""Columns from which the traffic panel has room for both ways of the busiest."""
NARROW, HIGH = 60, 30
"""Columns below which panels stand one below the other, rows above which graphs grow."""
EVENTS = 60
"""Events, notices or worse, that are looked through here; the screen of events has all."""
SPACED = 50
"""Columns of the panel of numbers from which on they stand further apart."""
BUSY = 3
"""Vports that are named beside low graphs."""


class Facts(Canvas):
    """The numbers of `show fabric`, and the names of what is not well."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: Mapping[str, object] = {}
        self.refused = ""

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self.refused:
            return [((line, "soon"),) for line in self.refused.splitlines()]
        return [self._row(label, self.facts[name], width) for name, label in LABELS.items() if name in self.facts]

    def _row(self, label: str, value: object, width: int) -> Row:
        spans: list[Span] = [(f" {label.ljust(7)}", "head")]
        if not isinstance(value, Mapping):
            return (*spans, (f"{value:>4}", "title"))
        for state, count in value.items():
            if state == "unwell" or (width < SPACED and not count and len(spans) > 1):
                continue  # of what there is none, a narrow panel says only the first
            role = role_of(state) or ("good" if state not in BAD else "bad")
            spans += [
                (f"{count:>{3 if width < SPACED else 4}}", "title" if count else "dim"),
                (f" {state} ", role if count else "dim"),
            ]
        unwell = value.get("unwell")
        if isinstance(unwell, list):
            unicode = self.dashboard.unicode
            names, room = (
                [harmless(str(name)) for name in unwell],
                width - width_of(tuple(spans)) - (3 if unicode else 4),
            )
            text = ", ".join(names)
            if len(text) > room:  # by their last part, which tells them apart
                text = ", ".join(name.rpartition("/")[2] for name in names)
            spans.append((f" {'←' if unicode else '<-'} {cut(text, max(0, room), '…' if unicode else '~')}", "soon"))
        return tuple(spans)


class Traffic(Canvas):
    """What all vports send and get: one line each in a low panel, graphs in a high one; who most."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: Mapping[str, object] = {}

    def paint(self, width: int, height: int) -> Sequence[Row]:
        traffic, top = self.facts.get("traffic"), self.facts.get("top")
        if not isinstance(traffic, Mapping):
            return [((" nothing is counted", "dim"),)]
        unicode = self.dashboard.unicode
        busy = self._busiest(top, width, height, unicode)
        room = max(1, (height - len(busy)) // 2)
        rows: list[Row] = []
        for word, role in (("sends", "graph"), ("gets", "graph2")):
            rate, trend = traffic.get(word), traffic.get(f"{word}_trend")
            text = cell_text(rate if isinstance(rate, Rate) else None, unicode).rjust(10)
            values = [value or 0.0 for value in trend.values] if isinstance(trend, Trend) else []
            drawn = area(values, max(1, width - 18), room, unicode)
            for number, line in enumerate(drawn):
                last = number == len(drawn) - 1
                head = f" {word.ljust(6)}" if last else " " * 7
                rows.append(((head, "head"), (line, role), (text if last else "", "title")))
        return [*rows, *busy]

    def _busiest(self, top: object, width: int, height: int, unicode: bool) -> list[Row]:
        if not isinstance(top, list) or not top or height < 3:
            return []
        both, ellipsis = width > WIDE, "…" if unicode else "~"
        busiest = sorted(top, key=lambda one: -max(one["sends"], one["gets"]))
        rows: list[Row] = []
        for number, one in enumerate(busiest[: max(BUSY, height - 6) if height > 4 else 1]):
            words = ("sends", "gets") if both else ("sends" if one["sends"] >= one["gets"] else "gets",)
            rates = "".join(f"  {word} {cell_text(one[word])}" for word in words)
            name, room = harmless(str(one["vport"])), max(0, width - 7 - len(rates))
            rows.append(
                ((" top   " if not number else "       ", "head"), (tail(name, room, ellipsis), ""), (rates, "dim"))
            )
        return rows


class Overview(Board):
    """All in one look."""

    NAME = "overview"
    DEFAULT_CSS = """
    Overview Vertical { width: 1fr; height: 1fr; }
    Overview Facts { height: 7; }
    Overview Traffic { height: 7; }
    Overview.narrow Horizontal { layout: vertical; }
    Overview.narrow Traffic, Overview.narrow #busy { display: none; }
    Overview.high Traffic { height: 2fr; }
    Overview.high #events { height: 3fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers: Table | None = None
        self._confined = False

    @property
    def asks(self) -> Sequence[Ask]:
        return (
            Ask("fabric", "show fabric"),
            Ask("numbers", "show statistics dvrs"),
            Ask("dvrs", "show dvrs"),
            Ask("vports", "show statistics vports top 20"),
            Ask("events", f"show events limit {EVENTS} severity notice", 2.0),
        )

    def compose(self) -> ComposeResult:
        facts, traffic, busy = Facts(), Traffic(), Grid(id="busy")
        events = Grid(event_of, tail=True, id="events")
        facts.border_title, traffic.border_title = "Fabric", "Traffic"
        busy.border_title, events.border_title = "dVRS", "Events"
        with Horizontal():
            with Vertical():
                yield facts.add_class("panel")
                yield busy.add_class("panel")
            with Vertical():
                yield traffic.add_class("panel")
                yield events.add_class("panel")

    def on_resize(self) -> None:
        self.set_class(self.size.height > HIGH, "high")
        self.set_class(self.size.width < NARROW, "narrow")

    async def take(self, name: str, model: Model) -> None:
        facts, traffic = self.query_one(Facts), self.query_one(Traffic)
        if isinstance(model, Document):
            facts.facts, facts.refused, traffic.facts = model.facts, "", model.facts
            facts.repaint()
            traffic.repaint()
        elif not isinstance(model, Table):
            return
        elif name == "numbers":
            self._numbers = model
        elif name == "dvrs":
            table = await spread(joined(model, self._numbers, lambda row: row[0], HYPERVISORS))
            await self.query_one("#busy", Grid).fill(await spread(only(table, HYPERVISORS, SPARE)))
        elif name == "vports" and self._confined:
            await self.query_one("#busy", Grid).fill(await spread(only(model, VPORTS, SPARE[1:])))
        elif name == "events":
            seen = only(model, ("time", "kind", "text"), ("kind",), rest=True)
            await self.query_one("#events", Grid).fill(await spread(seen))

    def refuse(self, name: str, problem: NshellError) -> None:
        if name == "dvrs" and isinstance(problem, NotPermitted):
            self._confined = True
            busy = self.query_one("#busy", Grid)
            busy.border_title, busy.tails = "Busiest virtual ports", ("name",)
        elif name == "fabric":
            facts = self.query_one(Facts)
            facts.refused = said(problem)
            facts.repaint()
        elif name == "events":
            self.query_one("#events", Grid).refuse(said(problem))

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        if grid.id != "busy":
            return super().enter(grid, row)
        name = str(grid.value(row, "name"))
        return Vport(name) if self._confined else Hypervisor(name)

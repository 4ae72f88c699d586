"""Topology: `show topology` as a map, boxes of hypervisors and of who else ends tunnels, with each tunnel's load.

┌ Map   site nsh1 ───────────────────────┐┌ Tunnels ─────────────────┐
│ ┌ hv1 ────┐ ┌ hv2 ────┐  ┌ pe1 ─────┐  ││ hv1 → hv2  1.2 Gb/s ████ │    A narrow screen has the map above the tunnels.
│ │ ready   │ │ ready   │  │ reached  │  ││ hv2 → hv1  0.9 Gb/s ███  │    Enter draws a tunnel's load over time, and
├ hv1 → hv2 ─────────────────────────────┴┴──────────────────────────┤    Enter there shows the hypervisor that sends.
└────────────────────────────────────────────────────────────────────┘

The last panel is the load over time of the tunnel under the cursor, where map and tunnels leave room for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Container

from views.dashboard.bars import bar
from views.dashboard.board import Ask, Board, Text, said
from views.dashboard.grid import Grid
from views.dashboard.gridlines import AROUND
from views.dashboard.map import Facts, Map
from views.dashboard.pages import Pages
from views.dashboard.screens.hypervisors import Hypervisor
from views.models import Column, Model, Octets, Outline, Rate, Table
from views.render import harmless
from views.table import cut

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Topology", "Tunnel"]

BAR = 10
"""Cells of the bar of a load."""
WIDE = 120
"""Cells from which on map and tunnels stand side by side."""
LOWEST = 12
"""Rows that a load over time needs, with its frame."""
BORDER = 2
"""Rows, or cells, of a frame."""
OVER_TIME = 10.0
"""Seconds between two drawings of a tunnel's load."""
COLUMNS = (
    Column("from", "From", shrink=True),
    Column("to", "To", shrink=True),
    Column("rate", "Load", "right"),
    Column("share", ""),
    Column("bytes", "In all", "right", spare=True),
    Column("name", "Name", unseen=True),
)


class Topology(Board):
    """The map beside the tunnels, or above them where the screen is narrow."""

    NAME = "topology"
    DEFAULT_CSS = """
    Topology #both { width: 1fr; height: 1fr; layout: vertical; }
    Topology.wide #both { layout: horizontal; }
    Topology Map { width: 1fr; height: 1fr; }
    Topology Grid { width: 1fr; height: 1fr; }
    Topology.wide Map { width: 3fr; }
    Topology.wide Grid { width: 2fr; }
    Topology #load { display: none; height: 1fr; }
    Topology.roomy #load { display: block; }
    """
    EVERY: ClassVar[float] = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._drawn = ""
        """The tunnel whose load is drawn below, as telemetry calls it; '' where there is none."""

    @property
    def asks(self) -> Sequence[Ask]:
        asked = [Ask("topology", "show topology", self.EVERY)]
        if self._drawn:
            asked.append(Ask("load", f"graph throughput tunnel {self._drawn}", OVER_TIME))
        return asked

    def compose(self) -> ComposeResult:
        drawn, tunnels = Map(), Grid(lambda row: row[:2])
        drawn.border_title, tunnels.border_title = "Map", "Tunnels"
        with Container(id="both"):
            yield drawn.add_class("panel")
            yield tunnels.add_class("panel")
        load = Pages(id="load")
        load.can_focus = False
        yield load.add_class("panel")

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "wide")
        self._entitle()
        self._share()

    def on_grid_moved(self) -> None:
        self._share()

    def _share(self) -> None:
        """Give the rows that map and tunnels leave to the load of the tunnel under the cursor."""
        drawn, tunnels, both = self.query_one(Map), self.query_one(Grid), self.query_one("#both")
        width = self.size.width * 3 // 5 if self.has_class("wide") else self.size.width
        rows = len(tunnels.table.rows) if tunnels.table is not None else 0
        needed = max(drawn.needed(width - BORDER), rows + AROUND) + BORDER
        roomy = self.has_class("wide") and rows > 0 and self.size.height - needed >= LOWEST
        self.set_class(roomy, "roomy")
        both.styles.height = needed if roomy else "1fr"
        name = str(tunnels.cell("name") or "") if roomy else ""
        if name == self._drawn:
            return
        self._drawn = name
        load = self.query_one("#load", Pages)
        load.clear()
        arrow = "→" if self.dashboard.unicode else "->"
        load.border_title = harmless(f"{tunnels.cell('from')} {arrow} {tunnels.cell('to')}") if name else ""
        self.dashboard.ask_again(self)

    def _entitle(self) -> None:
        """The map's title, cut here: a terminal without Unicode has another sign for that."""
        drawn, width = self.query_one(Map), self.size.width * (3 if self.has_class("wide") else 5) // 5
        site = harmless(str(drawn.facts.get("site", "")))
        title = f"Map   site {site}" if site else "Map"
        drawn.border_title = cut(title, max(3, width - 6), "…" if self.dashboard.unicode else "~")

    async def take(self, name: str, model: Model) -> None:
        if name == "load":
            self.query_one("#load", Pages).put_model(model)
        if not isinstance(model, Outline) or not isinstance(model.document, Mapping):
            return
        drawn = self.query_one(Map)
        drawn.facts, drawn.problem = cast("Facts", model.document), ""
        self._entitle()
        drawn.repaint()
        await self.query_one(Grid).fill(self._tunnels(drawn.facts))

    def _tunnels(self, facts: Facts) -> Table:
        """A row per tunnel, the busiest first."""
        loads = list(facts.get("tunnels", ()))
        busiest = max((float(one["rate"] or 0) for one in loads), default=0.0)
        addresses = {str(one["name"]): str(one["address"]) for one in facts.get("ends", ()) if one["address"]}
        rows = []
        for one in loads:
            source, end, rate = str(one["from"]), str(one["to"]), float(one["rate"] or 0)
            rows.append((
                source, end, Rate(rate) if one["bytes"] is not None else None,
                bar(rate / busiest if busiest else 0.0, BAR, self.dashboard.unicode),
                one["bytes"] if isinstance(one["bytes"], Octets) else None,
                f"{source}>{addresses.get(end, end)}",
            ))  # fmt: skip
        rows.sort(key=lambda row: (-float(row[2] or 0), -int(row[4] or 0), row[:2]))
        return Table("Tunnels", COLUMNS, rows, "tunnels")

    def refuse(self, name: str, problem: NshellError) -> None:
        if name == "load":
            self.query_one("#load", Pages).put([said(problem)])
            return
        drawn = self.query_one(Map)
        drawn.problem = said(problem)
        drawn.repaint()
        self.query_one(Grid).refuse("tunnels are part of it")

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        return Tunnel(str(grid.value(row, "name")), str(grid.value(row, "from")), str(grid.value(row, "to")))


class Tunnel(Text):
    """What a hypervisor sent into a tunnel, over time; Enter shows the hypervisor."""

    def __init__(self, name: str, source: str, end: str) -> None:
        super().__init__(f"graph throughput tunnel {name}", f"{source} to {end}", OVER_TIME)
        self._source = source

    def choose(self) -> Board | None:
        return Hypervisor(self._source)

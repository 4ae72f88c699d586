"""BGP and PE routers: `show bgp summary` above `show pe`; Enter shows one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from data.steps import spread
from views.dashboard.arranging import only
from views.dashboard.board import Ask, Board, Text, said
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.models import Model, Table
from views.render import Screen, render

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Neighbors"]

ASKED = 60.0
"""Seconds between two questions to a router itself, which has other things to do."""
COLUMNS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "neighbors": (
        ("name", "address", "state", "since", "received", "advertised", "refused", "stale", "role", "as", "reason"),
        ("refused", "stale", "role", "as"),
    ),
    "routers": (("name", "state", "address", "vpns", "contact", "driver", "reason"), ("driver",)),
}
"""What is seen of both tables where there is room, and what of it is left out first; what went wrong stands last."""


class Neighbors(Board):
    """Sessions above, routers below."""

    NAME = "bgp"
    DEFAULT_CSS = """
    Neighbors #neighbors { height: 2fr; }
    Neighbors #routers { height: 1fr; }
    """

    @property
    def asks(self) -> Sequence[Ask]:
        return Ask("neighbors", "show bgp summary"), Ask("routers", "show pe")

    def compose(self) -> ComposeResult:
        neighbors, routers = Grid(id="neighbors"), Grid(id="routers")
        neighbors.border_title, routers.border_title = "BGP neighbors", "PE routers"
        with Vertical():
            yield neighbors.add_class("panel")
            yield routers.add_class("panel")

    async def take(self, name: str, model: Model) -> None:
        grid = self.query_one(f"#{name}", Grid)
        if isinstance(model, Table):
            columns, spare = COLUMNS[name]
            await grid.fill(await spread(only(model, columns, spare)))
        else:
            grid.refuse("\n".join(render(model, Screen())))

    def refuse(self, name: str, problem: NshellError) -> None:
        self.query_one(f"#{name}", Grid).refuse(said(problem))

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        name = str(grid.value(row, "name"))
        if grid.id == "neighbors":
            return Neighbor(name)
        return Text(f"show pe {name} config diff", f"PE router {name}", ASKED)


class Neighbor(Board):
    """One neighbor: all that is known of it, what was counted; Enter shows the routes that it told."""

    DEFAULT_CSS = """
    Neighbor Pages { width: 1fr; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._neighbor = name

    @property
    def heading(self) -> str:
        return self._neighbor

    @property
    def asks(self) -> Sequence[Ask]:
        return (
            Ask("facts", f"show bgp neighbors {self._neighbor}"),
            Ask("graph", f"graph messages bgp-neighbor {self._neighbor}", 10.0),
        )

    def compose(self) -> ComposeResult:
        facts, graph = Pages(id="facts"), Pages(id="graph")
        facts.border_title, graph.border_title = f"BGP neighbor {self._neighbor}", "Messages"
        with Horizontal():
            yield facts.add_class("panel")
            yield graph.add_class("panel")

    async def take(self, name: str, model: Model) -> None:
        self.query_one(f"#{name}", Pages).put_model(model)

    def refuse(self, name: str, problem: NshellError) -> None:
        self.query_one(f"#{name}", Pages).put([said(problem)])

    def choose(self) -> Board | None:
        return Text(f"show bgp received {self._neighbor}", f"routes of {self._neighbor}", ASKED)

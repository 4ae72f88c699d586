"""Flows: the busiest (`show flows top`), by flow, vport, rule or table; Enter shows whose they are and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from views.dashboard.board import Ask, Board, Tabular, said
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.dashboard.screens.commits import Commit
from views.dashboard.screens.vports import Vport
from views.models import Model

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Flows", "Owner"]

BY = ("vport", "rule", "flow", "table")
ROWS = 200


class Flows(Tabular):
    """What is busiest now. The key b goes from flows to vports, rules and tables."""

    NAME = "flows"
    EVERY: ClassVar[float] = 4.0
    WAITS: ClassVar[float] = 2.0  # the command looks twice, two seconds apart
    KEYS: ClassVar[Sequence[tuple[str, str]]] = (("b", "by"),)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("b", "turn", "by flow, vport, rule or table")]

    def __init__(self) -> None:
        super().__init__(self._line_by(BY[0]))
        self._by = BY[0]

    @staticmethod
    def _line_by(by: str) -> str:
        return f"show flows top by {by} limit {ROWS}"

    @staticmethod
    def identity(row: Cells) -> object:
        """What no look changes: not the rates, nor how many flows there are of a vport, rule or table."""
        return row[2:] if isinstance(row[2], str) else row[3:]

    def on_mount(self) -> None:
        self._reading()

    def _reading(self) -> None:
        self.query_one(Grid).refuse(f"reading the switches twice: the busiest by {self._by}")

    def action_turn(self) -> None:
        """Add up by the next of BY."""
        self._by = BY[(BY.index(self._by) + 1) % len(BY)]
        self._line = self._line_by(self._by)
        self.query_one(Grid).action_edge(-1)
        self._reading()
        self.dashboard.ask_anew()

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        if self._by == "table":
            return Tabular(f"show flows table {grid.value(row, 'table')}", f"table {grid.value(row, 'table')}")
        path = grid.value(row, "path")
        if path is None:
            self.dashboard.say("it belongs to the fabric, and to no object of the configuration")
            return None
        if self._by == "vport":
            return Vport(str(grid.value(row, "object")))
        revision = grid.value(row, "revision")
        return Owner(str(path), str(grid.value(row, "object")), revision if isinstance(revision, int) else None)


class Owner(Board):
    """The object that a flow is there for: configuration, what it counted; Enter shows the commit that made it so."""

    DEFAULT_CSS = """
    Owner Pages { width: 1fr; }
    """

    def __init__(self, path: str, name: str, revision: int | None) -> None:
        super().__init__()
        self._object = path
        self._title = name
        self._revision = revision

    @property
    def heading(self) -> str:
        return self._title

    @property
    def asks(self) -> Sequence[Ask]:
        found = [Ask("text", f"show configuration {self._object}", 10.0)]
        drawn = _graph(self._object.split())
        if drawn:
            found.append(Ask("graph", drawn, 10.0))
        if self._revision is not None:
            found.append(Ask("commit", f"show system commit revision {self._revision}", 10.0))
        return found

    def compose(self) -> ComposeResult:
        text, commit, graph = Pages(id="text"), Pages(id="commit"), Pages(id="graph")
        text.border_title, commit.border_title, graph.border_title = self._title, "Last changed by", "Over time"
        with Horizontal():
            with Vertical():
                yield text.add_class("panel")
                yield commit.add_class("panel")
            yield graph.add_class("panel")

    def on_mount(self) -> None:
        asked = {ask.name for ask in self.asks}
        for panel in self.query(Pages):
            panel.display = panel.id in asked

    async def take(self, name: str, model: Model) -> None:
        self.query_one(f"#{name}", Pages).put_model(model)

    def refuse(self, name: str, problem: NshellError) -> None:
        self.query_one(f"#{name}", Pages).put([said(problem)])

    def choose(self) -> Board | None:
        return None if self._revision is None else Commit(self._revision)


def _graph(path: Sequence[str]) -> str:
    """What draws the object's course; '' when nothing is counted of it."""
    kind, name = path[-2:]
    if kind == "vport":
        return f"graph throughput vport {'/'.join(path[1::2])}"
    if kind == "entry":
        return f"graph hits rule {path[1]}/{path[3]}/{path[4].removesuffix('-policy')}/{path[5]}/{name}"
    if kind in ("subnet", "zone"):
        return f"graph throughput {kind} {name} enterprise {path[1]} domain {path[3]}"
    if kind in ("domain", "l2-domain"):
        return f"graph throughput domain {name} enterprise {path[1]}"
    return ""

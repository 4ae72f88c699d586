"""A screen of a dashboard: what it asks its source for, how often, and what it does with the answers.

    asks ──> the app asks, while the screen is seen ──> take(name, model)     an answer
                                                   └──> refuse(name, problem) why there is none

Board is the base of all; `Tabular` is one that is a table, `Text` one that is any result as text,
`Record` all of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Container

from data.errors import NshellError
from data.steps import spread
from views.dashboard.arranging import Cells, joined, only
from views.dashboard.catalogue import SCREENS
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.models import Document, Model, Table, Trend
from views.render import Screen, render
from views.table import cell_text

if TYPE_CHECKING:
    from views.dashboard.app import Dashboard

__all__ = ["Ask", "Board", "Record", "Tabular", "Text", "said"]

OFTEN = 5.0
"""Seconds between two looks, unless a screen says otherwise."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command that a screen asks for, each `every` seconds, or once and followed (`monitor events`). `waits` are
    seconds that the command itself does nothing but wait, which cost nobody anything.
    """

    name: str
    line: str
    every: float = OFTEN
    follow: bool = False
    waits: float = 0.0


class Board(Container):
    """One screen. `NAME` is its word in `dashboard NAME` (catalogue.py); one that another leads to has none."""

    NAME: ClassVar[str] = ""
    KEYS: ClassVar[Sequence[tuple[str, str]]] = ()
    """Keys of its own, for the footer and the help, and what they do in a word."""

    @property
    def dashboard(self) -> Dashboard:
        """The app, by its own type."""
        return cast("Dashboard", self.app)

    @property
    def heading(self) -> str:
        """What stands above a screen that another one led to."""
        return SCREENS[self.NAME].title

    @property
    def asks(self) -> Sequence[Ask]:
        """What it wants to know."""
        return ()

    @property
    def grid(self) -> Grid | None:
        """The table that filter and sort are about, the one with the focus first."""
        found = list(self.query(Grid))
        return next((grid for grid in found if grid.has_focus), found[0] if found else None)

    async def take(self, name: str, model: Model) -> None:
        """An answer to the ask of this name."""

    def refuse(self, name: str, problem: NshellError) -> None:
        """There is no answer."""

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        """The screen that a row leads to: all of the row, where there is no better one; None where nothing is."""
        return Record(self, grid, row)

    def choose(self) -> Board | None:
        """The screen that Enter leads to where there is no row."""
        return None

    @property
    def leads(self) -> bool:
        """Whether Enter does anything now."""
        grid = self.grid
        return grid.row is not None if grid is not None else type(self).choose is not Board.choose


class Tabular(Board):
    """One table over the whole screen."""

    LINE: ClassVar[str] = ""
    EVERY: ClassVar[float] = OFTEN
    WAITS: ClassVar[float] = 0.0
    TAIL: ClassVar[bool] = False

    def __init__(self, line: str = "", heading: str = "", keep: Callable[[Cells], bool] | None = None) -> None:
        super().__init__()
        self._line = line or self.LINE
        self._heading = heading or SCREENS[self.NAME].title
        self._keep = keep

    @property
    def heading(self) -> str:
        return self._heading

    @property
    def asks(self) -> Sequence[Ask]:
        return (Ask("table", self._line, self.EVERY, waits=self.WAITS),)

    @staticmethod
    def identity(row: Cells) -> object:
        """What tells a row from others."""
        return row[0]

    def compose(self) -> ComposeResult:
        yield Grid(self.identity, self._keep, tail=self.TAIL)

    async def take(self, name: str, model: Model) -> None:
        grid = self.query_one(Grid)
        if name != "table":
            return
        if isinstance(model, Table):
            await grid.fill(model)
        else:  # 'there is no PE router' is an answer, too
            grid.refuse("\n".join(render(model, Screen())))

    def refuse(self, name: str, problem: NshellError) -> None:
        if name == "table":
            self.query_one(Grid).refuse(said(problem))


class Beside(Tabular):
    """A table with columns of statistics behind its own: two commands, joined by the name in the first column of the
    second. Without the second (nothing is counted, or its user may not see it) it is the first alone. `COLUMNS` of both
    are seen, in this order, and the `SPARE` ones where there is room.
    """

    NUMBERS: ClassVar[str] = ""
    COLUMNS: ClassVar[Sequence[str]] = ()
    SPARE: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._numbers: Table | None = None
        self._base: Table | None = None

    @property
    def asks(self) -> Sequence[Ask]:
        return Ask("numbers", self.NUMBERS, self.EVERY), *super().asks

    async def take(self, name: str, model: Model) -> None:
        if not isinstance(model, Table):
            await super().take(name, model)
        elif name == "numbers":
            self._numbers = model
            if self._base is not None:
                await self._join(self._base)
        else:
            self._base = model
            await self._join(model)

    async def _join(self, base: Table) -> None:
        table = await spread(joined(base, self._numbers, self.identity, (*self.COLUMNS, *self.SPARE)))
        await self.query_one(Grid).fill(await spread(only(table, self.COLUMNS, self.SPARE)))


class Text(Board):
    """The result of any command, as it is shown at the prompt, kept up to date."""

    def __init__(self, line: str, heading: str, every: float = OFTEN) -> None:
        super().__init__()
        self._ask = Ask("text", line, every)
        self._heading = heading
        self._model: Model | None = None

    @property
    def heading(self) -> str:
        return self._heading

    @property
    def asks(self) -> Sequence[Ask]:
        return (self._ask,)

    def compose(self) -> ComposeResult:
        pages = Pages()
        pages.border_title = self._heading
        yield pages.add_class("panel")

    async def take(self, name: str, model: Model) -> None:
        self.query_one(Pages).put_model(model)

    def refuse(self, name: str, problem: NshellError) -> None:
        self.query_one(Pages).put([said(problem)])


class Record(Board):
    """All of one row, also what its table has no room for, kept up to date by the screen that it was chosen on."""

    def __init__(self, board: Board, grid: Grid, row: Cells) -> None:
        super().__init__()
        self._of, self._table, self._row = board, grid, row

    @property
    def heading(self) -> str:
        columns = self._table.table.columns if self._table.table is not None else ()
        texts = (cell_text(cell) for column, cell in zip(columns, self._row, strict=False) if not column.unseen)
        return next((text for text in texts if text != "-"), "row")

    @property
    def asks(self) -> Sequence[Ask]:
        return self._of.asks

    def compose(self) -> ComposeResult:
        pages = Pages()
        pages.border_title = (self._table.table.title if self._table.table is not None else "") or "Row"
        yield pages.add_class("panel")

    def on_mount(self) -> None:
        self._show()

    async def take(self, name: str, model: Model) -> None:
        await self._of.take(name, model)
        here = self._table.identify(self._row)
        rows = self._table.table.rows if self._table.table is not None else ()
        self._row = next((row for row in rows if self._table.identify(row) == here), self._row)
        self._show()

    def refuse(self, name: str, problem: NshellError) -> None:
        self._of.refuse(name, problem)

    def _show(self) -> None:
        """What is seen in the table first."""
        if self._table.table is None:
            return
        pairs = list(zip(self._table.table.columns, self._row, strict=True))
        pairs.sort(key=lambda pair: pair[0].unseen)
        facts = {column.title or column.key: cell for column, cell in pairs if not isinstance(cell, Trend)}
        self.query_one(Pages).put_model(Document({name: cell for name, cell in facts.items() if cell != {}}))


def said(problem: NshellError) -> str:
    """An error in a panel: what and why, then what to do."""
    where = f"{problem.where}: " if problem.where else ""
    return f"{where}{problem.cause}\n{problem.remedy}".rstrip()

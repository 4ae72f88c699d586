"""A table of a read-model that is looked through: cursor, filter, sort, and the row that Enter goes into.

Only rows that are seen become text, so 10,000 vports cost what a screenful does; filter and sort look at all of them a
few milliseconds at a time. The cursor stays on its row (`identity`) when rows come and go around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from data.steps import spread
from views.dashboard.arranging import Cells, arranged
from views.dashboard.canvas import Row
from views.dashboard.gridlines import AROUND, Drawing, Look
from views.dashboard.moving import Moving
from views.models import Cell, Moment, Table, Trend

if TYPE_CHECKING:
    from textual import events

__all__ = ["Grid"]


class Grid(Moving):
    """The rows of a Table. Posts `Chosen` for Enter or a second click."""

    class Chosen(Message):
        """Enter was pressed on a row."""

        def __init__(self, grid: Grid, row: Cells) -> None:
            super().__init__()
            self.grid = grid
            self.row = row

    class Moved(Message):
        """The cursor stands on another row, or there are others."""

        def __init__(self, grid: Grid) -> None:
            super().__init__()
            self.grid = grid

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", show=False),
        Binding("S", "turn", show=False),
    ]

    def __init__(
        self,
        identity: Callable[[Cells], Hashable] | None = None,
        keep: Callable[[Cells], bool] | None = None,
        *,
        tail: bool = False,
        id: str | None = None,
    ) -> None:
        """`identity` tells a row from others (its first cell by default), `keep` leaves out rows, with `tail` the
        cursor stays on the last row as long as it is there, as events want it.
        """
        super().__init__(id=id)
        self.table: Table | None = None
        self.shown: Sequence[Cells] = ()
        """The rows that are left by filter, in the order of sort."""
        self.words = ""
        """The filter."""
        self.sorting: tuple[str, bool] | None = None
        """Key of the column that is sorted by, and whether the largest comes first."""
        self.problem = ""
        """Why there is nothing to show."""
        self.tails: Collection[str] = ()
        """Keys of columns whose texts lose their beginning where there is no room: full names."""
        self._identity = identity or (lambda row: row[0])
        self._keep = keep
        self._tail = tail
        self._cursor = self._top = 0
        self._drawn = Drawing()
        self._turn = asyncio.Lock()

    # Facts --------------------------------------------------------------------------------------------------------

    async def fill(self, table: Table) -> None:
        """Show these rows from now on."""
        if self.table is not None and [c.key for c in self.table.columns] != [c.key for c in table.columns]:
            self._drawn.forget()
        self.table, self.problem = table, ""
        await self.rearrange()

    def refuse(self, problem: str) -> None:
        """Show why there are no rows."""
        self.table, self.shown, self.problem = None, (), problem
        self.repaint()

    async def rearrange(self) -> None:
        """Filter and sort anew, in slices."""
        async with self._turn:
            if self.table is None:
                return
            at_end = self._tail and self._cursor >= len(self.shown) - 1
            here = self._identity(self.shown[self._cursor]) if self._cursor < len(self.shown) else None
            self.shown = await spread(arranged(self.table, self.words, self._keep, self.sorting))
            self._stay(here, at_end)
        self.repaint()
        self.post_message(self.Moved(self))

    def _stay(self, here: Hashable, at_end: bool) -> None:
        """Keep the cursor on its row."""
        last = max(0, len(self.shown) - 1)
        if at_end:
            self._cursor = last
        elif here is not None and not (
            self._cursor <= last and self.shown and self._identity(self.shown[self._cursor]) == here
        ):
            found = next((at for at, row in enumerate(self.shown) if self._identity(row) == here), None)
            self._cursor = min(self._cursor, last) if found is None else found
        self._cursor = min(self._cursor, last)

    def identify(self, row: Cells) -> Hashable:
        """What tells this row from others."""
        return self._identity(row)

    @property
    def row(self) -> Cells | None:
        """The row under the cursor."""
        return self.shown[self._cursor] if self._cursor < len(self.shown) else None

    def cell(self, key: str) -> Cell:
        """A cell of the row under the cursor; None when there is none."""
        row = self.row
        return None if row is None else self.value(row, key)

    def value(self, row: Cells, key: str) -> Cell:
        """The cell of a row in the column of this key."""
        columns = self.table.columns if self.table is not None else ()
        return next((cell for column, cell in zip(columns, row, strict=True) if column.key == key), None)

    # Drawing ------------------------------------------------------------------------------------------------------

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self.table is None:
            return [((f"  {line}", "soon" if not at else "dim"),) for at, line in enumerate(self.problem.splitlines())]
        room = max(1, height - AROUND)
        self._top = min(max(0, min(self._top, self._cursor), self._cursor - room + 1), max(0, len(self.shown) - room))
        return self._drawn.rows(
            Look(
                self.table, self.shown, self._top, self._cursor, room, width, self.dashboard.unicode,
                self.dashboard.now(), self.has_focus, self.sorting, self.tails, self.words,
            )
        )  # fmt: skip

    # Keys and mouse -----------------------------------------------------------------------------------------------

    def _to(self, cursor: int) -> None:
        cursor = max(0, min(cursor, len(self.shown) - 1))
        if cursor != self._cursor:
            self._cursor = cursor
            self.repaint()
            self.post_message(self.Moved(self))

    @property
    def rows_seen(self) -> int:
        return self.size.height - AROUND

    def move(self, by: int) -> None:
        self._to(self._cursor + by)

    def to_edge(self, side: int) -> None:
        self._to(0 if side < 0 else len(self.shown) - 1)

    def action_choose(self) -> None:
        """Go into the row."""
        if self.row is not None:
            self.post_message(self.Chosen(self, self.row))

    def action_sort(self) -> None:
        """Sort by the next column; after the last one as `show` has it."""
        keys = [key for _, _, key in self._drawn.spots]
        if not keys:
            return
        at = keys.index(self.sorting[0]) + 1 if self.sorting is not None and self.sorting[0] in keys else 0
        self.sort_by(keys[at] if at < len(keys) else None)

    def action_turn(self) -> None:
        """Sort the other way round."""
        if self.sorting is not None:
            self.sort_by(self.sorting[0], not self.sorting[1])

    def sort_by(self, key: str | None, down: bool | None = None) -> None:
        """Sort by a column: numbers the largest first unless `down` says otherwise."""
        if key is None:
            self.sorting = None
        else:
            first = next((self.value(row, key) for row in self.shown if self.value(row, key) is not None), None)
            largest = isinstance(first, (int, float, Trend)) and not isinstance(first, Moment)
            self.sorting = (key, largest if down is None else down)
        self._rearrange_soon()

    def _rearrange_soon(self) -> None:
        self.run_worker(self.rearrange, group="arrange", exclusive=True)  # type: ignore[arg-type]

    def filter(self, words: str) -> None:
        """Leave only rows in which all of these words stand."""
        self.words = words
        self._rearrange_soon()

    def on_resize(self, event: events.Resize) -> None:
        self._drawn.forget()
        super().on_resize(event)

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """A header sorts, a row is chosen, once more goes into it."""
        place = event.get_content_offset(self)
        if place is None or self.table is None:
            return
        if place.y == 0:
            key = next((key for left, right, key in self._drawn.spots if left <= place.x < right), None)
            if key is not None:
                turned = self.sorting is not None and self.sorting[0] == key
                self.sort_by(key, not self.sorting[1] if turned and self.sorting is not None else None)
            return
        number = self._top + place.y - 1
        if not 0 < place.y < self.size.height - 1 or number >= len(self.shown):
            return
        if number == self._cursor:
            self.action_choose()
        self._to(number)

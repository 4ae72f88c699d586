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
from views.dashboard.arranging import TREND, Cells, arranged
from views.dashboard.canvas import Row, Span, tail, width_of
from views.dashboard.moving import Moving
from views.dashboard.palette import role_of
from views.models import Cell, Clock, Moment, Table, Trend
from views.moment import clock
from views.render import harmless
from views.table import STATES, cell_text, cut, fewer, fit

if TYPE_CHECKING:
    from textual import events

__all__ = ["Grid"]

GAP = 2
"""Blanks between two columns."""
EDGE = 2
"""Cells at the left, for the mark of the cursor."""


ROOMY = 100
"""Cells from which on times have their date."""
DATE = 10
"""Characters of a date."""
GRAVE = {"critical": "bad", "error": "bad", "warning": "soon"}
"""Severities of events that have a colour."""


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
        self._widths: dict[str, int] = {}
        self._spots: list[tuple[int, int, str]] = []
        self._turn = asyncio.Lock()

    # Facts --------------------------------------------------------------------------------------------------------

    async def fill(self, table: Table) -> None:
        """Show these rows from now on."""
        if self.table is not None and [c.key for c in self.table.columns] != [c.key for c in table.columns]:
            self._widths.clear()
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
        room = max(1, height - 2)
        self._top = min(max(0, min(self._top, self._cursor), self._cursor - room + 1), max(0, len(self.shown) - room))
        visible = self.shown[self._top : self._top + room]
        unicode = self.dashboard.unicode
        hidden = [column.unseen and column.key != "severity" for column in self.table.columns]
        texts = [
            ["" if unseen else harmless(self._text(cell, unicode)) for unseen, cell in zip(hidden, row, strict=True)]
            for row in visible
        ]
        widths, kept = self._layout(texts, width - EDGE)
        rows: list[Row] = [self._head(widths, kept)]
        for number, cells in enumerate(texts, self._top):
            rows.append(self._line(cells, widths, kept, number == self._cursor, unicode))
        rows += [()] * (room - len(visible))
        rows.append(self._foot(width))
        return rows

    def _text(self, cell: Cell, unicode: bool) -> str:
        """A cell; where there is little room, of today the time alone, of other days without year and seconds."""
        text = cell_text(cell, unicode)
        if self.size.width < ROOMY and isinstance(cell, Clock):
            return text[DATE + 1 :] if text[:DATE] == clock(self.dashboard.now())[:DATE] else text[5:-3]
        return text

    def _layout(self, texts: list[list[str]], width: int) -> tuple[list[int], list[int]]:
        """Widths of all columns and which are seen. A width once needed stays, so that columns do not dance."""
        assert self.table is not None
        for at, column in enumerate(self.table.columns):
            needed = max([len(column.title) + 1, *(len(row[at]) for row in texts)])
            self._widths[column.key] = max(self._widths.get(column.key, 0), needed)
        seen = [at for at, column in enumerate(self.table.columns) if not column.unseen]
        columns = [self.table.columns[at] for at in seen]
        needs = [self._widths[column.key] for column in columns]
        kept = fewer(columns, needs, [[row[at] for at in seen] for row in texts], width)
        fitting = fit([needs[at] for at in kept], [columns[at] for at in kept], width)
        widths = [0] * len(self.table.columns)
        for at, fits in zip(kept, fitting, strict=True):
            widths[seen[at]] = fits
        return widths, [seen[at] for at in kept]

    def _head(self, widths: list[int], kept: list[int]) -> Row:
        assert self.table is not None
        spans: list[Span] = [(" " * EDGE, "")]
        self._spots, x = [], EDGE
        for at in kept:
            column = self.table.columns[at]
            mark = ""
            if self.sorting is not None and self.sorting[0] == column.key:
                mark = ("▼" if self.dashboard.unicode else "v") if self.sorting[1] else self._up
            text = cut(column.title + mark, widths[at], "")
            text = text.rjust(widths[at]) if column.align == "right" else text.ljust(widths[at])
            spans += [(text, "head"), (" " * GAP, "")]
            self._spots.append((x, x + widths[at] + GAP, column.key))
            x += widths[at] + GAP
        return tuple(spans)

    @property
    def _up(self) -> str:
        return "▲" if self.dashboard.unicode else "^"

    def _line(self, cells: list[str], widths: list[int], kept: list[int], here: bool, unicode: bool) -> Row:
        assert self.table is not None
        lit = here and self.has_focus
        base = "cursor" if lit else ""
        mark = ("▸ " if unicode else "> ") if here else "  "
        spans: list[Span] = [(mark, base)]
        ellipsis = "…" if unicode else "~"
        for at in kept:
            column = self.table.columns[at]
            if column.key == TREND:
                text = cells[at][-widths[at] :]
            elif column.key in self.tails:
                text = tail(cells[at], widths[at], ellipsis)
            else:
                text = cut(cells[at], widths[at], ellipsis)
            text = text.rjust(widths[at]) if column.align == "right" else text.ljust(widths[at])
            role = base
            if column.key in STATES:
                role = f"{base} {role_of(cells[at])}".strip()
            elif column.key == "text" and (grave := self._gravity(cells)):
                role = f"{base} {grave}".strip()
            elif column.key == TREND:
                role = f"{base} graph".strip()
            spans += [(text, role), (" " * GAP, base)]
        spans.append((" " * max(0, self.size.width - width_of(tuple(spans))), base))
        return tuple(spans)

    def _gravity(self, cells: list[str]) -> str:
        """The role of a row that has a severity."""
        assert self.table is not None
        at = next((at for at, column in enumerate(self.table.columns) if column.key == "severity"), None)
        return "" if at is None else GRAVE.get(cells[at], "")

    def _foot(self, width: int) -> Row:
        """The count, as `show` prints it, and which part is seen."""
        assert self.table is not None
        text = self.table.summary
        if len(self.shown) != len(self.table.rows):
            text = f"{len(self.shown)} of {len(self.table.rows)} {self.table.counted}"
            text += f"   filter: {self.words}" if self.words else ""
        room = max(1, self.size.height - 2)
        place = ""
        if len(self.shown) > room:
            place = f"{self._top + 1}-{min(len(self.shown), self._top + room)} of {len(self.shown)}"
        ellipsis = "…" if self.dashboard.unicode else "~"
        room = max(8, width - len(place) - 3)
        text = cut(text if len(text) <= room else text.removeprefix("No. of "), room, ellipsis)
        return ((f"  {text.ljust(width - len(place) - 3)}{place}", "dim"),)

    # Keys and mouse -----------------------------------------------------------------------------------------------

    def _to(self, cursor: int) -> None:
        cursor = max(0, min(cursor, len(self.shown) - 1))
        if cursor != self._cursor:
            self._cursor = cursor
            self.repaint()
            self.post_message(self.Moved(self))

    @property
    def rows_seen(self) -> int:
        return self.size.height - 2

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
        keys = [key for _, _, key in self._spots]
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
        self._widths.clear()
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
            key = next((key for left, right, key in self._spots if left <= place.x < right), None)
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

"""The rows of a table as lines: widths, what a narrow panel leaves out, colours of states, the count below.

Pure but for what it keeps from one drawing to the next: widths that were once needed, so that columns do not dance,
and where each title stands, for clicks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from views.dashboard.arranging import TREND, Cells
from views.dashboard.canvas import Row, Span, tail, width_of
from views.dashboard.palette import role_of
from views.models import Cell, Clock, Column, Table
from views.moment import clock
from views.render import harmless
from views.table import STATES, cell_text, cut, fewer, fit

__all__ = ["AROUND", "Drawing", "Look"]

GAP = 2
"""Blanks between two columns."""
EDGE = 2
"""Cells at the left, for the mark of the cursor."""
AROUND = 2
"""Lines around the rows: titles above, the count below."""
ROOMY = 100
"""Cells from which on times have their date."""
DATE = 10
"""Characters of a date."""
DRAWN = (TREND, "share")
"""Keys of columns that are drawings."""
GRAVE = {"critical": "bad", "error": "bad", "warning": "soon"}
"""Severities of events that have a colour."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be drawn: `shown` are the rows that filter and sort left, of which `room` are seen from `top` on;
    `lit` says that the keys are this table's; `now` is seconds since the epoch.
    """

    table: Table
    shown: Sequence[Cells]
    top: int
    cursor: int
    room: int
    width: int
    unicode: bool
    now: float
    lit: bool
    sorting: tuple[str, bool] | None
    tails: Collection[str]
    words: str

    @property
    def ellipsis(self) -> str:
        """The mark where a text was cut."""
        return "…" if self.unicode else "~"

    def text(self, cell: Cell) -> str:
        """A cell; where there is little room, of today the time alone, of other days without year and seconds."""
        text = cell_text(cell, self.unicode)
        if self.width < ROOMY and isinstance(cell, Clock):
            return text[DATE + 1 :] if text[:DATE] == clock(self.now)[:DATE] else text[5:-3]
        return text


class Drawing:
    """Draws a table again and again. `spots` are the titles of the last time: first cell, the one behind, key."""

    def __init__(self) -> None:
        self.spots: list[tuple[int, int, str]] = []
        self._widths: dict[str, int] = {}

    def forget(self) -> None:
        """Other columns, or another size: widths begin anew."""
        self._widths.clear()

    def rows(self, look: Look) -> list[Row]:
        """Titles, the rows that are seen, blank ones below them, and the count."""
        columns = look.table.columns
        hidden = [column.unseen and column.key != "severity" for column in columns]
        visible = look.shown[look.top : look.top + look.room]
        texts = [
            ["" if unseen else harmless(look.text(cell)) for unseen, cell in zip(hidden, row, strict=True)]
            for row in visible
        ]
        widths = self._layout(columns, texts, look.width - EDGE)
        rows: list[Row] = [self._head(look, widths)]
        rows += [_line(look, cells, widths, number == look.cursor) for number, cells in enumerate(texts, look.top)]
        rows += [()] * (look.room - len(visible))
        return [*rows, _foot(look)]

    def _layout(self, columns: Sequence[Column], texts: Sequence[Sequence[str]], width: int) -> dict[int, int]:
        """Which columns are seen, by their place in the table, and how wide. A width once needed stays."""
        for at, column in enumerate(columns):
            needed = max([len(column.title) + 1, *(len(row[at]) for row in texts)])
            self._widths[column.key] = max(self._widths.get(column.key, 0), needed)
        seen = [at for at, column in enumerate(columns) if not column.unseen]
        needs = [self._widths[columns[at].key] for at in seen]
        kept = fewer([columns[at] for at in seen], needs, [[row[at] for at in seen] for row in texts], width)
        fitting = fit([needs[at] for at in kept], [columns[seen[at]] for at in kept], width)
        return {seen[at]: fits for at, fits in zip(kept, fitting, strict=True)}

    def _head(self, look: Look, widths: dict[int, int]) -> Row:
        spans: list[Span] = [(" " * EDGE, "")]
        self.spots, x = [], EDGE
        for at, width in widths.items():
            column = look.table.columns[at]
            mark = ""
            if look.sorting is not None and look.sorting[0] == column.key:
                mark = ("▲▼" if look.unicode else "^v")[look.sorting[1]]
            spans += [(_placed(cut(column.title + mark, width, ""), width, column), "head"), (" " * GAP, "")]
            self.spots.append((x, x + width + GAP, column.key))
            x += width + GAP
        return tuple(spans)


def _placed(text: str, width: int, column: Column) -> str:
    return text.rjust(width) if column.align == "right" else text.ljust(width)


def _line(look: Look, cells: Sequence[str], widths: dict[int, int], here: bool) -> Row:
    base = "cursor" if here and look.lit else ""
    mark = ("▸ " if look.unicode else "> ") if here else "  "
    spans: list[Span] = [(mark, base)]
    for at, width in widths.items():
        column = look.table.columns[at]
        if column.key == TREND:
            text = cells[at][-width:]
        elif column.key in look.tails:
            text = tail(cells[at], width, look.ellipsis)
        else:
            text = cut(cells[at], width, look.ellipsis)
        role = f"{base} {_role(look.table, cells, at)}".strip()
        spans += [(_placed(text, width, column), role), (" " * GAP, base)]
    spans.append((" " * max(0, look.width - width_of(tuple(spans))), base))
    return tuple(spans)


def _role(table: Table, cells: Sequence[str], at: int) -> str:
    """The colour of a cell: of a state its own, of an event's text that of its severity."""
    key = table.columns[at].key
    if key in STATES:
        return role_of(cells[at])
    if key == "text":
        severity = next((other for other, column in enumerate(table.columns) if column.key == "severity"), None)
        return "" if severity is None else GRAVE.get(cells[severity], "")
    return "graph" if key in DRAWN else ""


def _foot(look: Look) -> Row:
    """The count, as `show` prints it, and which part is seen."""
    text = look.table.summary
    if len(look.shown) != len(look.table.rows):
        text = f"{len(look.shown)} of {len(look.table.rows)} {look.table.counted}"
        text += f"   filter: {look.words}" if look.words else ""
    place = ""
    if len(look.shown) > look.room:
        place = f"{look.top + 1}-{min(len(look.shown), look.top + look.room)} of {len(look.shown)}"
    room = max(8, look.width - len(place) - 3)
    text = cut(text if len(text) <= room else text.removeprefix("No. of "), room, look.ellipsis)
    return ((f"  {text.ljust(look.width - len(place) - 3)}{place}", "dim"),)

"""Text drawn in rows of coloured spans: what every panel and table of a dashboard is made of.

    paint() ──> rows ──> what differs from the rows before ──> refresh(those cells) ──> Textual sends them, nothing else

A widget of Textual's own that is updated lays out and sends all of itself; of a table with 50 rows in which two rates
changed, a Canvas sends two cells. Rows are drawn when they are seen: 10,000 vports cost what 50 do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from views.color import PLAIN
from views.dashboard.palette import role_of_mark, style_of
from views.render import harmless

if TYPE_CHECKING:
    from textual import events

    from views.dashboard.app import Dashboard

__all__ = ["Canvas", "Row", "Span", "broken", "row_of", "shifted", "tail", "text_of", "width_of"]

Span: TypeAlias = "tuple[str, str]"
"""A text and its role (palette.py)."""
Row: TypeAlias = "tuple[Span, ...]"
LABEL = re.compile(r" *\S+(?: \S+)*  +")
"""A name with blanks behind it."""


def width_of(row: Row) -> int:
    """Cells of a row."""
    return sum(cell_len(text) for text, _ in row)


def row_of(line: str) -> Row:
    """A line of a renderer of views/, with marks where it is coloured, as a row."""
    spans: list[Span] = []
    start = 0
    name = ""
    line = line.expandtabs(4)
    for at, character in enumerate(line):
        if ord(character) in PLAIN:
            if at > start:
                spans.append((harmless(line[start:at]), name))
            name, start = role_of_mark(character), at + 1
    if start < len(line):
        spans.append((harmless(line[start:]), name))
    return tuple(spans)


def text_of(row: Row) -> str:
    """A row without its colours."""
    return "".join(text for text, _ in row)


def tail(text: str, width: int, ellipsis: str) -> str:
    """The end of a text in at most `width` characters: what tells full names from one another."""
    if len(text) <= width:
        return text
    return ellipsis + text[len(text) - width + 1 :] if width > 1 else ellipsis[:width]


def shifted(row: Row, by: int, until: int | None = None) -> Row:
    """The row from character `by` on, up to character `until`."""
    spans: list[Span] = []
    at = 0
    for text, role in row:
        part = text[max(0, by - at) : None if until is None else max(0, until - at)]
        if part:
            spans.append((part, role))
        at += len(text)
    return tuple(spans)


def broken(row: Row, width: int) -> list[Row]:
    """A row as rows of at most `width` cells: broken between words, and below the value where a label stands before it.
    A rule of - or = is only as long as there is room.
    """
    text = text_of(row)
    if width <= 0 or width_of(row) <= width:
        return [row]
    if len(text) > 1 and not text.strip("=-"):
        return [shifted(row, 0, width)]
    found = LABEL.match(text)
    indent = found.end() if found is not None and found.end() <= width * 2 // 3 else min(2, width // 4)
    rows: list[Row] = []
    start, room = 0, width
    while width_of(shifted(row, start)) > room:
        taken = room
        while taken > 1 and cell_len(text[start : start + taken]) > room:
            taken -= 1
        space = text.rfind(" ", start + 1 + (0 if rows else indent), start + taken + 1)
        end = space if space > start else start + taken
        rows.append((*(((" " * indent, ""),) if rows else ()), *shifted(row, start, end)))
        start = end + (len(text[end:]) - len(text[end:].lstrip(" ")))
        room = max(1, width - indent)
    if start < len(text):
        rows.append(((" " * indent, ""), *shifted(row, start)))
    return rows


class Canvas(Widget):
    """Draws what `paint` gives for its size. `repaint` after something changed."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"

    def __init__(self, **naming: str | None) -> None:
        super().__init__(**naming)  # type: ignore[arg-type]
        self._rows: Sequence[Row] = ()

    @property
    def dashboard(self) -> Dashboard:
        """The app, by its own type."""
        return cast("Dashboard", self.app)

    def paint(self, width: int, height: int) -> Sequence[Row]:
        """The rows for a size in cells; what is more than fits is not seen."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Draw what changed. Costs nothing while it is not on screen."""
        if not self.size.width or not self.is_attached:
            return
        before = self._rows
        self._rows = after = self.paint(self.size.width, self.size.height)
        changed = [
            region
            for y in range(min(self.size.height, max(len(before), len(after))))
            if (region := _difference(_at(before, y), _at(after, y), y, self.size.width)) is not None
        ]
        if changed:
            self.refresh(*changed)

    def on_resize(self, event: events.Resize) -> None:
        self._rows = self.paint(self.size.width, self.size.height)
        self.refresh()

    def notify_style_update(self) -> None:
        """The theme changed: all of it looks different."""
        super().notify_style_update()
        if self.is_attached and self.size.width:
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._rows))

    def render_line(self, y: int) -> Strip:
        """Row `y` as Textual wants it."""
        width, theme = self.size.width, self.dashboard.theme
        row = _at(self._rows, y)
        if not self.dashboard.unicode:
            row = tuple((text.encode("ascii", "replace").decode(), role) for text, role in row)
        strip = Strip([Segment(text, style_of(theme, role)) for text, role in row if text])
        return strip.adjust_cell_length(width)


def _at(rows: Sequence[Row], y: int) -> Row:
    return rows[y] if y < len(rows) else ()


def _difference(before: Row, after: Row, y: int, width: int) -> Region | None:
    """The cells of one row that changed."""
    if before == after:
        return None
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    left = width_of(after[:same])
    right = width
    if len(before) == len(after):
        behind = len(after)
        while behind > same and before[behind - 1] == after[behind - 1]:
            behind -= 1
        if width_of(before[same:behind]) == width_of(after[same:behind]):
            right = min(width, left + width_of(after[same:behind]))
    return Region(left, y, right - left, 1) if right > left else None

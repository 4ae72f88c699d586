"""A graph drawn with characters: axes with units, braille dots for lines, gaps where nothing is known.

    Throughput of vport acme/prod/web-1                                 last hour
    Mbit/s   ── sends  last 61.2  max 96.0   ─●─ gets  last 1.9  max 2.4
      100 ┤            ⣀⡠⠤⠒⠒⠢⣀
          │          ⢠⠊       ⠉⠒⠤⠤⠤⠤
       50 ┤         ⢠⠃
          │  ⣀⣀⣀⣀⣀⡠⠃
        0 ┼●───────┬────●──────────●─┬────────────
                 14:00             14:15

A character holds 2 x 4 dots. Where several lines are, each but the first has its own mark, so that they are told apart
without colour too; without Unicode each line has a character of its own. Pure: a graph and a size in, lines out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from views.axes import Scale, highest, scale, times
from views.color import LINES, Style, marked
from views.graph import Graph, Line
from views.table import cut

__all__ = ["plot", "render_graph"]

WIDTH, HEIGHT = 80, 20
"""Characters of a graph whose screen has no limit."""
NARROWEST, LOWEST = 30, 8
"""Smaller than this it is drawn as if it were so large."""
TALLEST = 30
"""Lines that a graph takes of a tall terminal."""
LABEL = 10
"""Characters that a tick of time needs with the blanks around it."""
MARKS = ("", "●", "◆", "▲", "■", "○")
ASCII = ("*", "o", "+", "x", "#", "@")
APART = 10
"""Characters between two marks of a line."""
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the braille patterns of Unicode (U+2800), row by row."""
NOTHING = "nothing is known of this time"


def render_graph(graph: Graph, columns: int, rows: int, unicode: bool, color: bool) -> list[str]:
    """The graph for a screen of this size (0: no limit); it leaves room for a prompt."""
    height = min(TALLEST, rows - 2) if rows else HEIGHT
    return plot(graph, columns or WIDTH, height, unicode, color)


def plot(graph: Graph, width: int, height: int, unicode: bool = True, color: bool = False) -> list[str]:
    """The graph as `height` lines of at most `width` characters. `color`: with the marks of views/color.py."""
    width, height = max(width, NARROWEST), max(height, LOWEST)
    rows = height - 4  # title, legend, axis, times
    axis = scale(max((highest(line.values) for line in graph.lines), default=0.0), graph.unit, max(1, rows // 2))
    left = max(len(label) for label in axis.labels) + 1
    canvas = _Canvas(width - left - 2, rows, unicode)
    for number, line in enumerate(graph.lines):
        canvas.draw(number, line.values, axis.top)
    if not any(value is not None for line in graph.lines for value in line.values):
        canvas.write(NOTHING)
    return [
        _title(graph, width, color),
        *_legend(graph, axis, width, unicode, color),
        *_body(canvas, axis, left, unicode, color),
        *_times(graph, canvas.columns, left, unicode),
    ]


def _title(graph: Graph, width: int, color: bool) -> str:
    title = cut(graph.title, width, "…")
    room = width - len(title)
    note = graph.note.rjust(room) if graph.note and len(graph.note) + 2 <= room else ""
    return (marked(title, Style.TITLE) if color else title) + note


def _mark(number: int, unicode: bool) -> str:
    marks = MARKS if unicode else ASCII
    return marks[number % len(marks)]


def _legend(graph: Graph, axis: Scale, width: int, unicode: bool, color: bool) -> list[str]:
    """Unit, lines with their marks, and as many of their last and largest values as there is room for."""
    for detail in (2, 1, 0):
        parts = [axis.unit]
        plain = len(axis.unit)
        for number, line in enumerate(graph.lines):
            mark = _mark(number, unicode)
            sign = f"─{mark or '─'}{'─' if mark else ''}" if unicode else f"-{mark}-"
            text = "  ".join([f"{sign} {line.label}", *_values(line, axis, detail)])
            plain += 3 + len(text)
            parts.append(text.replace(sign, marked(sign, LINES[number % len(LINES)]), 1) if color else text)
        if plain <= width:
            return ["   ".join(parts)]
    return [cut("   ".join([axis.unit, *(line.label for line in graph.lines)]), width, "…" if unicode else "~")]


def _values(line: Line, axis: Scale, detail: int) -> list[str]:
    """The last value and the largest, in the unit of the axis."""
    known = [value for value in line.values if value is not None]
    if not known or not detail:
        return []
    return [f"last {axis.text(known[-1])}", f"max {axis.text(max(known))}"][:detail]


@dataclass(frozen=True, slots=True)
class _Cell:
    """What stands in a character: its text, and of which line it is (-1: of none)."""

    text: str = " "
    line: int = -1


class _Canvas:
    """Characters from the top left on."""

    def __init__(self, columns: int, rows: int, unicode: bool) -> None:
        self.columns, self.rows, self._unicode = columns, rows, unicode
        self.across, self.down = (2, 4) if unicode else (1, 1)
        self._dots = [[0] * columns for _ in range(rows)]
        self.cells = [[_Cell()] * columns for _ in range(rows)]

    def draw(self, number: int, values: Sequence[float | None], top: float) -> None:
        """One line: each known value joined to the one after it, if that is known too."""
        points = self._points(values, top)
        before: tuple[int, int] | None = None
        for point in points:
            if point is not None:
                self._join(number, before if before is not None else point, point)
            before = point
        mark = MARKS[number % len(MARKS)]
        if self._unicode and mark:
            self._marks(number, mark, points)

    def write(self, text: str) -> None:
        """A text in the middle."""
        start = max(0, (self.columns - len(text)) // 2)
        for at, character in enumerate(text[: self.columns]):
            self.cells[self.rows // 2][start + at] = _Cell(character)

    def _points(self, values: Sequence[float | None], top: float) -> list[tuple[int, int] | None]:
        """Dots from the left and from the top, one for each value; where there are more values than dots, the mean of
        those that share one.
        """
        width, height = self.columns * self.across, self.rows * self.down
        count = min(len(values), width)
        points: list[tuple[int, int] | None] = []
        for at in range(count):
            some = values[at * len(values) // count : max((at + 1) * len(values) // count, 1)]
            known = [value for value in some if value is not None]
            if not known:
                points.append(None)
                continue
            level = min(1.0, max(0.0, sum(known) / len(known) / top))
            x = min(width - 1, int((at + 0.5) * width / count))
            points.append((x, round((1 - level) * (height - 1))))
        return points

    def _join(self, number: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        (x, y), (last, target) = start, end
        steps = max(1, last - x)
        before = y
        for at in range(steps + 1):
            row = round(y + (target - y) * at / steps)
            for between in range(min(before, row), max(before, row) + 1):
                self._dot(number, min(x + at, last), between)
            before = row

    def _dot(self, number: int, x: int, y: int) -> None:
        column, row = x // self.across, y // self.down
        if not self._unicode:
            self.cells[row][column] = _Cell(ASCII[number % len(ASCII)], number)
            return
        self._dots[row][column] |= DOTS[y % 4][x % 2]
        self.cells[row][column] = _Cell(chr(0x2800 + self._dots[row][column]), number)

    def _marks(self, number: int, mark: str, points: Sequence[tuple[int, int] | None]) -> None:
        next_at = (number * APART // 3) % APART
        for point in points:
            if point is not None and point[0] // self.across >= next_at:
                column = point[0] // self.across
                self.cells[point[1] // self.down][column] = _Cell(mark, number)
                next_at = column + APART


def _body(canvas: _Canvas, axis: Scale, left: int, unicode: bool, color: bool) -> list[str]:
    tick, wall = ("┤", "│") if unicode else ("+", "|")
    at_row = {
        round((1 - value / axis.top) * (canvas.rows * canvas.down - 1)) // canvas.down: label
        for value, label in zip(axis.ticks, axis.labels, strict=True)
    }
    lines = []
    for number, cells in enumerate(canvas.cells):
        label = at_row.get(number, "")
        text, at = "", 0
        while at < len(cells):
            line = cells[at].line
            end = next((i for i in range(at, len(cells)) if cells[i].line != line), len(cells))
            run = "".join(cell.text for cell in cells[at:end])
            text += marked(run, LINES[line % len(LINES)]) if color and line >= 0 else run
            at = end
        lines.append(f"{label:>{left}} {tick if label else wall}{text}".rstrip())
    return lines


def _times(graph: Graph, columns: int, left: int, unicode: bool) -> list[str]:
    """The axis of time, and what is written below it."""
    length = graph.step * (max((len(line.values) for line in graph.lines), default=0) or 1)
    corner, rule, tick = ("└", "─", "┬") if unicode else ("+", "-", "+")
    margin = left + 2
    axis, below = [rule] * columns, [" "] * (margin + columns)
    free = 0
    for moment, text in times(graph.since, graph.since + length, columns // LABEL):
        at = min(columns - 1, int((moment - graph.since) / length * columns))
        axis[at] = tick
        start = min(max(0, margin + at - len(text) // 2), margin + columns - len(text))
        if start >= free:
            below[start : start + len(text)] = text
            free = start + len(text) + 1
    return [f"{' ' * left} {corner}{''.join(axis)}", "".join(below).rstrip()]

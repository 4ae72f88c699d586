"""Lines of text that are scrolled: any result of a command, with its colours, as the prompt shows it.

What is too long for the panel goes on in further lines; tables, whose columns are cut there, are seen whole and
sideways with the right key. The border says which lines are seen, and the title of a result is not said twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from views.dashboard.canvas import Row, broken, row_of, shifted, text_of
from views.dashboard.moving import Moving
from views.graph import Graph
from views.models import Document, Model, Several, Table
from views.render import Screen, render

__all__ = ["Pages"]

LIMIT = 20_000
"""Lines that are kept; of more the first ones go."""
SIDE = 8
"""Cells that one key goes sideways."""
FRAME = 3
"""Lines of a table's title, with its rules."""
SPARED = 3
"""Lines that a graph leaves free at the prompt, and its title, which is the panel's."""


class Pages(Moving):
    """Text, and which part of it is seen. A model is rendered anew for each width."""

    class Chosen(Message):
        """Enter was pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "side(-1)", show=False),
        Binding("right,l", "side(1)", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[str] = []
        self._model: Model | None = None
        self._top = 0
        self._left: int | None = None
        """Cells that are hidden at the left; None: lines are as wide as the panel."""
        self._folded: list[Row] = []
        self._fitted: tuple[object, ...] = ()

    def put(self, lines: Sequence[str]) -> None:
        """Show these lines; the place in them stays."""
        self._model, self._fitted = None, ()
        self.lines = [part for line in lines[-LIMIT:] for part in line.split("\n")]
        self.repaint()

    def put_model(self, model: Model) -> None:
        """Show a result."""
        self._model, self._fitted = model, ()
        self.repaint()

    def add(self, text: str) -> None:
        """More text at the end, which is seen then."""
        self._model, self._fitted = None, ()
        self.lines = [*self.lines, *text.removesuffix("\n").split("\n")][-LIMIT:]
        self._top = LIMIT
        self.repaint()

    def clear(self) -> None:
        """Nothing."""
        self._model, self._fitted, self.lines, self._top, self._left = None, (), [], 0, None
        self.repaint()

    def rows(self, width: int, height: int) -> Iterable[Row]:
        """All lines, before those that are too long go on below."""
        if self._model is not None:
            wide = width if self._left is None else 0
            self.lines = [part for line in self._rendered(wide, height) for part in line.split("\n")]
        return map(row_of, self.lines)

    def _rendered(self, width: int, height: int) -> list[str]:
        """The result without the title that the panel has."""
        model, screen = self._model, Screen(width, height, self.dashboard.unicode, True)
        assert model is not None
        if not self.border_title:
            return render(model, screen)
        if not isinstance(model, Several) or not model.parts:
            return self._untitled(model, screen)
        first, *others = model.parts.values()
        lines = self._untitled(first, screen)
        for part in others:
            lines += ["", *render(part, screen)]
        return lines

    def _untitled(self, model: Model, screen: Screen) -> list[str]:
        if isinstance(model, Graph):
            return render(model, replace(screen, columns=self.size.width, rows=screen.rows + SPARED))[1:]
        if isinstance(model, Document):
            return render(replace(model, title=""), screen)
        lines = render(model, screen)
        if isinstance(model, Table):
            return [*([model.note] if model.note else []), *lines[FRAME:]]
        return lines

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self._fitted != (width, height, self._left):
            self._fitted = width, height, self._left
            rows = self.rows(width, height)
            self._folded = [part for row in rows for part in broken(row, width)] if self._left is None else list(rows)
        self._top = max(0, min(self._top, len(self._folded) - height))
        seen = self._folded[self._top : self._top + height]
        self._say_place(len(seen))
        return seen if self._left is None else [shifted(row, self._left) for row in seen]

    def _say_place(self, seen: int) -> None:
        """Which lines, in the border, when there are others; of a graph which time."""
        place = f"{self._top + 1}-{self._top + seen} of {len(self._folded)}" if seen < len(self._folded) else ""
        if self._left is not None or self._cut:
            place = f"{place}   {'← →' if self.dashboard.unicode else '<- ->'}".strip()
        if not place and isinstance(self._model, Graph):
            place = self._model.note
        if self.has_class("panel") and (self.border_subtitle or "") != place:
            self.border_subtitle = place

    @property
    def _cut(self) -> bool:
        """Whether there is a table of which a cell is cut."""
        tables = self._model.parts.values() if isinstance(self._model, Several) else (self._model,)
        mark = "…" if self.dashboard.unicode else "~"
        return any(isinstance(one, Table) for one in tables) and any(mark in text_of(row) for row in self._folded)

    def _to(self, top: int) -> None:
        self._top = top
        self.repaint()

    @property
    def rows_seen(self) -> int:
        return self.size.height

    def move(self, by: int) -> None:
        self._to(max(0, self._top + by))

    def to_edge(self, side: int) -> None:
        self._to(0 if side < 0 else len(self._folded))

    def action_side(self, by: int) -> None:
        """To the right: first all columns whole, then what is beyond the edge. And back, until it fits again."""
        if by > 0 and (self._left is not None or self._cut):
            self._left = 0 if self._left is None else self._left + SIDE
            widest = max((len(text_of(row)) for row in self._folded), default=0)
            self._left = max(0, min(self._left, max(self._left and widest - SIDE, 0)))
        elif by < 0 and self._left is not None:
            self._left = max(0, self._left - SIDE) if self._left else None
        self.repaint()

    def action_choose(self) -> None:
        """Go on to what the screen leads to."""
        self.post_message(self.Chosen())

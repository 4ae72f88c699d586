"""What a terminal shows that is too small for a dashboard: that it is, and how large it must be.

It covers everything and takes the keys but those of screens and of leaving, so that nothing is chosen or typed that
nobody sees; what had them has them again as soon as there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual.geometry import Size
from textual.widget import Widget

from views.dashboard.canvas import Canvas, Row

__all__ = ["TooSmall"]

COLUMNS, ROWS = 60, 15
"""What a dashboard needs at least: a table of an address, a state and a rate, and a few rows of two panels."""


class TooSmall(Canvas):
    """Over everything while there is no room."""

    DEFAULT_CSS = """
    TooSmall { layer: over; dock: top; width: 1fr; height: 1fr; background: $background; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._had: Widget | None = None
        self._size = Size(0, 0)

    def judge(self, size: Size) -> None:
        """The terminal has this size now."""
        self._size, small = size, size.width < COLUMNS or size.height < ROWS
        if small:
            self._had = self._had if self.display else self.screen.focused
            self.display = True
            self.screen.set_focus(None)
        elif self.display:
            self.display = False
            had = self._had
            if had is not None and all(one.display for one in had.ancestors_with_self if isinstance(one, Widget)):
                self.screen.set_focus(had)
            else:
                self.dashboard.focus_board()
        self.repaint()

    def paint(self, width: int, height: int) -> Sequence[Row]:
        lines = (
            (f"This terminal is too small: {self._size.width} x {self._size.height}.", "soon"),
            (f"A dashboard needs {COLUMNS} x {ROWS}.", ""),
            ("Make it larger, or press q to leave.", "dim"),
        )
        return [((part, role),) for text, role in lines for part in wrap(text, max(1, width))]

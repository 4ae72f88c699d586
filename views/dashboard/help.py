"""`?` in a dashboard: every key, and what each screen is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from views.dashboard.canvas import Canvas, Row
from views.dashboard.catalogue import SCREENS

if TYPE_CHECKING:
    from textual import events

__all__ = ["Help"]

KEYS = (
    ("1 ... 9", "a screen"),
    ("enter, click twice", "into what the row is about"),
    ("esc", "back; closes filter, command line and help"),
    ("arrows, page up/down, home, end", "through the rows"),
    ("tab", "the next panel"),
    ("/", "filter: only rows with these words, as you type"),
    ("s, S, click on a title", "sort by the next column; the other way round"),
    (":", "any command; tab completes, ? explains, ctrl-c stops it"),
    ("r", "look at everything now"),
    ("p", "pause, go on"),
    ("t", "light or dark"),
    ("q, ctrl-c", "back to the prompt"),
)


class Help(Canvas):
    """All keys, over the screen."""

    def on_mount(self) -> None:
        self.display = False

    def paint(self, width: int, height: int) -> Sequence[Row]:
        return list(self._rows_of())

    def _rows_of(self) -> Iterator[Row]:
        app = self.dashboard
        yield (("Keys", "title"),)
        widest = max(len(keys) for keys, _ in KEYS)
        for keys, what in KEYS:
            yield ((f"  {keys.ljust(widest)}  ", "key"), (what, ""))
        for keys, what in app.board.KEYS:
            yield ((f"  {keys.ljust(widest)}  ", "key"), (f"{what} (this screen)", ""))
        yield ()
        yield (("Screens", "title"),)
        for number, board in enumerate(app.boards, 1):
            entry = SCREENS[board.NAME]
            yield ((f"  {number} {entry.title.ljust(widest - 2)}  ", "key"), (entry.about, ""))

    def on_click(self, event: events.Click) -> None:
        self.display = False

"""`?` in a dashboard: every key, and what each screen is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from views.dashboard.canvas import Row
from views.dashboard.catalogue import SCREENS
from views.dashboard.pages import Pages

if TYPE_CHECKING:
    from textual import events

__all__ = ["Help"]

KEYS = (
    ("enter, second click", "into what the row is about, or all of the row"),
    ("esc", "back; closes filter, command line and help"),
    ("arrows, pages, home", "through rows and text; left and right: sideways"),
    ("tab", "the next panel"),
    ("/", "only rows with these words, as you type"),
    ("s, S, click on title", "sort by the next column; the other way round"),
    (":", "any command; tab completes, ? explains"),
    ("r   p   t", "look at everything now   pause   light or dark"),
    ("ctrl-c", "stops a command, closes its line, else leaves"),
    ("q", "back to the prompt"),
)
TITLE = 8
"""Cells of the title of a screen."""
LABEL = 20
"""Cells of the keys; beside them 54 are left of a narrow screen."""


class Help(Pages):
    """All keys, over the screen."""

    def on_mount(self) -> None:
        self.display = False
        self.border_title = "Keys and screens"

    def rows(self, width: int, height: int) -> Iterator[Row]:
        app = self.dashboard
        for keys, what in KEYS:
            yield ((f" {keys.ljust(LABEL)}  ", "key"), (what, ""))
        for keys, what in app.board.KEYS:
            yield ((f" {keys.ljust(LABEL)}  ", "key"), (f"{what} (this screen)", ""))
        yield ()
        for number, board in enumerate(app.boards, 1):
            entry = SCREENS[board.NAME]
            yield ((f" {number} {entry.title.ljust(TITLE)}  ", "key"), (entry.about, ""))

    def open(self) -> None:
        """Over what is seen."""
        self.display = True
        self._fitted = ()
        self.screen.set_focus(self)

    def on_click(self, event: events.Click) -> None:
        self.display = False
        self.dashboard.focus_board()

"""What moves through rows, and its keys: the same ones in a table and in a text, said once.

Both say only how far (`move`), how much a screenful is (`rows_seen`) and where their ends are (`to_edge`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from views.dashboard.canvas import Canvas

if TYPE_CHECKING:
    from textual import events

__all__ = ["WHEEL", "Moving"]

WHEEL = 3
"""Rows that one notch of the wheel goes."""


class Moving(Canvas, can_focus=True):
    """A canvas of which a part is seen. Subclasses add keys of their own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "edge(-1)", show=False),
        Binding("end,G", "edge(1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    @property
    def rows_seen(self) -> int:
        """Rows of a screenful: one of them stays when a page is turned."""
        raise NotImplementedError

    def move(self, by: int) -> None:
        """So many rows down, or up."""
        raise NotImplementedError

    def to_edge(self, side: int) -> None:
        """To the first row (-1) or the last one (1)."""
        raise NotImplementedError

    def action_choose(self) -> None:
        """Go into what is seen."""
        raise NotImplementedError

    def action_move(self, by: int) -> None:
        """One row up or down."""
        self.move(by)

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        self.move(by * max(1, self.rows_seen - 1))

    def action_edge(self, side: int) -> None:
        """The first or the last row."""
        self.to_edge(side)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-WHEEL)

"""Lines of text that are scrolled: any result of a command, with its colours, as the prompt shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from views.dashboard.canvas import Canvas, Row, row_of
from views.models import Model
from views.render import Screen, render

if TYPE_CHECKING:
    from textual import events

__all__ = ["Pages"]

LIMIT = 20_000
"""Lines that are kept; of more the first ones go."""


class Pages(Canvas, can_focus=True):
    """Text, and which part of it is seen. A model is rendered anew for each width."""

    class Chosen(Message):
        """Enter was pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "edge(-1)", show=False),
        Binding("end,G", "edge(1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[str] = []
        self._model: Model | None = None
        self._top = 0
        self._fitted = 0, 0

    def put(self, lines: Sequence[str]) -> None:
        """Show these lines; the place in them stays."""
        self._model = None
        self.lines = [part for line in lines[-LIMIT:] for part in line.split("\n")]
        self.repaint()

    def put_model(self, model: Model) -> None:
        """Show a result."""
        self._model, self._fitted = model, (0, 0)
        self.repaint()

    def add(self, text: str) -> None:
        """More text at the end, which is seen then."""
        self._model = None
        self.lines = [*self.lines, *text.removesuffix("\n").split("\n")][-LIMIT:]
        self._top = len(self.lines)
        self.repaint()

    def clear(self) -> None:
        """Nothing."""
        self._model, self.lines, self._top = None, [], 0
        self.repaint()

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self._model is not None and self._fitted != (width, height):
            self._fitted = width, height
            self.lines = render(self._model, Screen(width, height, self.dashboard.unicode, True))
        self._top = max(0, min(self._top, len(self.lines) - height))
        return [row_of(line) for line in self.lines[self._top : self._top + height]]

    def _to(self, top: int) -> None:
        self._top = top
        self.repaint()

    def action_scroll(self, by: int) -> None:
        """Lines up or down."""
        self._to(max(0, self._top + by))

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        self._to(max(0, self._top + by * max(1, self.size.height - 1)))

    def action_edge(self, side: int) -> None:
        """The first or the last line."""
        self._to(0 if side < 0 else len(self.lines))

    def action_choose(self) -> None:
        """Go on to what the screen leads to."""
        self.post_message(self.Chosen())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-3)

"""`:` in a dashboard: a line of the CLI at the bottom, and what it printed above it.

The line runs as at the prompt, configuration commands too: `configure`, `set …`, `commit`, one after the other, in the
mode that the prompt shows. What wants to be typed to (a password, `load terminal`) says that it needs the prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.widgets import Input

from views.dashboard.canvas import Canvas, Row, broken, row_of
from views.dashboard.moving import WHEEL
from views.dashboard.pages import Pages
from views.dashboard.source import Closed
from views.render import harmless

if TYPE_CHECKING:
    from textual import events

    from views.dashboard.app import Dashboard

__all__ = ["CommandLine", "FilterLine"]

HISTORY = 200
"""Lines that are remembered."""
LONGEST = 4096
"""Characters of a line that is typed here."""


TALLEST = 200
"""Lines of output that are looked at for how high it must be; no terminal is higher."""


class Label(Canvas):
    """What stands before an input."""

    DEFAULT_CSS = "Label { width: auto; height: 1; }"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.text = text

    def put(self, text: str) -> None:
        """Say something else."""
        self.text = text
        self.styles.width = len(text)
        self.repaint()

    def paint(self, width: int, height: int) -> Sequence[Row]:
        return [((self.text, "key"),)]


class Output(Pages):
    """What commands printed: as high as it is long, up to most of the screen."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, sum(len(broken(row_of(line), width)) for line in self.lines[-TALLEST:]))

    def repaint(self) -> None:
        self.refresh(layout=True)
        super().repaint()


class Line(Input):
    """The line of a command: `?` is a question, as at the prompt."""

    async def action_submit(self) -> None:
        """What is typed next is the next line already."""
        self.screen.query_one(CommandLine).submit(self)

    async def _on_key(self, event: events.Key) -> None:
        if event.character == "?":
            event.stop()
            event.prevent_default()
            self.screen.query_one(CommandLine).action_explain()
        elif event.character == ":" and not self.value:  # the line is open already
            event.stop()
            event.prevent_default()
        else:
            await super()._on_key(event)


class FilterLine(Horizontal):
    """`/`: what rows must have in them, live; Enter keeps it, Esc drops it."""

    def compose(self) -> ComposeResult:
        yield Label()
        yield Input(compact=True, max_length=200, select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one(Label).put(" / ")
        self.display = False

    def open(self, words: str) -> None:
        """Begin with these words."""
        self.display = True
        line = self.query_one(Input)
        line.value = words
        line.cursor_position = len(words)
        self.screen.set_focus(line)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        app = cast("Dashboard", self.app)
        if self.display and (grid := app.board.grid) is not None:
            grid.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()

    def close(self, drop: bool = False) -> None:
        """Back to the table."""
        app = cast("Dashboard", self.app)
        grid = app.board.grid
        self.display = False
        if grid is not None:
            if drop:
                grid.filter("")
            self.screen.set_focus(grid)


class CommandLine(Vertical):
    """The prompt and the output."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", show=False, priority=True),
        Binding("down", "recall(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._history: list[str] = []
        self._at = 0
        self._command: asyncio.Task[None] | None = None

    @property
    def dashboard(self) -> Dashboard:
        """The app, by its own type."""
        return cast("Dashboard", self.app)

    def compose(self) -> ComposeResult:
        yield Output()
        with Horizontal():
            yield Label()
            yield Line(compact=True, max_length=LONGEST, select_on_focus=False)

    def on_mount(self) -> None:
        self.display = False
        self.query_one(Output).display = False

    def open(self) -> None:
        """Show the line and type into it."""
        self.display = True
        self._prompt()
        self.screen.set_focus(self.query_one(Input))

    def close(self) -> None:
        """Hide line and output; a command that runs is stopped."""
        self.interrupt()
        self.query_one(Input).value = ""
        pages = self.query_one(Output)
        pages.clear()
        pages.display = False
        self.display = False

    @property
    def busy(self) -> bool:
        """Whether a command runs."""
        return self._command is not None

    def interrupt(self) -> bool:
        """Stop the command that runs; whether there was one."""
        if self._command is None:
            return False
        self._command.cancel()
        return True

    def _prompt(self) -> None:
        self.query_one(Label).put(f"{harmless(self.dashboard.source.prompt())}" if self._command is None else "... ")

    def _write(self, text: str) -> None:
        pages = self.query_one(Output)
        pages.display = True
        pages.add(text)

    def _draw(self, lines: Sequence[str]) -> None:
        pages = self.query_one(Output)
        pages.display = True
        pages.put(lines)

    def submit(self, typed: Line) -> None:
        """Run what is typed; an empty line closes."""
        line = typed.value.strip()
        if self._command is not None:
            self.dashboard.say("a command runs; ctrl-c stops it")
            return
        typed.value = ""
        if not line:
            self.close()
            self.dashboard.focus_board()
            return
        self._history = [*self._history[1 - HISTORY :], line]
        self._at = len(self._history)
        self._write(f"{self.dashboard.source.prompt()}{line}")
        self._command = asyncio.create_task(self._run(line))
        self._prompt()

    async def _run(self, line: str) -> None:
        app = self.dashboard
        try:
            goes_on = await app.source.run(line, self._write, self._draw)
        except asyncio.CancelledError:
            self._write("^C")
            goes_on = True
        except Closed as ended:
            app.exit(ended.problem)
            return
        except ConnectionError:
            app.exit()
            return
        finally:
            self._command = None
        if not goes_on:
            app.exit()
            return
        self._prompt()
        app.refresh_now()

    def action_recall(self, by: int) -> None:
        """A line typed before."""
        self._at = max(0, min(len(self._history), self._at + by))
        line = self.query_one(Input)
        line.value = self._history[self._at] if self._at < len(self._history) else ""
        line.cursor_position = len(line.value)

    def action_page(self, by: int) -> None:
        """Through the output."""
        self.query_one(Output).action_page(by)

    def action_complete(self) -> None:
        """Go on with the word as far as it is certain; list what there is when nothing is."""
        line = self.query_one(Input)
        before = line.value[: line.cursor_position]
        addition, lines = self.dashboard.source.complete(before)
        if addition:
            line.insert_text_at_cursor(addition)
        elif lines:
            self._write("\n".join([f"{self.dashboard.source.prompt()}{line.value}", *lines]))

    def action_explain(self) -> None:
        """What may come next; inside quotes it is a character."""
        line = self.query_one(Input)
        before = line.value[: line.cursor_position]
        lines = self.dashboard.source.explain(before)
        if lines is None:
            line.insert_text_at_cursor("?")
            return
        self._write("\n".join([f"{self.dashboard.source.prompt()}{line.value}?", *lines]))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.query_one(Output).move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.query_one(Output).move(-WHEEL)

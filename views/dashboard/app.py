"""The frame of all dashboards: header, tabs, the screen that is seen, keys.

    ┌ header: host, user, revision, time ┐
    │ tabs 1 ... 9                       │
    │ the stack of screens, last on top  │  <── feed.py asks for what the last one wants to know
    │ filter, or command line and output │
    └ keys ──────────────────────────────┘

A dashboard knows its Source (source.py) and nothing of sessions, sockets or terminals: the driver that it is given
carries keys and bytes (nshell/terminal/fullscreen.py over SSH and locally, nshell/web in a browser).
Next: stage.py (screens upon each other), board.py (what one is), screens/ (one file each), grid.py, canvas.py, keys.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.console import Console, RenderableType
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.filter import NoColor
from textual.widgets import Input

from data.errors import NothingThere, NshellError
from views.dashboard.board import Board
from views.dashboard.command import CommandLine, FilterLine
from views.dashboard.feed import Feed
from views.dashboard.frame import Footer, Header, Tabs
from views.dashboard.frames import CSS
from views.dashboard.grid import Grid
from views.dashboard.help import Help
from views.dashboard.keys import KEYS, TYPED, bindings
from views.dashboard.moving import Moving
from views.dashboard.pages import Pages
from views.dashboard.palette import DARK, LIGHT, THEMES
from views.dashboard.screens import BOARDS
from views.dashboard.small import TooSmall
from views.dashboard.source import Closed, Source
from views.dashboard.stage import Stage
from views.models import Table

if TYPE_CHECKING:
    from textual import events
    from textual.driver import Driver

    from views.models import Model

__all__ = ["Colors", "Dashboard", "dashboard"]

Colors = Literal["standard", "256", "truecolor"]


UNSEEN = frozenset({"screen", "leave", "interrupt"})
"""Actions of a terminal that is too small: they change nothing, and lead out."""


class Dashboard(App[NshellError]):
    """All screens. Its return value is the error that ended it; None when its user left."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None  # each screen says what has the keys
    CSS = CSS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self,
        source: Source,
        screen: str = "",
        driver: type[Driver] | None = None,
        color_system: Colors = "256",
        now: Callable[[], float] = time.time,
    ) -> None:
        """`color_system` is what the terminal shows: 'standard', '256' or 'truecolor'. Raises NothingThere for a
        screen that there is not.
        """
        super().__init__(driver_class=driver)
        self.source = source
        self.now = now
        self.boards = BOARDS
        self.stage = Stage(number_of(screen))
        self.feed = Feed(source, self._commits, self._over)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK
        self.animation_level = "none"
        if not source.screen.color:
            self._filters.append(NoColor())
        self.console = Console(
            color_system=color_system, file=self.console.file, highlight=False, emoji=False, legacy_windows=False,
            force_terminal=True, safe_box=False, soft_wrap=False, _environ={},
        )  # type: ignore[call-overload]  # fmt: skip
        self.error_console = Console(file=self.console.file)  # an exception is re-raised by who runs this
        self._sync_available = True  # a terminal that does not know synchronised output ignores it
        self.leaving = False
        """Whether it ends: what is typed from now on is not for it."""

    def exit(
        self, result: NshellError | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        self.leaving = True
        super().exit(result, return_code, message)

    @property
    def unicode(self) -> bool:
        """Whether the terminal shows more than ASCII."""
        return self.source.screen.unicode

    @property
    def paused(self) -> bool:
        """Whether what is seen stays as it is."""
        return self.feed.paused

    @property
    def board(self) -> Board:
        """The screen that is seen."""
        return self.stage.board

    @property
    def stack(self) -> Sequence[Board]:
        """It, and the screens below it that led there."""
        return self.stage.stack

    @property
    def current(self) -> int:
        """The number of the first of them, from 0 on."""
        return self.stage.current

    @property
    def small(self) -> bool:
        """Whether the terminal is too small to show anything."""
        return any(one.display for one in self.query(TooSmall))

    @property
    def busy(self) -> bool:
        """Whether a command runs that was typed."""
        return bool(self.is_running and self.query(CommandLine) and self.query_one(CommandLine).busy)

    @property
    def problem(self) -> Exception | None:
        """What went wrong in here, when something did."""
        return self._exception

    def compose(self) -> ComposeResult:
        yield Header()
        yield Tabs()
        yield self.stage
        yield FilterLine()
        yield CommandLine()
        yield Footer()
        yield Help().add_class("panel")
        yield TooSmall()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Into a line keys are text, but for those that close it; unseen nothing is done but UNSEEN."""
        if self.small and action not in UNSEEN:
            return False
        if isinstance(self.focused, Input) and action in TYPED:
            return False
        return super().check_action(action, parameters)

    async def on_mount(self) -> None:
        self.screen.set_class(not self.unicode, "ascii")
        self.set_interval(1.0, self._tick)
        await self.action_screen(self.current)
        self.query_one(TooSmall).judge(self.size)

    def on_resize(self, event: events.Resize) -> None:
        for one in self.query(TooSmall):
            one.judge(event.size)

    def _tick(self) -> None:
        for header in self.query(Header):
            header.repaint()

    # Screens --------------------------------------------------------------------------------------------------------

    async def action_screen(self, number: int) -> None:
        """Show the screen of this number; the one that is left keeps its place."""
        if 0 <= number < len(self.boards):
            self.feed.stop()
            await self.stage.open(number)
            self._seen()

    async def push(self, board: Board) -> None:
        """Show a screen on top of the one that led to it."""
        if await self.stage.push(board):
            self._seen()
        else:
            self.say("esc goes back; it goes no deeper from here")

    def _seen(self) -> None:
        """Ask for what is seen now, and for nothing else."""
        self.feed.start(self.board)
        self.query_one(Tabs).repaint()
        self.query_one(Footer).repaint()
        self.query_one(FilterLine).display = self.query_one(Help).display = False
        self.focus_board()

    def focus_board(self) -> None:
        """The keys are for the screen again."""
        if self.small:
            return
        grid = self.board.grid
        target = grid if grid is not None else next(iter(self.board.query("*:can-focus")), None)
        self.set_focus(target)

    async def on_grid_chosen(self, event: Grid.Chosen) -> None:
        board = self.board.enter(event.grid, event.row)
        if board is not None:
            await self.push(board)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Whether Enter leads anywhere may be another thing now."""
        event.stop()
        for footer in self.query(Footer):
            footer.repaint()

    async def on_pages_chosen(self, event: Pages.Chosen) -> None:
        board = self.board.choose()
        if board is not None:
            await self.push(board)

    # Facts ----------------------------------------------------------------------------------------------------------

    async def _commits(self, model: Model) -> None:
        if isinstance(model, Table):
            for header in self.query(Header):  # while it ends there is none
                header.take(model)

    def _over(self, cause: Exception) -> None:
        """There are no facts any more."""
        if not self.is_running:
            return  # while it ends the parts of a screen go one by one, and an answer finds only some of them
        if isinstance(cause, Closed):
            self.exit(cause.problem)
        elif isinstance(cause, ConnectionError):
            self.exit()
        else:
            self._handle_exception(cause)

    def ask_anew(self) -> None:
        """The screen that is seen wants to know something else."""
        self._seen()

    def ask_again(self, board: Board) -> None:
        """This screen wants to know something else; keys, filter and help stay as they are."""
        if self.stack and board is self.board:
            self.feed.start(board)

    def refresh_now(self) -> None:
        """Ask everything anew, without waiting."""
        self.feed.hurry()

    # Keys -----------------------------------------------------------------------------------------------------------

    async def action_back(self) -> None:
        """Close what is open, else go back to the screen that led here."""
        command, words, shown = self.query_one(CommandLine), self.query_one(FilterLine), self.query_one(Help)
        if shown.display:
            shown.display = False
            self.focus_board()
        elif command.display:
            command.close()
            self.focus_board()
        elif words.display:
            words.close(drop=True)
        elif (grid := self.board.grid) is not None and grid.words:
            grid.filter("")
        elif len(self.stack) > 1:
            self.feed.stop()
            await self.stage.back()
            self._seen()

    def action_filter(self) -> None:
        """Type words that rows must have."""
        self.query_one(Help).display = False
        grid = self.board.grid
        if grid is None:
            self.say("there is no table to filter here")
        else:
            self.query_one(FilterLine).open(grid.words)

    def action_command(self) -> None:
        """Type a command."""
        self.query_one(Help).display = False
        self.query_one(CommandLine).open()

    def action_help(self) -> None:
        """All keys."""
        shown = self.query_one(Help)
        if shown.display:
            shown.display = False
            self.focus_board()
        else:
            shown.open()

    def action_refresh_now(self) -> None:
        """Look at everything now."""
        self.refresh_now()
        self.say("looking at everything now", "dim")

    def action_pause(self) -> None:
        """What is seen stays as it is, or goes on."""
        self.feed.pause()
        self.query_one(Header).repaint()

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = LIGHT if self.theme == DARK else DARK

    def action_interrupt(self) -> None:
        """Ctrl-c: stop the command that runs, close the line where they are typed, else leave."""
        command = self.query_one(CommandLine)
        if command.interrupt():
            return
        if command.display:
            command.close()
            self.focus_board()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Back to the prompt."""
        self.exit()

    def say(self, text: str, role: str = "soon") -> None:
        """Say something in place of the keys for a while."""
        self.query_one(Footer).say(text, role)

    def action_into(self) -> None:
        """Enter, clicked on: what the table or text that has the keys leads to."""
        target = self.focused if isinstance(self.focused, Moving) else self.board.grid
        if target is not None:
            target.action_choose()

    def action_sort(self) -> None:
        """By the next column."""
        if self.board.grid is not None:
            self.board.grid.action_sort()

    async def press_key(self, sign: str) -> None:
        """What a click on a key of the footer does: that of this screen before one that all have."""
        if sign in dict(self.board.KEYS):
            self.simulate_key(sign)
        else:
            await self.run_action(next(key.action for key in KEYS if key.sign == sign))

    async def on_unmount(self) -> None:
        self.feed.stop()
        for line in self.query(CommandLine):
            line.interrupt()


def number_of(screen: str) -> int:
    """Which screen has this name; the first one for ''. Raises NothingThere."""
    names = [board.NAME for board in BOARDS]
    if not screen:
        return 0
    if screen not in names:
        raise NothingThere(f"dashboard {screen}", "there is no such screen", f"there are: {', '.join(names)}")
    return names.index(screen)


def dashboard(
    source: Source, screen: str = "", driver: type[Driver] | None = None, color_system: Colors = "256"
) -> Dashboard:
    """All screens over a source, beginning with `screen`. Raises NothingThere for one that there is not."""
    return Dashboard(source, screen, driver, color_system)

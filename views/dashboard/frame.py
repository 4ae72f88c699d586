"""What stands around every screen: the line at the top, the tabs, the keys at the bottom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from views.dashboard.canvas import Canvas, Row, Span, width_of
from views.dashboard.catalogue import SCREENS
from views.dashboard.keys import KEYS
from views.models import Table
from views.render import harmless
from views.table import cell_text, cut

if TYPE_CHECKING:
    from textual import events

__all__ = ["Footer", "Header", "Tabs"]

LEFT_OUT = ("t", "r", "enter", "s", "p", "esc")
"""Keys that a narrow screen does not name, the first one first; the help has them all."""


class Header(Canvas):
    """Who and where, the running revision, and the time."""

    DEFAULT_CSS = "Header { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._commit = ""

    def take(self, table: Table) -> None:
        """The latest commits, from `show system commit`."""
        keys = [column.key for column in table.columns]
        row = next((dict(zip(keys, row, strict=True)) for row in table.rows if row[0] is not None), None)
        if row is not None:
            when = cell_text(row["time"]).split(" ")[-1]
            self._commit = f"rev {row['revision']} ({when}, {row['author']}, {row['state']})"
        self.repaint()

    def paint(self, width: int, height: int) -> Sequence[Row]:
        app = self.dashboard
        clock = time.strftime("%H:%M:%S", time.localtime(app.now()))
        state = "  PAUSED " if app.paused else "  "
        left = f" nshell {app.source.hostname}   {app.source.user}@   {self._commit}".replace("@   ", "   ")
        left = cut(harmless(left), max(0, width - len(clock) - len(state) - 1), "")
        gap = max(0, width - len(left) - len(state) - len(clock) - 1)
        return [((left, "bar"), (" " * gap, "bar"), (state, "mark" if app.paused else "bar"), (f"{clock} ", "bar"))]


class Tabs(Canvas):
    """The screens by their numbers; or the way to a screen that others led to."""

    DEFAULT_CSS = "Tabs { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._spots: list[tuple[int, int, int]] = []

    def paint(self, width: int, height: int) -> Sequence[Row]:
        app = self.dashboard
        spans: list[Span] = [(" ", "")]
        self._spots, x = [], 1
        way = [harmless(board.heading) for board in app.stack[1:]]
        titles = [SCREENS[board.NAME].title for board in app.boards]
        rest = sum(len(part) + 3 for part in way)
        alone = sum(len(title) + 4 for title in titles) + rest + 1 > width  # the others have no room
        for number, title in enumerate(titles):
            here = number == app.current
            if alone and way and not here:
                continue
            if alone and not here:
                title = ""
            text = f"{number + 1} {title}".rstrip()
            spans += (
                [(f" {text} ", "mark")] if here else [(f" {number + 1}", "key"), (f" {title} " if title else " ", "")]
            )
            self._spots.append((x, x + len(text) + 2, number))
            x += len(text) + 2
        if way:
            arrow = " › " if app.unicode else " > "
            text = cut(arrow + arrow.join(way), max(0, width - x), "…" if app.unicode else "~")
            spans.append((text, "title"))
        return [tuple(spans)]

    async def on_click(self, event: events.Click) -> None:
        number = next((number for left, right, number in self._spots if left <= event.x < right), None)
        if number is not None:
            await self.dashboard.action_screen(number)


class Footer(Canvas):
    """The keys; or, for a while, something to say."""

    DEFAULT_CSS = "Footer { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[str, str] | None = None
        self._spots: list[tuple[int, int, str]] = []

    def say(self, text: str, role: str = "soon") -> None:
        """Show a text in place of the keys for a few seconds."""
        self._said = (text, role)
        self.repaint()
        self.set_timer(4, self._silent)

    def _silent(self) -> None:
        self._said = None
        self.repaint()

    def paint(self, width: int, height: int) -> Sequence[Row]:
        if self._said is not None:
            text, role = self._said
            return [((cut(f" {harmless(text)}", width, "~").ljust(width), role),)]
        keys = self._keys()
        for key in LEFT_OUT:
            if 1 + sum(len(each) + len(what) + 2 for each, what in keys) <= width:
                break
            keys = [pair for pair in keys if pair[0] != key]
        spans: list[Span] = [(" ", "bar")]
        self._spots, x = [], 1
        for key, what in keys:
            spans += [(key, "mark"), (f" {what} ", "bar")]
            self._spots.append((x, x + len(key) + len(what) + 2, key))
            x += len(key) + len(what) + 2
        spans.append((" " * max(0, width - width_of(tuple(spans))), "bar"))
        return [tuple(spans)]

    def _keys(self) -> list[tuple[str, str]]:
        """The keys that do something here."""
        app = self.dashboard
        if not app.stack:
            return [(key.sign, key.what) for key in KEYS]
        idle = set()
        if app.board.grid is None:
            idle |= {"/", "s"}
        if not app.board.leads:
            idle.add("enter")
        if len(app.stack) == 1:
            idle.add("esc")
        return [*app.board.KEYS, *((key.sign, key.what) for key in KEYS if key.sign not in idle)]

    async def on_click(self, event: events.Click) -> None:
        if self._said is not None:
            self._silent()
            return
        key = next((key for left, right, key in self._spots if left <= event.x < right), None)
        if key is not None:
            await self.dashboard.press_key(key)

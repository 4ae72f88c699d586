"""A dashboard without a terminal: started, waited for, and its screen as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual import _wait
from textual.pilot import Pilot

from tests.unit.dashboard.pretend import NOW, PretendSource
from views.dashboard.app import Dashboard
from views.render import Screen

SMALL, LARGE = (80, 24), (160, 48)
PATIENCE = 15.0
_wait.SLEEP_GRANULARITY, _wait.SLEEP_IDLE = 0.005, 0.0025
"""Seconds after which a pilot looks whether its app is idle, and the work in them that is none: a quarter of its own,
as it waits after each key."""


def text_of(app: Dashboard) -> str:
    """What is on the screen, a line per row, without blanks at the end of rows."""
    rows = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in row).rstrip() for row in rows).rstrip() + "\n"


class Seen:
    """A running dashboard and what a person does with it."""

    def __init__(self, app: Dashboard, pilot: Pilot[Any], source: PretendSource) -> None:
        self.app, self.pilot, self.source = app, pilot, source

    @property
    def text(self) -> str:
        return text_of(self.app)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what must become true; the screen is in the error."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    if self.app.problem is not None:
                        raise self.app.problem
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain; on the screen:\n{self.text}") from None
        await self.pilot.pause()

    async def see(self, *texts: str) -> str:
        """Wait for texts on the screen."""
        await self.until(lambda: all(text in self.text for text in texts))
        return self.text

    async def settled(self) -> str:
        """The screen when all that it asks is answered and drawn."""
        before = len(self.source.asked)
        self.app.refresh_now()
        lines: set[str] = set()
        while lines != (now := {ask.line for ask in self.app.board.asks if not ask.follow}):
            lines = now  # an answer may lead to another question
            await self.until(lambda: now <= set(self.source.asked[before:]))
            for _ in range(3):  # rounds in which answers are taken, arranged and drawn
                await self.pilot.pause()
        return self.text


@asynccontextmanager
async def seen(
    screen: str = "", size: tuple[int, int] = SMALL, source: PretendSource | None = None, unicode: bool = True
) -> AsyncIterator[Seen]:
    """A dashboard of this size on a source."""
    source = source or PretendSource(Screen(*size, unicode, True))
    app = Dashboard(source, screen, now=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Seen(app, pilot, source)

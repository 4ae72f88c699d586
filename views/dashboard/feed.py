"""Who asks for facts when: one coroutine for each Ask of the screen that is seen, and none for others.

    start(board) ──> for each Ask: wait for `p` and for the terminal ──> source.ask ──> board.take, or board.refuse
                     again after `every` seconds, or after BACK_OFF times what the answer took; at once after `r`

What ends all of it (rights that changed, a terminal that is gone, a mistake) is handed to `over`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias, cast

from data.errors import NshellError
from views.dashboard.board import Ask, Board
from views.dashboard.source import Closed, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from views.models import Model

__all__ = ["Feed"]

Take: TypeAlias = "Callable[[Model], Awaitable[None]]"
Refuse: TypeAlias = "Callable[[NshellError], None]"

BACK_OFF = 40
"""An answer that takes so and so long is asked for again after so many times that: at most 2.5 % of the time."""
COMMITS = Ask("commits", "show system commit limit 1", 5.0)
"""What the header is made of, asked for with every screen."""


class Feed:
    """Asks for one screen at a time."""

    def __init__(self, source: Source, header: Take, over: Callable[[Exception], None]) -> None:
        self._source, self._header, self._over = source, header, over
        self._going = asyncio.Event()
        self._going.set()
        self._hurry = asyncio.Event()
        self._feeding: asyncio.Task[None] | None = None

    @property
    def paused(self) -> bool:
        """Whether nothing is asked for."""
        return not self._going.is_set()

    def pause(self) -> None:
        """Stop asking, or go on."""
        if self.paused:
            self._going.set()
        else:
            self._going.clear()

    def hurry(self) -> None:
        """Ask everything anew, without waiting."""
        self._hurry.set()
        self._hurry = asyncio.Event()

    def start(self, board: Board) -> None:
        """Ask for this screen, and for no other any more."""
        self.stop()
        self._feeding = asyncio.create_task(self._feed(board))

    def stop(self) -> None:
        """Ask for nothing."""
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    async def _feed(self, board: Board) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._poll(COMMITS, self._header, lambda problem: None))
                for ask in board.asks:
                    group.create_task(self._asked(board, ask))
        except* Exception as ended:
            causes = sorted(ended.exceptions, key=lambda one: not isinstance(one, (Closed, ConnectionError)))
            self._over(causes[0])

    async def _asked(self, board: Board, ask: Ask) -> None:
        async def take(model: Model) -> None:
            await board.take(ask.name, model)

        def refuse(problem: NshellError) -> None:
            board.refuse(ask.name, problem)

        await (self._follow if ask.follow else self._poll)(ask, take, refuse)

    async def _follow(self, ask: Ask, take: Take, refuse: Refuse) -> None:
        try:
            async with aclosing(cast("AsyncGenerator[Model, None]", self._source.follow(ask.line))) as parts:
                async for part in parts:
                    await self._source.ready()
                    await self._going.wait()
                    await take(part)
        except NshellError as problem:
            refuse(problem)

    async def _poll(self, ask: Ask, take: Take, refuse: Refuse) -> None:
        while True:
            await self._going.wait()
            await self._source.ready()
            began = perf_counter()
            try:
                await take(await self._source.ask(ask.line))
            except NshellError as problem:
                refuse(problem)
            pause = max(ask.every, (perf_counter() - began - ask.waits) * BACK_OFF)
            try:
                await asyncio.wait_for(self._hurry.wait(), pause)
            except TimeoutError:
                continue

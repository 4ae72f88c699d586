"""What the speaker is to do, in order, while the decisions go on: a push of 100,000 routes holds up nobody.

The speaker remembers nothing, so what cannot be said because it is gone is forgotten: a session that comes up is told
everything anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from controller.bgp.rib.outcome import Outcome
from controller.bgp.speaker.backend import Speaker, SpeakerGone
from data.errors import NshellError

__all__ = ["Outbox"]


class Outbox:
    """One queue, one task. `failed` is told what the speaker refused."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._queue: asyncio.Queue[tuple[Callable[[], Awaitable[None]], asyncio.Future[None]]] = asyncio.Queue()

    def put(self, work: Callable[[], Awaitable[None]]) -> asyncio.Future[None]:
        """Does it after everything that was put before. The future is done when it is; it raises what `work` raised,
        and nobody need look at it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_looked_at)
        self._queue.put_nowait((work, done))
        return done

    def say(self, speaker: Speaker, outcome: Outcome) -> asyncio.Future[None] | None:
        """What an outcome tells neighbours; None when that is nothing."""
        if not (outcome.announce or outcome.withdraw or outcome.end_of_rib or outcome.reset):
            return None

        async def work() -> None:
            for reset in outcome.reset:
                await speaker.reset(reset.peer, reset.reason)
            for said in outcome.announce:
                await speaker.announce(said.peers, said.routes)
            for gone in outcome.withdraw:
                await speaker.withdraw(gone.peers, gone.routes)
            for peer, families in outcome.end_of_rib:
                await speaker.end_of_rib(peer, families)

        return self.put(work)

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            work, done = await self._queue.get()
            if done.cancelled():
                continue
            try:
                await work()
            except SpeakerGone as gone:
                _refuse(done, gone)
            except (NshellError, ValueError) as problem:
                self._failed(problem.cause if isinstance(problem, NshellError) else str(problem))
                _refuse(done, problem)
            else:
                if not done.done():
                    done.set_result(None)


def _refuse(done: asyncio.Future[None], problem: Exception) -> None:
    if not done.done():
        done.set_exception(problem)


def _looked_at(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()

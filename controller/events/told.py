"""Everything that keeps events, tells them to others, or makes them of what was counted; one life for all of it.

start     before anything can happen: the file of events is open
follow    when the network is there: syslog servers are told, and each round of telemetry is looked at
stop      after everything else: the last event is kept and told
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from controller.events.denials import Denials
from controller.events.event import Kind
from controller.events.keeper import Keeper
from controller.events.recent import Events
from controller.events.syslog.exporter import Exporter
from controller.events.thresholds import Thresholds
from data.configuration import Configuration
from data.steps import spread

if TYPE_CHECKING:
    from controller.telemetry.service import Telemetry

__all__ = ["Told"]


class Told:
    """See the module. `configured` gives what acts now; it is asked from `follow` on."""

    def __init__(self, directory: FilePath, events: Events, configured: Callable[[], Configuration]) -> None:
        self._events = events
        self._configured = configured
        self._keeper = Keeper(directory, events)
        self.syslog = Exporter(events, configured)
        self._looking: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begins to keep events."""
        await self._keeper.start()

    async def follow(self, telemetry: Telemetry) -> None:
        """Begins to tell syslog servers, and to look at what is counted."""
        await self.syslog.start()
        self.thresholds = Thresholds(self._events, telemetry, self._configured)
        self._denials = Denials(self._events, telemetry, self._configured)
        self._unwatch = telemetry.watch(self._counted)

    async def stop(self) -> None:
        """Tells and keeps what waits."""
        if self._unwatch is not None:
            self._unwatch()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self.syslog.stop()
        await self._keeper.stop()

    def _counted(self, now: float) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(now), name="thresholds")

    async def _look(self, now: float) -> None:
        try:
            await spread(self.thresholds.look(now))
            await spread(self._denials.look(now))
        except Exception as problem:  # a mistake here must not end the looks to come
            self._events.once(Kind.FAULT, "thresholds", repr(problem), f"counters could not be judged: {problem!r}")

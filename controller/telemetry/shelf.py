"""The archive in a thread of its own: rounds are written one behind the other, series are read between them.

A look at a switch that was away covers more time than the round that it is in. What it counted is kept as of all that
time, so that a series has neither a gap nor a jump there; what both a look of that kind and an ordinary one counted
for (their subnet, say) is kept as of the round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from controller.telemetry.archive import FILE, Archive, Series, Size
from controller.telemetry.attribute import Counts
from controller.telemetry.keeping import Memory, packed, recalled
from controller.telemetry.keys import GAUGES, Measure, SeriesKey
from data.errors import NshellError

__all__ = ["Shelf", "grouped"]

T = TypeVar("T")
Looks = Sequence[tuple[Counts, float | None]]
_ALIKE = 1.5  # times as long as the round, beyond which a look is kept as of a time of its own


def grouped(looks: Looks, length: float, idle: Collection[SeriesKey]) -> list[tuple[float, Counts]]:
    """(seconds, what was counted in them) of a round of this length; the round's own last. `idle` are the series that
    were looked at, also those of which nothing was counted."""
    apart: list[tuple[float, Counts]] = []
    whole: Counts = {}
    for counts, took in sorted(looks, key=lambda look: look[1] or 0.0):
        if took is None or took <= max(length * _ALIKE, length + 1.0):
            _add(whole, counts)
        elif apart and took <= apart[-1][0] * _ALIKE:
            _add(apart[-1][1], counts)
        else:
            apart.append((took, {}))
            _add(apart[-1][1], counts)
    if len(apart) == 1 and not whole:
        whole, length, apart = apart[0][1], apart[0][0], []
    for _, counts in apart:
        for key in counts.keys() & whole.keys():
            _add(whole, {key: counts.pop(key)})
    shown = {key for _, counts in apart for key in counts}
    for key in idle:
        if key not in shown:
            whole.setdefault(key, {})
    return [*apart, (length, whole)]


def _add(into: Counts, more: Counts) -> None:
    for key, measures in more.items():
        sums = into.setdefault(key, {})
        for measure, number in measures.items():
            sums[measure] = number if measure in GAUGES else sums.get(measure, 0) + number


class Shelf:
    """See the module. `tell` is told what an operator should know, and None when what was wrong is
    over; counting goes on without the archive."""

    def __init__(self, directory: Path, tell: Callable[[str | None], None]) -> None:
        self._archive = Archive(directory / FILE)
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, "statistics")
        self._open = self._troubled = False
        self._writing: asyncio.Task[None] | None = None

    @property
    def opened(self) -> bool:
        """Whether there is an archive: `open` may be tried again."""
        return self._open

    async def open(self) -> Memory:
        """Opens the archive; what an earlier process knew."""
        try:
            told = await self._call(self._archive.open)
            self._open = True
            if told:
                self._tell(told)
            return recalled(await self._call(self._archive.state))
        except NshellError as problem:
            self._trouble(f"they are not kept: {problem.cause}")
            return Memory()

    async def close(self) -> None:
        """Ends what is being written, and the thread."""
        await self.written()
        if self._open:
            await self._call(self._archive.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def read(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int
    ) -> Series:
        """One series. Raises StoreUnavailable."""
        return await self._call(lambda: self._archive.read(key, measures, since, until, points))

    async def read_together(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float, points: int
    ) -> dict[SeriesKey, Series]:
        """The same of many. Raises StoreUnavailable."""
        return await self._call(lambda: self._archive.read_together(keys, measures, since, until, points))

    async def total(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float
    ) -> dict[Measure, int]:
        """What was counted of one series in a period; gauges are left out. Raises StoreUnavailable."""
        return await self._call(lambda: self._archive.total(key, measures, since, until))

    async def size(self) -> Size:
        """How much is kept."""
        return await self._call(self._archive.size)

    async def written(self) -> None:
        """Returns when nothing is being written any more."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    def write(
        self,
        at: float,
        length: float,
        looks: Looks,
        idle: Collection[SeriesKey],
        switches: Mapping[str, msgspec.Raw],
        others: Mapping[str, tuple[int, ...]],
        totals: Mapping[SeriesKey, Mapping[Measure, int]],
    ) -> None:
        """Begins to keep a round. Nobody may change the totals before it is `written`."""
        if self._open:
            memory = packed(at, switches, others, totals)
            self._writing = asyncio.create_task(self._write(at, lambda: grouped(looks, length, idle), memory))

    async def _write(
        self, at: float, groups: Callable[[], list[tuple[float, Counts]]], memory: Awaitable[bytes]
    ) -> None:
        def append(state: bytes) -> str | None:
            *apart, (length, counted) = groups()
            return self._archive.append(at, length, counted, state, apart)

        try:
            state = await memory
            told = await self._call(lambda: append(state))
        except Exception as problem:  # nobody waits for this task: whatever it is, it must be told
            cause = problem.cause if isinstance(problem, NshellError) else repr(problem)
            self._trouble(f"a look is not kept: {cause}")
            return
        if self._troubled:
            self._troubled = False
            self._tell(None)
        if told:
            self._tell(told)

    def _trouble(self, text: str) -> None:
        self._troubled = True
        self._tell(text)

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

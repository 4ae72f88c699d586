"""The archive in a thread of its own: rounds are written one behind the other, series are read between them.

A look at a switch that was away covers more time than the round that it is in. What it counted is kept as of all that
time, so that a series has neither a gap nor a jump there. Of what switches share that were looked at meanwhile (their
subnet, say) that time is known already: what this one counted is added to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from controller.telemetry.archive import FILE, Archive, Look, Series, Size
from controller.telemetry.attribute import Counts
from controller.telemetry.keeping import Memory, packed, recalled
from controller.telemetry.keys import GAUGES, Measure, SeriesKey
from data.errors import NshellError

__all__ = ["Shelf", "alike", "apart", "grouped"]

T = TypeVar("T")
Away = TypeVar("Away", bound=tuple[Any, ...])
"""A look: what was counted, then in how many seconds."""
Looks = Sequence[tuple[Counts, float | None]]
_ALIKE = 1.5  # times as long as the round, beyond which a look is kept as of a time of its own


def apart(took: float | None, length: float) -> bool:
    """Whether a look that covers so many seconds (None: there was none) is kept as of a time of its own."""
    return took is not None and took > max(length * _ALIKE, length + 1.0)


def alike(away: Iterable[Away]) -> list[list[Away]]:
    """Looks that are kept apart, those together that cover about the same time, the shortest first."""
    found: list[list[Away]] = []
    for look in sorted(away, key=_seconds):
        if found and _seconds(look) <= _seconds(found[-1][0]) * _ALIKE:
            found[-1].append(look)
        else:
            found.append([look])
    return found


def _seconds(look: tuple[Any, ...]) -> float:
    return look[-1] or 0.0


def grouped(looks: Looks, length: float, idle: Collection[SeriesKey]) -> list[Look]:
    """What is kept of a round of this length; the round's own last. `idle` are the series that were looked at as of it,
    also those of which nothing was counted."""
    whole: Counts = {}
    for counts, took in looks:
        if not apart(took, length):
            _add(whole, counts)
    others: list[tuple[float, Counts]] = []
    for some in alike(look for look in looks if apart(look[1], length)):
        others.append((_seconds(some[0]), {}))
        for counts, _took in some:
            _add(others[-1][1], counts)
    if len(others) == 1 and not whole and not idle:
        return [Look(*others[0])]
    for key in idle:
        whole.setdefault(key, {})
    told, kept = set(whole), list[Look]()
    for took, counts in others:  # the shortest first: since then it was known
        kept.append(Look(took, counts, counts.keys() & told))
        told |= counts.keys()
    return [*kept, Look(length, whole)]


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
        self,
        keys: Sequence[SeriesKey],
        measures: Sequence[Measure],
        since: float,
        until: float,
        points: int,
        told: Callable[[int], None],
    ) -> dict[SeriesKey, Series]:
        """The same of many, some hundred at a time; `told` is told after each how many. Raises StoreUnavailable."""
        read, found = self._archive.read_together, dict[SeriesKey, Series]()
        for some in await self._call(lambda: self._archive.portions(keys)):
            found |= await self._call(lambda some=some: read(some, measures, since, until, points))  # type: ignore[misc]
            told(len(found))
        return found

    async def total(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float
    ) -> dict[Measure, int]:
        """What was counted of one series in a period; gauges are left out. Raises StoreUnavailable."""
        return await self._call(lambda: self._archive.total(key, measures, since, until))

    async def total_together(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> dict[SeriesKey, dict[Measure, int]]:
        """The same of many, some hundred at a time. Raises StoreUnavailable."""
        add, found = self._archive.total_together, dict[SeriesKey, dict[Measure, int]]()
        for some in await self._call(lambda: self._archive.portions(keys)):
            found |= await self._call(lambda some=some: add(some, measures, since, until))  # type: ignore[misc]
        return found

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

    async def _write(self, at: float, groups: Callable[[], list[Look]], memory: Awaitable[bytes]) -> None:
        def append(state: bytes) -> str | None:
            *beside, whole = groups()
            return self._archive.append(at, whole.length, whole.counted, state, beside)

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

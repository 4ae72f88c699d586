"""Telemetry: what everybody else asks of the numbers, and the rounds in which they are read.

    rounds, every `interval` seconds ── one switch after the other, spread over the interval ──> switches.py
       │                                                                                            │
       └── at the end of each: BGP, PE (others.py) ──> board.py (latest, recent) ──> archive (series)
                                                          └──> whoever watches

Read next: poll.py (what is asked of a switch), account.py (what of it is new), attribute.py (whose it is), board.py
(what is shown), keeping.py (what outlives the process), rhythm.py (when it is too much).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as File

from controller.commit.planning import Draft
from controller.events import Events, Kind, Severity
from controller.network import Network
from controller.openflow.errors import OpenFlowError
from controller.telemetry.archive import Series, Size
from controller.telemetry.attribute import Attribution
from controller.telemetry.baseline import Baselines
from controller.telemetry.board import Board, Latest, Overview
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.naming import key_of, name_of, path_of
from controller.telemetry.others import Others
from controller.telemetry.poll import Busy
from controller.telemetry.rhythm import SLOW, Rhythm
from controller.telemetry.shelf import Shelf, alike, apart
from controller.telemetry.switches import Switches
from data.path import Path
from data.schema.seen import Telemetry as Settings
from data.steps import Pace, spread

__all__ = ["Latest", "Telemetry"]

LOOK_AGAIN = 1.0  # seconds between two looks at everything that are asked for
_PRUNE = 3600.0  # seconds between two looks for what is gone
_KEPT = 7 * 86400.0  # seconds that totals are kept of what is gone; its series stays in the archive
_WAIT = 5.0  # seconds that a look may take before it is given up
_LATE = 2.0  # intervals after which a switch is looked at whatever is being carried out


class Telemetry:
    """See the module. All methods belong to the loop. `clock` gives seconds since the epoch. `baselines` are what users
    cleared."""

    def __init__(
        self,
        network: Network,
        directory: File,
        events: Events,
        others: Others,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._events = events
        self._others = others
        self._clock = clock
        self.baselines = Baselines()
        self._attribution = Attribution(network)
        self._switches = Switches(network, self._attribution, time.monotonic, clock)
        self._shelf = Shelf(directory, self._tell_kept)
        self._board = Board()
        self._rhythm = Rhythm(self._settings.polling_interval, self._tell)
        self._watchers: list[Callable[[float], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._finished = 0.0  # when the last round ended, by time.monotonic()
        self._pruned = clock()
        self._patience = 0.0  # seconds that the round may still wait for changes to be over
        self._ticks: float | None = None  # when the last round ended, by the switches' clock
        self._last: float | None = None  # the last round of an earlier process, in seconds since the epoch

    def _tell(self, text: str) -> None:
        self._events.add(Kind.HYPERVISOR, text)

    def _tell_kept(self, text: str | None) -> None:
        if text is not None:
            self._events.once(Kind.FAULT, "statistics", text, f"statistics: {text}")
        else:
            self._events.settled("statistics")
            self._events.add(Kind.FAULT, "statistics: looks are kept again", severity=Severity.NOTICE)

    @property
    def _settings(self) -> Settings:
        return self._network.running.settings(Settings)

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Opens the archive, goes on where an earlier process was, and begins to look."""
        memory = await self._shelf.open()
        self._board = Board(memory.totals, memory.time)
        for dvrs, kept in memory.switches.items():
            if dvrs in self._network.channels:
                self._switches.recall(dvrs, kept)
        self._others.recall(memory.others)
        if memory.time:
            self._last = memory.time
        self._network.on_change.append(self._changed)
        self._network.on_flow_removed = self._switches.flow_removed
        self._network.on_connected = self._connected
        self._task = asyncio.create_task(self._run(), name="telemetry")
        self._others.start()

    async def stop(self) -> None:
        """Ends the looks and closes the archive."""
        await self._others.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in self._waiting:
            waiting.cancel()
        await self._shelf.close()

    def _connected(self, dvrs: str) -> None:
        self._switches.connected(dvrs)
        self._rhythm.forget(dvrs)  # that it was slow, or hung, was the last connection's

    def _changed(self, made: Draft) -> None:
        self._attribution.changed(made)
        if any(path[0] in ("telemetry", "dvrs") for path in made.edits):
            self._rhythm.configured = self._settings.polling_interval
            self._others.changed()
            self._hurry.set()

    # What others ask ----------------------------------------------------------------------------------------

    @property
    def interval(self) -> float:
        """Seconds between two looks now; longer than configured where looking would disturb."""
        return self._rhythm.interval

    @property
    def enabled(self) -> bool:
        """Whether counters are read at all."""
        return not self._settings.disabled

    def latest(self, key: SeriesKey) -> Latest | None:
        """What was seen of one key last; None of what was never looked at."""
        return self._board.latest(key)

    def keys(self, level: Level) -> tuple[SeriesKey, ...]:
        """Everything of one level that was ever looked at: to ask for `latest` of it a little at a time."""
        return tuple(self._board.keys(level))

    def all_latest(self, level: Level) -> Mapping[SeriesKey, Latest]:
        """The same of everything of one level that is still there."""
        view = self._network.running
        return Overview(self._board, [key for key in self._board.keys(level) if path_of(view, key) is not None])

    def recent(self, key: SeriesKey, measure: Measure, count: int = 20) -> tuple[float, ...]:
        """The last rates, oldest first (gauges: values), from memory."""
        return self._board.recent(key, measure, count)

    async def series(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> Series:
        """What was counted in a period, in regular steps. Raises StoreUnavailable."""
        return await self._shelf.read(key, measures, since, until, points)

    async def series_of_many(
        self,
        keys: Sequence[SeriesKey],
        measures: Sequence[Measure],
        since: float,
        until: float,
        points: int = 200,
        told: Callable[[int], None] = lambda done: None,
    ) -> Mapping[SeriesKey, Series]:
        """The same of many at once, which costs little more than of one; `told` is told how many are read now and then.
        Raises StoreUnavailable."""
        return await self._shelf.read_together(keys, measures, since, until, points, told)

    async def total(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float
    ) -> dict[Measure, int]:
        """What was counted in a period, in all; gauges are left out. Raises StoreUnavailable."""
        return await self._shelf.total(key, measures, since, until)

    async def totals_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> Mapping[SeriesKey, dict[Measure, int]]:
        """The same of many at once. Raises StoreUnavailable."""
        return await self._shelf.total_together(keys, measures, since, until)

    async def size(self) -> Size:
        """How much is kept of the past."""
        return await self._shelf.size()

    async def look(self) -> None:
        """Looks at everything now, or shares the look that is under way or was a moment ago."""
        if self._task is None or self._task.done() or not self.enabled:
            return
        if time.monotonic() - self._finished < LOOK_AGAIN:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._hurry.set()
        await done

    def watch(self, listener: Callable[[float], None]) -> Callable[[], None]:
        """Calls `listener` after each round with its time (seconds since the epoch); returns what ends it."""
        self._watchers.append(listener)

        def end() -> None:
            if listener in self._watchers:
                self._watchers.remove(listener)

        return end

    def key_of(self, level: Level, path: Path) -> SeriesKey | None:
        """The key of what is configured at a path."""
        return key_of(self._network.running, level, path)

    def path_of(self, key: SeriesKey) -> Path | None:
        """The object that a key is about; None when it is gone."""
        return path_of(self._network.running, key)

    def name_of(self, key: SeriesKey) -> str | None:
        """A key in words; None when what it is about is gone."""
        return name_of(self._network.running, key)

    # Rounds -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                if self.enabled:
                    await self._round()
                else:
                    self._finished = time.monotonic()
                    self._release()
                    await self._pause(self.interval)
            except Exception as problem:
                self._events.once(Kind.FAULT, "telemetry", repr(problem), f"counters could not be read: {problem!r}")
                await asyncio.sleep(self.interval)

    async def _round(self) -> None:
        """One look at everything, spread over the interval; at once when somebody waits for it.

        The first switch is not read at the very beginning: what a look that somebody asked for has just read would be
        read again at once, and the round would show the rate of these milliseconds, which is mostly none.
        """
        begun, spent = time.monotonic(), 0.0
        interval, names = self.interval, self._switches.ready()
        self._patience = interval / 2
        hurried = False
        for number, dvrs in enumerate(names, 1):
            if not hurried:
                hurried = await self._pause(begun + interval * number / len(names) - time.monotonic())
            if hurried:
                break
            if self._rhythm.due(dvrs):
                spent += await self._look(dvrs)
        hurried = hurried or await self._pause(begun + interval - time.monotonic())
        if hurried:
            for dvrs in self._switches.ready():
                if self._rhythm.due(dvrs):  # one that hangs must not hold up who waits
                    spent += await self._look(dvrs)
        await self._finish()
        self._rhythm.round(spent)

    async def _pause(self, seconds: float) -> bool:
        """Waits; whether somebody is in a hurry."""
        if seconds > 0 and not self._hurry.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
            except TimeoutError:
                return False
        hurried = self._hurry.is_set()
        self._hurry.clear()
        return hurried

    async def _look(self, dvrs: str) -> float:
        """One switch; the seconds that it took. It is left alone while a change is being carried out; but commits
        that come one behind the other keep no switch from being looked at for longer than _LATE intervals and a round:
        then it is asked for one table at a time between what they ask of it, and nobody waits for the look."""
        undisturbed = await self._undisturbed()
        late = self._switches.since(dvrs) > _LATE * self.interval
        if not (undisturbed or late):
            return 0.0
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_WAIT):
                found = await self._switches.look(dvrs, None if late else self._network.turn.locked)
        except Busy:
            return 0.0
        except TimeoutError:
            if self._network.turn.locked():
                return 0.0  # it may be deaf while it carries a large change out
            self._rhythm.answered(dvrs, float("inf"))
            return 0.0  # it is that switch that is slow
        except (OpenFlowError, ValueError) as problem:
            self._events.once(Kind.FAULT, f"counters of {dvrs}", str(problem), f"{dvrs}: no counters: {problem}")
            return 0.0
        seconds = time.monotonic() - begun
        if found is not None:
            self._events.settled(f"counters of {dvrs}")
            self._rhythm.answered(dvrs, seconds)
        return seconds if seconds <= SLOW else 0.0  # it is that switch that is slow: the others are read as often

    async def _undisturbed(self) -> bool:
        """Waits for the end of the change that is being carried out; not longer than half an interval in a round."""
        if not self._network.turn.locked():
            return True
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._patience), self._network.turn:
                return True
        except TimeoutError:
            return False
        finally:
            self._patience = max(0.0, self._patience - (time.monotonic() - begun))

    async def _finish(self) -> None:
        """Shows and keeps what was counted in the round."""
        await self._shelf.written()
        now = self._clock()
        if now - self._pruned > _PRUNE:
            self._pruned = now
            self._board.prune(now - _KEPT, self._there)
        for dvrs in self._switches.forget():
            self._rhythm.forget(dvrs)
        if not self._shelf.opened:
            memory = await self._shelf.open()  # the disk was full, or read-only
            self._board.recall(memory.totals, memory.time)
        length = self._length(now)
        found, kept = await self._switches.take()
        looks = [*((look.counts, look.took) for look in found), (self._others.take(), length)]
        others, pace = dict(self._others.kept()), Pace()
        for counts, took in looks:
            self._board.add(counts, took)
            await pace.breathe()
        away = [look for look in found if apart(look.took, length)]
        here = {look.dvrs for look in found if look.took is not None} - {look.dvrs for look in away}
        idle = looked_at = await self._attribution.looked_at(here)
        for some in alike(away):
            theirs = await self._attribution.looked_at({look.dvrs for look in some})
            looked_at = looked_at | theirs
            for key in theirs:
                some[0].counts.setdefault(key, {})  # that nothing was counted of it is known of all that time
        await spread(self._board.finish(now, looked_at))
        self._shelf.write(now, length, looks, idle, kept, others, self._board.totals)
        self._finished = time.monotonic()
        self._release()
        for listener in tuple(self._watchers):
            try:
                listener(now)
            except Exception as problem:  # its mistake is its own: counting goes on
                self._events.once(Kind.FAULT, "telemetry listener", repr(problem), f"telemetry: {problem!r}")

    def _length(self, now: float) -> float:
        """Seconds since the last round, whatever became of the clock meanwhile."""
        ticks, before = self._switches.ticks(), self._ticks
        self._ticks = ticks
        if before is not None:
            return max(ticks - before, 0.001)
        return now - self._last if self._last is not None and now > self._last else self.interval

    def _there(self, key: SeriesKey) -> bool:
        """Tunnels to addresses come and go with what others tell: they are there while they carry something."""
        return key.level is not Level.TUNNEL and path_of(self._network.running, key) is not None

    def _release(self) -> None:
        self._hurry.clear()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

"""The switches as they are looked at: one account each, what was counted of each in the round, when it was looked at.

A flow that goes tells its last counters (flow removed, asked for by the flag SEND_FLOW_REM of the flows that count):
they are added to what the next look finds. Word that comes while a switch is being read waits until the look is done,
which may or may not have seen that flow.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from controller.network import Network
from controller.openflow.statistics import flow_removed
from controller.ovsdb.model import MPLS_OFPORT
from controller.telemetry.account import Account, Growth
from controller.telemetry.attribute import Attribution, Counts
from controller.telemetry.keeping import KeptSwitch, boot, encoded
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.poll import Reading, Source, read, subjects_of
from data.steps import Pace, spread

__all__ = ["Look", "Seen", "Switches"]

log = logging.getLogger(__name__)
_SMALL = 1024 * 1024  # bytes of all answers of a switch, up to which it is asked for all tables at once
_REMOVED_LIMIT = 100_000  # flows whose end waits to be accounted for, 20 MB; beyond, during a look, it is left out


class Look(NamedTuple):
    """What a switch has counted since the last time that this was asked, and in how many seconds (None: it was not
    looked at)."""

    dvrs: str
    counts: Counts
    took: float | None


@dataclass(slots=True)
class Seen:
    """One switch. `time` and `looked` are seconds since the epoch; `shown` and `answered`, of the same two looks, are
    of the clock that never goes back, None for looks of an earlier process."""

    account: Account
    known: float  # since when, by the clock that never goes back
    time: float | None = None  # of the last look that is shown
    looked: float | None = None  # of the last look
    shown: float | None = None
    answered: float | None = None
    grown: Growth = field(default_factory=dict)
    flows: int = 0
    size: int = 0
    reading: bool = False
    removed: deque[tuple[bytes, float]] = field(default_factory=deque)  # what was told of flows that went, and when
    changed: bool = True
    kept: msgspec.Raw | None = None


class Switches:
    """See the module. `clock` never goes back, `now` gives seconds since the epoch."""

    def __init__(
        self, network: Network, attribution: Attribution, clock: Callable[[], float], now: Callable[[], float]
    ) -> None:
        self._network = network
        self._attribution = attribution
        self._clock = clock
        self._now = now
        self._boot = boot()
        self._seen: dict[str, Seen] = {}

    def recall(self, dvrs: str, kept: KeptSwitch) -> None:
        """What an earlier process knew of a switch."""
        now = self._clock()
        account = Account(now, kept.account, same_clock=kept.boot == self._boot)
        self._seen[dvrs] = Seen(account, now, kept.time, kept.time)

    def forget(self) -> list[str]:
        """Those that are not configured any more are forgotten, and told."""
        gone = [dvrs for dvrs in self._seen if dvrs not in self._network.channels]
        for dvrs in gone:
            del self._seen[dvrs]
        return gone

    def ticks(self) -> float:
        """The clock that never goes back."""
        return self._clock()

    def connected(self, dvrs: str) -> None:
        """A switch dialled in: what is made from now on counts from its beginning."""
        seen = self._known(dvrs)
        while seen.removed and not seen.reading:  # what was told by the former connection was before the cut
            self._gone(seen, *seen.removed.popleft())
        seen.account.cut(self._clock())

    def _known(self, dvrs: str) -> Seen:
        if dvrs not in self._seen:
            now = self._clock()
            self._seen[dvrs] = Seen(Account(now), now)
        return self._seen[dvrs]

    def since(self, dvrs: str) -> float:
        """Seconds since the last look at a switch, or since it is known when there was none."""
        seen = self._known(dvrs)
        return self._clock() - (seen.known if seen.answered is None else seen.answered)

    def ready(self) -> list[str]:
        """The switches that can be looked at now, in a fixed order."""
        channels = self._network.channels
        return sorted(name for name, channel in channels.items() if channel.switch is not None and channel.ready)

    async def look(self, dvrs: str, busy: Callable[[], bool] | None) -> Reading | None:
        """Reads a switch and accounts for it; None when it is not there, or was read by somebody else meanwhile.
        Without `busy` it is read also while a change is being carried out. Raises as `poll.read`."""
        channel = self._network.channels.get(dvrs)
        if channel is None or channel.switch is None or not channel.ready:
            return None
        seen, switch = self._known(dvrs), channel.switch
        if seen.reading:
            return None
        ports = (self._network.topology.hypervisors[dvrs].vxlan_port, MPLS_OFPORT)
        source: Source = switch
        await self._hear(seen)
        if seen.reading or self._seen.get(dvrs) is not seen:
            return None
        seen.reading = True
        try:
            small = busy is not None and 0 < seen.size <= _SMALL
            found = await read(source, ports, self._clock, busy or _never, together=small)
            if self._seen.get(dvrs) is not seen:
                return None
            grown = await spread(
                seen.account.look(
                    found.counters, found.asked, found.answered, lambda one: subjects_of(one, found.subjects)
                )
            )
            if self._seen.get(dvrs) is not seen:
                return None
            _add(seen.grown, grown)
            seen.flows, seen.size, seen.looked, seen.changed = found.flows, found.size, self._now(), True
            seen.answered = found.answered
            return found
        finally:
            seen.reading = False

    def flow_removed(self, dvrs: str, body: bytes) -> None:
        """A switch says that a flow is gone. Of 100,000 that go at once it says so within half a second, so that only
        the next look, or the end of the round, asks what they had counted."""
        seen = self._known(dvrs)
        if len(seen.removed) < _REMOVED_LIMIT:
            seen.removed.append((body, self._clock()))
        elif not seen.reading:
            self._gone(seen, *seen.removed.popleft())
            seen.removed.append((body, self._clock()))

    async def _hear(self, seen: Seen) -> None:
        """Accounts for the flows that went; not while a look is under way."""
        pace = Pace()
        while seen.removed and not seen.reading:
            self._gone(seen, *seen.removed.popleft())
            await pace.breathe()

    def _gone(self, seen: Seen, body: bytes, at: float) -> None:
        try:
            counter = flow_removed(body)
        except ValueError as problem:
            log.warning("a switch tells of a flow that went in a way that nobody understands: %s", problem)
            return
        _add(seen.grown, seen.account.removed(counter, at, lambda one: subjects_of(one, {})))
        seen.changed = True

    # A round ends -------------------------------------------------------------------------------------------

    async def take(self) -> tuple[list[Look], dict[str, msgspec.Raw]]:
        """Of each switch what it has counted, and all accounts, for the next process. Both are of one moment."""
        looks: list[Look] = []
        kept: dict[str, msgspec.Raw] = {}
        pace = Pace()
        for dvrs, seen in list(self._seen.items()):
            await self._hear(seen)
            grown, seen.grown = seen.grown, {}
            took = _took(seen)
            if seen.time is not None and seen.account.known:
                if seen.changed or seen.kept is None:
                    seen.kept, seen.changed = encoded(KeptSwitch(seen.time, seen.account.keep(), self._boot)), False
                kept[dvrs] = seen.kept
            counts = await self._attribution.counts(dvrs, grown)
            if took is not None:
                counts.setdefault(SeriesKey(Level.DVRS, dvrs), {})[Measure.FLOWS] = seen.flows
            looks.append(Look(dvrs, counts, took))
            await pace.breathe()
        return looks, kept


def _never() -> bool:
    return False


def _took(seen: Seen) -> float | None:
    """The seconds that the last look covers, None when it is shown already, 0 when that is not known. The look is
    shown from now on. Only over a restart of the controller they are those of a clock that may be put back."""
    if seen.looked is None or seen.answered == seen.shown:
        return None
    before, seen.time = seen.time, seen.looked
    then, seen.shown = seen.shown, seen.answered
    if then is not None and seen.answered is not None:
        return max(seen.answered - then, 0.001)
    return 0.0 if before is None else max(seen.looked - before, 0.0)


def _add(grown: Growth, more: Growth) -> None:
    for subject, (first, second) in more.items():
        had = grown.get(subject, (0, 0))
        grown[subject] = had[0] + first, had[1] + second

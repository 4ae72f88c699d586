"""The switches as they are looked at: one account each, what was counted of each in the round, when it was looked at.

A flow that goes tells its last counters (flow removed, asked for by the flag SEND_FLOW_REM of the flows that count):
they are added to what the next look finds. Word that comes while a switch is being read waits until the look is done,
which may or may not have seen that flow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from controller.network import Network
from controller.openflow.statistics import Counter, flow_removed
from controller.ovsdb.model import MPLS_OFPORT
from controller.telemetry.account import Account, Growth
from controller.telemetry.attribute import Attribution, Counts
from controller.telemetry.keeping import KeptSwitch, boot, encoded
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.poll import Reading, Source, read, subjects_of

__all__ = ["Seen", "Switches"]

log = logging.getLogger(__name__)
_SMALL = 1024 * 1024  # bytes of all answers of a switch, up to which it is asked for all tables at once
_REMOVED_LIMIT = 100_000  # flows whose end is told during one look, before the rest is left out: 20 MB


@dataclass(slots=True)
class Seen:
    """One switch. Times with a ``_`` are of the clock that never goes back, others are seconds since the epoch."""

    account: Account
    time: float | None = None  # of the last look that is shown
    looked: float | None = None  # of the last look
    grown: Growth = field(default_factory=dict)
    flows: int = 0
    size: int = 0
    reading: bool = False
    removed: list[Counter] = field(default_factory=list)
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
        account = Account(self._clock(), kept.account, same_clock=kept.boot == self._boot)
        self._seen[dvrs] = Seen(account, kept.time, kept.time)

    def forget(self, dvrs: str) -> None:
        """It is not configured any more."""
        self._seen.pop(dvrs, None)

    def connected(self, dvrs: str) -> None:
        """A switch dialled in: what is made from now on counts from its beginning."""
        self._known(dvrs).account.cut(self._clock())

    def _known(self, dvrs: str) -> Seen:
        if dvrs not in self._seen:
            self._seen[dvrs] = Seen(Account(self._clock()))
        return self._seen[dvrs]

    def known(self) -> list[str]:
        """The switches that were ever here."""
        return list(self._seen)

    def ready(self) -> list[str]:
        """The switches that can be looked at now, in a fixed order."""
        channels = self._network.channels
        return sorted(name for name, channel in channels.items() if channel.switch is not None and channel.ready)

    async def look(self, dvrs: str, busy: Callable[[], bool]) -> Reading | None:
        """Reads a switch and accounts for it; None when it is not there, or was read by somebody else meanwhile.
        Raises as `poll.read`."""
        channel = self._network.channels.get(dvrs)
        if channel is None or channel.switch is None or not channel.ready:
            return None
        seen, switch = self._known(dvrs), channel.switch
        if seen.reading:
            return None
        ports = (self._network.topology.hypervisors[dvrs].vxlan_port, MPLS_OFPORT)
        source: Source = switch
        seen.reading = True
        try:
            small = 0 < seen.size <= _SMALL
            found = await read(source, ports, self._clock, busy, together=small)
            if self._seen.get(dvrs) is not seen:
                return None
            grown = seen.account.look(
                found.counters, found.asked, found.answered, lambda one: subjects_of(one, found.subjects)
            )
            _add(seen.grown, grown)
            seen.flows, seen.size, seen.looked, seen.changed = found.flows, found.size, self._now(), True
            return found
        finally:
            seen.reading = False
            removed, seen.removed = seen.removed, []
            for counter in removed:
                self._gone(seen, counter)

    def flow_removed(self, dvrs: str, body: bytes) -> None:
        """A switch says that a flow is gone."""
        seen, counter = self._known(dvrs), flow_removed(body)
        if not seen.reading:
            self._gone(seen, counter)
        elif len(seen.removed) < _REMOVED_LIMIT:
            seen.removed.append(counter)

    def _gone(self, seen: Seen, counter: Counter) -> None:
        _add(seen.grown, seen.account.removed(counter, self._clock(), lambda one: subjects_of(one, {})))
        seen.changed = True

    def looked(self) -> set[str]:
        """The switches that were looked at since their counts were taken last."""
        return {dvrs for dvrs, seen in self._seen.items() if seen.looked is not None and seen.looked != seen.time}

    # A round ends -------------------------------------------------------------------------------------------

    def take(self, dvrs: str) -> tuple[Counts, float | None]:
        """What was counted since this was asked last, and in how many seconds; None: it was not looked at."""
        seen = self._seen[dvrs]
        counts = self._attribution.counts(dvrs, seen.grown)
        seen.grown = {}
        if seen.looked is None or seen.looked == seen.time:
            return counts, None
        before, seen.time = seen.time, seen.looked
        counts.setdefault(SeriesKey(Level.DVRS, dvrs), {})[Measure.FLOWS] = seen.flows
        return counts, 0.0 if before is None else max(seen.looked - before, 0.001)

    def kept(self) -> dict[str, msgspec.Raw]:
        """All accounts, for the next process; between `take` of all of them and anything else."""
        result: dict[str, msgspec.Raw] = {}
        for dvrs, seen in self._seen.items():
            if seen.time is None or not seen.account.known:
                continue
            if seen.changed or seen.kept is None:
                seen.kept, seen.changed = encoded(KeptSwitch(seen.time, seen.account.keep(), self._boot)), False
            result[dvrs] = seen.kept
        return result


def _add(grown: Growth, more: Growth) -> None:
    for subject, (first, second) in more.items():
        had = grown.get(subject, (0, 0))
        grown[subject] = had[0] + first, had[1] + second

"""Denials: packets that policy refused, summed up per vport and per policy entry, from what telemetry counted.

No packet comes here: counters of the switches are compared after each round. The first packets that a vport or an entry
has denied are told with the next round; from then on what came meanwhile is told once in PAUSE, so that a port scan
is a line a minute. A policy entry with `log` tells single packets (controller/policylog.py).
"""

from __future__ import annotations

from collections.abc import Callable

from controller.events.event import Kind
from controller.events.recent import Events
from controller.events.thresholds import TOGETHER, Numbers
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.configuration import Configuration
from data.schema.policies import Entry
from data.steps import Steps

__all__ = ["PAUSE", "Denials"]

PAUSE = 60.0  # seconds between two events about the same vport or entry
TOLD = 20  # events in one round, of those who had most denied; the others are counted, and told later
NEVER = float("-inf")
_WATCHED = ((Level.VPORT, Measure.DENIED_PACKETS), (Level.RULE, Measure.HIT_PACKETS))


class Denials:
    """What was denied since it was last told. `look` is called after each round of telemetry."""

    def __init__(self, events: Events, numbers: Numbers, configured: Callable[[], Configuration]) -> None:
        self._events = events
        self._numbers = numbers
        self._configured = configured
        self._said: dict[SeriesKey, tuple[int, float]] = {}  # key -> its total when it was last told, and when that was
        self._first = True

    def look(self, now: float) -> Steps[None]:
        """Tells what was denied since. What was counted before the controller started is not news."""
        due = []
        seen: dict[SeriesKey, tuple[int, float]] = {}
        configured = self._configured()
        for level, measure in _WATCHED:
            for number, key in enumerate(self._numbers.keys(level)):
                if number % TOGETHER == 0:
                    yield
                latest = self._numbers.latest(key)
                total = 0 if latest is None else latest.totals.get(measure, 0)
                if not total or (level is Level.RULE and not self._denies(configured, key)):
                    continue
                said, at = self._said.get(key, (total if self._first else 0, NEVER))
                seen[key] = (said, at) if total >= said else (total, at)
                if total > said and not at <= now < at + PAUSE:  # at is in the future when the clock was put back
                    due.append((total - said, key, total, None if at == NEVER or now < at else now - at))
        self._said, self._first = seen, False
        due.sort(key=lambda one: -one[0])
        for count, key, total, passed in due[:TOLD]:
            self._said[key] = total, now
            self._tell(key, count, passed)

    def _denies(self, configured: Configuration, key: SeriesKey) -> bool:
        path = self._numbers.path_of(key)
        item = None if path is None else configured.get(path)
        return isinstance(item, Entry) and item.action == "deny"

    def _tell(self, key: SeriesKey, count: int, passed: float | None) -> None:
        name = self._numbers.name_of(key)
        if name is None:
            return
        packets = f"{count} packet{'' if count == 1 else 's'}"
        since = "" if passed is None else f" in {passed:.0f} s"
        of_vport = key.level is Level.VPORT
        text = f"{name}: {packets} denied by policy{since}" if of_vport else f"entry {name} denied {packets}{since}"
        facts: dict[str, str | int | float] = {"of": str(key.level), "name": name, "packets": count}
        if passed is not None:
            facts["seconds"] = round(passed)
        self._events.add(Kind.DENIED, text, about=self._numbers.path_of(key), facts=facts)

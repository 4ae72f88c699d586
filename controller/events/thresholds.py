"""Thresholds: `threshold NAME of vport measure sends above N for S`, looked at after each round of telemetry.

    below ──more than N──> above ──for S seconds──> TOLD ──no more than 90 % of N──> over again, told
                             └── no more than N: nothing was told

The gap between N and 90 % of it (hysteresis) keeps a measure that wavers about N from being told with every round. What
is not measured any more (a vport that was deleted, a hypervisor that is away) keeps its state for GONE seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.events.event import Kind, Severity
from controller.events.recent import Events
from controller.telemetry.board import Latest
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.configuration import Configuration
from data.path import Path
from data.schema.seen import Threshold
from data.steps import Steps

__all__ = ["CALM", "TOGETHER", "Crossing", "Numbers", "Thresholds"]

CALM = 0.9  # of N: it is over again when the measure is no more than this
GONE = 300.0  # seconds without a value after which a crossing is forgotten
TOLD = 50  # crossings of one threshold told one by one in a round; the others are counted

TOGETHER = 64  # values between two looks at the clock, about 100 µs

_BITS = frozenset({"sends", "gets"})
_MEASURES: Mapping[str, tuple[Measure, ...]] = {
    "sends": (Measure.SENDS_BYTES,),
    "gets": (Measure.GETS_BYTES,),
    "sends-packets": (Measure.SENDS_PACKETS,),
    "gets-packets": (Measure.GETS_PACKETS,),
    "dropped": (Measure.SPOOFED_PACKETS, Measure.DENIED_PACKETS, Measure.LIMITED_PACKETS),
}
_COUNTED = {
    Level.RULE: {"gets": (Measure.HIT_BYTES,), "gets-packets": (Measure.HIT_PACKETS,)},
    Level.BGP: {"sends-packets": (Measure.MESSAGES_SENT,), "gets-packets": (Measure.MESSAGES_RECEIVED,)},
}
_UNITS = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


class Numbers(Protocol):
    """What is asked of telemetry (controller/telemetry/service.py)."""

    def keys(self, level: Level) -> tuple[SeriesKey, ...]:
        """Everything of one level."""

    def latest(self, key: SeriesKey) -> Latest | None:
        """What was seen last of one of them."""

    def name_of(self, key: SeriesKey) -> str | None:
        """What a key is about, in words; None when it is gone."""

    def path_of(self, key: SeriesKey) -> Path | None:
        """Where that is configured; None when it is gone."""


@dataclass(slots=True)
class Crossing:
    """One thing whose measure is above a threshold. `since` is when it went above, `told` when that was told (seconds
    since the epoch), `value` the last one, `at` its time."""

    key: SeriesKey
    name: str
    since: float
    value: float
    at: float
    told: float | None = None


class Thresholds:
    """The thresholds of the configuration. `look` is called after each round of telemetry."""

    def __init__(self, events: Events, numbers: Numbers, configured: Callable[[], Configuration]) -> None:
        self._events = events
        self._numbers = numbers
        self._configured = configured
        self._crossings: dict[str, dict[SeriesKey, Crossing]] = {}
        self._settings: dict[str, Threshold] = {}

    def crossings(self, name: str) -> list[Crossing]:
        """What is above a threshold now, also for a shorter time than it asks for."""
        return sorted(self._crossings.get(name, {}).values(), key=lambda one: (-one.value, one.name))

    def look(self, now: float) -> Steps[None]:
        """Compares what was measured last with every threshold; `now` is the time of the round."""
        wanted = {path[-1]: item for path, item in self._configured().objects(Threshold)}
        for name in [name for name, settings in self._settings.items() if wanted.get(name) != settings]:
            self._crossings.pop(name, None)  # another threshold under the same name begins anew
        self._settings = wanted
        for name, settings in wanted.items():
            yield from self._judge(name, settings, now)

    def _judge(self, name: str, settings: Threshold, now: float) -> Steps[None]:
        known = self._crossings.setdefault(name, {})
        limit, crossed, over = settings.above or 0, list[Crossing](), list[Crossing]()
        level = Level(settings.of)
        for number, key in enumerate(self._numbers.keys(level)):
            if number % TOGETHER == 0:
                yield
            latest = self._numbers.latest(key)
            value = None if latest is None else _value(level, settings.measure, latest)
            if latest is None or value is None:
                continue
            at, crossing = latest.time, known.get(key)
            if crossing is not None:
                crossing.value, crossing.at = value, at
                crossing.since = min(crossing.since, at)  # the clock may have been put back
            if value > limit:
                if crossing is None:
                    words = self._numbers.name_of(key)
                    if words is None or not _matches(settings.name, words):
                        continue
                    crossing = known[key] = Crossing(key, words, at, value, at)
                if crossing.told is None and at - crossing.since >= settings.for_:
                    crossing.told = now
                    crossed.append(crossing)
            elif crossing is not None and (crossing.told is None or value <= limit * CALM):
                del known[key]
                if crossing.told is not None:
                    over.append(crossing)
        for key in [key for key, one in known.items() if now > one.at + GONE]:
            del known[key]
        self._tell(name, settings, sorted(crossed, key=lambda one: -one.value), False)
        self._tell(name, settings, over, True)

    def _tell(self, name: str, settings: Threshold, crossings: list[Crossing], over: bool) -> None:
        severity = Severity.NOTICE if over else Severity(settings.severity)
        for one in crossings[:TOLD]:
            value, limit = _words(one.value, settings.measure), _words(settings.above or 0, settings.measure)
            lasting = f" for {settings.for_} s" if settings.for_ and not over else ""
            what = f"{settings.measure} {value}, {'no longer ' if over else ''}above {limit}{lasting}"
            facts: dict[str, str | int | float] = {
                "threshold": name, "of": settings.of, "name": one.name, "measure": settings.measure,
                "value": round(one.value, 1), "above": settings.above or 0, "state": "over" if over else "crossed",
            }  # fmt: skip
            dvrs = one.key.name if one.key.level is Level.DVRS else None
            self._events.add(
                Kind.THRESHOLD, f"threshold {name}: {settings.of} {one.name} {what}",
                severity=severity, about=self._numbers.path_of(one.key), dvrs=dvrs, facts=facts,
            )  # fmt: skip
        if len(crossings) > TOLD:
            more = len(crossings) - TOLD
            text = f"threshold {name}: {more} more are {'no longer ' if over else ''}above it"
            self._events.add(Kind.THRESHOLD, text, severity=severity, about=("threshold", name), facts={"more": more})


def _value(level: Level, measure: str, latest: Latest) -> float | None:
    """The measure per second; None when it is not known, or not measured at this level."""
    measures = _COUNTED.get(level, _MEASURES).get(measure, ())
    rates = [latest.rates[one] for one in measures if one in latest.rates]
    return sum(rates) * (8 if measure in _BITS else 1) if rates else None


def _matches(pattern: str | None, words: str) -> bool:
    """Whether a name, or the last part of a full name, is meant: * is any part of one."""
    if pattern is None:
        return True
    return any(_is(pattern.split("*"), one) for one in (words, words.rpartition("/")[2]))


def _is(parts: Sequence[str], words: str) -> bool:
    """Whether a text is these parts with anything between them: the first place of each will do, so that no pattern
    takes longer than the text is."""
    first, *others = parts
    if not others:
        return words == first
    *between, last = others
    if len(words) < len(first) + len(last) or not (words.startswith(first) and words.endswith(last)):
        return False
    at, end = len(first), len(words) - len(last)
    for part in between:
        at = words.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _words(value: float, measure: str) -> str:
    """'3.1 Mb/s', '120/s'."""
    unit = "b/s" if measure in _BITS else "/s"
    for letter, size in _UNITS:
        if value >= size:
            return f"{value / size:.3g} {letter}{unit}"
    return f"{value:.3g}{' ' if unit == 'b/s' else ''}{unit}"

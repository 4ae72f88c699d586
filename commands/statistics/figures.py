"""Which columns the statistics of each level have, and what stands in them: declared once, for now and for the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from controller.telemetry.keys import Level, Measure
from views.models import Cell, Column, Octets, PerSecond, Rate, Trend


class What(Enum):
    """What a figure says of its measures, which are added up."""

    BITS = "bits per second"
    EACH = "per second"
    BYTES = "bytes in all"
    COUNT = "number in all"
    GAUGE = "what is true now"
    TREND = "bits per second lately"
    COURSE = "per second lately"


@dataclass(frozen=True, slots=True)
class Figure:
    """One column."""

    column: Column
    what: What
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of one object: in all, per second (bytes, not bits), and lately, oldest first."""

    totals: Mapping[Measure, float]
    rates: Mapping[Measure, float]
    lately: Mapping[Measure, Sequence[float | None]] = field(default_factory=dict)


def cell(figure: Figure, numbers: Numbers) -> Cell:
    """A figure's value; None when nothing is known."""
    if figure.what in (What.TREND, What.COURSE):
        factor = 8 if figure.what is What.TREND else 1
        known = [values for measure in figure.measures if (values := numbers.lately.get(measure))]
        # Rounded: a thousandth of a bit is nobody's business, and JSON would have 16 digits of it.
        return Trend(tuple(_together(some, factor) for some in zip(*known, strict=False)))
    source = numbers.rates if figure.what in (What.BITS, What.EACH) else numbers.totals
    counts: list[float] = [source[measure] for measure in figure.measures if measure in source]
    if not counts:
        return None
    value = sum(counts)
    match figure.what:
        case What.BITS:
            return Rate(round(value * 8, 1))
        case What.EACH:
            return PerSecond(round(value, 3))
        case What.BYTES:
            return Octets(round(value))
    return round(value)


def _together(values: Sequence[float | None], factor: int) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) * factor, 1) if known else None


def _figure(key: str, title: str, what: What, *measures: Measure, spare: bool = False) -> Figure:
    trend = what in (What.TREND, What.COURSE)
    return Figure(Column(key, title, "left" if trend else "right", spare=spare or trend), what, measures)


REFUSED = (Measure.SPOOFED_PACKETS, Measure.DENIED_PACKETS, Measure.LIMITED_PACKETS)
_BOTH_WAYS = (
    _figure("sends", "Sends", What.BITS, Measure.SENDS_BYTES),
    _figure("gets", "Gets", What.BITS, Measure.GETS_BYTES),
    _figure("sent", "Sent", What.BYTES, Measure.SENDS_BYTES),
    _figure("got", "Got", What.BYTES, Measure.GETS_BYTES),
)
_PACKETS = (
    _figure("trend", "Trend", What.TREND, Measure.SENDS_BYTES, Measure.GETS_BYTES),
    _figure("sends_packets", "Sends /s", What.EACH, Measure.SENDS_PACKETS, spare=True),
    _figure("gets_packets", "Gets /s", What.EACH, Measure.GETS_PACKETS, spare=True),
)
_DROPPED = _figure("dropped", "Dropped", What.COUNT, *REFUSED)
_DROPS = _figure("drops", "Drops /s", What.EACH, *REFUSED, spare=True)
TRAFFIC = (*_BOTH_WAYS, _DROPPED, *_PACKETS, _DROPS)
FIGURES: Mapping[Level, tuple[Figure, ...]] = {
    **dict.fromkeys((Level.VPORT, Level.SUBNET, Level.ZONE, Level.DOMAIN, Level.ENTERPRISE), TRAFFIC),
    Level.DVRS: (
        *_BOTH_WAYS,
        _DROPPED,
        _figure("flows", "Flows", What.GAUGE, Measure.FLOWS),
        *_PACKETS,
        _DROPS,
        _figure("uplink_received", "Up in", What.BITS, Measure.UPLINK_RECEIVED_BYTES, spare=True),
        _figure("uplink_sent", "Up out", What.BITS, Measure.UPLINK_SENT_BYTES, spare=True),
    ),
    Level.RULE: (
        _figure("hits", "Hits /s", What.EACH, Measure.HIT_PACKETS),
        _figure("rate", "Rate", What.BITS, Measure.HIT_BYTES),
        _figure("packets", "Packets", What.COUNT, Measure.HIT_PACKETS),
        _figure("bytes", "Bytes", What.BYTES, Measure.HIT_BYTES),
        _figure("trend", "Trend", What.COURSE, Measure.HIT_PACKETS),
    ),
    Level.TUNNEL: (
        _figure("rate", "Rate", What.BITS, Measure.SENDS_BYTES),
        _figure("packet_rate", "Packets /s", What.EACH, Measure.SENDS_PACKETS),
        _figure("bytes", "Bytes", What.BYTES, Measure.SENDS_BYTES),
        _figure("packets", "Packets", What.COUNT, Measure.SENDS_PACKETS, spare=True),
        _figure("trend", "Trend", What.TREND, Measure.SENDS_BYTES),
    ),
    Level.BGP: (
        _figure("received", "In /s", What.EACH, Measure.MESSAGES_RECEIVED),
        _figure("sent", "Out /s", What.EACH, Measure.MESSAGES_SENT),
        _figure("messages_received", "Messages in", What.COUNT, Measure.MESSAGES_RECEIVED),
        _figure("messages_sent", "Messages out", What.COUNT, Measure.MESSAGES_SENT),
        _figure("routes_received", "Routes in", What.GAUGE, Measure.ROUTES_RECEIVED),
        _figure("routes_sent", "Routes out", What.GAUGE, Measure.ROUTES_SENT),
    ),
    Level.PE: (*_BOTH_WAYS, *_PACKETS),
}
BUSY: Mapping[Level, tuple[Measure, ...]] = {
    **dict.fromkeys(Level, (Measure.SENDS_BYTES, Measure.GETS_BYTES)),
    Level.RULE: (Measure.HIT_PACKETS,),
    Level.BGP: (Measure.MESSAGES_RECEIVED, Measure.MESSAGES_SENT),
}
"""What decides who is the busiest: per second, then in all."""


def order(level: Level, name: str, numbers: Numbers) -> tuple[float, float, str]:
    """A key by which the busiest come first, and those alike by name."""
    rate = sum(numbers.rates.get(measure, 0.0) for measure in BUSY[level])
    total = sum(numbers.totals.get(measure, 0) for measure in BUSY[level])
    return -rate, -total, name

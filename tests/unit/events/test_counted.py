"""Thresholds and denials: what is told of counters, once when it begins and once when it is over."""

from __future__ import annotations

from controller.events import Event, Events, Kind, Severity
from controller.events.denials import PAUSE, Denials
from controller.events.thresholds import Thresholds
from controller.telemetry.board import Latest
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.configuration import Running
from data.path import Path
from data.rules import check
from data.schema.objects import Object
from data.schema.policies import Entry
from data.schema.seen import SyslogServer, Threshold
from data.steps import at_once

WEB = SeriesKey(Level.VPORT, "web-1")
DB = SeriesKey(Level.VPORT, "db-1")
RULE = SeriesKey(Level.RULE, "rule")
RULE_PATH = ("enterprise", "acme", "domain", "prod", "ingress-policy", "base", "entry", "10")


class Numbers:
    """Telemetry as far as thresholds ask it, set by hand."""

    def __init__(self) -> None:
        self.board: dict[SeriesKey, Latest] = {}

    def keys(self, level: Level) -> tuple[SeriesKey, ...]:
        return tuple(key for key in self.board if key.level is level)

    def latest(self, key: SeriesKey) -> Latest | None:
        return self.board.get(key)

    def name_of(self, key: SeriesKey) -> str | None:
        return "acme/prod/ingress/base/10" if key.level is Level.RULE else f"acme/prod/{key.name}"

    def path_of(self, key: SeriesKey) -> Path | None:
        return RULE_PATH if key.level is Level.RULE else ("enterprise", "acme", "domain", "prod", "vport", key.name)


class Bench:
    def __init__(self, **objects: Object) -> None:
        self.objects: dict[Path, Object] = {("threshold", name): item for name, item in objects.items()}
        self.objects[RULE_PATH] = Entry(uuid="rule", action="deny")
        self.events = Events()
        self.numbers = Numbers()
        parts = (self.events, self.numbers, lambda: Running(self.objects, 1))
        self.thresholds = Thresholds(*parts)
        self.denials = Denials(*parts)

    def rates(self, at: float, **bits: float) -> list[str]:
        """A round in which vports send so many bits per second; what was told in it."""
        for name, value in bits.items():
            key = SeriesKey(Level.VPORT, name.replace("_", "-"))
            self.numbers.board[key] = Latest(at, {}, {Measure.SENDS_BYTES: value / 8})
        before = len(self.events)
        at_once(self.thresholds.look(at))
        return [event.text for event in list(self.events)[before:]]

    def denied(self, at: float, web: int = 0, rule: int = 0) -> list[str]:
        """A round after which so many packets were denied in all."""
        self.numbers.board[WEB] = Latest(at, {Measure.DENIED_PACKETS: web}, {})
        self.numbers.board[RULE] = Latest(at, {Measure.HIT_PACKETS: rule}, {})
        before = len(self.events)
        at_once(self.denials.look(at))
        return [event.text for event in list(self.events)[before:]]

    @property
    def last(self) -> Event:
        return list(self.events)[-1]


def threshold(**more: object) -> Threshold:
    return Threshold(uuid="t", of="vport", measure="sends", above=1_000_000, **more)  # type: ignore[arg-type]


def test_a_measure_above_its_threshold_is_told_once_and_once_more_when_it_is_well_below() -> None:
    bench = Bench(busy=threshold(severity="error"))
    assert bench.rates(10, web_1=900_000, db_1=0) == []
    assert bench.rates(20, web_1=1_500_000) == ["threshold busy: vport acme/prod/web-1 sends 1.5 Mb/s, above 1 Mb/s"]
    assert (bench.last.severity, bench.last.kind) == (Severity.ERROR, Kind.THRESHOLD)
    assert bench.last.about is not None and bench.last.about[-1] == "web-1"
    assert bench.last.facts["state"] == "crossed" and bench.last.facts["value"] == 1_500_000
    assert bench.rates(30, web_1=1_600_000) == []
    assert bench.rates(40, web_1=950_000) == [], "it wavers: not yet over"
    assert [one.name for one in bench.thresholds.crossings("busy")] == ["acme/prod/web-1"]
    assert bench.rates(50, web_1=1_100_000) == []
    said = bench.rates(60, web_1=900_000)
    assert said == ["threshold busy: vport acme/prod/web-1 sends 900 kb/s, no longer above 1 Mb/s"]
    assert bench.last.severity is Severity.NOTICE and bench.thresholds.crossings("busy") == []


def test_a_measure_that_is_high_for_a_shorter_time_than_asked_for_is_not_told() -> None:
    bench = Bench(busy=threshold(for_=25))
    assert bench.rates(10, web_1=2e6) == []
    assert bench.rates(20, web_1=2e6) == []
    assert bench.rates(30, web_1=999_999) == []
    assert bench.rates(40, web_1=2e6) == []
    assert bench.rates(60, web_1=2e6) == []
    assert len(bench.rates(70, web_1=2e6)) == 1


def test_a_threshold_of_some_names_looks_at_these_alone() -> None:
    for pattern, told in (("acme/prod/web-*", 1), ("web-1", 1), ("*-1", 2), ("acme/prod/web", 0), ("umbrella/*", 0)):
        assert len(Bench(some=threshold(name=pattern)).rates(10, web_1=2e6, db_1=2e6)) == told, pattern


def test_a_threshold_that_a_commit_changed_begins_anew() -> None:
    bench = Bench(busy=threshold())
    assert len(bench.rates(10, web_1=2e6)) == 1
    bench.objects["threshold", "busy"] = threshold(severity="critical")
    assert len(bench.rates(20, web_1=2e6)) == 1
    del bench.objects["threshold", "busy"]
    assert bench.rates(30, web_1=0) == []


def test_denied_packets_are_told_with_the_next_round_and_then_once_a_minute() -> None:
    bench = Bench()
    assert bench.denied(0, web=5, rule=3) == [], "counted before the controller started"
    assert bench.denied(10, web=7, rule=3) == ["acme/prod/web-1: 2 packets denied by policy"]
    assert bench.denied(20, web=1007, rule=4) == ["entry acme/prod/ingress/base/10 denied 1 packet"]
    assert bench.denied(30, web=2007, rule=4) == []
    assert bench.denied(10 + PAUSE, web=3007, rule=4) == ["acme/prod/web-1: 3000 packets denied by policy in 60 s"]
    assert bench.last.facts == {"of": "vport", "name": "acme/prod/web-1", "packets": 3000, "seconds": 60}
    assert bench.last.about is not None and bench.last.about[-1] == "web-1"


def test_an_entry_that_allows_denies_nothing() -> None:
    bench = Bench()
    bench.objects[RULE_PATH] = Entry(uuid="rule", action="allow")
    bench.denied(0)
    assert bench.denied(10, rule=100) == []


def test_a_check_refuses_what_is_not_measured_and_a_certificate_without_tls() -> None:
    def causes(item: Object, path: Path) -> list[str]:
        view = Running({path: item}, 1)
        return [one.cause for one in check(view, {path: item}, Running({}, 0))]

    at = ("threshold", "t")
    assert causes(threshold(), at) == []
    assert causes(Threshold(uuid="t", of="tunnel", measure="dropped", above=1), at) == [
        "dropped is not measured of a tunnel"
    ]
    server = SyslogServer(uuid="s", address="127.0.0.1", protocol="tcp", certificate="/etc/ca.pem")
    assert causes(server, ("syslog-server", "s")) == ["over tcp no certificate is checked"]


def test_a_clock_that_is_put_back_silences_neither_denials_nor_thresholds() -> None:
    bench = Bench(busy=threshold(for_=20))
    bench.denied(100_000.0, web=0)
    bench.denied(100_010.0, web=5)
    assert bench.denied(10_000.0, web=9) == ["acme/prod/web-1: 4 packets denied by policy"]
    bench.rates(100_000.0, web_1=2_000_000)
    bench.rates(50_000.0, web_1=2_000_000)
    assert bench.rates(50_020.0, web_1=2_000_000)


def test_a_name_with_many_stars_takes_no_longer_than_the_name_is() -> None:
    bench = Bench(busy=threshold(name="*a" * 40 + "*b"))
    assert bench.rates(1000.0, **{"a" * 60: 2_000_000}) == []
    assert len(bench.rates(1010.0, **{"a" * 60 + "b": 2_000_000})) == 1
    for pattern, name, found in (("web-*", "web-1", 1), ("acme/*/web-1", "web-1", 1), ("*-1", "web-2", 0),
                                 ("web-1", "web-1", 1), ("ab*ba", "aba", 0), ("*", "x", 1)):  # fmt: skip
        other = Bench(busy=threshold(name=pattern))
        assert len(other.rates(1000.0, **{name: 2_000_000})) == found, pattern

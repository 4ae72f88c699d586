"""What is counted, in the words of Prometheus: the text behind /metrics.

    nshell_vport_sends_bytes_total{enterprise="acme",domain="prod",zone="web",subnet="web1",vport="web-1"} 123456

A vport's counters say nothing of its hypervisor, so that they go on over a move without a gap; where it is says
`nshell_vport_info`, to be joined: `rate(...) * on(enterprise, domain, vport) group_left(dvrs) nshell_vport_info`.

prometheus-client writes the text (its exposition formats: Prometheus text 0.0.4, OpenMetrics 1.0), CHUNK samples at a
time, so that the event loop gets its turns: 10,000 vports are 90,000 samples and 0.6 s of work (tests/bench).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from controller.telemetry.facts import facts
from controller.telemetry.keys import GAUGES, MEASURES_OF, Level, Measure
from controller.telemetry.naming import labels_of

if TYPE_CHECKING:
    from controller.fabric import Fabric
    from data.steps import Steps

__all__ = ["OpenMetrics", "encoding"]

CHUNK = 100  # samples that are written in one go, 0.7 ms
PACE = 50  # series that are looked up in one go, 0.5 ms
END = b"# EOF\n"
HELP: dict[Measure, str] = {
    Measure.SENDS_BYTES: "Bytes from it into the network",
    Measure.SENDS_PACKETS: "Packets from it into the network",
    Measure.GETS_BYTES: "Bytes from the network to it",
    Measure.GETS_PACKETS: "Packets from the network to it",
    Measure.SPOOFED_PACKETS: "Packets refused before policy: of another's address, VLAN or DHCP server",
    Measure.DENIED_PACKETS: "Packets that policy denied, in either direction",
    Measure.LIMITED_PACKETS: "Packets over a rate limit",
    Measure.HIT_PACKETS: "Packets that matched it",
    Measure.HIT_BYTES: "Bytes that matched it",
    Measure.FLOWS: "Flows in its switch",
    Measure.UPLINK_RECEIVED_BYTES: "Bytes that came from the underlay",
    Measure.UPLINK_SENT_BYTES: "Bytes that went into the underlay",
    Measure.MESSAGES_RECEIVED: "BGP messages from it",
    Measure.MESSAGES_SENT: "BGP messages to it",
    Measure.ROUTES_RECEIVED: "Routes that it tells",
    Measure.ROUTES_SENT: "Routes that it is told",
}

Encode = Callable[[Collector], bytes]


class One(Collector):
    """A registry of one metric."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def encoding(accept: str) -> tuple[Encode, str]:
    """What writes the text for an Accept header, and the Content-Type of that; the plain one for a header that says
    nothing that can be understood."""
    try:
        return choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is no number
        return choose_encoder("")


class OpenMetrics:
    """Everything that is measured. `sessions` says how many operators come which way. For the event loop."""

    def __init__(self, fabric: Fabric, version: str, sessions: Callable[[], Mapping[str, int]]) -> None:
        self._fabric = fabric
        self._version = version
        self._sessions = sessions
        self._process = ProcessCollector(registry=None)

    def text(self, encode: Encode) -> Steps[bytes]:
        """The whole text, in steps of CHUNK samples."""
        parts: list[bytes] = []
        for metric in self._all():
            if metric is None or not metric.samples:
                yield
                continue
            samples = metric.samples
            for at in range(0, len(samples), CHUNK):
                metric.samples = samples[at : at + CHUNK]
                written = encode(One(metric)).removesuffix(END)
                parts.append(written if at == 0 else _without_head(written))
                yield
        ending = encode(_NOTHING)  # OpenMetrics says where it ends, so that a scrape that was cut is seen
        return b"".join(parts) + ending

    def _all(self) -> Iterator[Metric | None]:
        """Every metric; None between them where work was done that took a while."""
        yield from facts(self._fabric, self._version, self._sessions())
        fabric = self._fabric
        yield self._counted("nshell_commits", "Commits since the daemon started", ("result",), fabric.commit_counts)
        told = fabric.events.counts
        yield self._counted("nshell_events", "Events since the daemon started", ("kind", "severity"), told)
        yield from self._process.collect()
        for level in Level:
            yield from self._level(level)

    def _level(self, level: Level) -> Iterator[Metric | None]:
        view, telemetry = self._fabric.acting, self._fabric.telemetry
        series = []
        for number, key in enumerate(telemetry.keys(level)):
            labels, latest = labels_of(view, key), telemetry.latest(key)
            if labels is not None and latest is not None:
                series.append((labels, latest.totals))
            if number % PACE == 0:
                yield None
        noun = level.value.replace("-", "_")
        for measure in MEASURES_OF[level]:
            name = f"nshell_{noun}_{measure.value.replace('-', '_')}"
            gauge = measure in GAUGES
            metric = Metric(
                name, f"{HELP[measure]} ({level.value})", "gauge" if gauge else "counter",
                "bytes" if name.endswith("_bytes") else "",
            )  # fmt: skip
            sample = name if gauge else name + "_total"
            for number, (labels, totals) in enumerate(series):
                if measure in totals:
                    metric.add_sample(sample, labels, totals[measure])
                if number % (10 * PACE) == 0:
                    yield None
            yield metric

    @staticmethod
    def _counted(
        name: str, help_: str, labels: tuple[str, ...], counts: Mapping[str, int] | Mapping[tuple[str, str], int]
    ) -> Metric:
        metric = Metric(name, help_, "counter")
        for key, count in counts.items():
            values = (key,) if isinstance(key, str) else key
            metric.add_sample(name + "_total", dict(zip(labels, values, strict=True)), count)
        return metric


class _Nothing(Collector):
    def collect(self) -> Iterable[Metric]:
        return ()


_NOTHING = _Nothing()


def _without_head(text: bytes) -> bytes:
    """Samples alone: what a metric is stands once above them."""
    while text.startswith(b"#"):
        text = text[text.index(b"\n") + 1 :]
    return text

"""What a scrape of 10,000 vports costs, and how long others wait meanwhile, beside prometheus-client alone.

Ours is looked up from the configuration and the counters, named and written in slices of the event loop; the peer is
prometheus-client alone, which is given the same samples ready-made, in one piece. Beside ours a timer of a millisecond
runs: how late it is at worst is what an OpenFlow echo would have waited.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from controller.telemetry.keys import MEASURES_OF, Level, SeriesKey
from controller.telemetry.openmetrics import OpenMetrics, encoding
from controller.topology import Attachment
from data.schema.objects import Vport
from data.steps import spread
from tests.bench.measure import Row, median
from tests.unit.data.examples import running
from tests.unit.telemetry.counted_network import Network

NAME = "metrics"
ABOUT = "/metrics of 10,000 vports beside prometheus-client alone"
VPORTS, TENANTS, ROUNDS = 10_000, 20, 5
MOST = 2.5  # times the peer, for naming 10,000 vports and giving way 900 times


class Ready(Collector):
    """Samples that are there already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


def network() -> Network:
    """Tenants with a subnet each, every vport counted and on a hypervisor."""
    lines = []
    for tenant in range(TENANTS):
        domain = f"set enterprise e{tenant} domain d"
        lines.append(f"{domain} zone z subnet s prefix 10.0.0.0/16")
        for n in range(VPORTS // TENANTS):
            lines.append(f"{domain} vport v{n} subnet s mac 02:00:00:{tenant:02x}:{n >> 8:02x}:{n & 255:02x}")
    made = Network(running("\n".join(lines)))
    for _, vport in made.running.objects(Vport):
        made.telemetry.seen[SeriesKey(Level.VPORT, vport.uuid)] = dict.fromkeys(MEASURES_OF[Level.VPORT], 123456)
        made.where[vport.uuid] = Attachment(vport.uuid, "hv1", 3, "tap0", 0.0)
    return made


async def scrape(metrics: OpenMetrics) -> tuple[bytes, float, float]:
    """The text, the seconds of processor time that it took, and how late a timer was at worst."""
    encode, _ = encoding("")
    worst, over = 0.0, asyncio.Event()

    async def tick() -> None:
        nonlocal worst
        while not over.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began - 0.001)

    ticking = asyncio.create_task(tick())
    began = time.process_time()
    text = await spread(metrics.text(encode))
    taken = time.process_time() - began
    over.set()
    await ticking
    return text, taken, worst


def measure() -> Iterator[Row]:
    metrics = OpenMetrics(network(), "1", dict)  # type: ignore[arg-type]
    gc.collect()
    gc.freeze()
    samples: dict[str, list[float]] = {"ours": [], "peer": [], "late": []}
    ready: Ready | None = None
    for _ in range(ROUNDS):
        text, taken, worst = asyncio.run(scrape(metrics))
        samples["ours"].append(taken * 1000)
        samples["late"].append(worst * 1000)
        if ready is None:
            ready = Ready(list(text_string_to_metric_families(text.decode())))
            gc.collect()
            gc.freeze()  # 90,000 samples that the next rounds' collections must not look at
        began = time.process_time()
        generate_latest(ready)
        samples["peer"].append((time.process_time() - began) * 1000)
    ours, peer, late = (median(samples[side]) for side in ("ours", "peer", "late"))
    span = "processor time of one scrape; peer: prometheus-client, samples ready-made, at once"
    yield Row(f"/metrics of {VPORTS} vports", ours, peer, MOST, "ms", span, samples)
    yield Row(
        "  info: how late a timer is at worst meanwhile", late, None, None, "ms", "median of the worst of each round"
    )

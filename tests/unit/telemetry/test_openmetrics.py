"""/metrics: what a Prometheus reads, whatever is called what, in slices that stall nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from controller.events import Kind
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.openmetrics import OpenMetrics, encoding
from controller.topology import Attachment
from data.schema.objects import Vport
from data.steps import at_once
from tests.unit.data.examples import running
from tests.unit.telemetry.counted_network import Network

OPEN = "application/openmetrics-text; version=1.0.0"


Sample = tuple[str, tuple[tuple[str, str], ...]]


def scraped(network: Network, accept: str = "") -> dict[Sample, float]:
    """Every sample by name and labels; the text must be one that Prometheus' own parser reads."""
    encode, _ = encoding(accept)
    metrics = OpenMetrics(network, "1.2.3", lambda: {"ssh": 2})  # type: ignore[arg-type]
    text = at_once(metrics.text(encode)).decode()
    parse: Callable[[str], Iterator[Any]] = open_families if "openmetrics" in accept else plain_families
    families = list(parse(text))
    assert len({family.name for family in families}) == len(families), "each is there once, not once for each slice"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def labels(**named: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(named.items()))


WEB_1 = ("enterprise", "acme", "domain", "prod", "vport", "web-1")
PLACE = labels(enterprise="acme", domain="prod", zone="web", subnet="web1", vport="web-1")


@pytest.fixture
def network() -> Network:
    return Network(running())


@pytest.mark.parametrize("accept", ["", OPEN, "text/plain;version=0.0.4", "text/plain; version=x.y", "*/*"])
def test_a_vport_is_named_by_its_place_and_counted_in_bytes_and_packets(network: Network, accept: str) -> None:
    uuid = network.uuid(*WEB_1)
    counted = {Measure.SENDS_BYTES: 10**15 + 1, Measure.GETS_PACKETS: 7, Measure.DENIED_PACKETS: 0}
    network.telemetry.seen[SeriesKey(Level.VPORT, uuid)] = counted
    network.where[uuid] = Attachment(uuid, "hv1", 3, "tap0", 0.0)
    found = scraped(network, accept)
    assert found["nshell_vport_sends_bytes_total", PLACE] == 10**15 + 1
    assert found["nshell_vport_gets_packets_total", PLACE] == 7
    assert found["nshell_vport_denied_packets_total", PLACE] == 0
    assert found["nshell_vport_up", PLACE] == 1
    where = labels(**dict(PLACE), dvrs="hv1", uuid=uuid, type="vm")
    assert found["nshell_vport_info", where] == 1
    assert found["nshell_dvrs_vports", labels(dvrs="hv1")] == 1
    assert found["nshell_sessions", labels(transport="ssh")] == 2


def test_what_is_above_a_vport_and_what_is_not_an_object_are_named_too(network: Network) -> None:
    seen = network.telemetry.seen
    domain = ("enterprise", "acme", "domain", "prod")
    entry = (*domain, "ingress-policy", "base", "entry", "10")
    subnet = (*domain, "zone", "web", "subnet", "web1")
    for level, path in ((Level.SUBNET, subnet), (Level.ZONE, subnet[:6]), (Level.DOMAIN, domain)):
        seen[SeriesKey(level, network.uuid(*path))] = {Measure.SENDS_BYTES: 1}
    seen[SeriesKey(Level.ENTERPRISE, network.uuid("enterprise", "acme"))] = {Measure.SENDS_BYTES: 1}
    seen[SeriesKey(Level.RULE, network.uuid(*entry))] = {Measure.HIT_PACKETS: 5}
    seen[SeriesKey(Level.TUNNEL, "hv1>192.0.2.1")] = {Measure.SENDS_BYTES: 9}
    seen[SeriesKey(Level.BGP, "pe1")] = {Measure.MESSAGES_SENT: 3, Measure.ROUTES_RECEIVED: 4}
    seen[SeriesKey(Level.PE, "pe1/ge-0/0/0")] = {Measure.GETS_BYTES: 2}
    seen[SeriesKey(Level.DVRS, "hv1")] = {Measure.FLOWS: 900}
    found = scraped(network, OPEN)
    tenant = {"enterprise": "acme", "domain": "prod"}
    assert found["nshell_subnet_sends_bytes_total", labels(**tenant, zone="web", subnet="web1")] == 1
    assert found["nshell_zone_sends_bytes_total", labels(**tenant, zone="web")] == 1
    assert found["nshell_domain_sends_bytes_total", labels(**tenant)] == 1
    assert found["nshell_enterprise_sends_bytes_total", labels(enterprise="acme")] == 1
    rule = labels(**tenant, direction="ingress", policy="base", entry="10")
    assert found["nshell_rule_hit_packets_total", rule] == 5
    assert found["nshell_tunnel_sends_bytes_total", labels(source="hv1", destination="192.0.2.1")] == 9
    assert found["nshell_bgp_neighbor_messages_sent_total", labels(neighbor="pe1")] == 3
    assert found["nshell_bgp_neighbor_routes_received", labels(neighbor="pe1")] == 4
    assert found["nshell_pe_gets_bytes_total", labels(pe="pe1", interface="ge-0/0/0")] == 2
    assert found["nshell_dvrs_flows", labels(dvrs="hv1")] == 900


def test_events_and_commits_are_counted_from_the_start_of_the_daemon_and_not_of_the_web_server(
    network: Network,
) -> None:
    network.events.add(Kind.FAULT, "one")
    found = scraped(network)
    assert found["nshell_events_total", labels(kind="fault", severity="error")] == 1
    assert found["nshell_events_total", labels(kind="bgp", severity="error")] == 0, "its first one is part of a rate"
    assert found["nshell_commits_total", labels(result="applied")] == 3
    assert found["nshell_commits_total", labels(result="failed")] == 1
    network.events.add(Kind.FAULT, "another")
    assert scraped(network)["nshell_events_total", labels(kind="fault", severity="error")] == 2


def test_what_is_gone_from_the_configuration_is_told_no_more(network: Network) -> None:
    network.telemetry.seen[SeriesKey(Level.VPORT, "nobody")] = {Measure.SENDS_BYTES: 1}
    assert not [name for name, _ in scraped(network) if name == "nshell_vport_sends_bytes_total"]


def test_a_thousand_vports_are_written_in_slices_of_the_loop() -> None:
    lines = ["set enterprise e domain d zone z subnet s prefix 10.0.0.0/16"] + [
        f"set enterprise e domain d vport v{n} subnet s mac 02:00:00:00:{n >> 8:02x}:{n & 255:02x}" for n in range(1000)
    ]
    network = Network(running("\n".join(lines)))
    for _, vport in network.running.objects(Vport):
        network.telemetry.seen[SeriesKey(Level.VPORT, vport.uuid)] = {Measure.SENDS_BYTES: 5, Measure.GETS_BYTES: 6}
    encode, _ = encoding(OPEN)
    steps = OpenMetrics(network, "1", dict).text(encode)  # type: ignore[arg-type]
    slices, worst = 0, 0.0
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration as end:
            text = end.value.decode()
            break
        finally:
            worst = max(worst, time.thread_time() - began)
        slices += 1
    assert slices > 60
    assert text.count("nshell_vport_sends_bytes_total{") == 1000 and text.endswith("# EOF\n")

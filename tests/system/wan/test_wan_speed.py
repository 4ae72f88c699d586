"""BGP beside much else: short hold timers during large pushes, and how soon a remote route is a flow.

Figures are printed as lines that begin with `wan:`.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network
from tests.system.wan.peers.raw_peer import KEEPALIVE
from tests.system.wan.raw_peers import EVPN, VPNV4, RawPeers, many, target
from tests.system.wan.route_to_flow import FlowMonitor, mac_changes, route_to_flow, vpn_changes
from tests.system.wan.test_wan import HERE
from tests.system.wan.wan_faults import Untouched, faulty, resident, summary

Site = tuple[Network, RawPeers]
TARGET = target(65000, 77)
VNI = 10101
ENTRIES = 200  # of policy, each 250 flows on each of two hypervisors
CHANGES = 200
MEDIAN = 0.05  # seconds from a route to its flow, on a machine that does nothing else


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with faulty(tmp_path_factory.mktemp("speed"), "fb") as (network, peers):
        network.commit(*peers.neighbour("k3", "hold-time 3"), *peers.neighbour("k9"), *peers.neighbour("far"))
        yield network, peers


def flow_counts(network: Network) -> list[int]:
    """Of each hypervisor."""
    said = [network.lab.ofctl(name, "dump-aggregate") for name in network.lab.hypervisors]
    found = [re.search(r"flow_count=(\d+)", one) for one in said]
    return [int(one.group(1)) for one in found if one is not None]


def test_hold_timers_of_three_and_nine_seconds_survive_commits_of_a_hundred_thousand_flows(site: Site) -> None:
    network, peers = site
    before = flow_counts(network)
    short, usual = peers.established("k3", hold=3), peers.established("k9")
    lines = [
        f"set {HERE} egress-policy in entry {1000 + number} protocol tcp source-port 1-65534 "
        "destination-port 1-65534 action allow stateful"
        for number in range(ENTRIES)
    ]
    pushes = []
    with Untouched(network, ("pe", "vtep", "k3", "k9"), lossless=False) as watch:
        began = time.monotonic()
        while time.monotonic() < began + 10:  # longer than either
            start = time.monotonic()
            network.commit(*lines)
            pushes.append(time.monotonic() - start)
            assert sum(flow_counts(network)) - sum(before) > 95_000
            network.commit("rollback 1")
        keepalives = short.count(KEEPALIVE)
    assert not short.closed and not usual.closed and keepalives >= 5
    print(f"wan: {len(pushes)} commits of 100,000 flows, {max(pushes):.1f} s at most, each taken back: {watch}")
    peers.close(short)
    peers.close(usual)


def test_openflow_and_hold_timers_survive_fifty_thousand_routes_that_come_and_go(site: Site) -> None:
    network, peers = site
    before = flow_counts(network)
    short = peers.established("k3", hold=3)
    far = peers.established("far")
    with Untouched(network, ("pe", "vtep", "k3"), lossless=False) as watch:
        began = time.monotonic()
        for one in many(50_000, peers.hop("far"), TARGET):
            peers.send(far, one)
        assert wait_until(lambda: min(flow_counts(network)) > 50_000, 4 * PATIENCE, 0.3), flow_counts(network)
        came = time.monotonic() - began
        began = time.monotonic()
        peers.close(far)
        assert wait_until(lambda: flow_counts(network) == before, 4 * PATIENCE, 0.3), flow_counts(network)
        gone = time.monotonic() - began
    assert not short.closed
    assert all(row["state"] == "ready" for row in network.rows("show dvrs"))
    said = " ".join(row["text"] for row in network.rows("show events"))
    assert "waiting for its OpenFlow" not in said.rpartition("session established")[2]
    print(f"wan: 50,000 routes to 100,000 flows in {came:.1f} s, away again in {gone:.1f} s: {watch}")
    peers.close(short)


@pytest.mark.parametrize("family", ["VPNv4", "type 2"])
def test_a_remote_route_is_a_flow_within_fifty_milliseconds_as_a_rule(site: Site, family: str) -> None:
    network, peers = site
    far = peers.established("far", (VPNV4, EVPN))
    hop = peers.hop("far")
    changes = vpn_changes(hop, TARGET, CHANGES)
    if family == "type 2":
        changes = mac_changes(hop, target(65000, VNI), VNI, CHANGES)
    with FlowMonitor(network.lab, "hv1") as flows:
        took = route_to_flow(peers, far, flows, changes)
        seen = len(flows.changes())
    peers.close(far)
    median = statistics.median(took)
    print(
        f"wan: {family} route to flow: median {median * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms of {len(took)}, "
        f"{seen} flow changes"
    )
    assert len(took) == CHANGES and seen <= 4 * CHANGES, "a route changes its own flows alone"
    assert median <= 8 * MEDIAN  # other tests run at the same time


@pytest.mark.soak
def test_a_million_routes_that_nobody_imports_are_kept_and_let_go(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("huge", "prefix-limit 2000000"))
    huge = peers.established("huge")
    with Untouched(network) as watch:
        began = time.monotonic()
        for one in many(1_000_000, peers.hop("huge")):
            peers.send(huge, one)
        assert wait_until(lambda: summary(network, "huge")["received"] == 1_000_000, 10 * PATIENCE, 1.0)
        took = time.monotonic() - began
        began = time.monotonic()
        network.commit("delete bgp-neighbor huge")
        gone = time.monotonic() - began
    pid = network.shell.pid
    assert pid is not None and watch.memory < 2000
    print(f"wan: a million routes in {took:.1f} s, let go in {gone:.1f} s, then {resident(pid)} MiB: {watch}")
    peers.close(huge)

"""Entries with `log` seen with real packets, and connections that a freed port forgets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from controller.policylog import RATE
from nshell.lab import packets
from nshell.lab.probing import wait_until
from tests.system.network import Network

BASE = "enterprise acme domain prod"
POLICY = (
    f"set {BASE} ingress-default allow",
    f"set {BASE} egress-default allow",
    f"set {BASE} ingress-policy guard entry 10 protocol tcp destination-port 22 action deny log",
    f"set {BASE} ingress-policy guard entry 20 from zone web to zone app protocol tcp destination-port 8443"
    " action allow stateful log",
    f"set {BASE} egress-policy door entry 5 from any to subnet app1 protocol udp destination-port 53 action deny log",
    f"set {BASE} egress-policy door entry 6 protocol icmp icmp-type 8 action allow log",
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"), "tlog")
    network.run("configure", *POLICY, "commit")
    yield network
    network.close()


def told(network: Network) -> list[str]:
    """The events of logged packets."""
    return [row["text"] for row in network.rows("show system events limit 1000") if row["kind"] == "policy"]


def since(network: Network, before: list[str], count: int) -> list[str]:
    """What was told after `before`, once it is at least `count` lines."""
    wait_until(lambda: len(told(network)) >= len(before) + count, 5.0)
    return told(network)[len(before) :]


def test_a_denied_packet_is_told_with_entry_vport_and_5_tuple(network: Network) -> None:
    before = told(network)
    assert not network.lab.tcp("web-1", "app-2", 22, timeout=0.5).ok
    told_now = since(network, before, 1)
    pattern = r"denied by ingress guard/10 of acme/prod on hv1, vport web-1: 10\.1\.1\.11:\d+ -> 10\.1\.2\.12:22 tcp"
    assert told_now and all(re.fullmatch(pattern, text) for text in told_now), told_now


def test_a_denied_ipv6_packet_is_told_likewise(network: Network) -> None:
    network.commit(
        f"set {BASE} zone web subnet web1 ipv6-prefix fd00:1::/64", f"set {BASE} vport web-1 address fd00:1::11"
    )
    before = told(network)
    segment = packets.ipv6("fd00:1::11", "fd00:2::12", 6, packets.tcp("fd00:1::11", "fd00:2::12", 4000, 22))
    frame = packets.ethernet("00:00:5e:00:01:01", "02:00:0a:01:01:0b", packets.ETHERTYPE_IPV6, segment)
    network.lab.send_frames("web-1", [frame], count=1)
    (text,) = since(network, before, 1)
    way = "fd00:1::11:4000 -> fd00:2::12:22 tcp"
    said = "denied by ingress guard/10 of acme/prod on hv1, vport web-1: "
    assert text.replace("[", "").replace("]", "") == said + way


def test_an_allowed_connection_is_told_once_and_not_packet_by_packet(network: Network) -> None:
    before = told(network)
    with network.lab.tcp_server("app-2", 8443):
        assert network.lab.tcp("web-1", "app-2", 8443).echoed
    time.sleep(0.5)
    told_now = since(network, before, 1)
    assert len(told_now) == 1, told_now
    assert told_now[0].startswith("allowed by ingress guard/20 of acme/prod on hv1, vport web-1: 10.1.1.11:")


def test_an_egress_entry_is_told_where_the_packet_arrives(network: Network) -> None:
    before = told(network)
    with network.lab.udp_server("app-2", 53):
        assert network.lab.udp("web-2", "app-2", 53, timeout=0.3) == 0
    told_now = since(network, before, 1)
    assert all(
        re.fullmatch(
            r"denied by egress door/5 of acme/prod on hv3, vport app-2: 10\.1\.1\.12:\d+ -> 10\.1\.2\.12:53 udp", text
        )
        for text in told_now
    ), told_now


def test_a_flood_of_logged_packets_is_bounded_and_traffic_and_commits_go_on(network: Network) -> None:
    before = told(network)
    began = time.monotonic()
    frame = packets.ethernet(
        "00:00:5e:00:01:01", "02:00:0a:01:01:0b", packets.ETHERTYPE_IPV4,
        packets.ipv4("10.1.1.11", "10.1.2.12", 6, packets.tcp("10.1.1.11", "10.1.2.12", 4000, 22)),
    )  # fmt: skip
    for _ in range(4):
        network.lab.send_frames("web-1", [frame], count=2500)
        assert network.lab.ping("web-2", "app-1").ok
    network.run("configure", f"set {BASE} zone web description flooded", "commit")
    seconds = int(time.monotonic() - began) + 2
    more = "more logged packets on hv1"  # told when the second is over
    assert wait_until(lambda: any(more in text for text in told(network)[len(before) :]), 5.0), told(network)[-5:]
    told_now = since(network, before, RATE)
    assert RATE <= len([text for text in told_now if "denied" in text]) <= RATE * seconds
    rest = sum(int(text.split()[0]) for text in told_now if "more logged packets" in text)
    assert rest < 1500 * seconds, "the switch limits what it sends up"
    told_all = [row["text"] for row in network.rows("show system events limit 1000") if row["kind"] != "policy"]
    assert any("bridge br-nsh set up" in text for text in told_all), "a flood does not drive other events out"


def test_connections_of_a_port_that_is_free_again_are_forgotten(network: Network) -> None:
    interfaces = network.lab.ovs("hv1").vsctl("--columns=ofport", "--bare", "find", "Interface",
                                              'external_ids:iface-id="acme/prod/web-1"')  # fmt: skip
    zone = int(interfaces.strip())

    def tracked() -> str:
        return network.lab.ovs("hv1").control("dpctl/dump-conntrack", f"zone={zone}")

    with network.lab.tcp_server("app-2", 8443), network.lab.tcp_stream("web-1", "app-2", 8443, timeout=1.0):
        time.sleep(0.3)
        assert "dport=8443" in tracked()
        network.lab.unplug("web-1")
        assert wait_until(lambda: not tracked().strip(), 5.0), tracked()
    network.lab.plug("web-1", "hv1")
    network.ready()
    assert network.lab.ping("web-1", "app-2").ok

"""Static routes with real packets: through a router's interface, shared by two, into a black hole, and past a dead one.

`edge-1` and `edge-2` are machines that route (anti-spoofing mac); what is behind them are addresses of theirs that the
fabric knows only from static routes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nshell.lab import Machine
from nshell.lab.probing import wait_until
from tests.system.network import Network
from tests.system.traffic import UdpFlows, chi_square, tcp_flows

BASE = "set enterprise acme domain prod"
OTHER = "set enterprise umbra domain prod"
CLIENT, FIRST, SECOND, STRANGER = "web-1", "edge-1", "edge-2", "spy-1"
BEHIND, BEHIND6 = "192.168.50.10", "2001:db8:50::10"
SHARED, SHARED6 = "192.168.60.10", "2001:db8:60::10"
POLICY = f"""
{BASE} zone web subnet web1 prefix 10.1.1.0/24
{BASE} zone web subnet web1 ipv6-prefix 2001:db8:1::/64
{BASE} zone edge subnet edge1 prefix 10.1.2.0/24
{BASE} zone edge subnet edge1 ipv6-prefix 2001:db8:2::/64
{BASE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 2001:db8:1::11 ]
{BASE} vport edge-1 subnet edge1 mac 02:00:0a:01:02:15 address [ 10.1.2.21 2001:db8:2::21 ] anti-spoofing mac
{BASE} vport edge-2 subnet edge1 mac 02:00:0a:01:02:16 address [ 10.1.2.22 2001:db8:2::22 ] anti-spoofing mac
{BASE} static-route 192.168.50.0/24 next-hop 10.1.2.21
{BASE} static-route 2001:db8:50::/64 next-hop 2001:db8:2::21
{BASE} static-route 192.168.60.0/24 next-hop [ 10.1.2.21 10.1.2.22 ]
{BASE} static-route 2001:db8:60::/64 next-hop [ 2001:db8:2::21 2001:db8:2::22 ]
{BASE} static-route 192.168.50.128/25 next-hop 10.1.2.22
{BASE} static-route 192.168.50.66/32 blackhole
{BASE} static-route 2001:db8:50::66/128 blackhole
{OTHER} zone web subnet web1 prefix 10.1.1.0/24
{OTHER} vport spy-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
"""


def _machine(name: str, hypervisor: str, subnet: int, host: int, *more: str, tenant: str = "acme") -> Machine:
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"{tenant}/prod/{name}", mac=f"02:00:0a:01:0{subnet}:{host:02x}",
        address=(f"10.1.{subnet}.{host}/24", f"2001:db8:{subnet}::{host}/64", *more),
        gateway=(f"10.1.{subnet}.1", f"2001:db8:{subnet}::1"), forward=name.startswith("edge"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = (
        _machine(CLIENT, "hv1", 1, 11),
        _machine(FIRST, "hv2", 2, 21),
        _machine(SECOND, "hv3", 2, 22),
        _machine(STRANGER, "hv1", 1, 11, tenant="umbra"),
    )
    network = Network(tmp_path_factory.mktemp("network"), "r4r", machines=machines, policy=POLICY)
    try:
        for name in (FIRST, SECOND):
            for address in (
                f"{BEHIND}/32",
                f"{BEHIND6}/128",
                f"{SHARED}/32",
                f"{SHARED6}/128",
                "192.168.50.66/32",
                "192.168.50.200/32",
            ):
                done = network.lab.exec(name, ["ip", "address", "add", address, "dev", "lo"])
                assert not done.returncode, done.stderr
        yield network
    finally:
        network.close()


def health(network: Network) -> dict[str, str]:
    """Address -> "alive", "dead" or "unknown", as `show health` says."""
    return {str(row["address"]): str(row["health"]) for row in network.rows("show health")}


def reached(network: Network, address: str, source: str = CLIENT, count: int = 3) -> int:
    return network.lab.ping(source, address, count=count, timeout=0.5).received


def test_a_route_leads_through_a_router_of_the_tenant_and_a_longer_prefix_leads_elsewhere(network: Network) -> None:
    lab = network.lab
    for address in (BEHIND, BEHIND6):
        with lab.watch(FIRST) as first, lab.watch(SECOND) as second:
            assert reached(network, address) == 3
        assert _echoes(first.report) == 3 and not _echoes(second.report)
    with lab.watch(FIRST) as first, lab.watch(SECOND) as second:
        assert reached(network, "192.168.50.200") == 3
    assert _echoes(second.report) == 3 and not _echoes(first.report)


def _echoes(report: dict[str, object]) -> int:
    frames = report["frames"]
    assert isinstance(frames, list)
    wanted = {("icmp", 8), ("icmp6", 128)}
    return sum(1 for frame in frames if (frame["kind"], frame.get("icmp_type")) in wanted)


def test_a_blackhole_inside_a_route_drops_and_counts(network: Network) -> None:
    with network.lab.watch(FIRST) as first, network.lab.watch(SECOND) as second:
        assert reached(network, "192.168.50.66") == 0
        assert reached(network, "2001:db8:50::66") == 0
    assert not _echoes(first.report) and not _echoes(second.report)
    for hole in ("nw_dst=192.168.50.66", "ipv6_dst=2001:db8:50::66"):
        (flow,) = [one for one in network.lab.ofctl("hv1", "dump-flows").splitlines() if hole in one]
        assert "n_packets=3" in flow and "drop" in flow


def test_routes_of_a_domain_are_nothing_to_another(network: Network) -> None:
    with network.lab.watch(FIRST) as first, network.lab.watch(SECOND) as second:
        for address in (BEHIND, SHARED, "10.1.2.21"):
            assert reached(network, address, STRANGER, 2) == 0
    assert not _echoes(first.report) and not _echoes(second.report)
    assert reached(network, BEHIND) == 3


@pytest.mark.parametrize("shared", [SHARED, SHARED6], ids=["IPv4", "IPv6"])
def test_a_thousand_flows_share_two_next_hops_evenly_and_each_stays_on_one(network: Network, shared: str) -> None:
    flows = UdpFlows(network.lab, CLIENT, shared, 7000, receivers=(FIRST, SECOND), flows=1000, packets=2)
    assert not flows.unseen, f"{flows.unseen} flows got lost"
    assert all(len(sides) == 1 for sides in flows.sides.values()), "a flow went two ways"
    assert chi_square(flows.counts) > 0.001, flows.counts
    before = dict(flows.sides)
    network.restart_controller()
    again = UdpFlows(network.lab, CLIENT, shared, 7000, receivers=(FIRST, SECOND), flows=200, packets=1)
    assert all(again.sides[number] == before[number] for number in again.sides), "a restart moved flows"


def test_show_routes_says_who_is_alive_and_what_each_gets(network: Network) -> None:
    rows = network.rows("show routes enterprise acme domain prod")
    shared = [row for row in rows if row["prefix"] == "192.168.60.0/24"]
    assert [(row["next_hop"], row["dvrs"], row["state"], row["share"]) for row in shared] == [
        ("10.1.2.21", "hv2", "alive", "50 %"), ("10.1.2.22", "hv3", "alive", "50 %")
    ]  # fmt: skip
    assert all(row["since"] for row in shared)
    (hole,) = [row for row in rows if row["prefix"] == "192.168.50.66/32"]
    assert (hole["next_hop"], hole["state"]) == ("blackhole", "drops")


def test_connections_through_either_next_hop_work(network: Network) -> None:
    with network.lab.tcp_server(FIRST, 7443), network.lab.tcp_server(SECOND, 7443):
        assert tcp_flows(network.lab, CLIENT, SHARED, 7443, flows=40) == {"echoed": 40}


def test_a_next_hop_that_answers_no_arp_is_out_within_three_seconds_and_returns(network: Network) -> None:
    lab = network.lab
    assert wait_until(lambda: health(network).get("10.1.2.22") == "alive", 5)
    lab.exec(SECOND, ["ip", "link", "set", "eth0", "arp", "off"])
    lab.exec(SECOND, ["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=8"])
    began = time.monotonic()
    try:
        assert wait_until(lambda: _only(network, "hv2"), 5, 0.05)
        took = time.monotonic() - began
        print(f"\nroutes: a dead next hop was out after {took:.2f} s")
        assert took < 3.0
        assert health(network)["10.1.2.22"] == "dead"
        flows = UdpFlows(lab, CLIENT, SHARED, 7001, receivers=(FIRST, SECOND), flows=200)
        assert flows.counts == {FIRST: 200, SECOND: 0}
        assert reached(network, "192.168.50.200") == 0, "its only next hop is dead"
        network.restart_controller()
        assert health(network)["10.1.2.22"] == "dead", "a restart must not revive it"
        assert _only(network, "hv2")
    finally:
        lab.exec(SECOND, ["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=0"])
        lab.exec(SECOND, ["ip", "link", "set", "eth0", "arp", "on"])
    assert wait_until(lambda: health(network)["10.1.2.22"] == "alive", 3, 0.1)
    flows = UdpFlows(lab, CLIENT, SHARED, 7001, receivers=(FIRST, SECOND), flows=400)
    assert chi_square(flows.counts) > 0.001, flows.counts
    told = " ".join(str(row["text"]) for row in network.rows("show system events") if row["kind"] == "health")
    assert "acme/prod/edge-2 10.1.2.22, probed by arp, is alive again" in told


def test_an_ipv6_next_hop_that_answers_no_solicitation_is_out_within_three_seconds_and_returns(
    network: Network,
) -> None:
    lab, address = network.lab, "2001:db8:2::22"
    assert wait_until(lambda: health(network).get(address) == "alive", 5)
    lab.remove_address(SECOND, f"{address}/64")
    began = time.monotonic()
    try:
        assert wait_until(lambda: health(network)[address] == "dead", 5, 0.05)
        assert time.monotonic() - began < 3.0
        flows = UdpFlows(lab, CLIENT, SHARED6, 7001, receivers=(FIRST, SECOND), flows=200)
        assert flows.counts == {FIRST: 200, SECOND: 0}
        assert health(network)["10.1.2.22"] == "alive", "its IPv4 address is another target"
    finally:
        lab.add_address(SECOND, f"{address}/64")
        lab.exec(SECOND, ["ip", "-6", "route", "replace", "default", "via", "2001:db8:2::1"])
    assert wait_until(lambda: health(network)[address] == "alive", 3, 0.1)
    flows = UdpFlows(lab, CLIENT, SHARED6, 7001, receivers=(FIRST, SECOND), flows=400)
    assert chi_square(flows.counts) > 0.001, flows.counts


def _only(network: Network, hypervisor: str) -> bool:
    """Whether hv1 spreads what goes to SHARED over this hypervisor's next hop alone."""
    mac = {"hv2": "02:00:0a:01:02:15", "hv3": "02:00:0a:01:02:16"}[hypervisor]
    flows = [one for one in network.flows("hv1") if "nw_dst=192.168.60.0/24" in one]
    return len(flows) == 1 and mac in flows[0]


def test_routes_follow_a_next_hop_that_moves_and_nobody_dies_of_it(network: Network) -> None:
    lab = network.lab
    with network.pinging(CLIENT, BEHIND) as report:
        lab.move(FIRST, "hv1")
        time.sleep(0.5)
    assert report["received"] > report["lost"], report
    network.ready()
    time.sleep(2.6)
    assert reached(network, BEHIND) == 3 and reached(network, BEHIND6) == 3
    lab.move(CLIENT, "hv3")
    network.ready()
    assert reached(network, BEHIND) == 3
    assert health(network)["10.1.2.21"] == health(network)["2001:db8:2::21"] == "alive"
    assert "edge-1 10.1.2.21, probed by arp, is dead" not in network.run("show system events")


def test_a_hypervisor_that_is_away_keeps_its_next_hops(network: Network) -> None:
    network.lab.cut_management("hv3")
    try:
        time.sleep(4.0)
        assert health(network)["10.1.2.22"] == "alive"
        assert not _only(network, "hv2")
    finally:
        network.lab.mend_management("hv3")
    network.ready()


def test_nothing_stale_is_left(network: Network) -> None:
    assert not network.stale_flows()
    network.commit("delete enterprise acme domain prod static-route 192.168.60.0/24")
    network.commit("delete enterprise acme domain prod static-route 192.168.50.128/25")
    assert wait_until(lambda: "10.1.2.22" not in health(network), 3)
    assert not network.stale_flows()

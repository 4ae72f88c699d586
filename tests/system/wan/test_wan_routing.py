"""Routing between the fabric and VTEPs of every sort, over iBGP, eBGP and a route reflector; what it costs is printed.

    vh-web1   in our subnet web1 (VNI 10101), behind a VTEP that only bridges: our gateways route for it
    vt-red    in a network of the VTEP's VRF `red`, which is our domain elsewhere (VNI 5000): type 5
    vh-red1   in a segment of that VRF: type 2 with both VNIs

Lines that begin with `wan:` are what was measured.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nshell.lab import Machine
from nshell.lab.probing import wait_until
from nshell.lab.wan.plan import Customer, Segment, Tenant, Wan
from tests.system.network import PATIENCE, Network, dual_stack
from tests.system.wan.peers import PeerNetwork
from tests.system.wan.test_wan_peers import gobgp_text
from tests.system.wan.wan_rows import established, routes

HERE = "enterprise acme domain prod"
TARGET, SEGMENT_TARGET = "65000:77", "65000:10101"
POLICY = f"""
set {HERE} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64 vni 10101 route-target {SEGMENT_TARGET}
set {HERE} zone app subnet app1 prefix 10.1.2.0/24 ipv6-prefix 2001:db8:2::/64
set {HERE} route-target {TARGET}
set {HERE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 2001:db8:1::11 ]
set {HERE} vport web-2 subnet web1 mac 02:00:0a:01:01:0c address [ 10.1.1.12 2001:db8:1::12 ]
set {HERE} vport app-1 subnet app1 mac 02:00:0a:01:02:0b address [ 10.1.2.11 2001:db8:2::11 ]
set {HERE} vport app-2 subnet app1 mac 02:00:0a:01:02:0c address [ 10.1.2.12 2001:db8:2::12 ]
set enterprise other domain prod zone z subnet s prefix 10.1.1.0/24
set enterprise other domain prod zone z subnet t prefix 10.1.2.0/24
set enterprise other domain prod vport spy subnet t mac 02:00:0a:01:02:63 address 10.1.2.99
"""


def app(name: str, hypervisor: str, host: int) -> Machine:
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=f"02:00:0a:01:02:{host:02x}",
        address=(f"10.1.2.{host}/24", f"2001:db8:2::{host}/64"), gateway=("10.1.2.1", "2001:db8:2::1"),
    )  # fmt: skip


MACHINES = (
    dual_stack("web-1", "hv1", 11), dual_stack("web-2", "hv2", 12), app("app-1", "hv1", 11), app("app-2", "hv2", 12),
    Machine(name="spy", hypervisor="hv2", vport="other/prod/spy", mac="02:00:0a:01:02:63", address=("10.1.2.99/24",),
            gateway="10.1.2.1"),
)  # fmt: skip
CUSTOMER = Customer(name="acme", network=("10.9.0.0/24", "2001:db8:9::/64"), route_target=TARGET)
RED = Tenant(name="red", vni=5000, network=("10.8.0.0/24", "2001:db8:8::/64"), route_target=TARGET)
STRETCHED = Segment(
    name="web1", vni=10101, address=("10.1.1.201/24", "2001:db8:1::201/64"), gateway=("10.1.1.1", "2001:db8:1::1"),
    route_target=SEGMENT_TARGET,
)  # fmt: skip
ROUTED = Segment(
    name="red1", vni=10201, address=("10.8.1.201/24", "2001:db8:81::201/64"), gateway=("10.8.1.1", "2001:db8:81::1"),
    mac="02:00:0a:08:01:c9", tenant="red", router=("10.8.1.1/24", "2001:db8:81::1/64"),
)  # fmt: skip
OURS, OUTSIDE = ("web-1", "web-2", "app-1", "app-2"), ("vh-web1", "vt-red", "vh-red1", "ce-acme")
BRIDGED = "vh-web1"
HOW = {
    "ibgp": Wan(customers=(CUSTOMER,), segments=(STRETCHED, ROUTED), tenants=(RED,)),
    "ebgp": Wan(customers=(CUSTOMER,), segments=(STRETCHED, ROUTED), tenants=(RED,), wan_autonomous_system=65001),
    "reflector": Wan(customers=(CUSTOMER,), segments=(STRETCHED, ROUTED), tenants=(RED,), reflector=True),
}


def made(folder: Path, how: str, prefix: str) -> Network:
    """A network with this WAN, whose sessions are up and whose flows are there."""
    spec = HOW[how]
    network = Network(folder, prefix, machines=MACHINES, policy=POLICY, hypervisors=2, wan=spec)
    try:
        wan, local = network.lab.wan, network.lab.controller_address
        far = f"autonomous-system {spec.wan_autonomous_system} local-address {local}"
        more = " multihop 4" if how == "ebgp" else ""
        network.commit(
            f"set underlay-listener core protocol ospf instance {wan.router('r1').name}",
            "set bgp autonomous-system 65000 hold-time 9",
            *(f"set bgp-neighbor {name} address {wan.address(name)} {far}{more}" for name in peers(how)),
        )
        wan.wait_converged()
        assert wait_until(lambda: established(network) == set(peers(how)), PATIENCE * 2, 0.1), network.run(
            "show bgp summary", "show events"
        )
        for outside in OUTSIDE:
            assert wait_until(lambda one=outside: network.lab.ping("app-1", one, count=1).ok, PATIENCE, 0.1), (  # type: ignore[misc]
                f"app-1 does not reach {outside}\n" + network.run("show bgp routes", "show events")
            )
    except BaseException:
        network.close()
        raise
    return network


def peers(how: str) -> tuple[str, ...]:
    return ("rr",) if how == "reflector" else ("pe", "vtep")


def reaches(network: Network, source: str, target: str, *, hops: int | None = None) -> None:
    """Three echoes; when the first was lost to what routers ask each other (ARP beyond the tunnel), once more."""
    report = network.lab.ping(source, target, count=3)
    if not report.ok:
        report = network.lab.ping(source, target, count=3)
    assert report.ok, f"{source} does not reach {target}: {report}\n{network.run('show bgp routes')}"
    assert hops is None or set(report.ttl) == {64 - hops}, f"{source} to {target}: TTL {report.ttl}"


def everywhere(network: Network) -> None:
    lab = network.lab
    for outside in OUTSIDE:
        for name in OURS:
            reaches(network, name, outside)
            reaches(network, outside, name)
        for name in ("web-1", "app-2"):
            reaches(network, name, lab.address6(outside))
            reaches(network, outside, lab.address6(name))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = made(tmp_path_factory.mktemp("routing"), "ibgp", "ra")
    yield network
    network.close()


def test_everybody_reaches_everybody_by_both_families(network: Network) -> None:
    everywhere(network)


def test_a_machine_behind_a_bridging_vtep_and_a_vport_of_another_subnet_reach_each_other(network: Network) -> None:
    lab = network.lab
    for name in ("app-1", "app-2"):
        reaches(network, name, BRIDGED, hops=1)
        reaches(network, BRIDGED, name, hops=1)
        for to in (lab.address(name), lab.address6(name)):
            with lab.tcp_server(name, 8080, bind="::" if ":" in to else ""):
                assert lab.tcp(BRIDGED, to, 8080).ok
    with lab.tcp_server(BRIDGED, 8081):
        assert lab.tcp("app-2", BRIDGED, 8081).ok


def test_each_packet_of_a_machine_behind_a_vtep_is_routed_by_one_hypervisor(network: Network) -> None:
    lab = network.lab
    for name in ("app-1", "app-2"):
        reaches(network, BRIDGED, name)
        with lab.udp_server(name, 9000, silent=True) as server:
            lab.udp(BRIDGED, name, 9000, count=20, timeout=0.1)
            assert server.stop()["received"] == 20


def test_the_gateway_answers_a_machine_behind_a_vtep_by_arp_nd_and_ping(network: Network) -> None:
    lab = network.lab
    vtep = lab.wan.namespace("vtep")
    told = str(lab.wan.router("vtep").show("show bgp l2vpn evpn route type 2 json"))
    assert "10.1.1.1]" in told and "2001:db8:1::1]" in told
    for suppression in ("on", "off"):
        lab.wan.inside("vtep", "bridge", "link", "set", "dev", "vx10101", "neigh_suppress", suppression)
        try:
            for gateway in ("10.1.1.1", "2001:db8:1::1"):
                lab.exec(BRIDGED, ["ip", "neigh", "flush", "dev", "eth0"])
                assert wait_until(lambda one=gateway: lab.ping(BRIDGED, one, count=1).ok, PATIENCE, 0.2), vtep  # type: ignore[misc]
                known = lab.exec(BRIDGED, ["ip", "neigh", "show", gateway])
                assert "00:00:5e:00:01:01" in str(known), known
        finally:
            lab.wan.inside("vtep", "bridge", "link", "set", "dev", "vx10101", "neigh_suppress", "on")


def test_symmetric_routing_names_the_router_of_each_side(network: Network) -> None:
    lab = network.lab
    with lab.capture("hv1", "udp port 4789") as seen:
        reaches(network, "app-1", "vt-red", hops=2)
        wait_until(lambda: len(seen.read("dst host 172.31.255.12")) >= 3, PATIENCE, 0.2)
    going, coming = seen.read("dst host 172.31.255.12"), seen.read("dst host 172.31.0.1")
    assert going and coming and all("vni 5000" in line for line in (*going, *coming) if "ICMP" in line)
    flows = [one for one in network.flows("hv1") if "nw_dst=10.8.0.0/24" in one]
    assert flows and all("02:0e:00:00:00:01" in one for one in flows), flows
    for name in ("web-2", "app-1"):
        to = lab.address6("vt-red")
        reaches(network, name, to, hops=2)
        with lab.tcp_server("vt-red", 8080), lab.tcp_server("vt-red", 8081, bind="::"):
            assert lab.tcp(name, "vt-red", 8080).ok and lab.tcp(name, to, 8081).ok
        with lab.tcp_server(name, 8082):
            assert lab.tcp("vt-red", name, 8082).ok and lab.tcp("vh-red1", name, 8082).ok


def test_a_virtual_address_is_reached_from_outside_where_it_is_now(network: Network) -> None:
    lab = network.lab
    network.commit(f"set {HERE} virtual-ip 10.1.1.100 vport [ web-1 web-2 ]")
    for name in ("web-1", "web-2"):
        lab.add_address(name, "10.1.1.100/24")
        lab.announce(name, "10.1.1.100")
        for outside in ("vt-red", "vh-red1", "ce-acme"):  # those that it is routed to
            assert wait_until(lambda one=outside: lab.ping(one, "10.1.1.100", count=1).ok, PATIENCE, 0.1)  # type: ignore[misc]
        lab.exec(name, ["ip", "address", "del", "10.1.1.100/24", "dev", "eth0"])
    network.commit(f"delete {HERE} virtual-ip 10.1.1.100")


def test_a_packet_for_the_domain_that_comes_to_the_wrong_hypervisor_is_sent_on(network: Network) -> None:
    """The VTEP loses our host routes, and shares its packets among all hypervisors of the subnet's prefix."""
    vtep = network.lab.wan.router("vtep")
    deny = ["route-map nohosts deny 10", " match evpn route-type macip", "exit", "route-map nohosts permit 20", "exit"]
    peer = network.lab.controller_address
    vtep.configure([*deny, "router bgp 65000", " address-family l2vpn evpn", f"  neighbor {peer} route-map nohosts in"])
    try:
        vtep.ask(f"clear bgp {peer} soft in")
        assert wait_until(lambda: "10.1.2.11" not in str(vtep.show("show bgp vrf red ipv4 unicast json")), PATIENCE)
        for name in ("app-1", "app-2", "web-2"):
            reaches(network, "vt-red", name)
    finally:
        vtep.configure(["router bgp 65000", " address-family l2vpn evpn", f"  no neighbor {peer} route-map nohosts in"])
        vtep.ask(f"clear bgp {peer} soft in")
    assert wait_until(lambda: "10.1.2.11" in str(vtep.show("show bgp vrf red ipv4 unicast json")), PATIENCE)


def test_a_tenant_without_targets_reaches_nobody_and_is_reached_by_nobody(network: Network) -> None:
    for outside in OUTSIDE:
        assert network.lab.ping("spy", outside, count=1).received == 0
        assert network.lab.ping(outside, "10.1.2.99", count=1).received == 0
    assert not any("10.1.2.99" in str(row) for row in routes(network))


def ways(network: Network, hypervisor: str, prefix: str) -> set[tuple[str, str]]:
    """(label, tunnel endpoint) of the ways out to a prefix, as the switch's flows have them."""
    found = re.compile(r"set_field:(\d+)->mpls_label,set_field:([0-9.]+)->tun_dst")
    return {pair for one in network.flows(hypervisor) if f"nw_dst={prefix}" in one for pair in found.findall(one)}


def test_of_two_pes_the_one_that_the_underlay_loses_is_left_before_its_session_is(network: Network) -> None:
    """Both ways are told by routers elsewhere, whose sessions stay: the OSPF listener alone says what happened. For
    its first ten seconds, which are over by now, it believes nothing lost."""
    lab, shared = network.lab, {("660", "172.31.255.11"), ("661", "172.31.255.12")}
    with PeerNetwork("rap") as peers:
        for nth, (label, hop) in enumerate(sorted(shared)):
            gobgp = peers.gobgp(f"g{nth}", gobgp_text(peers, nth))
            words = ("10.66.0.0/24", "label", label, "rd", f"65000:{label}", "rt", TARGET, "nexthop", hop)
            gobgp.ask("global", "rib", "add", "-a", "vpnv4", *words)
        network.commit(
            *(f"set bgp-neighbor {one} address {peers.address(one)} autonomous-system 65000 local-address {peers.here}"
              for one in ("g0", "g1")),
        )  # fmt: skip
        assert wait_until(lambda: ways(network, "hv1", "10.66.0.0/24") == shared, PATIENCE * 2, 0.1), network.run(
            "show bgp routes", "show underlay endpoints", "show events"
        )
        lab.wan.lose("pe")
        began = time.monotonic()
        try:
            left = {("661", "172.31.255.12")}
            assert wait_until(lambda: ways(network, "hv1", "10.66.0.0/24") == left, PATIENCE, 0.05), network.run(
                "show underlay endpoints", "show events"
            )
            print(f"wan: a PE that the underlay lost was left after {time.monotonic() - began:.2f} s, its session held")
            assert {"g0", "g1"} <= established(network)
        finally:
            lab.wan.recover("pe")
        assert wait_until(lambda: ways(network, "hv1", "10.66.0.0/24") == shared, PATIENCE * 3, 0.1), network.run(
            "show underlay endpoints", "show events"
        )
        network.commit("delete bgp-neighbor g0", "delete bgp-neighbor g1")
        assert not ways(network, "hv1", "10.66.0.0/24")


def test_what_was_answered_lasts_over_a_restart_of_the_controller(network: Network) -> None:
    def known() -> bool:
        return all(any("nw_dst=10.1.1.201 " in one for one in network.flows(name)) for name in ("hv1", "hv2"))

    reaches(network, "app-1", BRIDGED)
    assert known()
    network.restart_controller()
    assert known()
    assert wait_until(lambda: established(network) == {"pe", "vtep"}, PATIENCE * 2, 0.2)
    assert known()
    reaches(network, "app-2", BRIDGED)


@pytest.mark.parametrize("how", ["ebgp", pytest.param("reflector", marks=pytest.mark.soak)])
def test_it_is_the_same_over_external_bgp_and_a_route_reflector(tmp_path: Path, how: str) -> None:
    network = made(tmp_path, how, "rc" if how == "ebgp" else "rd")
    try:
        for outside in OUTSIDE:
            for name in ("web-1", "app-2"):
                reaches(network, name, outside)
                reaches(network, outside, name)
            reaches(network, "app-1", network.lab.address6(outside))
        standing = [row["standing"] for name in peers(how) for row in network.rows(f"show bgp received {name}")]
        refused = {one for one in standing if one.startswith("refused")}
        loop = "AS loop: our own AS is in its path" if how == "ebgp" else "originator loop: it began with us"
        assert refused == {f"refused: {loop}"}, "both give us back what is ours"
    finally:
        network.close()

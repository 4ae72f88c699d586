"""IPv6 beside IPv4, with real packets: routing, ND, spoofing, policy, and a kernel that configures itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.packets.headers import ICMPV6, UDP, icmp, ip_frame, udp
from controller.packets.neighbour import AdvertisedPrefix, neighbour_advertisement, router_advertisement
from data.addresses import address, prefix
from nshell.lab import Machine
from nshell.lab.probing import wait_until
from tests.system.network import Network
from tests.system.traffic import datagram

BASE = "enterprise acme domain prod"
ROUTER_MAC, ROUTER_LINK = "00:00:5e:00:01:01", "fe80::200:5eff:fe00:101"
WEB1, WEB2, APP1 = "2001:db8:1::11", "2001:db8:1::12", "2001:db8:2::11"
AUTO = "2001:db8:1::aff:fe01:114"  # the modified EUI-64 of 02:00:0a:01:01:14 (RFC 4291 appendix A)
WEB1_MAC, WEB2_MAC = "02:00:0a:01:01:0b", "02:00:0a:01:01:0c"
POLICY = f"""
set {BASE} zone web subnet web prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64 mtu 1400 domain-name web.example
set {BASE} zone web subnet web dns-server 2001:db8:2::11
set {BASE} zone app subnet app prefix 10.1.2.0/24 ipv6-prefix 2001:db8:2::/64
set {BASE} vport web-1 subnet web mac {WEB1_MAC} address 10.1.1.11 address {WEB1}
set {BASE} vport web-2 subnet web mac {WEB2_MAC} address 10.1.1.12 address {WEB2}
set {BASE} vport app-1 subnet app mac 02:00:0a:01:02:0b address 10.1.2.11 address {APP1}
set {BASE} vport auto subnet web mac 02:00:0a:01:01:14 address {AUTO}
set enterprise acme network-macro webs prefix 2001:db8:1::/64
"""


MACHINES = (
    Machine(name="web-1", hypervisor="hv1", vport="acme/prod/web-1", mac=WEB1_MAC,
            address=("10.1.1.11/24", f"{WEB1}/64"), gateway=("10.1.1.1", "2001:db8:1::1")),
    Machine(name="web-2", hypervisor="hv2", vport="acme/prod/web-2", mac=WEB2_MAC,
            address=("10.1.1.12/24", f"{WEB2}/64"), gateway=("10.1.1.1", "2001:db8:1::1")),
    Machine(name="app-1", hypervisor="hv2", vport="acme/prod/app-1", mac="02:00:0a:01:02:0b",
            address=("10.1.2.11/24", f"{APP1}/64"), gateway=("10.1.2.1", "2001:db8:2::1")),
    Machine(name="auto", hypervisor="hv1", vport="acme/prod/auto", mac="02:00:0a:01:01:14"),
)  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"), "d4six", machines=MACHINES, policy=POLICY, hypervisors=2)
    try:
        yield network
    finally:
        network.close()


def dropped(network: Network, vport: str) -> dict[str, int]:
    """What of a vport was dropped, by why."""
    detail: dict[str, Any] = json.loads(network.shell.run("--json", "-c", f"show vports {vport} detail").stdout)
    found: dict[str, int] = detail[f"acme/prod/{vport}"]["dropped"]
    return found


def forget_neighbours(network: Network, machine: str) -> None:
    network.lab.exec(machine, ["ip", "-6", "neighbour", "flush", "dev", "eth0"])


def routed_and_switched(network: Network) -> None:
    """Both families reach the same subnet without a hop, and the other one with one."""
    for same, other in ((WEB2, APP1), ("10.1.1.12", "10.1.2.11")):
        inside, across = network.lab.ping("web-1", same), network.lab.ping("web-1", other)
        assert inside.ok and set(inside.ttl) == {64}, inside
        assert across.ok and set(across.ttl) == {63}, across


def test_both_families_are_switched_and_routed_side_by_side(network: Network) -> None:
    routed_and_switched(network)
    with network.lab.tcp_server("app-1", 8080, bind=APP1):
        assert network.lab.tcp("web-1", APP1, 8080).echoed


def test_neighbours_are_answered_on_the_hypervisor_and_nothing_is_asked_on_the_underlay(network: Network) -> None:
    with network.lab.capture("hv1") as seen:
        for machine in ("web-1", "web-2"):
            forget_neighbours(network, machine)
        assert network.lab.ping("web-1", WEB2).ok
        assert network.lab.arp("web-1", WEB2) == [WEB2_MAC]
    tunnelled = [line for line in seen.lines if "VXLAN" in line]
    assert len(tunnelled) >= 6, "the pings themselves"
    assert not [line for line in tunnelled if "neighbor" in line]
    assert not [line for line in seen.read("ether multicast and not arp") if "VXLAN" in line]


def test_the_gateway_answers_nd_and_ping_at_its_address_and_at_its_link_local_one(network: Network) -> None:
    for ip in ("2001:db8:1::1", ROUTER_LINK):
        assert network.lab.arp("web-1", ip) == [ROUTER_MAC]
    assert network.lab.ping("web-1", "2001:db8:1::1").ok
    assert network.lab.ping("web-1", "2001:db8:2::1").ok, "of the other subnet"
    assert network.lab.exec("web-1", ["ping", "-6", "-c", "1", "-W", "1", f"{ROUTER_LINK}%eth0"]).returncode == 0
    assert network.lab.arp("web-1", "2001:db8:1::99") == [], "nobody has it"
    assert network.lab.exec("web-1", ["ping", "-6", "-c", "1", "-W", "1", "2001:db8:2::99"]).returncode != 0


def test_spoofed_sources_advertisements_and_router_advertisements_are_dropped_and_counted(network: Network) -> None:
    every, web1, web2, router = (address(text) for text in ("ff02::1", WEB1, WEB2, ROUTER_LINK))

    def datagram(source: str, port: int) -> bytes:
        ip = address(source)
        return ip_frame(WEB1_MAC, WEB2_MAC, ip, web2, UDP, udp(ip, web2, 4000, port, b"here"))

    spoofed = [datagram("2001:db8:1::66", 4001), datagram("fe80::66", 4001), datagram("2001:db8:2::11", 4001)]
    claims = [
        neighbour_advertisement(WEB1_MAC, web1, address("2001:db8:1::77"), WEB2_MAC, web2),
        neighbour_advertisement(WEB1_MAC, web1, web2, WEB2_MAC, every),
        neighbour_advertisement(WEB1_MAC, router, router, WEB2_MAC, web2, router=True),
    ]
    routers = [
        router_advertisement(WEB1_MAC, [AdvertisedPrefix(prefix("2001:db8:66::/64"))]),
        router_advertisement(WEB1_MAC, lifetime=0, source=router),
        ip_frame(WEB1_MAC, WEB2_MAC, router, web2, ICMPV6, icmp(router, web2, 137, 0, bytes(4) + web1.packed * 2), 255),
    ]
    before = dropped(network, "web-1")
    with network.lab.watch("web-2") as seen, network.lab.watch("auto") as beside:
        network.lab.send_frames("web-1", [*spoofed, *claims, *routers, datagram(WEB1, 4002)])
        seen.saw(lambda frames: any(frame.get("destination_port") == 4002 for frame in frames))
        time.sleep(0.5)
    ports = [frame.get("destination_port") for frame in seen.report["frames"]]
    assert 4002 in ports and 4001 not in ports, "what is its own arrives"
    for frame in (*seen.report["frames"], *beside.report["frames"]):
        assert frame["source_mac"] != WEB1_MAC or frame.get("icmp_type") not in (134, 136, 137), frame
    after = dropped(network, "web-1")
    assert after["spoofed_ip"] - before["spoofed_ip"] == len(spoofed)
    assert after["spoofed_nd"] - before["spoofed_nd"] == len(claims) + len(routers)


def test_a_stateful_policy_holds_for_ipv6(network: Network) -> None:
    rules = [
        f"set {BASE} ingress-policy base entry 10 from network-macro webs to zone app protocol tcp"
        " destination-port 8443 action allow stateful",
        f"set {BASE} ingress-policy base entry 20 from zone web protocol icmpv6 icmp-type 128 action allow stateful",
    ]
    network.commit(*rules)
    try:
        with network.lab.tcp_server("app-1", 8443), network.lab.tcp_server("app-1", 9443):
            assert network.lab.tcp("web-1", APP1, 8443).echoed
            assert not network.lab.tcp("web-1", APP1, 9443, timeout=0.4).ok
            assert not network.lab.tcp("web-1", "10.1.2.11", 8443, timeout=0.4).ok, "the macro is of IPv6"
        with network.lab.tcp_server("web-1", 8443):
            assert not network.lab.tcp("app-1", WEB1, 8443, timeout=0.4).ok
        assert network.lab.ping("web-1", APP1).ok
        assert not network.lab.ping("app-1", WEB1, count=1, timeout=0.4).ok
        assert network.lab.ping("app-1", "2001:db8:2::1").ok, "its gateway is not the network"
    finally:
        network.commit(f"delete {BASE} ingress-policy base")


@pytest.mark.parametrize("stateful", [" stateful", ""])
@pytest.mark.parametrize("side", ["ingress", "egress"])
def test_a_datagram_in_fragments_passes_the_rule_about_its_port_or_protocol(
    network: Network, side: str, stateful: str
) -> None:
    lab, policy = network.lab, f"{BASE} {side}-policy base"
    action = f"protocol udp action allow{stateful}"
    network.commit(f"set {policy} entry 10 {action} destination-port 5353",
                   f"set {policy} entry 20 {action} source-port 5353")  # fmt: skip
    try:
        assert datagram(lab, "web-1", "app-1", APP1, 3000, 5353) == (3000, 3000)
        assert datagram(lab, "web-1", "app-1", APP1, 3000, 5354, patience=1.0) == (0, 0)
        network.commit(f"delete {policy} entry 10", f"delete {policy} entry 20", f"set {policy} entry 30 {action}")
        assert datagram(lab, "web-1", "app-1", APP1, 3000, 5354) == (3000, 3000)
        assert not lab.ping("web-1", APP1, count=1, timeout=0.4).ok
    finally:
        network.commit(f"delete {policy}")


def test_a_kernel_configures_itself_to_exactly_the_address_of_its_vport(network: Network) -> None:
    def configured() -> bool:
        return network.lab.addresses("auto") == [f"{AUTO}/64"]

    assert wait_until(configured, 10), network.lab.addresses("auto")
    (route,) = json.loads(network.lab.exec("auto", ["ip", "-6", "-json", "route", "show", "default"]).stdout)
    assert route["gateway"] == ROUTER_LINK and route["protocol"] == "ra"
    assert 8900 < route["expires"] <= 9000
    mtu = network.lab.exec("auto", ["cat", "/proc/sys/net/ipv6/conf/eth0/mtu"]).stdout
    assert int(mtu) == 1400
    assert network.lab.ping("auto", APP1).ok and network.lab.ping("auto", WEB2).ok


def test_another_prefix_is_told_at_once_and_the_one_before_is_withdrawn(network: Network) -> None:
    with network.lab.capture("auto", "icmp6 and ip6[40] == 134") as seen:
        network.commit(f"set {BASE} zone web subnet web mtu 1380")
        assert wait_until(lambda: any("mtu option" in line for line in seen.read()), 5, 0.2)
    assert [line for line in seen.lines if "1380" in line and "2001:db8:2::11" in line and "web.example" in line]
    with network.lab.capture("auto", "icmp6 and ip6[40] == 134") as seen:
        network.commit(f"set {BASE} zone web subnet web ipv6-addressing none")
        assert wait_until(seen.read, 5, 0.2)
    assert "router lifetime 0s" in seen.lines[0] and "valid time 0s" in seen.lines[0]
    with network.lab.capture("auto", "icmp6 and ip6[40] == 134") as seen:
        network.lab.exec("auto", ["sh", "-c", "ip link set eth0 down; ip link set eth0 up"])
        time.sleep(2.5)
    assert not seen.lines, "nobody answers solicitations there"
    network.commit("rollback 2")
    assert wait_until(lambda: network.lab.addresses("auto") == [f"{AUTO}/64"], 10)


def test_all_of_it_survives_a_move_and_a_restart_of_the_controller(network: Network) -> None:
    network.lab.move("web-1", "hv2")
    network.lab.move("auto", "hv2")
    network.ready()
    routed_and_switched(network)
    assert network.lab.ping("auto", APP1).ok and network.lab.arp("web-1", ROUTER_LINK) == [ROUTER_MAC]
    network.kill()
    forget_neighbours(network, "web-1")
    routed_and_switched(network)
    assert network.lab.ping("auto", APP1).ok
    network.start_controller()
    before = dropped(network, "web-1")["spoofed_nd"]
    network.lab.send_frames("web-1", [router_advertisement(WEB1_MAC)])
    assert wait_until(lambda: dropped(network, "web-1")["spoofed_nd"] == before + 1, 5)
    assert network.stale_flows() == {}

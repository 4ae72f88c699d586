"""Tunnels over an IPv6 underlay carry both families, also after a move and a restart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nshell.lab import Machine
from nshell.lab.probing import wait_until
from tests.system.network import Network

BASE = "enterprise acme domain prod"
HOSTS = (("web-1", "hv1", 1, 11), ("web-2", "hv2", 1, 12), ("app-1", "hv2", 2, 11))
POLICY = f"""
set {BASE} zone web subnet net1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64
set {BASE} zone app subnet net2 prefix 10.1.2.0/24 ipv6-prefix 2001:db8:2::/64
""" + "".join(
    f"set {BASE} vport {name} subnet net{net} mac 02:00:0a:01:{net:02x}:{host:02x} address 10.1.{net}.{host}\n"
    f"set {BASE} vport {name} address 2001:db8:{net}::{host}\n"
    for name, _, net, host in HOSTS
)
MACHINES = tuple(
    Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=f"02:00:0a:01:{net:02x}:{host:02x}",
        address=(f"10.1.{net}.{host}/24", f"2001:db8:{net}::{host}/64"),
        gateway=(f"10.1.{net}.1", f"2001:db8:{net}::1"),
    )
    for name, hypervisor, net, host in HOSTS
)  # fmt: skip
OTHERS = ("10.1.1.12", "2001:db8:1::12", "10.1.2.11", "2001:db8:2::11")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    network = Network(folder, "d4und", machines=MACHINES, policy=POLICY, hypervisors=2, underlay="ipv6")
    try:
        yield network
    finally:
        network.close()


def carried(network: Network) -> None:
    """web-1 reaches everybody by ping and TCP, in both families."""
    for ip in OTHERS:
        assert network.lab.ping("web-1", ip).ok, ip
    with network.lab.tcp_server("app-1", 8080):
        for ip in OTHERS[2:]:
            assert network.lab.tcp("web-1", ip, 8080).echoed, ip


def test_vxlan_over_ipv6_carries_both_families_and_no_ipv4_is_on_the_underlay(network: Network) -> None:
    with network.lab.capture("hv1") as seen:
        carried(network)
        wait_until(lambda: len(seen.read("ip6 and udp port 4789")) >= 20, 10.0, 0.2)
    assert len(seen.read("ip6 and udp port 4789")) >= 20
    assert not seen.read("ip and udp port 4789")


def test_a_large_packet_crosses_in_one_piece(network: Network) -> None:
    # 1450 bytes of the tenant, and 70 of outer Ethernet, IPv6, UDP and VXLAN (RFC 7348 section 5).
    for ip, header in (("10.1.1.12", 28), ("2001:db8:1::12", 48)):
        words = ["ping", "-c", "1", "-W", "1", "-M", "do", "-s", str(1450 - header), ip]
        assert network.lab.exec("web-1", words).returncode == 0, ip


def test_both_families_are_carried_after_a_move_and_a_restart(network: Network) -> None:
    network.lab.move("web-2", "hv1")
    network.lab.move("web-1", "hv2")
    network.ready()
    carried(network)
    network.restart_controller()
    carried(network)
    assert network.stale_flows() == {}

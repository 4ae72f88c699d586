"""Shared domains, source NAT and floating IPs, with real packets: two tenants with one prefix, a service, an outside.

acme and bolt have the same subnet and the same addresses. Both use the domain services of infra, which has a name
server (dns) and a way out over VLAN 100 of the physical network. The router there knows nothing but its own subnet, so
what comes back has been translated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nshell.lab import Machine, Outside, Uplink, packets
from nshell.lab.probing import wait_until
from tests.system.network import Network
from tests.system.saying import said
from tests.system.traffic import TcpStream

INFRA = "set enterprise infra domain services"
GUARD = "set enterprise acme domain prod egress-policy guard"
BEYOND, BEYOND6 = "203.0.113.9", "fd00:203::9"  # behind the router
POLICY = f"""
{INFRA} shared
{INFRA} access-prefix 100.64.0.0/24
{INFRA} access-prefix fd00:64::/96
{INFRA} zone svc subnet svc prefix 172.16.0.0/24 ipv6-prefix fd00:16::/64
{INFRA} vport dns subnet svc mac 02:00:ac:10:00:0a address [ 172.16.0.10 fd00:16::10 ]
{INFRA} zone out subnet out prefix 198.51.100.0/24 gateway 198.51.100.254 ipv6-prefix fd00:51::/64
{INFRA} vport exit type bridge subnet out uplink wan vlan 100
{INFRA} static-route 0.0.0.0/0 next-hop 198.51.100.1
{INFRA} static-route ::/0 next-hop fd00:51::2
{INFRA} source-nat everybody address 198.51.100.10
{INFRA} source-nat everybody6 address fd00:51::10
{INFRA} floating-ip 198.51.100.20 vport dns
{INFRA} floating-ip fd00:51::20 vport dns
""" + "".join(
    f"""
set enterprise {name} domain prod use infra/services
set enterprise {name} domain prod zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix fd00:1::/64
set enterprise {name} domain prod vport web subnet web1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 fd00:1::11 ]
"""
    for name in ("acme", "bolt")
)


def tenant(name: str, hypervisor: str) -> Machine:
    return Machine(
        name=f"{name}-web", hypervisor=hypervisor, vport=f"{name}/prod/web", mac="02:00:0a:01:01:0b",
        address=("10.1.1.11/24", "fd00:1::11/64"), gateway=("10.1.1.1", "fd00:1::1"),
    )  # fmt: skip


MACHINES = (
    tenant("acme", "hv1"),
    tenant("bolt", "hv2"),
    Machine(
        name="dns", hypervisor="hv2", vport="infra/services/dns", mac="02:00:ac:10:00:0a",
        address=("172.16.0.10/24", "fd00:16::10/64"), gateway=("172.16.0.1", "fd00:16::1"),
    ),
)  # fmt: skip
ROUTER = Outside(
    name="router", uplink="wan", vlan=100, address=("198.51.100.1/24", "fd00:51::2/64"),
    loopback=(f"{BEYOND}/32", f"{BEYOND6}/128"),
)  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(
        tmp_path_factory.mktemp("translation"), "tnat", machines=MACHINES, policy=POLICY, hypervisors=2,
        uplinks=[Uplink(name="wan", hypervisors=("hv2",), vlans=(100,), untagged=False)], outside=[ROUTER],
    )  # fmt: skip
    try:
        yield made
    finally:
        made.close()


def reaches(network: Network, source: str, address: str, port: int = 8080, patience: float = 8.0) -> bool:
    return wait_until(lambda: network.lab.tcp(source, address, port).ok, patience, 0.2)


def access(network: Network, name: str) -> str:
    """The IPv4 address by which the service knows the vport of a tenant."""
    rows = network.rows(f"show access-addresses enterprise {name}")
    return next(row["known"] for row in rows if row["address"] == "10.1.1.11")


def sees(network: Network, server: str, source: str, address: str, port: int) -> str:
    """Which address a server sees a client under."""
    with network.lab.capture(server, f"(tcp[tcpflags] & tcp-syn != 0 or ip6) and tcp dst port {port}") as capture:
        assert reaches(network, source, address, port)
        wait_until(capture.read, 10.0, 0.2)
    return " ".join(capture.lines)


def everything_passes(network: Network) -> None:
    """What two tenants of one prefix may reach, and what they may not."""
    lab = network.lab
    with lab.tcp_server("dns", 8080), lab.tcp_server("dns", 8081, bind="fd00:16::10"), lab.tcp_server("router", 8080):
        for name in ("acme", "bolt"):
            assert reaches(network, f"{name}-web", "172.16.0.10"), f"{name} reaches the shared service"
            assert reaches(network, f"{name}-web", "fd00:16::10", 8081), f"{name} reaches it over IPv6"
            assert reaches(network, f"{name}-web", BEYOND), f"{name} reaches the outside"
        for name, other in (("acme", "bolt"), ("bolt", "acme")):
            with lab.tcp_server(f"{other}-web", 9090):
                for address in (access(network, name), access(network, other)):
                    assert not lab.tcp(f"{name}-web", address, 9090).ok, "access addresses lead nowhere for users"


def test_two_tenants_with_one_prefix_reach_a_shared_service_and_not_each_other(network: Network) -> None:
    everything_passes(network)


def test_the_service_sees_each_tenant_under_an_address_of_its_own(network: Network) -> None:
    with network.lab.tcp_server("dns", 8082):
        for name in ("acme", "bolt"):
            assert f"{access(network, name)}." in sees(network, "dns", f"{name}-web", "172.16.0.10", 8082)


def test_the_service_reaches_a_tenant_back_only_as_its_egress_policy_says(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("acme-web", 9091):
        assert reaches(network, "dns", access(network, "acme"), 9091)
        network.commit(
            f"{GUARD} entry 10 action deny protocol tcp destination-port 9091",
            f"{GUARD} entry 20 action allow",
        )
        assert not lab.tcp("dns", access(network, "acme"), 9091).ok
        network.commit("delete enterprise acme domain prod egress-policy guard")
        assert reaches(network, "dns", access(network, "acme"), 9091)


def test_no_tenant_reaches_another_beside_the_service_though_it_is_the_default_route_of_both(network: Network) -> None:
    """The hypervisor of the service knows every access address, and here both tenants are on it."""
    lab = network.lab
    lab.move("acme-web", "hv2")
    network.ready("infra/services/exit")
    with lab.tcp_server("router", 8095):
        for name in ("acme", "bolt"):
            assert reaches(network, f"{name}-web", BEYOND, 8095)
    for name, other in (("acme", "bolt"), ("bolt", "acme")):
        with lab.tcp_server(f"{other}-web", 9095), lab.capture(f"{other}-web", "tcp port 9095") as capture:
            assert not lab.tcp(f"{name}-web", access(network, other), 9095).ok
            assert reaches(network, "dns", access(network, other), 9095), "the service itself reaches it"
            wait_until(capture.read, 10.0, 0.2)
        assert capture.lines and all("172.16.0.10." in line for line in capture.lines), "nothing of the other arrives"
    lab.move("acme-web", "hv1")
    network.ready("infra/services/exit")


def test_a_domain_that_does_not_use_the_shared_one_reaches_nothing_of_it(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("dns", 8083):
        network.commit("delete enterprise bolt domain prod use infra/services")
        assert not lab.tcp("bolt-web", "172.16.0.10", 8083).ok
        assert reaches(network, "acme-web", "172.16.0.10", 8083)
        network.commit("set enterprise bolt domain prod use infra/services")
        assert reaches(network, "bolt-web", "172.16.0.10", 8083)


def test_everybody_goes_out_behind_one_address_and_nobody_outside_comes_in_by_it(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("router", 8084):
        for name in ("acme", "bolt"):
            assert "198.51.100.10." in sees(network, "router", f"{name}-web", BEYOND, 8084)
    with lab.tcp_server("router", 8094, bind=BEYOND6):
        for name in ("acme", "bolt"):
            assert "fd00:51::10." in sees(network, "router", f"{name}-web", BEYOND6, 8094)
    with lab.tcp_server("acme-web", 8096, bind="fd00:1::11"), lab.tcp_server("dns", 8096, bind="fd00:16::10"):
        assert not lab.tcp("router", "fd00:51::10", 8096).ok
    with lab.tcp_server("acme-web", 8085), lab.tcp_server("dns", 8085):
        assert not lab.tcp("router", "198.51.100.10", 8085).ok


def test_a_floating_ip_is_reached_from_outside_and_seen_outside(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("dns", 8086):
        assert reaches(network, "router", "198.51.100.20", 8086)
    with lab.tcp_server("router", 8087):
        assert "198.51.100.20." in sees(network, "router", "dns", BEYOND, 8087)
    with lab.tcp_server("dns", 8088, bind="fd00:16::10"):
        assert reaches(network, "router", "fd00:51::20", 8088)
        assert not lab.tcp("router", "fd00:16::10", 8088).ok, "the router knows no inner prefix"
    with lab.tcp_server("router", 8089, bind=BEYOND6):
        assert "fd00:51::20." in sees(network, "router", "dns", BEYOND6, 8089)
    assert not lab.tcp("router", "172.16.0.10", 8086).ok, "the router knows no inner prefix"


@pytest.mark.parametrize(
    ("source", "inner", "outer", "service"),
    [
        ("acme-web", "10.1.1.11", "198.51.100.10", "source-nat infra/services/everybody"),
        ("acme-web", "fd00:1::11", "fd00:51::10", "source-nat infra/services/everybody6"),
        ("dns", "172.16.0.10", "198.51.100.20", "floating-ip 198.51.100.20"),
        ("dns", "fd00:16::10", "fd00:51::20", "floating-ip fd00:51::20"),
    ],
)
def test_trace_says_under_which_address_packets_are_seen_outside_and_where_answers_come_back(
    network: Network, source: str, inner: str, outer: str, service: str
) -> None:
    lab = network.lab
    to = BEYOND6 if ":" in inner else BEYOND
    ask = f"trace from {lab.machines[source].vport} to {to} protocol tcp destination-port 8097"
    with lab.tcp_server("router", 8097, bind=to):
        assert f"{outer}." in sees(network, "router", source, to, 8097)
    told = said(network, ask)
    assert told.end.startswith("left: leaves by bridge vport ") and told.end.endswith("exit")
    assert any(one.startswith(service) and one.endswith(f" becomes {outer}") for one in told.words), told
    assert told.words[-1].endswith(" in VLAN 100")
    back = said(network, f"{ask} reply").reply
    assert back is not None and back.end == f"delivered: to {lab.machines[source].vport.split('/')[-1]}"


def test_trace_says_to_whom_packets_for_a_floating_ip_are_delivered(network: Network) -> None:
    for outside, floating, inner in ((BEYOND, "198.51.100.20", "172.16.0.10"), (BEYOND6, "fd00:51::20", "fd00:16::10")):
        line = f"trace from infra/services/exit to {floating} source {outside} protocol tcp destination-port 8098"
        told = said(network, line)
        assert told.end == "delivered: to dns", told
        with network.lab.tcp_server("dns", 8098, bind=inner):
            with network.lab.capture("dns", "tcp port 8098 or ip6") as seen:
                assert reaches(network, "router", floating, 8098)
                wait_until(seen.read, 10.0, 0.2)
        assert any(f" > {inner}.8098: Flags [S]" in line for line in seen.lines)
        assert f"destination becomes {inner}" in " ".join(told.words)


def test_a_router_outside_cannot_speak_to_a_tenant_as_one_of_its_own(network: Network) -> None:
    lab = network.lab

    def datagram(source: str) -> bytes:
        payload = packets.ipv4(source, access(network, "bolt"), 17, packets.udp(5000, 5001))
        return packets.ethernet("00:00:5e:00:01:01", ROUTER.hardware, 0x0800, payload)

    with lab.capture("bolt-web", "udp port 5001") as capture:
        lab.send_frames("router", [datagram("10.1.1.99"), datagram(BEYOND)], count=3)
        lab.send_frames("router", [datagram("198.51.100.1")], count=3)
        wait_until(lambda: len(capture.read()) >= 3, 10.0, 0.2)
        time.sleep(0.5)
    assert len(capture.lines) == 3, "its own address may, as the policy says"
    assert all("198.51.100.1." in line for line in capture.lines)


def test_connections_through_nat_survive_a_move_and_a_restart_of_the_controller(network: Network) -> None:
    lab = network.lab
    with (
        TcpStream(lab, "acme-web", BEYOND, 8090, receiver="router") as outwards,
        TcpStream(lab, "router", "198.51.100.20", 8091, receiver="dns") as inwards,
        TcpStream(lab, "bolt-web", "172.16.0.10", 8092, receiver="dns") as shared,
    ):
        for stream in (outwards, inwards, shared):
            stream.alive()
        lab.move("acme-web", "hv2")
        lab.move("dns", "hv1")
        network.ready("infra/services/exit")
        for stream in (outwards, inwards, shared):
            stream.alive(5.0)
        network.restart_controller()
        for stream in (outwards, inwards, shared):
            stream.alive(5.0)
    everything_passes(network)
    lab.move("acme-web", "hv1")
    lab.move("dns", "hv2")


def test_nothing_is_left_over_when_all_is_done(network: Network) -> None:
    network.ready("infra/services/exit")
    assert network.stale_flows() == {}

"""Service chaining with real packets: what a redirect sets aside goes through a service machine, everything else not.

`fw-1` and `fw-2` are machines that route what they get (anti-spoofing mac). Port 443 between web and app goes through
fw-1, both ways; port 80 does not; UDP to port 7777 goes by next-hop through fw-2. Both families.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nshell.lab import Machine, packets
from nshell.lab.probing import Running, wait_until
from tests.system.network import Network
from tests.system.traffic import tcp_flows

BASE = "set enterprise acme domain prod"
OTHER = "set enterprise umbra domain prod"
CLIENT, NEIGHBOUR, SERVER, FIREWALL, HOP, STRANGER = "web-1", "web-2", "app-1", "fw-1", "fw-2", "spy-1"
HOME = {CLIENT: ("hv1", 1, 11), NEIGHBOUR: ("hv2", 1, 12), SERVER: ("hv2", 2, 12), FIREWALL: ("hv3", 3, 31),
        HOP: ("hv1", 3, 32)}  # fmt: skip
ZONE = {1: "web", 2: "app", 3: "svc"}
FORWARDING = f"{BASE} forwarding-policy chain redirect"
POLICY = "\n".join(
    [
        *(
            line
            for number, zone in ZONE.items()
            for line in (
                f"{BASE} zone {zone} subnet {zone}1 prefix 10.1.{number}.0/24",
                f"{BASE} zone {zone} subnet {zone}1 ipv6-prefix 2001:db8:{number}::/64",
            )
        ),
        *(
            f"{BASE} vport {name} subnet {ZONE[net]}1 mac 02:00:0a:01:0{net}:{host:02x} "
            f"address [ 10.1.{net}.{host} 2001:db8:{net}::{host} ]"
            + (" anti-spoofing mac" if name.startswith("fw") else "")
            for name, (_, net, host) in HOME.items()
        ),
        f"{BASE} redirection-target fw vport fw-1",
        f"{FORWARDING} 10 from zone web to zone app protocol tcp destination-port 443 target fw",
        f"{FORWARDING} 11 from zone app to zone web protocol tcp source-port 443 target fw",
        f"{FORWARDING} 20 from zone web to zone web protocol tcp destination-port 443 target fw",
        f"{FORWARDING} 21 from zone web to zone web protocol tcp source-port 443 target fw",
        f"{FORWARDING} 30 from zone web to zone app protocol udp destination-port 7777 next-hop 10.1.3.32",
        f"{FORWARDING} 31 from zone web to zone app protocol udp destination-port 7779 next-hop 2001:db8:3::32",
        f"{OTHER} zone web subnet web1 prefix 10.1.1.0/24",
        f"{OTHER} zone app subnet app1 prefix 10.1.2.0/24",
        f"{OTHER} vport spy-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
        "",
    ]
)


def _machine(name: str, hypervisor: str, net: int, host: int, tenant: str = "acme") -> Machine:
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"{tenant}/prod/{name}", mac=f"02:00:0a:01:0{net}:{host:02x}",
        address=(f"10.1.{net}.{host}/24", f"2001:db8:{net}::{host}/64"),
        gateway=(f"10.1.{net}.1", f"2001:db8:{net}::1"), forward=name.startswith("fw"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = [_machine(name, *where) for name, where in HOME.items()]
    machines.append(_machine(STRANGER, "hv1", 1, 11, "umbra"))
    network = Network(tmp_path_factory.mktemp("network"), "r4f", machines=machines, policy=POLICY)
    try:
        with network.lab.tcp_server(SERVER, 443), network.lab.tcp_server(SERVER, 80):
            with network.lab.tcp_server(NEIGHBOUR, 443):
                yield network
    finally:
        network.close()


def passed(seen: Running, port: int, kind: str = "tcp") -> set[str]:
    """Which ends of packets of this port a machine got that are not its own: "to" the server, "from" it."""
    frames = [frame for frame in seen.report["frames"] if frame["kind"] == kind]
    to = {"to" for frame in frames if frame["destination_port"] == port}
    return to | {"from" for frame in frames if frame["source_port"] == port}


def different_ways(network: Network, client: str = CLIENT, server: str = SERVER, *, both: bool = True) -> None:
    """Connections to 443 go through the firewall in both directions, and work; those to 80 do not, and work."""
    lab = network.lab
    for address in (lab.address(server), lab.address6(server)):
        with lab.watch(FIREWALL) as seen:
            assert tcp_flows(lab, client, address, 443, flows=3) == {"echoed": 3}
        assert passed(seen, 443) == {"to", "from"}, address
        if both:
            with lab.watch(FIREWALL) as seen:
                assert tcp_flows(lab, client, address, 80, flows=3) == {"echoed": 3}
            assert not passed(seen, 80), address


def test_ports_443_and_80_of_one_pair_take_different_ways(network: Network) -> None:
    different_ways(network)


def test_inside_a_subnet_too(network: Network) -> None:
    different_ways(network, CLIENT, NEIGHBOUR, both=False)
    with network.lab.watch(FIREWALL) as seen:
        assert network.lab.ping(CLIENT, NEIGHBOUR).received
    assert not [frame for frame in seen.report["frames"] if frame["kind"] == "icmp"]


def test_also_after_the_client_the_service_machine_and_the_controller_moved_or_began_again(network: Network) -> None:
    for name, hypervisor in ((CLIENT, "hv3"), (FIREWALL, "hv1")):
        network.lab.move(name, hypervisor)
        network.ready()
        different_ways(network)
    network.restart_controller()
    different_ways(network)
    assert not network.stale_flows()
    different_ways(network)


@pytest.mark.parametrize(("version", "port"), [(4, 7777), (6, 7779)], ids=["IPv4", "IPv6"])
def test_a_redirect_by_next_hop(network: Network, version: int, port: int) -> None:
    lab = network.lab
    address = lab.address(SERVER) if version == 4 else lab.address6(SERVER)
    with lab.watch(HOP) as hop, lab.watch(SERVER) as server, lab.watch(FIREWALL) as firewall:
        lab.measure(CLIENT, "udp-flows", address, str(port), "--flows=5", "--first-port=20000")
        lab.measure(CLIENT, "udp-flows", address, "7778", "--flows=5", "--first-port=20000")
        hop.saw(lambda frames: port in {frame.get("destination_port") for frame in frames})
        server.saw(lambda frames: {port, 7778} <= {frame.get("destination_port") for frame in frames})
        time.sleep(0.3)
    for seen, expected in ((hop, {port}), (server, {port, 7778}), (firewall, set())):
        frames = [frame for frame in seen.report["frames"] if frame["kind"] == "udp"]
        assert {frame["destination_port"] for frame in frames} == expected
    to_server = [one for one in server.report["frames"] if one["kind"] == "udp"]
    assert {frame["ttl"] for frame in to_server if frame["destination_port"] == 7778} == {63}
    assert {frame["ttl"] for frame in to_server if frame["destination_port"] == port} == {61}, "two hops more"


def test_nobody_gets_in_by_the_redirect_who_would_not_get_in_otherwise(network: Network) -> None:
    lab = network.lab
    mac, router = "02:00:0a:01:01:0b", "00:00:5e:00:01:01"
    own, spoofed = (_syn(mac, router, source, lab.address(SERVER)) for source in ("10.1.1.11", "10.1.1.12"))
    with lab.watch(FIREWALL) as firewall, lab.watch(SERVER) as server:
        lab.send_frames(CLIENT, [spoofed], count=3)
        lab.send_frames(STRANGER, [own], count=3)
        time.sleep(0.3)
    assert not passed(firewall, 443) and not passed(server, 443)
    with lab.watch(FIREWALL) as firewall:
        lab.send_frames(CLIENT, [own], count=3)
        firewall.saw(lambda frames: any(frame.get("destination_port") == 443 for frame in frames))
    assert "to" in passed(firewall, 443), "it does when the source is its own"


def _syn(mac: str, router: str, source: str, destination: str) -> bytes:
    segment = packets.tcp(source, destination, 40000, 443)
    return packets.ethernet(router, mac, 0x0800, packets.ipv4(source, destination, 6, segment))


def test_without_the_service_machine_packets_are_dropped_or_go_on_as_is_configured(network: Network) -> None:
    lab = network.lab
    address = lab.address(SERVER)
    lab.exec(FIREWALL, ["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=8"])
    try:
        assert wait_until(lambda: _health(network, "10.1.3.31") == "dead", 5)
        assert tcp_flows(lab, CLIENT, address, 443, flows=2, timeout=0.5) == {"timeout": 2}
        assert tcp_flows(lab, CLIENT, address, 80, flows=2) == {"echoed": 2}
        network.commit(f"{BASE} redirection-target fw fail open")
        with lab.watch(FIREWALL) as seen:
            assert tcp_flows(lab, CLIENT, address, 443, flows=2) == {"echoed": 2}
        assert not passed(seen, 443)
        network.commit(f"{BASE} redirection-target fw fail closed")
        assert tcp_flows(lab, CLIENT, address, 443, flows=2, timeout=0.5) == {"timeout": 2}
    finally:
        lab.exec(FIREWALL, ["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=0"])
    assert wait_until(lambda: _health(network, "10.1.3.31") == "alive", 3)
    different_ways(network)
    lab.unplug(FIREWALL)
    assert wait_until(lambda: network.vport_states()["acme/prod/fw-1"] == "unresolved", 5)
    assert tcp_flows(lab, CLIENT, address, 443, flows=2, timeout=0.5) == {"timeout": 2}
    lab.plug(FIREWALL)
    network.ready()
    different_ways(network)


def test_a_service_machine_is_known_alive_by_ping_or_by_its_port(network: Network) -> None:
    lab = network.lab
    network.commit(f"{BASE} redirection-target fw health icmp")
    assert wait_until(lambda: _health(network, "10.1.3.31") == "alive", 3)
    lab.exec(FIREWALL, ["sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"])
    try:
        assert wait_until(lambda: _health(network, "10.1.3.31") == "dead", 4)
    finally:
        lab.exec(FIREWALL, ["sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0"])
    with lab.tcp_server(FIREWALL, 8080):
        network.commit(f"{BASE} redirection-target fw health tcp health-port 8080")
        assert wait_until(lambda: _health(network, "10.1.3.31") == "alive", 3)
        different_ways(network, both=False)
    assert wait_until(lambda: _health(network, "10.1.3.31") == "dead", 4), "the port is closed"
    (row,) = network.rows("show redirection-target fw")
    assert (row["state"], row["share"], row["probe"]) == ("dead", "0 %", "tcp 8080")
    network.commit(
        f"{BASE} redirection-target fw health arp",
        "delete enterprise acme domain prod redirection-target fw health-port",
    )
    assert wait_until(lambda: _health(network, "10.1.3.31") == "alive", 3)


def _health(network: Network, address: str) -> object:
    return next((row["health"] for row in network.rows("show health") if row["address"] == address), None)


def test_nothing_is_left_of_a_policy_that_is_gone(network: Network) -> None:
    network.commit("delete enterprise acme domain prod forwarding-policy chain")
    with network.lab.watch(FIREWALL) as seen:
        assert tcp_flows(network.lab, CLIENT, SERVER, 443, flows=3) == {"echoed": 3}
    assert not passed(seen, 443)
    assert not network.stale_flows()

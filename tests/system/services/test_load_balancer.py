"""Load balancing with real packets: a virtual address, three backends on two hypervisors, clients of three domains.

acme's domain is shared, bolt uses it, carl does not; all three have the prefix 10.1.1.0/24, and carl's client has the
address of acme's. The virtual address lies in that of acme's domain, the backends in another of its subnets.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from nshell.lab import Machine
from nshell.lab.probing import Running, wait_until
from tests.system.network import Network
from tests.system.traffic import TcpStream, UdpFlows, chi_square, tcp_flows

PROD = "set enterprise acme domain prod"
VIP, VIP6 = "10.1.1.100", "fd00:1::100"
SERVED = 8080
BACKENDS = ("b1", "b2", "b3")
PORTS = count(20000, 400)  # of clients: a port that was used a moment ago may still be a connection to its backend


def balancer(name: str, leaves: str, *backends: str, address: str = VIP) -> str:
    lines = [f"{PROD} load-balancer {name} address {address} {leaves}"]
    return "\n".join([*lines, *(f"{PROD} load-balancer {name} backend {one}" for one in backends), ""])


def machine(name: str, place: str, hypervisor: str, net: int, host: int) -> Machine:
    mac = f"02:00:0a:{len(place):02x}:{net:02x}:{host:02x}"
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"{place}/{name}", mac=mac,
        address=(f"10.1.{net}.{host}/24", f"fd00:{net}::{host}/64"), gateway=(f"10.1.{net}.1", f"fd00:{net}::1"),
    )  # fmt: skip


MACHINES = (
    machine("client", "acme/prod", "hv1", 1, 11),
    machine("other", "acme/prod", "hv2", 1, 12),
    machine("b1", "acme/prod", "hv1", 2, 21),
    machine("b2", "acme/prod", "hv2", 2, 22),
    machine("b3", "acme/prod", "hv2", 2, 23),
    machine("user", "bolt/user", "hv2", 3, 11),
    machine("stranger", "carl/alone", "hv1", 1, 11),
)


def vport(one: Machine) -> str:
    enterprise, domain, name = str(one.vport).split("/")
    addresses = " ".join(text.partition("/")[0] for text in one.address)
    leaves = f"subnet net{addresses.split('.')[2]} mac {one.mac} address [ {addresses} ]"
    return f"set enterprise {enterprise} domain {domain} vport {name} {leaves}\n"


def subnet(place: str, net: int) -> str:
    enterprise, domain = place.split("/")
    prefixes = f"prefix 10.1.{net}.0/24 ipv6-prefix fd00:{net}::/64"
    return f"set enterprise {enterprise} domain {domain} zone z subnet net{net} {prefixes}\n"


POLICY = (
    f"{PROD} shared\n{PROD} access-prefix [ 198.18.0.0/24 fd00:198::/112 ]\n"
    + subnet("acme/prod", 1)
    + subnet("acme/prod", 2)
    + subnet("bolt/user", 3)
    + subnet("carl/alone", 1)
    + "set enterprise bolt domain user use acme/prod\n"
    + "".join(map(vport, MACHINES))
    + balancer("plain", "port 80 health none", "b1 port 8080", "b2 port 8080")
    + balancer("weighted", "port 81 health none", "b1 port 8080 weight 3", "b2 port 8080 weight 1")
    + balancer("sticky", "port 82 health none affinity source", "b1 port 8080", "b2 port 8080", "b3 port 8080")
    + balancer("probed", "port 83 health tcp", "b1 port 8083", "b2 port 8083")
    + balancer("names", "port 53 protocol udp health icmp", "b1 port 5353", "b2 port 5353")
    + balancer("six", "port 80 health none", "b1 port 8080", "b2 port 8080", address=VIP6)
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("balance"), "m4lb", machines=MACHINES, policy=POLICY, hypervisors=2)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def serving(network: Network, names: Sequence[str] = BACKENDS, port: int = SERVED) -> Iterator[dict[str, Running]]:
    """Echo servers; their reports say afterwards who took how many."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(network.lab.tcp_server(name, port)) for name in names}


def accepted(servers: dict[str, Running]) -> dict[str, int]:
    return {name: int(server.report["accepted"]) for name, server in servers.items()}


def spread(network: Network, source: str, port: int, *, flows: int = 60, address: str = VIP) -> dict[str, int]:
    """Who took how many of so many connections, all of which were answered."""
    with serving(network) as servers:
        assert tcp_flows(network.lab, source, address, port, flows=flows, first_port=next(PORTS)) == {"echoed": flows}
    return accepted(servers)


def test_connections_are_spread_by_weight_and_every_one_is_answered(network: Network) -> None:
    taken = spread(network, "client", 81, flows=400)
    assert taken["b3"] == 0
    del taken["b3"]
    assert chi_square(taken, {"b1": 3, "b2": 1}) > 0.001, taken


def test_a_client_on_either_hypervisor_sees_the_virtual_address_alone(network: Network) -> None:
    for name in ("client", "other"):
        with network.lab.capture(name, f"tcp and not src {VIP} and not dst {VIP}") as seen:
            taken = spread(network, name, 80)
        assert taken["b1"] > 10 and taken["b2"] > 10 and not seen.lines, seen.lines
        assert network.lab.ping(name, VIP).ok


def test_source_affinity_keeps_a_client_at_one_backend(network: Network) -> None:
    for name in ("client", "other"):
        assert sorted(spread(network, name, 82).values()) == [0, 0, 60]


def test_udp_is_spread_and_answered_from_the_virtual_address(network: Network) -> None:
    assert wait_until(lambda: states(network, "names") == {"b1": "alive", "b2": "alive"}, 5)
    sent = UdpFlows(network.lab, "client", VIP, 53, receivers=("b1", "b2"), flows=100, received_port=5353)
    assert not sent.unseen and all(len(side) == 1 for side in sent.sides.values())
    assert min(sent.counts.values()) > 20, sent.counts
    with network.lab.udp_server("b1", 5353), network.lab.udp_server("b2", 5353):
        for port in range(30000, 30006):
            assert network.lab.udp("client", VIP, 53, source_port=port) == 1


def test_ipv6_is_spread_and_answered(network: Network) -> None:
    for name in ("client", "other"):
        taken = spread(network, name, 80, address=VIP6)
        assert taken["b1"] > 10 and taken["b2"] > 10


def test_a_user_of_the_shared_domain_is_served_and_nobody_else_is(network: Network) -> None:
    taken = spread(network, "user", 80)
    assert taken["b1"] > 10 and taken["b2"] > 10
    assert min(spread(network, "user", 80, address=VIP6).values()) == 0
    with serving(network):
        assert not network.lab.tcp("stranger", VIP, 80).ok
        assert not network.lab.tcp("client", VIP, 8080).ok, "a port that nobody balances"
        assert not network.lab.tcp("client", VIP, 53).ok, "TCP where UDP is balanced"
        assert network.lab.tcp("client", "b1", SERVED).ok, "a backend is reached by its own address, too"
        assert network.lab.tcp("user", "b1", SERVED).ok


@contextmanager
def policies(network: Network, *lines: str) -> Iterator[None]:
    """With these policies of the domain, named `now`, and a macro for the virtual address."""
    network.commit(f"set enterprise acme network-macro vip prefix {VIP}/32", *(f"{PROD} {line}" for line in lines))
    try:
        yield
    finally:
        delete = "delete enterprise acme"
        sides = sorted({line.split()[0] for line in lines})
        network.commit(*(f"{delete} domain prod {side} now" for side in sides), f"{delete} network-macro vip")


def test_the_clients_policies_see_the_virtual_address_and_the_backends_see_their_own(network: Network) -> None:
    lab = network.lab
    with (
        policies(
            network,
            "ingress-policy now entry 10 action deny from vport client to network-macro vip",
            "ingress-policy now entry 10 protocol tcp destination-port 80",
            "ingress-policy now entry 20 action allow protocol tcp stateful",
            "ingress-policy now entry 30 action allow",
            "egress-policy now entry 10 action allow to vport b2 protocol tcp destination-port 8080 stateful",
            "egress-policy now entry 20 action deny protocol tcp destination-port 8080",
            "egress-policy now entry 30 action allow",
        ),
        serving(network),
    ):
        assert not lab.tcp("client", VIP, 80).ok, "its ingress policy denies the virtual address"
        assert not lab.tcp("client", "b1", SERVED).ok and lab.tcp("client", "b2", SERVED).ok
        for name, port in (("client", 81), ("other", 80)):  # client is where b1 is, other is where b2 is
            results = tcp_flows(lab, name, VIP, port, flows=20, timeout=0.25, first_port=20000)
            assert results["timeout"] > 1 and results["echoed"] > 1, f"b1 does not take it, b2 does: {results}"
    with (
        policies(
            network,
            "egress-policy now entry 10 action deny from network-macro vip to vport client protocol tcp",
            "egress-policy now entry 20 action allow",
        ),
        serving(network),
    ):
        assert tcp_flows(lab, "client", VIP, 80, flows=4, timeout=0.3, first_port=20000) == {"timeout": 4}
        assert lab.tcp("client", "b1", SERVED).ok and lab.tcp("client", "b2", SERVED).ok
        assert lab.tcp("other", VIP, 80).ok
    with serving(network):
        assert wait_until(lambda: lab.tcp("client", VIP, 80).ok, 3)


def test_a_backend_is_served_by_another_one(network: Network) -> None:
    assert spread(network, "b1", 80, flows=20) == {"b1": 0, "b2": 20, "b3": 0}


def test_weight_0_gets_no_new_connections_and_keeps_those_it_has(network: Network) -> None:
    with serving(network), ExitStack() as stack:
        streams = [stack.enter_context(TcpStream(network.lab, "other", VIP, 80, server=False)) for _ in range(4)]
        network.commit(f"{PROD} load-balancer plain backend b1 weight 0")
        for stream in streams:
            stream.alive()
    assert spread(network, "client", 80)["b1"] == 0
    network.commit("delete enterprise acme domain prod load-balancer plain backend b1 weight")
    assert spread(network, "client", 80)["b1"] > 10


def states(network: Network, name: str) -> dict[str, str]:
    """What the shell says of each backend."""
    return {row["backend"]: row["state"] for row in network.rows(f"show load-balancer {name}")}


def test_a_backend_gets_nothing_before_it_listens_and_nothing_within_3_s_after_it_stopped(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("b1", 8083) as first:
        assert wait_until(lambda: states(network, "probed")["b1"] == "alive", 5)
        with TcpStream(lab, "client", VIP, 83, server=False) as healthy:
            network.commit(f"{PROD} load-balancer probed backend b3 port 8083")
            assert tcp_flows(lab, "client", VIP, 83, flows=40, first_port=22000) == {"echoed": 40}
            with lab.tcp_server("b3", 8083) as third:
                assert wait_until(lambda: states(network, "probed")["b3"] == "alive", 5)
                assert tcp_flows(lab, "client", VIP, 83, flows=40, first_port=23000) == {"echoed": 40}
            assert third.report["accepted"] > 10
            stopped = time.monotonic()
            out = wait_until(lambda: tcp_flows(lab, "client", VIP, 83, flows=30) == {"echoed": 30}, 6, 0.0)
            took = time.monotonic() - stopped
            assert out and took < 3.5, f"out after {took:.1f} s"  # and a half for the 30 connections that show it
            healthy.alive()
            with lab.tcp_server("b3", 8083) as again:
                assert wait_until(lambda: states(network, "probed")["b3"] == "alive", 5)
                assert tcp_flows(lab, "client", VIP, 83, flows=40, first_port=25000) == {"echoed": 40}
            assert again.report["accepted"] > 10
    assert first.report["accepted"] > 40


def test_connections_to_a_backend_that_died_are_reset_and_the_others_go_on(network: Network) -> None:
    lab = network.lab
    network.commit(f"{PROD} load-balancer probed backend b3 weight 0")
    with lab.tcp_server("b1", 8083), lab.tcp_server("b2", 8083):
        assert wait_until(lambda: states(network, "probed") == {"b1": "alive", "b2": "alive", "b3": "dead"}, 5)
        streams = [lab.tcp_stream("client", VIP, 83, timeout=20.0) for _ in range(6)]
        time.sleep(0.3)
        lab.exec("b2", ["ip", "link", "set", "eth0", "down"])
        assert wait_until(lambda: states(network, "probed")["b2"] == "dead", 5)
        time.sleep(0.5)
        ends = [one.stop()["error"] for one in streams]
        lab.exec("b2", ["ip", "link", "set", "eth0", "up"])
        lab.add_address("b2", "fd00:2::22/64")  # it went with the link
        for gateway in ("10.1.2.1", "fd00:2::1"):
            lab.exec("b2", ["ip", "route", "replace", "default", "via", gateway])
    reset = [one for one in ends if one]
    assert 0 < len(reset) < len(ends) and all("reset" in one.lower() for one in reset), ends


SERVER = """
import socket, sys, threading, time
def feed(link):
    try:
        while True:
            link.sendall(b"x" * 100)
            time.sleep(0.01)
    except OSError:
        return
server = socket.create_server(("", int(sys.argv[1])), backlog=16)
server.settimeout(float(sys.argv[2]))
try:
    while True:
        threading.Thread(target=feed, args=(server.accept()[0],), daemon=True).start()
except TimeoutError:
    pass
"""
CLIENT = """
import socket, sys, time
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
end, last, gap = time.monotonic() + float(sys.argv[3]), time.monotonic(), 0.0
link.settimeout(5)
while time.monotonic() < end:
    assert link.recv(4096), "closed"
    gap, last = max(gap, time.monotonic() - last), time.monotonic()
print(gap)
"""


def test_what_a_client_only_receives_goes_on_after_its_move_and_when_a_balancer_comes(network: Network) -> None:
    lab = network.lab
    words = (("client", VIP, 84), ("client", VIP, 84), ("user", VIP, 84), ("client", "10.1.2.21", 8084))
    network.commit(f"{PROD} load-balancer pushed address {VIP} port 84 health none", *(
        f"{PROD} load-balancer pushed backend {name} port 8084" for name in ("b1", "b2")
    ))  # fmt: skip

    def run(name: str, text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return lab.exec(name, [sys.executable, "-I", "-c", text, *map(str, arguments)], timeout=30)

    with ThreadPoolExecutor(8) as pool:
        servers = [pool.submit(run, name, SERVER, 8084, 7) for name in ("b1", "b2")]
        servers.append(pool.submit(run, "b3", SERVER, 8085, 7))
        time.sleep(0.5)
        clients = [pool.submit(run, name, CLIENT, address, port, 6) for name, address, port in words]
        clients.append(pool.submit(run, "client", CLIENT, "10.1.2.23", 8085, 6))
        time.sleep(1.0)
        network.commit(
            f"{PROD} load-balancer late address {VIP} port 85 health none",
            f"{PROD} load-balancer late backend b3 port 8085",
        )
        for name, there in (("client", "hv2"), ("user", "hv1")):
            lab.move(name, there)
        network.ready()
        for server in servers:
            assert server.result().returncode == 0
    for one, where in zip(clients, (*words, "b3 itself, balanced since"), strict=True):
        done = one.result()
        assert done.returncode == 0, f"{where}: {done.stderr}"
        assert float(done.stdout) < 3, f"{where}: {done.stdout.strip()} s without anything"
    for name, there in (("client", "hv1"), ("user", "hv2")):
        lab.move(name, there)
    network.ready()


def everything_is_answered(network: Network) -> None:
    for name in ("client", "other", "user"):
        taken = spread(network, name, 80)
        assert taken["b1"] > 5 and taken["b2"] > 5, taken


def test_connections_survive_moves_of_client_and_backends_and_a_restart_of_the_controller(network: Network) -> None:
    lab = network.lab
    with serving(network), ExitStack() as stack:
        streams = [
            stack.enter_context(TcpStream(lab, name, address, 80, server=False))
            for name, address in (("client", VIP), ("client", VIP), ("client", VIP6), ("other", VIP), ("user", VIP))
        ]
        streams.append(stack.enter_context(TcpStream(lab, "client", "b1", SERVED, server=False)))
        for moved, there in (("client", "hv2"), ("b1", "hv2"), ("user", "hv1"), ("b2", "hv1")):
            lab.move(moved, there)
            network.ready()
            for stream in streams:
                stream.alive(5.0)
        network.restart_controller()
        for stream in streams:
            stream.alive(5.0)
    everything_is_answered(network)


def test_nothing_is_left_over_when_all_is_done(network: Network) -> None:
    network.batch("configure\ndelete enterprise acme domain prod load-balancer sticky\ncommit\n")
    everything_is_answered(network)
    assert network.stale_flows() == {}

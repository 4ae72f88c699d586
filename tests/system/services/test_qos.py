"""What a vport may send and receive at most, with real streams, and the code points of its packets on the wire.

Rates are those of Ethernet frames. The margin is 10 %, of TCP and of UDP; a stream that nothing limits is many times
faster. What is measured is printed as lines that begin with `qos:`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from nshell.lab import packets
from nshell.lab.probing import wait_until
from tests.system.network import Network, dual_stack
from tests.system.traffic import dscps, tcp_throughput, udp_throughput

BASE = "set enterprise acme domain prod"
ROWS = (("web-1", "hv1", 11), ("web-2", "hv2", 12), ("web-3", "hv2", 13), ("web-4", "hv3", 14))
POLICY = [
    "set domain-template house zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64",
    "set domain-template house qos bronze ingress-rate 5000 egress-rate 6000",
    f"{BASE} template house",
    *(
        f"{BASE} vport {name} subnet web1 mac 02:00:0a:01:01:{nth:02x} address 10.1.1.{nth} address 2001:db8:1::{nth}"
        for name, _, nth in ROWS
    ),
    f"{BASE} qos gold",
]
TCP_FRAME, TCP_PAYLOAD = 1464, 1398  # bytes of a full segment at an MTU of 1450
UDP_FRAME, UDP_PACKET = 1414, 1400
PORT = 5555
SETTLING = 0.3  # seconds until the last packet of a stream has come


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = [dual_stack(*row) for row in ROWS]
    network = Network(tmp_path_factory.mktemp("network"), "q4qos", machines=machines, policy=POLICY)
    yield network
    network.close()


@pytest.fixture(autouse=True)
def unlimited(network: Network) -> Iterator[None]:
    """Each test begins with a qos `gold` that web-1 has and that says nothing."""
    network.commit(f"{BASE} vport web-1 qos gold", f"{BASE} qos gold trust")
    yield
    network.commit(f"delete {BASE[4:]} qos gold", f"delete {BASE[4:]} vport web-1 qos", f"{BASE} qos gold")


def meters(network: Network, hypervisor: str) -> dict[int, int]:
    """Number of each meter of a switch -> rate in kbit/s."""
    said = network.lab.ofctl(hypervisor, "dump-meters")
    return {int(number): int(rate) for number, rate in re.findall(r"meter=(\d+).*?rate=(\d+)", said, re.DOTALL)}


def tcp(network: Network, source: str, destination: str) -> float:
    """Mbit/s of frames that one TCP connection gets through. It is a CUBIC one, as in most guests: the default differs
    from machine to machine (`controller/compile/services/limits.py` has figures of others)."""
    rate = tcp_throughput(network.lab, source, destination, seconds=3.5, skip=1.0, congestion="cubic")
    return rate * TCP_FRAME / TCP_PAYLOAD


def udp(network: Network, source: str, destination: str, offered: float) -> float:
    """Mbit/s of frames of those offered that get through."""
    rate = udp_throughput(network.lab, source, destination, mbits=offered, seconds=2.0, skip=0.8)
    return rate * UDP_FRAME / UDP_PACKET


@pytest.mark.parametrize("rate", [10, 50])
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_tcp_and_udp_get_the_rate_that_is_set_and_no_more(network: Network, rate: int, direction: str) -> None:
    source, target = ("web-1", "web-2") if direction == "ingress" else ("web-2", "web-1")
    network.commit(f"{BASE} qos gold {direction}-rate {rate * 1000}")
    stream, datagrams = tcp(network, source, target), udp(network, source, target, rate * 1.5)
    back = udp(network, target, source, rate * 1.5)
    print(f"\nqos: {direction} {rate} Mbit/s: TCP {stream:.1f}, UDP {datagrams:.1f}; the other way UDP {back:.1f}")
    assert stream == pytest.approx(rate, rel=0.1)
    assert datagrams == pytest.approx(rate, rel=0.1)
    assert back > rate * 1.2, "the other direction is not limited"


def test_a_stream_is_as_fast_as_it_can_be_when_no_rate_is_set(network: Network) -> None:
    network.commit(f"{BASE} qos gold ingress-rate 5000")
    assert udp(network, "web-1", "web-2", 20) < 6
    network.commit(f"delete {BASE[4:]} qos gold ingress-rate")
    assert udp(network, "web-1", "web-2", 20) > 18
    assert not meters(network, "hv1")


def test_the_burst_passes_at_once_and_what_is_beyond_is_dropped(network: Network) -> None:
    network.commit(f"{BASE} qos gold ingress-rate 100", f"{BASE} qos gold ingress-burst 400")
    with network.lab.watch("web-2") as watch:
        network.lab.measure("web-1", "udp-source", "10.1.1.12", str(PORT), "--seconds=1", "--bits=4000000")
        watch.saw(lambda frames: _kilobits(frames) > 400 * 0.9)
        time.sleep(SETTLING)
    got = _kilobits(watch.report["frames"])
    assert 400 * 0.9 < got < (400 + 100) * 1.1


def test_the_rate_goes_with_the_machine_and_stays_over_a_restart_of_the_controller(network: Network) -> None:
    network.commit(f"{BASE} qos gold ingress-rate 10000", f"{BASE} qos gold egress-rate 8000")
    assert sorted(meters(network, "hv1").values()) == [8000, 10000]
    network.restart_controller()
    assert sorted(meters(network, "hv1").values()) == [8000, 10000]
    network.lab.move("web-1", "hv3")
    try:
        network.ready()
        assert wait_until(lambda: not meters(network, "hv1"), 5.0)
        assert sorted(meters(network, "hv3").values()) == [8000, 10000]
        assert udp(network, "web-1", "web-2", 20) == pytest.approx(10, rel=0.1)
        assert udp(network, "web-2", "web-1", 20) == pytest.approx(8, rel=0.1)
    finally:
        network.lab.move("web-1", "hv1")
        network.ready()
    assert wait_until(lambda: not meters(network, "hv3"), 5.0)


def test_a_flood_reaches_the_others_whole_when_one_of_them_is_limited(network: Network) -> None:
    """Behind one meter in a row of receivers stand the others."""
    network.commit(
        f"{BASE} qos slow egress-rate 100", f"{BASE} qos slow egress-burst 50",
        f"{BASE} vport web-2 qos slow", f"{BASE} vport web-3 qos gold",
    )  # fmt: skip
    everybody = packets.ipv4("10.1.1.11", "255.255.255.255", 17, packets.udp(PORT, PORT, bytes(1000)))
    frame = packets.ethernet(packets.BROADCAST, "02:00:0a:01:01:0b", packets.ETHERTYPE_IPV4, everybody)
    try:
        with network.lab.watch("web-2") as limited, network.lab.watch("web-3") as free:
            assert network.lab.send_frames("web-1", [frame], count=200, interval=0.001) == 200
            free.saw(lambda frames: _count(frames) == 200)
            time.sleep(SETTLING)
        got = {name: _count(watch.report["frames"]) for name, watch in (("web-2", limited), ("web-3", free))}
    finally:
        network.commit(f"delete {BASE[4:]} vport web-2 qos", f"delete {BASE[4:]} vport web-3 qos",
                       f"delete {BASE[4:]} qos slow")  # fmt: skip
    assert got["web-3"] == 200
    assert got["web-2"] < 30


def _count(frames: Iterable[Mapping[str, Any]]) -> int:
    return sum(1 for one in frames if one.get("destination_port") == PORT)


def _kilobits(frames: Iterable[Mapping[str, Any]]) -> float:
    return sum(one["length"] * 8 for one in frames if one.get("destination_port") == PORT) / 1000


@pytest.mark.parametrize(
    ("said", "seen"),
    [(("dscp 46",), 46), (("dscp 10", "trust"), 10), (("trust",), 18), ((), 0)],
    ids=["marked", "marked rather than trusted", "trusted", "neither"],
)
def test_packets_have_the_code_point_on_the_wire_inside_and_outside(
    network: Network, said: tuple[str, ...], seen: int
) -> None:
    network.commit(f"delete {BASE[4:]} qos gold trust", *(f"{BASE} qos gold {one}" for one in said))
    for address in ("10.1.1.12", "2001:db8:1::12"):
        with network.lab.watch("web-2") as watch, network.lab.capture("hv1", "udp port 4789") as wire:
            words = ["--seconds=0.3", "--bits=400000", "--size=400", "--dscp=18"]
            network.lab.measure("web-1", "udp-source", address, str(PORT), *words)
            watch.saw(_count)
            wait_until(lambda: any(f".{PORT}" in one for one in wire.read()), 10.0, 0.2)
        assert dscps(watch.report["frames"], PORT) == {seen}
        outer = [one for one in wire.lines if f".{PORT}" in one and "02:00:0a:01:01:0b > 02:00:0a:01:01:0c" in one]
        assert outer and all(f"(tos 0x{seen << 2:x}," in one.partition("VXLAN")[0] for one in outer), outer[:1]


def test_without_a_qos_a_vport_keeps_its_code_points(network: Network) -> None:
    with network.lab.watch("web-1") as watch:
        network.lab.measure(
            "web-2", "udp-source", "10.1.1.11", str(PORT), "--seconds=0.3", "--bits=400000", "--dscp=18"
        )
        watch.saw(_count)
    assert dscps(watch.report["frames"], PORT) == {18}


def test_a_vport_inherits_from_its_subnet_from_its_domain_and_through_the_template(network: Network) -> None:
    network.commit("delete enterprise acme domain prod vport web-1 qos")
    assert not any(meters(network, name) for name in network.lab.hypervisors)
    network.commit("set domain-template house default-qos bronze")
    try:
        assert sorted(meters(network, "hv1").values()) == [5000, 6000]
        assert sorted(meters(network, "hv2").values()) == [5000, 5000, 6000, 6000]
        assert udp(network, "web-1", "web-2", 15) == pytest.approx(5, rel=0.1)
        network.commit(f"{BASE} qos bronze ingress-rate 7000")  # a leaf of its own; the other is the template's
        assert sorted(meters(network, "hv1").values()) == [6000, 7000]
        network.commit(f"{BASE} qos gold ingress-rate 3000", f"{BASE} zone web subnet web1 qos gold")
        assert list(meters(network, "hv1").values()) == [3000]
        network.commit(f"{BASE} qos own ingress-rate 2000", f"{BASE} vport web-2 qos own")
        assert sorted(meters(network, "hv2").values()) == [2000, 3000]
        rows = {row["name"]: row for row in network.rows("show qos")}
        assert rows["gold"]["vports"] == 3 and rows["own"]["vports"] == 1 and rows["bronze"]["vports"] == 0
    finally:
        network.commit(
            "delete domain-template house default-qos", "delete enterprise acme domain prod vport web-2 qos",
            "delete enterprise acme domain prod zone web subnet web1 qos", "delete enterprise acme domain prod qos own",
            "delete enterprise acme domain prod qos bronze", f"{BASE} vport web-1 qos gold",
        )  # fmt: skip


def test_nothing_is_left_that_a_fresh_start_would_not_make(network: Network) -> None:
    network.commit(f"{BASE} qos gold ingress-rate 10000", f"{BASE} qos gold dscp 46")
    held = meters(network, "hv1")
    assert network.stale_flows() == {}
    assert meters(network, "hv1") == held

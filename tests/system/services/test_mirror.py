"""Copies of a vport's packets, at another vport and at a collector in the underlay: what is in them, and what is not.

The machine that gets copies takes part in nothing; everything that it sees is a copy. The collector is a namespace on
the underlay's bridge with no part in the fabric, and sees what hypervisors send it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent import namespaces
from nshell.lab.capture import Capture
from nshell.lab.probing import wait_until
from nshell.lab.wire import describe
from tests.system.collector import COLLECTOR, collector
from tests.system.network import Network, dual_stack

BASE = "set enterprise acme domain prod"
MIRROR = f"{BASE} mirror tap"
ROWS = (("web-1", "hv1", 11), ("web-2", "hv2", 12), ("web-3", "hv2", 13), ("ids", "hv3", 14), ("near", "hv1", 15))
POLICY = [
    f"{BASE} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64",
    *(
        f"{BASE} vport {name} subnet web1 mac 02:00:0a:01:01:{nth:02x} address 10.1.1.{nth} address 2001:db8:1::{nth}"
        for name, _, nth in ROWS
    ),
]
ECHO, REPLY = 8, 0  # RFC 792
TRANSPARENT_ETHERNET, ERSPAN_II = 0x6558, 0x88BE  # protocol types of GRE
KEY_PRESENT, SEQUENCE_PRESENT = 0x2000, 0x1000
SETTLING = 0.3  # seconds until the last copy has come


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = [dual_stack(*row) for row in ROWS]
    network = Network(tmp_path_factory.mktemp("network"), "q4mir", machines=machines, policy=POLICY)
    yield network
    network.close()


@contextmanager
def mirrored(network: Network, *words: str) -> Iterator[None]:
    network.commit(*(f"{MIRROR} {one}" for one in words))
    try:
        yield
    finally:
        network.commit(f"delete {MIRROR[4:]}")


def echoes(report: Mapping[str, Any], *, source: str = "", kind: int | None = None) -> list[Mapping[str, Any]]:
    """The echo packets that a machine saw."""
    return [
        one
        for one in report["frames"]
        if one["kind"] == "icmp" and source in ("", one["source"]) and kind in (None, one["icmp_type"])
    ]


@pytest.mark.parametrize("target", ["near", "ids"], ids=["on the same hypervisor", "on another hypervisor"])
def test_a_vport_gets_copies_of_what_another_sends_and_receives_and_of_nothing_else(
    network: Network, target: str
) -> None:
    lab = network.lab
    with mirrored(network, "vport web-1", f"to {target}"):
        with lab.watch(target) as copies, lab.watch("web-2") as originals:
            assert lab.ping("web-1", "web-2", count=5).received == 5
            assert lab.ping("web-1", "2001:db8:1::12", count=2).received == 2
            assert lab.ping("web-2", "web-3", count=5).received == 5
            copies.saw(lambda frames: sum(one["kind"] in ("icmp", "icmp6") for one in frames) >= 14)
            time.sleep(SETTLING)
        sent, got = echoes(copies.report, kind=ECHO), echoes(copies.report, kind=REPLY)
        assert len(sent) == len(got) == 5
        assert sent == echoes(originals.report, source="10.1.1.11", kind=ECHO), "a copy is what is delivered"
        assert {one["source"] for one in got} == {"10.1.1.12"}
        assert len([one for one in copies.report["frames"] if one.get("icmp_type") in (128, 129)]) == 4
        between_others = [
            one for one in copies.report["frames"] if "10.1.1.13" in (one.get("source"), one.get("destination"))
        ]
        assert not between_others
        assert not lab.ping("ids", "10.1.1.99", count=1, timeout=0.3).received
    with lab.watch(target) as copies:
        assert lab.ping("web-1", "web-2", count=2).received == 2
        time.sleep(SETTLING)
    assert not echoes(copies.report), "nothing is copied any more"


@pytest.mark.parametrize(("direction", "kind"), [("ingress", ECHO), ("egress", REPLY)])
def test_one_direction_alone_is_copied(network: Network, direction: str, kind: int) -> None:
    with mirrored(network, "vport web-1", "to ids", f"direction {direction}"):
        with network.lab.watch("ids") as copies:
            assert network.lab.ping("web-1", "web-2", count=5).received == 5
            copies.saw(lambda frames: len(echoes({"frames": frames})) >= 5)
            time.sleep(SETTLING)
        assert len(echoes(copies.report, kind=kind)) == len(echoes(copies.report)) == 5


def test_copies_go_on_when_either_end_moves_and_when_the_controller_is_restarted(network: Network) -> None:
    lab = network.lab

    def copied() -> int:
        with lab.watch("ids") as copies:
            assert lab.ping("web-1", "web-2", count=5).received == 5
            time.sleep(SETTLING)
        return len(echoes(copies.report))

    with mirrored(network, "vport web-1", "to ids"):
        for name, hypervisor in (("ids", "hv2"), ("web-1", "hv2"), ("ids", "hv1"), ("web-1", "hv1"), ("ids", "hv3")):
            lab.move(name, hypervisor)
            network.ready()
            assert wait_until(lambda: copied() == 10, 5.0), (name, hypervisor)
        network.restart_controller()
        assert wait_until(lambda: copied() == 10, 5.0)
        (row,) = network.rows("show mirror")
        assert (row["name"], row["to"], row["state"]) == ("tap", "vport ids", "copying")


def gre_copies(pcap: Path) -> list[tuple[int, bytes]]:
    """The key of each GRE packet in a file, and what is inside (RFC 2890; ERSPAN type II, draft-foschiano-erspan)."""
    data, at, found = pcap.read_bytes(), 24, []
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at + 8)
        packet = data[at + 16 : at + 16 + length]
        at += 16 + length
        flags, kind = struct.unpack_from("!HH", packet, 34)
        rest = packet[38:]
        if kind == TRANSPARENT_ETHERNET and flags == KEY_PRESENT:
            found.append((struct.unpack_from("!I", rest)[0], rest[4:]))
        elif kind == ERSPAN_II and flags == SEQUENCE_PRESENT:
            version, session = rest[4] >> 4, struct.unpack_from("!H", rest, 6)[0] & 0x3FF
            assert version == 1, "1 stands for type II"
            found.append((session, rest[12:]))
    return found


@pytest.mark.parametrize(("encapsulation", "session"), [("gre", 77), ("erspan", 1023)])
def test_a_collector_gets_copies_in_a_tunnel_with_the_session_as_key(
    network: Network, encapsulation: str, session: int
) -> None:
    lab = network.lab
    words = ("vport web-1", f"collector {COLLECTOR}", f"encapsulation {encapsulation}", f"session {session}")
    with collector(network) as space, mirrored(network, *words):
        lab.ping("web-1", "web-2", count=1)  # the hypervisor asks for the collector's MAC address
        with Capture.start(namespaces.of_name(space), "eth0", "proto gre", lab.state_dir) as seen:
            with lab.watch("web-2") as originals:
                assert lab.ping("web-1", "web-2", count=5).received == 5
                assert lab.ping("web-2", "web-3", count=5).received == 5
                wait_until(lambda: len(seen.read()) >= 10, 10.0, 0.2)
                time.sleep(SETTLING)
        assert all(f"{lab.tunnel_address('hv1')} > {COLLECTOR}" in one for one in seen.lines)
        copies = [describe(frame) for key, frame in gre_copies(seen.pcap) if key == session]
        assert len(copies) == len(seen.lines)
        sent = [one for one in copies if one["kind"] == "icmp" and one["source"] == "10.1.1.11"]
        assert sent == echoes(originals.report, source="10.1.1.11", kind=ECHO) and len(sent) == 5
        assert len([one for one in copies if one["kind"] == "icmp" and one["source"] == "10.1.1.12"]) == 5
        assert not [one for one in copies if "10.1.1.13" in (one.get("source"), one.get("destination"))]


def test_the_packets_themselves_are_not_changed_by_being_copied(network: Network) -> None:
    """Not by the tunnel to a collector that they do not go into, either."""
    lab = network.lab
    words = ("vport web-1 vport web-2", "to ids")
    with mirrored(network, *words), lab.tcp_server("web-2", 8080):
        assert lab.tcp("web-1", "web-2", 8080).echoed
        with lab.capture("hv1", "udp port 4789") as wire:
            assert lab.ping("web-1", "web-2", count=5).received == 5
            wait_until(lambda: sum("echo request" in one for one in wire.read()) >= 10, 10.0, 0.2)
        own = [one for one in wire.lines if f"> {lab.tunnel_address('hv2')}." in one and "echo request" in one]
        copies = [one for one in wire.lines if f"> {lab.tunnel_address('hv3')}." in one and "echo request" in one]
        assert len(own) == len(copies) == 5
        vnis = [{_vni(one) for one in some} for some in (own, copies)]
        assert all(len(one) == 1 for one in vnis) and vnis[0] != vnis[1]


def _vni(line: str) -> str:
    return line.partition("vni ")[2].split()[0]


def test_nothing_is_left_that_a_fresh_start_would_not_make(network: Network) -> None:
    with mirrored(network, "vport web-1 vport web-2", f"collector {COLLECTOR}"):
        assert network.stale_flows() == {}
    assert network.stale_flows() == {}

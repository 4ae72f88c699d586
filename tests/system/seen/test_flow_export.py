"""Packets of a subnet as a real IPFIX collector (nfcapd) hears of them, and none of other subnets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nshell.lab.probing import wait_until
from tests.system.collector import COLLECTOR, collector
from tests.system.network import Network

WEB = "enterprise acme domain prod zone web subnet web1"
TWICE = 6  # packets at the begin of a flow that Open vSwitch 3.1 tells of twice: those that its slow path handles
PATIENCE = 60.0  # seconds: a switch tells of a flow 10 s after it began, and nfcapd writes a file every two


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"), "q6fx")
    yield network
    network.close()


@contextmanager
def listening(network: Network, folder: Path) -> Iterator[Path]:
    """nfcapd on the underlay, with a new file every two seconds."""
    with collector(network) as space:
        words = ["ip", "netns", "exec", space, "nfcapd", "-b", COLLECTOR, "-p", "4739", "-t", "2", "-w", str(folder)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield folder
        finally:
            process.terminate()
            process.wait()


def heard(folder: Path) -> list[tuple[str, str, int]]:
    """What the collector has written so far: source, destination and packets of each flow."""
    done = subprocess.run(
        ["nfdump", "-q", "-N", "-R", str(folder), "-o", "fmt:%sa|%da|%pkt"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    rows = (line.split("|") for line in done.stdout.splitlines() if line.count("|") == 2)
    return [(source.strip(), destination.strip(), int(count)) for source, destination, count in rows]


def packets(folder: Path, source: str, destination: str) -> int:
    """How many packets from one address to another it heard of: records bear the total of a flow, the last the most."""
    return max((count for *ends, count in heard(folder) if ends == [source, destination]), default=0)


def test_a_collector_hears_of_every_packet_of_a_subnet_and_of_no_other_also_after_a_move(
    network: Network, tmp_path: Path
) -> None:
    lab = network.lab
    with listening(network, tmp_path) as folder:
        network.commit(f"set flow-export netflow collector {COLLECTOR} sampling 1", f"set {WEB} flow-export netflow")
        lab.ping("web-1", "web-2", count=1)  # the hypervisors ask for the collector's MAC address
        lab.ping("web-2", "web-1", count=1)
        lab.ping("app-1", "app-2", count=5)
        assert lab.ping("web-1", "app-2", count=20).received == 20
        assert wait_until(lambda: packets(folder, "10.1.1.11", "10.1.2.12") >= 20, PATIENCE, 1.0), heard(folder)
        assert packets(folder, "10.1.1.11", "10.1.2.12") <= 20 + TWICE
        assert packets(folder, "10.1.2.12", "10.1.1.11") == 0, "the answers come from a subnet that tells nobody"
        assert not [source for source, *_ in heard(folder) if source.startswith("10.1.2.")]

        (row,) = network.rows("show flow-export")
        assert (row["name"], row["subnets"], row["vports"]) == ("netflow", 1, 2)
        shown = network.run("show flow-export netflow")
        assert "web1" in shown and "web-2" in shown and "app-1" not in shown

        lab.move("web-1", "hv3")
        network.ready()
        lab.ping("web-1", "app-1", count=1)
        assert lab.ping("web-1", "app-1", count=10).received == 10
        assert wait_until(lambda: packets(folder, "10.1.1.11", "10.1.2.11") >= 10, PATIENCE, 1.0), heard(folder)

        network.commit(f"delete {WEB} flow-export", "delete flow-export netflow")
        before = packets(folder, "10.1.1.11", "10.1.2.11")
        assert lab.ping("web-1", "app-1", count=10).received == 10
        assert network.stale_flows() == {}
        for hypervisor in ("hv1", "hv2", "hv3"):
            rows = lab.ovs(hypervisor).vsctl("list", "Flow_Sample_Collector_Set")
            assert not rows.strip(), rows
        assert packets(folder, "10.1.1.11", "10.1.2.11") <= before + 1

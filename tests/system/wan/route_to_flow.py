"""How long it takes from a peer's UPDATE to the flow that follows from it, as Open vSwitch itself reports flows.

with FlowMonitor(network.lab, "hv1") as flows:
    seconds = route_to_flow(peers, peer, flows, vpn_changes(peers.hop("pe1"), target(65000, 77), 200))
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from agent.attach import BRIDGE
from nshell.lab import Lab
from tests.system.wan.peers.raw_peer import RawPeer
from tests.system.wan.raw_peers import EVPN, VPNV4, RawPeers, announced, mac_ip, unreach, vpn, withdrawn

PATIENCE = 30.0  # seconds for one change
ADDED, DELETED = "event=ADDED", "event=DELETED"


class FlowMonitor:
    """Every change of a hypervisor's flows with the time at which it was reported (`ovs-ofctl monitor`)."""

    def __init__(self, lab: Lab, hypervisor: str) -> None:
        rundir = lab.ovs(hypervisor).location.rundir
        self._process = subprocess.Popen(
            ["ovs-ofctl", "-O", "OpenFlow14", "monitor", f"unix:{rundir}/{BRIDGE}.mgmt", "watch:!initial"],
            env=dict(os.environ, OVS_RUNDIR=str(rundir)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._seen: list[tuple[float, str]] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._came:
                self._seen.append((time.perf_counter(), line))
                self._came.notify_all()

    def __enter__(self) -> Self:
        self._reader.start()
        self.until("FLOW_MONITOR", 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)

    @property
    def count(self) -> int:
        """Lines so far."""
        return len(self._seen)

    def changes(self, after: int = 0) -> list[str]:
        """The flows that were added, deleted or modified since."""
        return [line for _, line in self._seen[after:] if "event=" in line]

    def until(self, text: str, after: int, event: str = "") -> float:
        """When the first line with that text came, of those after so many."""
        deadline = time.perf_counter() + PATIENCE
        with self._came:
            at = after
            while True:
                for when, line in self._seen[at:]:
                    if text in line and event in line:
                        return when
                at = len(self._seen)
                left = deadline - time.perf_counter()
                if left <= 0 or not self._came.wait(left):
                    raise AssertionError(f"no {event} of {text} within {PATIENCE:.0f} s: {self._seen[after:][:5]}")


class Change(NamedTuple):
    """An UPDATE, and what the flow that follows is recognized by."""

    message: bytes
    event: str
    text: str


def vpn_changes(hop: bytes, target: bytes, count: int) -> Iterator[Change]:
    """A VPNv4 route that comes and one that goes, in turn; another prefix each time."""
    for number in range(count // 2):
        prefix = bytes([50, number >> 8, number & 0xFF])
        text = f"nw_dst={'.'.join(map(str, prefix))}.0/24"
        yield Change(announced(hop, vpn(prefix, 24), target), ADDED, text)
        yield Change(unreach(VPNV4, withdrawn(prefix, 24)), DELETED, text)


def mac_changes(hop: bytes, target: bytes, vni: int, count: int) -> Iterator[Change]:
    """The same of type 2 routes, of MAC addresses."""
    for number in range(count // 2):
        mac = bytes([2, 0x50, 0, 0, number >> 8, number & 0xFF])
        text = f"dl_dst={mac.hex(':')}"
        yield Change(announced(hop, mac_ip(mac, vni), target, family=EVPN), ADDED, text)
        yield Change(unreach(EVPN, mac_ip(mac, vni)), DELETED, text)


def route_to_flow(peers: RawPeers, peer: RawPeer, flows: FlowMonitor, changes: Iterable[Change]) -> list[float]:
    """Seconds of each, one after the other: from the UPDATE's last byte to the switch's report."""
    took = []
    for change in changes:
        before, began = flows.count, time.perf_counter()
        peers.send(peer, change.message)
        took.append(flows.until(change.text, before, change.event) - began)
    return took

"""A remote route to an installed flow: from a peer's UPDATE to the switch's own report of the flow.

A whole daemon with two Open vSwitch in network namespaces, and a peer that announces and withdraws one route at a time:
200 changes of VPNv4, 200 of EVPN type 2. The peer's clock starts when it hands the UPDATE to its TCP connection; it
stops when `ovs-ofctl monitor` prints the flow's change. Needs root.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Row, Unavailable, median
from tests.system.network import POLICY, Network
from tests.system.wan.raw_peers import EVPN, VPNV4, RawPeers, target
from tests.system.wan.route_to_flow import FlowMonitor, mac_changes, route_to_flow, vpn_changes

NAME = "route"
ABOUT = "one remote route to an installed flow, 200 changes of VPNv4 and of EVPN type 2"
CHANGES = 200
MOST_MS = 50.0
VNI = 10101
PREFIX = "fbr"  # of the lab
_HERE = "set enterprise acme domain prod"


def measure() -> Iterator[Row]:
    if os.geteuid() != 0:
        raise Unavailable("network namespaces need root")
    with tempfile.TemporaryDirectory(prefix="nshell-bench-") as folder:
        network = Network(Path(folder), PREFIX, policy=POLICY, hypervisors=3)
        try:
            with RawPeers(f"{PREFIX}p") as peers:
                network.commit(
                    "set bgp autonomous-system 65000", f"{_HERE} route-target 65000:77",
                    f"{_HERE} zone web subnet web1 vni {VNI}", *peers.neighbour("far"),
                )  # fmt: skip
                peer = peers.established("far", (VPNV4, EVPN))
                hop = peers.hop("far")
                kinds = {
                    "VPNv4": vpn_changes(hop, target(65000, 77), CHANGES),
                    "EVPN type 2": mac_changes(hop, target(65000, VNI), VNI, CHANGES),
                }
                with FlowMonitor(network.lab, "hv1") as flows:
                    for name, changes in kinds.items():
                        took = [seconds * 1000 for seconds in route_to_flow(peers, peer, flows, changes)]
                        yield Row(
                            f"one {name} route to its flow, worst {max(took):.0f} ms", median(took), MOST_MS, 1.0, "ms",
                            "peer: the limit that was set; from the UPDATE to ovs-ofctl monitor's line, one at a time",
                            {"ours": took},
                        )  # fmt: skip
        finally:
            network.close()

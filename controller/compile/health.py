"""Whether those who serve are alive: what has to be probed, and what the last probes said.

An edge service that chooses among several names what it wants to know (`Feature.probes`); `controller/edge/health.py`
probes it and tells by `Observed.health`. A target is named by who it is, not by who asks, so two services that ask the
same share one probe, and its state survives restarts.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.compile.state import State
from data.path import Path

__all__ = ["Probe", "alive"]


class Probe(NamedTuple):
    """One thing to find out, again and again.

    `vport` is the path of the vport that has the address, or behind which it was learned; `hardware` its MAC address.
    `kind` is arp (ARP or neighbour solicitation), icmp (echo) or tcp (a connection to `port`). `interval` in
    milliseconds.
    """

    vport: Path
    address: str
    hardware: str
    kind: str
    port: int = 0
    interval: int = 1000

    def key(self, state: State) -> str:
        """Its name in `Placement.health`."""
        vport = state.view.get(self.vport)
        assert vport is not None, f"{' '.join(self.vport)} is gone"
        return f"{vport.uuid} {self.address} {self.kind} {self.port}"


def alive(state: State, probe: Probe, unknown: bool) -> bool:
    """What is known of it: alive, not, or `unknown` while nothing is known; kind `none` is alive while resolved."""
    if state.place(probe.vport) is None:
        return False
    if probe.kind == "none":
        return True
    known = state.placement.health.get(probe.key(state))
    return unknown if known is None else known

"""Packets that met a policy entry with `log`, as events: which entry, what it decided, between whom.

The switch sends the first 128 bytes of such a packet (`compile/acl.py`) with the cookie of the entry's flow. At most
RATE a second of each hypervisor become events, the rest are counted: a port scan must not drown the controller.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from controller.events import Kind
from controller.network import Network
from controller.packets.frame import parse, summary
from controller.pipeline import Owner, split_cookie
from data.path import Path
from data.schema.objects import Entry

__all__ = ["RATE", "PolicyLog"]

RATE = 50  # events a second and hypervisor


class PolicyLog:
    """Turns logged packets into events."""

    def __init__(self, network: Network, clock: Callable[[], float] = time.monotonic) -> None:
        self._network = network
        self._clock = clock
        self._seen: dict[str, tuple[int, int]] = {}  # hypervisor -> (second, packets in it)

    def packet(self, dvrs: str, cookie: int, frame: bytes) -> None:
        """A packet that `dvrs` sent up from the flow with this cookie."""
        parts = split_cookie(cookie)
        uuid = None if parts is None or parts[0] is not Owner.ENTRY else self._network.objects.get(parts[2])
        path = None if uuid is None else self._network.running.by_uuid(uuid)
        entry = None if path is None else self._network.running.get(path)
        packet = parse(frame)
        words = None if packet is None else summary(packet)
        if path is None or not isinstance(entry, Entry) or packet is None or words is None or not self._may(dvrs):
            return
        verdict = "allowed" if entry.action == "allow" else "denied"
        source, target = (self._vport(path[:4], str(address)) for address in (packet.source, packet.destination))
        side = "ingress" if path[4] == "ingress-policy" else "egress"
        vport = source if side == "ingress" else target
        rule = f"{side} {path[5]}/{path[7]} of {path[1]}/{path[3]}"
        self._network.events.add(
            Kind.POLICY, f"{verdict} by {rule} on {dvrs}, vport {vport or 'unknown'}: {words}", about=path, dvrs=dvrs,
            facts={"verdict": verdict, "rule": rule, "vport": vport or "", "packet": words},
        )  # fmt: skip

    def _vport(self, domain: Path, address: str) -> str | None:
        path = self._network.running.holder("vport", "address", domain, address)
        return None if path is None else path[-1]

    def _may(self, dvrs: str) -> bool:
        second = int(self._clock())
        at, count = self._seen.get(dvrs, (second, 0))
        if at != second:
            self._sum(dvrs, at)
            at, count = second, 0
        if count == RATE:  # the first that is not told; perhaps no packet of a later second will tell how many
            asyncio.get_running_loop().call_later(1.0, self._sum, dvrs, second)
        self._seen[dvrs] = (at, count + 1)
        return count < RATE

    def _sum(self, dvrs: str, second: int) -> None:
        """Tells how many packets of a second were not told, once."""
        at, count = self._seen.get(dvrs, (second, 0))
        if at == second and count > RATE:
            self._seen[dvrs] = (at, RATE)
            more = count - RATE
            text = f"{more} more logged packets on {dvrs} within a second"
            self._network.events.add(Kind.POLICY, text, about=("dvrs", dvrs), dvrs=dvrs, facts={"packets": more})

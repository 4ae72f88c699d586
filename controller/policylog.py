"""Packets that met a policy entry with `log`, as events: which entry, what it decided, between whom.

The switch sends the first 128 bytes of such a packet (`compile/acl.py`) with the cookie of the entry's flow. At most
RATE a second of each hypervisor become events, the rest are counted: a port scan must not drown the controller.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from controller.events import Kind
from controller.network import Network
from controller.pipeline import Owner, split_cookie
from data.path import Path
from data.schema.objects import Entry

__all__ = ["RATE", "Packet", "PolicyLog", "parse"]

RATE = 50  # events a second and hypervisor
_IPV4, _VLAN = 0x0800, 0x8100
_WITH_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}
_ICMP = 1


@dataclass(frozen=True, slots=True)
class Packet:
    """The 5-tuple of an IPv4 packet; for ICMP `source_port` is the type and `destination_port` the code."""

    source: str
    destination: str
    protocol: str
    source_port: int | None
    destination_port: int | None

    def __str__(self) -> str:
        if self.protocol == "icmp":
            kind = "" if self.source_port is None else f" type {self.source_port} code {self.destination_port}"
            return f"{self.source} -> {self.destination} icmp{kind}"
        if self.source_port is None:
            return f"{self.source} -> {self.destination} protocol {self.protocol}"
        return f"{self.source}:{self.source_port} -> {self.destination}:{self.destination_port} {self.protocol}"


def parse(frame: bytes) -> Packet | None:
    """The 5-tuple of an Ethernet frame that may be cut off; None when it is not IPv4 (RFC 791, RFC 9293)."""
    at = 14
    if len(frame) >= 18 and int.from_bytes(frame[12:14], "big") == _VLAN:
        at = 18
    if len(frame) < at + 20 or int.from_bytes(frame[at - 2 : at], "big") != _IPV4:
        return None
    number = frame[at + 9]
    source, destination = (str(ipaddress.IPv4Address(frame[at + n : at + n + 4])) for n in (12, 16))
    above = at + (frame[at] & 0x0F) * 4
    first_fragment = int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF == 0
    if number in _WITH_PORTS and first_fragment and len(frame) >= above + 4:
        ports = (int.from_bytes(frame[above + n : above + n + 2], "big") for n in (0, 2))
        return Packet(source, destination, _WITH_PORTS[number], *ports)
    if number == _ICMP and first_fragment and len(frame) >= above + 2:
        return Packet(source, destination, "icmp", frame[above], frame[above + 1])
    return Packet(source, destination, _WITH_PORTS.get(number, "icmp" if number == _ICMP else str(number)), None, None)


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
        if path is None or not isinstance(entry, Entry) or packet is None or not self._may(dvrs):
            return
        verdict = "allowed" if entry.action == "allow" else "denied"
        source, target = (self._vport(path[:4], address) for address in (packet.source, packet.destination))
        side = "ingress" if path[4] == "ingress-policy" else "egress"
        vport = source if side == "ingress" else target
        rule = f"{side} {path[5]}/{path[7]} of {path[1]}/{path[3]}"
        self._network.events.add(Kind.POLICY, f"{verdict} by {rule} on {dvrs}, vport {vport or 'unknown'}: {packet}")

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
            self._network.events.add(Kind.POLICY, f"{count - RATE} more logged packets on {dvrs} within a second")

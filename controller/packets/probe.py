"""Health probes: questions that any living host answers, and what its answer says.

ICMP echo (RFC 792, RFC 4443), the first half of a TCP handshake (RFC 9293 section 3.5), and ARP or a neighbour
solicitation. Identifier, ports and sequence numbers are the caller's, who knows his own by them when they come back.

Read next: the prober that sends these and keeps who answered.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from controller.packets.frame import Frame, parse
from controller.packets.headers import ICMP, ICMPV6, TCP, icmp, ip_frame, tcp
from controller.packets.neighbour import arp, arp_request, neighbour, neighbour_solicitation
from data.addresses import Ip

__all__ = [
    "EchoReply",
    "Holder",
    "ProbeAnswer",
    "TcpAnswer",
    "answer",
    "echo_request",
    "tcp_reset",
    "tcp_syn",
    "who_has",
]

_ECHO_REQUEST, _ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_MSS = b"\x02\x04\x02\x18"  # 536 bytes, what a TCP assumes of a peer that says nothing
_PAYLOAD = b"nshell"


@dataclass(frozen=True, slots=True)
class EchoReply:
    """A host answered ping."""

    mac: str
    address: Ip
    destination: Ip
    identifier: int
    sequence: int


@dataclass(frozen=True, slots=True)
class TcpAnswer:
    """A host answered a SYN: `open` with SYN and ACK, or else with a reset."""

    mac: str
    address: Ip
    destination: Ip
    port: int
    """The one that was probed."""
    destination_port: int
    """The one that the probe came from."""
    acknowledgement: int
    """The sequence number of the SYN, plus 1 modulo 2^32."""
    open: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A host says that it has an address: an ARP reply or a neighbour advertisement."""

    mac: str
    address: Ip


ProbeAnswer = EchoReply | TcpAnswer | Holder


def echo_request(source_mac: str, target_mac: str, source: Ip, target: Ip, identifier: int, sequence: int) -> bytes:
    """A ping; identifier and sequence have 16 bits."""
    message = icmp(
        source, target, _ECHO_REQUEST[source.version], 0, struct.pack("!HH", identifier, sequence) + _PAYLOAD
    )
    return ip_frame(source_mac, target_mac, source, target, ICMP if source.version == 4 else ICMPV6, message)


def tcp_syn(
    source_mac: str, target_mac: str, source: Ip, target: Ip, source_port: int, target_port: int, sequence: int
) -> bytes:
    """The first segment of a connection that is never completed: tcp_reset ends it."""
    segment = tcp(source, target, source_port, target_port, sequence, 0, _SYN, _MSS)
    return ip_frame(source_mac, target_mac, source, target, TCP, segment)


def tcp_reset(source_mac: str, target_mac: str, found: TcpAnswer) -> bytes:
    """Lets the host that accepted a probe forget it: a reset with exactly the next sequence number (RFC 5961)."""
    segment = tcp(found.destination, found.address, found.destination_port, found.port, found.acknowledgement, 0, _RST)
    return ip_frame(source_mac, target_mac, found.destination, found.address, TCP, segment)


def who_has(source_mac: str, source: Ip, target: Ip, target_mac: str | None = None) -> bytes:
    """Asks for the MAC address of a neighbour: everybody, or only the one who had it when last seen.

    For IPv6 `source` should be link-local or of the target's subnet.
    """
    ask = arp_request if target.version == 4 else neighbour_solicitation
    return ask(source_mac, source, target, target_mac)


def answer(frame: bytes) -> ProbeAnswer | None:
    """What a frame answers to a probe; None for anything else."""
    outer = parse(frame)
    if outer is None or outer.source is None or outer.destination is None:
        return None
    if outer.arp_operation is not None:
        told = arp(frame)
        return Holder(told.sender_mac, told.sender) if told is not None and told.operation == 2 else None
    if outer.protocol == TCP:
        return _tcp(outer, outer.source, outer.destination)
    if outer.icmp_type == _ECHO_REPLY[outer.source.version] and outer.icmp_code == 0:
        data = outer.payload
        if data is None or len(data) < 8:
            return None
        identifier, sequence = struct.unpack_from("!HH", data, 4)
        return EchoReply(outer.source_mac, outer.source, outer.destination, identifier, sequence)
    said = neighbour(frame)
    if said is None or said.solicitation:
        return None
    return Holder(said.link_layer or said.source_mac, said.target)


def _tcp(outer: Frame, source: Ip, destination: Ip) -> TcpAnswer | None:
    data = outer.payload
    if data is None or len(data) < 20:
        return None
    port, ours, _, acknowledgement, _, flags = struct.unpack_from("!HHIIBB", data)
    if not flags & _ACK or flags & _FIN or not flags & (_SYN | _RST) or flags & (_SYN | _RST) == _SYN | _RST:
        return None
    return TcpAnswer(outer.source_mac, source, destination, port, ours, acknowledgement, flags & _SYN > 0)

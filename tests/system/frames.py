"""Whole Ethernet frames for the questions that trace answers, and the same read back from what came out.

A frame of a question bears a tag in its payload, in its answer too. Checksums are right: connection tracking refuses
others. A fragment is made from the whole frame, and has a tag of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from controller.compile import Location, State
from controller.compile.addresses import mac, prefixes
from controller.trace import Connection, Question
from data.addresses import Ip, address
from data.path import Path
from data.schema.objects import Subnet, Vport

_TAG = b"nsh-trace-"
_CUT = 1280  # bytes of the first fragment's payload: Open vSwitch takes smaller ones for an attack (lib/ipf.c)
_ANSWERS = {1: {8: 0, 13: 14, 15: 16, 17: 18}, 58: {128: 129}}
_GATEWAYS = {4: "gateway", 6: "ipv6_gateway"}


class Tagged:
    """Which frames came out where, by their tag."""

    def __init__(self, came: Mapping[Location, list[bytes]]) -> None:
        self._found: dict[int, list[tuple[Location, bytes]]] = {}
        for where, frames in came.items():
            for frame in frames:
                at = frame.find(_TAG)
                if at >= 0:
                    tag = int(frame[at + len(_TAG) : at + len(_TAG) + 6])
                    self._found.setdefault(tag, []).append((where, frame))

    def frames(self, tag: int) -> list[tuple[Location, bytes]]:
        """Those with a tag."""
        return self._found.get(tag, [])

    def places(self, tag: int) -> tuple[Location, ...]:
        """Where they came out."""
        return tuple(where for where, _ in self.frames(tag))


def _body(state: State, path: Path) -> Vport:
    body = state.view.get(path)
    assert isinstance(body, Vport)
    assert body.mac is not None
    return body


def _source(state: State, path: Path, question: Question) -> Ip:
    assert isinstance(question.destination, Ip)
    if question.source_address is not None:
        return question.source_address
    version = question.destination.version
    return next(ip for ip in map(address, _body(state, path).address) if ip.version == version)


def _hop(state: State, path: Path, question: Question) -> Ip | None:
    """The address that a machine with a plain routing table asks for."""
    to, place = question.destination, state.place(path)
    assert isinstance(to, Ip)
    assert place is not None
    subnet = state.view.get(place.subnet)
    if not isinstance(subnet, Subnet) or str(to).startswith("fe80:"):
        return to
    for network in prefixes(subnet):
        if network.covers(to):
            return to
    for network in prefixes(subnet):
        if network.version == to.version:
            configured = getattr(subnet, _GATEWAYS[to.version])
            return address(configured) if configured else Ip(network.version, network.network + 1)
    return to


def asks(state: State, path: Path, question: Question) -> bool:
    """Whether there is somebody to ask for."""
    return _hop(state, path, question) is not None


def ask_for(state: State, path: Path, question: Question) -> bytes:
    """The ARP request or neighbour solicitation of a vport before it sends."""
    target, vport = _hop(state, path, question), _body(state, path)
    assert target is not None
    own = next((ip for ip in map(address, vport.address) if ip.version == target.version), None)
    source = own or _source(state, path, question)
    hardware = mac(vport.mac or "")
    if target.version == 4:
        said = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + source.packed + bytes(6) + target.packed
        return b"\xff" * 6 + hardware + b"\x08\x06" + said + bytes(18)
    group = bytes.fromhex("ff0200000000000000000001ff") + target.packed[-3:]
    said = struct.pack("!BBHI", 135, 0, 0, 0) + target.packed + b"\x01\x01" + hardware
    ip = Ip(6, int.from_bytes(group, "big"))
    return b"\x33\x33" + group[-4:] + hardware + _ipv6(source, ip, 58, said, 0, 255)


def heard(state: State, path: Path, question: Question, frames: list[bytes]) -> bytes | None:
    """The MAC address that came as an answer."""
    target, vport = _hop(state, path, question), _body(state, path)
    assert target is not None
    for frame in frames:
        if target.version == 4 and frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02":
            if frame[28:32] == target.packed and frame[:6] == mac(vport.mac or ""):
                return frame[22:28]
        if target.version == 6 and frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136:
            if frame[62:78] == target.packed and frame[78] == 2:
                return frame[80:86]
    return None


def frame_of(
    state: State, path: Path, question: Question, to: bytes, tag: int, about: int | None = None, then: bytes = b""
) -> bytes:
    """The packet of a question, to this MAC address; `about`: the tag of the first one of its connection; `then`:
    what follows its tag."""
    source, destination = _source(state, path, question), question.destination
    assert isinstance(destination, Ip)
    assert question.protocol is not None
    protocol, text = int(question.protocol), _TAG + b"%06d" % tag + (then or bytes(8))
    header = b""
    flags = 0x02 if question.connection is Connection.NEW else 0x10
    sequence = 1 if question.connection is Connection.NEW else 2
    if protocol in (6, 17, 132):
        ports = struct.pack("!HH", question.source_port or 0, question.destination_port or 0)
        header = (
            ports
            + {
                6: struct.pack("!IIBBHHH", sequence, sequence & 2, 0x50, flags, 1024, 0, 0),
                17: struct.pack("!HH", 8 + len(text), 0),
                132: struct.pack("!II", 1, 0),
            }[protocol]
        )
    elif protocol == (1 if source.version == 4 else 58):
        header = struct.pack(
            "!BBHHH", question.icmp_type or 0, question.icmp_code or 0, 0, (tag if about is None else about) + 1, 1
        )
    hardware = mac(_body(state, path).mac or "")
    return to + hardware + _packet(source, destination, protocol, header + text, question.dscp)


def cut(state: State, path: Path, question: Question, to: bytes, tags: tuple[int, int]) -> tuple[bytes, bytes]:
    """The packet of a question in two fragments (RFC 791, RFC 8200 section 4.5), each with its tag."""
    frame = frame_of(state, path, question, to, tags[0], then=bytes(_CUT) + _TAG + b"%06d" % tags[1])
    four = frame[12:14] == b"\x08\x00"
    begin, made = 34 if four else 54, []
    for offset, more, data in ((0, 1, frame[begin : begin + _CUT]), (_CUT, 0, frame[begin + _CUT :])):
        if four:
            head = frame[14:16] + struct.pack("!HHH", 20 + len(data), tags[0] + 1, more << 13 | offset // 8)
            head += frame[22:24] + bytes(2) + frame[26:34]
            head = head[:10] + _checksum(head) + head[12:]
        else:
            head = frame[14:18] + struct.pack("!HB", 8 + len(data), 44) + frame[21:54]
            head += struct.pack("!BBHI", frame[20], 0, offset | more, tags[0] + 1)
        made.append(frame[:14] + head + data)
    return made[0], made[1]


def complaint_about(frame: bytes, mine: bytes, tag: int) -> bytes:
    """What a machine sends back about a frame that it got: ICMP unreachable (RFC 792, RFC 4443)."""
    four = frame[12:14] == b"\x08\x00"
    length = 20 if four else 40
    source, destination = (frame[26:30], frame[30:34]) if four else (frame[22:38], frame[38:54])
    said = struct.pack("!BBHI", 3 if four else 1, 0, 0, 0) + frame[14 : 14 + length + 8] + _TAG + b"%06d" % tag
    made = _packet(_ip(destination), _ip(source), 1 if four else 58, said, 0)
    return frame[6:12] + mine + made


def answer_to(frame: bytes) -> bytes | None:
    """What the receiver of a frame sends back; None for what nothing answers."""
    version = 4 if frame[12:14] == b"\x08\x00" else 6
    if version == 4:
        protocol, source, destination, payload = frame[23], frame[26:30], frame[30:34], bytearray(frame[34:])
        payload = payload[: int.from_bytes(frame[16:18], "big") - 20]
        dscp = frame[15] >> 2
    else:
        protocol, source, destination = frame[20], frame[22:38], frame[38:54]
        payload = bytearray(frame[54 : 54 + int.from_bytes(frame[18:20], "big")])
        dscp = (frame[14] << 4 | frame[15] >> 4) >> 2 & 0x3F
    if protocol in (6, 17, 132):
        payload[0:2], payload[2:4] = payload[2:4], payload[0:2]
    if protocol == 6:
        payload[13] = 0x12
        payload[8:12] = b"\x00\x00\x00\x02"
    if protocol == (1 if version == 4 else 58):
        kind = _ANSWERS[protocol].get(payload[0])
        if kind is None:
            return None
        payload[0] = kind
    made = _packet(_ip(destination), _ip(source), protocol, bytes(payload), dscp)
    return frame[6:12] + frame[:6] + made


def _ip(packed: bytes) -> Ip:
    return Ip(4 if len(packed) == 4 else 6, int.from_bytes(packed, "big"))


# Packets with checksums -------------------------------------------------------------------------------------------


def _packet(source: Ip, destination: Ip, protocol: int, payload: bytes, dscp: int) -> bytes:
    """EtherType and IP packet, the transport's checksum filled in."""
    if source.version == 6:
        return _ipv6(source, destination, protocol, payload, dscp, 64)
    payload = _summed(source, destination, protocol, payload)
    head = struct.pack("!BBHHHBBH", 0x45, dscp << 2, 20 + len(payload), 1, 0, 64, protocol, 0)
    head += source.packed + destination.packed
    head = head[:10] + _checksum(head) + head[12:]
    return b"\x08\x00" + head + payload


def _ipv6(source: Ip, destination: Ip, protocol: int, payload: bytes, dscp: int, hops: int) -> bytes:
    payload = _summed(source, destination, protocol, payload)
    head = struct.pack("!IHBB", 6 << 28 | dscp << 22, len(payload), protocol, hops)
    return b"\x86\xdd" + head + source.packed + destination.packed + payload


def _summed(source: Ip, destination: Ip, protocol: int, payload: bytes) -> bytes:
    at = {(4, 1): 2, (6, 58): 2, (4, 6): 16, (6, 6): 16, (4, 17): 6, (6, 17): 6}.get((source.version, protocol))
    if protocol == 132:
        cleared = payload[:8] + bytes(4) + payload[12:]
        return cleared[:8] + _crc32c(cleared).to_bytes(4, "little") + cleared[12:]
    if at is None:
        return payload
    cleared = payload[:at] + bytes(2) + payload[at + 2 :]
    pseudo = b""
    if protocol != 1:
        pseudo = source.packed + destination.packed + struct.pack("!II", len(payload), protocol)
    return cleared[:at] + _checksum(pseudo + cleared) + cleared[at + 2 :]


def _checksum(data: bytes) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def _crc32c(data: bytes) -> int:
    """Of SCTP (RFC 9260 appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF

"""Packets between a switch and the controller: what a flow sent up, and what the controller sends out.

A packet-in bears the cookie of the flow that sent it and, in its match, all that the pipeline knew of the packet:
port, tunnel, registers and metadata that are not zero (Open vSwitch adds its registers in every OpenFlow version).
A packet-out is a frame and a list of actions. Both are made and read here; ``connection.py`` sends and hears them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.openflow import wire
from controller.openflow.actions import Action
from controller.openflow.wire import BY_HEADER

INVALID_TTL: Final = 2  # ofp_packet_in_reason of a packet that dec_ttl stopped

_PACKET_IN: Final = struct.Struct("!IHBBQ")  # 16 bytes up to the match
_PACKET_OUT: Final = struct.Struct("!IIH6x")
_NICIRA: Final = wire.NICIRA.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A packet that a flow sent to the controller.

    ``frame`` is the packet, perhaps cut off at the ``max_len`` of the action; ``total_length`` is its length in bytes
    before that. ``reason`` is the ofp_packet_in_reason (INVALID_TTL and others). ``fields`` are the values of the
    pipeline by name of wire.FIELDS; those that are not in it were zero.
    """

    cookie: int
    table: int
    frame: bytes
    total_length: int
    reason: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)

    @property
    def in_port(self) -> int:
        """Port it came in by; 0 when the pipeline had set that to none."""
        return self.fields.get("in_port", 0)

    @property
    def metadata(self) -> int:
        """The 64 bits of the metadata register."""
        return self.fields.get("metadata", 0)

    @property
    def tunnel_id(self) -> int:
        """Key of the tunnel it came from or was to go to."""
        return self.fields.get("tunnel_id", 0)

    def register(self, number: int) -> int:
        """A 32-bit register, 0 to 15."""
        return self.fields.get(f"reg{number}", 0)


def packet_in(body: bytes) -> PacketIn:
    """The body of an OFPT_PACKET_IN. Raises struct.error or ValueError when it is malformed."""
    _, total, reason, table, cookie = _PACKET_IN.unpack_from(body)
    (length,) = struct.unpack_from("!H", body, 18)
    after = 16 + (length + 7 & ~7) + 2
    if length < 4 or after > len(body):
        raise ValueError(f"a packet-in whose match has a wrong length, {length}")
    return PacketIn(cookie, table, body[after:], total, reason, _fields(body, 20, 16 + length))


def _fields(body: bytes, at: int, end: int) -> dict[str, int]:
    found: dict[str, int] = {}
    while at + 4 <= end:
        number, third, length = struct.unpack_from("!HBB", body, at)
        payload = body[at + 4 : min(at + 4 + length, end)]
        at += 4 + length
        if number == wire.EXTENDED:
            number, payload = (number, payload[4:]) if payload[:4] == _NICIRA else (-1, payload)
        spec = BY_HEADER.get((number, third >> 1))
        if spec is not None:  # a masked one has its value first
            found[spec.name] = int.from_bytes(payload[: spec.width], "big")
    return found


def packet_out(frame: bytes, actions: Sequence[Action], in_port: int) -> bytes:
    """The body of an OFPT_PACKET_OUT. Raises ValueError when an action has a Field in it."""
    acts = bytearray()
    for piece in (piece for action in actions for piece in action.parts):
        if not isinstance(piece, bytes):
            raise ValueError(f"{piece.field} is left open, and nothing would fill it")
        acts += piece
    return _PACKET_OUT.pack(wire.NO_BUFFER, in_port, len(acts)) + acts + frame

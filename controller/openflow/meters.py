"""Meters: the rate limits that flows name in their meter instruction (ONF TS-012, 7.3.4.4).

A meter here has one band that drops what exceeds a rate in kbit/s with a burst in kbit. What a hypervisor must hold
is described by ADD messages, like its flows; a change of a meter in use is a MODIFY, because deleting a meter deletes
the flows that use it. Bundles of Open vSwitch take no meters: ``controller/hypervisors/channel.py`` sends ADDs before
its bundle, MODIFYs and DELETEs after it. ``messages.py`` treats flows and meters alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from controller.openflow import wire
from controller.openflow.errors import RequestRefused

ADD, MODIFY, DELETE = 0, 1, 2  # ofp_meter_mod_command
CONFIG: Final = 10  # multipart type of the meters' configuration
FAILED: Final = 12  # ofp_error_type of a meter-mod
EXISTS, UNKNOWN = 1, 3  # codes of it
MAX_ID: Final = 0xFFFF0000  # OFPM_MAX
KEY: Final = 0xFF  # first byte of a meter's key, where a flow's has its table, 0 to 254

_ALL: Final = struct.pack("!I4x", 0xFFFFFFFF)
_FLAGS: Final = 1 | 4  # OFPMF_KBPS, OFPMF_BURST
_DROP: Final = 1  # ofp_meter_band_type
_MOD: Final = struct.Struct("!HHI")
_BAND: Final = struct.Struct("!HHII4x")
_ID: Final = slice(12, 16)


def meter_mod(command: int, number: int, rate_kbps: int = 0, burst_kbit: int = 0) -> bytes:
    """A whole OFPT_METER_MOD. Its rate and burst are left out of a DELETE. Raises ValueError for a number or a rate
    that OpenFlow has not, and for a burst of 0: Open vSwitch would make it the rate.
    """
    if not 1 <= number <= MAX_ID:
        raise ValueError(f"no meter has the number {number}")
    if command == DELETE:
        return wire.message(wire.METER_MOD, wire.FLOW_XID, _MOD.pack(command, _FLAGS, number))
    if not (1 <= rate_kbps < 1 << 32 and 1 <= burst_kbit < 1 << 32):
        raise ValueError(f"no meter drops at {rate_kbps} kbit/s with a burst of {burst_kbit} kbit")
    band = _BAND.pack(_DROP, _BAND.size, rate_kbps, burst_kbit)
    return wire.message(wire.METER_MOD, wire.FLOW_XID, _MOD.pack(command, _FLAGS, number) + band)


def is_meter(msg: bytes) -> bool:
    """Whether the message changes a meter."""
    return msg[1] == wire.METER_MOD


def key(msg: bytes) -> bytes:
    """What identifies the meter in its switch: KEY, number (4 bytes)."""
    return b"\xff" + msg[_ID]


def number(msg: bytes) -> int:
    """Its number, as flows name it."""
    return int.from_bytes(msg[_ID], "big")


def command(msg: bytes) -> int:
    """ADD, MODIFY or DELETE."""
    return msg[9]


def as_delete(msg: bytes) -> bytes:
    """The message that removes the meter."""
    return meter_mod(DELETE, number(msg))


def as_modify(msg: bytes) -> bytes:
    """The message that gives an existing meter the rate and burst of this ADD."""
    return _commanded(msg, MODIFY)


def _commanded(msg: bytes, order: int) -> bytes:
    return msg[:8] + order.to_bytes(2, "big") + msg[10:]


def instead(msg: bytes, refusal: RequestRefused) -> bytes | None:
    """What to send after a refused ADD of a meter that exists, or MODIFY of one that does not; None for what cannot be
    healed so.
    """
    if refusal.kind == FAILED and (command(msg), refusal.code) in ((ADD, EXISTS), (MODIFY, UNKNOWN)):
        return _commanded(msg, MODIFY if command(msg) == ADD else ADD)
    return None


def request() -> bytes:
    """Body of the multipart request for all meters."""
    return _ALL


def configured(parts: Sequence[bytes]) -> list[bytes]:
    """The ADDs of the meters in a meter configuration reply: byte for byte as they were sent. Raises ValueError.

    Virtual meters, which limit what a switch sends to all its controllers, are the operator's and left out.
    """
    return [msg for body in parts for msg in _configured(body)]


def _configured(body: bytes) -> Iterator[bytes]:
    at, end = 0, len(body)
    while at < end:
        if end - at < 8:
            raise ValueError("meter configuration ends in the middle of a meter")
        length, flags, meter = _MOD.unpack_from(body, at)
        if length < 8 or at + length > end:
            raise ValueError(f"meter configuration with a wrong length, {length}")
        if meter <= MAX_ID:
            mod = _MOD.pack(ADD, flags, meter) + body[at + 8 : at + length]
            yield wire.message(wire.METER_MOD, wire.FLOW_XID, mod)
        at += length

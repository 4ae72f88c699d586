"""The first message each way: which version of OpenFlow to speak (OpenFlow 1.4, 6.3.1 and 7.5.1)."""

from __future__ import annotations

import struct

from controller.openflow import wire

_VERSION_BITMAP = 1  # ofp_hello_elem_type
_HELLO_LIMIT = 256  # bytes; Open vSwitch sends 16. A longer "HELLO" is another protocol's bytes
_LAST_TYPE = 35  # highest ofp_type of OpenFlow 1.4 and of Open vSwitch's monitor extensions in it


def hello(xid: int) -> bytes:
    """Our HELLO: version 1.4 and nothing else."""
    return wire.message(wire.HELLO, xid, struct.pack("!HHI", _VERSION_BITMAP, 8, 1 << wire.VERSION))


def hello_failed(text: str) -> bytes:
    """Body of the OFPT_ERROR that refuses a HELLO (OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE) and says why."""
    return struct.pack("!HH", 0, 0) + text.encode("ascii", "replace")


def offered(version: int, body: bytes) -> set[int]:
    """Versions that a HELLO offers: its bitmap's, else all up to the one in its header ."""
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, at)
        if length < 4:
            break
        if kind == _VERSION_BITMAP:
            words = struct.unpack_from(f"!{(length - 4) // 4}I", body, at + 4)
            return {32 * n + bit for n, word in enumerate(words) for bit in range(32) if word >> bit & 1}
        at += length + 7 & ~7
    return set(range(1, version + 1))


def check_header(spoken: int, version: int, kind: int, length: int, beginning: bytes | bytearray) -> None:
    """Raises ValueError for a message header that no switch sends; ``spoken`` is the version agreed on, 0 before."""
    if spoken == 0:
        if kind not in (wire.HELLO, wire.ERROR) or not 1 <= version <= 6 or not 8 <= length <= _HELLO_LIMIT:
            raise ValueError(f"not OpenFlow, begins with {bytes(beginning[:16])!r}")
    elif version != spoken or length < 8 or kind > _LAST_TYPE:
        raise ValueError(f"version {version}, type {kind}, length {length}")

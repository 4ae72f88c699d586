"""What travels between the daemon and the speaker process: frames on one socket pair, in order, both ways.

::

    0       4     5
    +-------+-----+------------------+
    | length| kind| payload          |      length of the payload, big endian
    +-------+-----+------------------+

Commands (to the child) are answered in order by one DONE or REFUSED each. Everything else that the child says is an
event. A session is named by a number that is never used twice, so that nothing meant for a session that is gone can
reach the one after it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum

__all__ = ["PAYLOAD_LIMIT", "FrameError", "Kind", "Splitter", "frame", "numbers", "parse_numbers"]

PAYLOAD_LIMIT = 1 << 24  # bytes; a configuration of 10,000 neighbours has about 5 MB
_HEAD = struct.Struct("!IB")


class Kind(IntEnum):
    """What a frame is; its payload."""

    CONFIGURE = 1  # text of a configuration
    SEND = 2  # numbers of sessions, then whole BGP messages
    RESET = 3  # session number (4 bytes), code, subcode, text
    STOP = 4  # nothing: cease to every peer, then the end
    HOLD = 5  # 1: read no session until 0 comes
    READY = 16  # nothing: first of all
    DONE = 17  # nothing
    REFUSED = 18  # why a command was not done
    UP = 19  # JSON, see session.py of the child
    DOWN = 20  # session number, 1 when routes may be kept or 0, text
    UPDATES = 21  # session number, then whole UPDATE messages
    REFRESH = 22  # session number, AFI, subtype, SAFI (RFC 2918 section 3, RFC 7313 section 3.2)
    FAILED = 23  # JSON: address and why a session did not come up


class FrameError(ValueError):
    """The other side does not speak frames."""


def frame(kind: Kind, *payload: bytes | bytearray) -> bytes:
    """One frame. Raises FrameError when the payload is too long."""
    length = sum(map(len, payload))
    if length > PAYLOAD_LIMIT:
        raise FrameError(f"{length} bytes are more than a frame holds ({PAYLOAD_LIMIT})")
    return b"".join((_HEAD.pack(length, kind), *payload))


def numbers(sessions: Sequence[int]) -> bytes:
    """The head of SEND: how many sessions (2 bytes), and which (4 bytes each)."""
    return struct.pack(f"!H{len(sessions)}I", len(sessions), *sessions)


def parse_numbers(payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """Sessions and messages of SEND."""
    (count,) = struct.unpack_from("!H", payload)
    return struct.unpack_from(f"!{count}I", payload, 2), payload[2 + 4 * count :]


class Splitter:
    """Finds the frames in a stream of bytes."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The frames that are whole now. Raises FrameError for an unknown kind or too great a length."""
        rest = self._rest
        rest += data
        at = 0
        try:
            while len(rest) - at >= _HEAD.size:
                length, number = _HEAD.unpack_from(rest, at)
                if length > PAYLOAD_LIMIT:
                    raise FrameError(f"a frame of {length} bytes")
                end = at + _HEAD.size + length
                if len(rest) < end:
                    break
                try:
                    kind = Kind(number)
                except ValueError:
                    raise FrameError(f"a frame of kind {number}") from None
                payload = bytes(rest[at + _HEAD.size : end])
                at = end
                yield kind, payload
        finally:
            del rest[:at]

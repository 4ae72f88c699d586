"""AS_PATH: segments on the wire, a flat path and the length that best path compares in `Attributes`.

::

    segment    type | number of autonomous systems | so many of 4 bytes, of 2 with a speaker that knows no more
               1 set, 2 sequence (RFC 4271 section 4.3); 3 sequence, 4 set of a confederation (RFC 5065 section 3)

A set counts as one hop, a confederation's segments as none (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3).
"""

from __future__ import annotations

import struct

from controller.bgp.wire.faults import WireError

__all__ = ["AS_TRANS", "Segments", "decode_path", "encode_path", "flat", "needs_as4", "with_as4"]

AS_TRANS = 23456
"""Stands for an autonomous system of 4 bytes where there is room for 2 (RFC 6793 section 9)."""

Segments = list[tuple[int, tuple[int, ...]]]

_SET, _SEQUENCE, _CONFEDERATION_SEQUENCE, _CONFEDERATION_SET = 1, 2, 3, 4
_MOST = 255  # of one segment: the number is one octet


def decode_path(data: bytes, width: int) -> Segments:
    """Segments with autonomous systems of `width` bytes, 2 or 4. Raises WireError (RFC 7606 section 7.2)."""
    found: Segments = []
    at, end = 0, len(data)
    while at < end:
        kind, count = data[at], data[at + 1] if at + 1 < end else 0
        after = at + 2 + count * width
        if kind not in (_SET, _SEQUENCE, _CONFEDERATION_SEQUENCE, _CONFEDERATION_SET):
            raise WireError(f"segments of type {kind} do not exist")
        if not count or after > end:
            raise WireError(f"a segment of {count} autonomous systems in {end - at} bytes")
        found.append((kind, struct.unpack(f"!{count}{'I' if width == 4 else 'H'}", data[at + 2 : after])))
        at = after
    return found


def flat(segments: Segments) -> tuple[tuple[int, ...], int]:
    """All autonomous systems in the order of the wire, and the length of the path."""
    return tuple(number for _, numbers in segments for number in numbers), sum(map(_hops, segments))


def _hops(segment: tuple[int, tuple[int, ...]]) -> int:
    kind, numbers = segment
    return len(numbers) if kind == _SEQUENCE else int(kind == _SET)


def with_as4(segments: Segments, newer: Segments) -> Segments:
    """AS_PATH of a speaker of 2 bytes, with what AS4_PATH says of its end (RFC 6793 section 4.2.3)."""
    newer = [segment for segment in newer if segment[0] in (_SET, _SEQUENCE)]
    ahead = sum(map(_hops, segments)) - sum(map(_hops, newer))
    if ahead < 0:
        return segments
    kept: Segments = []
    for kind, numbers in segments:
        hops = _hops((kind, numbers))
        if not ahead and hops:
            break
        if hops > ahead:
            numbers, hops = numbers[:ahead], ahead
        kept.append((kind, numbers))
        ahead -= hops
    return [*kept, *newer]


def needs_as4(path: tuple[int, ...]) -> bool:
    """Whether 2 bytes are too few."""
    return any(number > 0xFFFF for number in path)


def encode_path(path: tuple[int, ...], length: int, width: int) -> bytes:
    """A flat path as one sequence; where its length says less, its end is one set, so that both come back as they are.

    With `width` 2, AS_TRANS stands for what does not fit. Raises WireError for what is no number of an autonomous
    system, and for a set of more than 255.
    """
    if any(not 0 <= number < 1 << 32 for number in path):
        raise WireError(f"{path} has an autonomous system that is not of 32 bits")
    if width == 2:
        path = tuple(number if number <= 0xFFFF else AS_TRANS for number in path)
    ordered = len(path) if not 0 < length < len(path) else length - 1
    if len(path) - ordered > _MOST:
        raise WireError(f"a set of {len(path) - ordered} autonomous systems, more than {_MOST}")
    pieces = [(_SEQUENCE, path[at : min(at + _MOST, ordered)]) for at in range(0, ordered, _MOST)]
    if ordered < len(path):
        pieces.append((_SET, path[ordered:]))
    letter = "I" if width == 4 else "H"
    return b"".join(struct.pack(f"!BB{len(numbers)}{letter}", kind, len(numbers), *numbers) for kind, numbers in pieces)

"""Numbers of 128 series as bytes: a column of one measure, a cell of several columns, a pack of many cells.

A column holds one number for each of the 128 series (slots) of a chunk. Written down, its eight bytes per number are
put into planes: first all lowest bytes, then all second bytes... Planes that are zero throughout are left out (one bit
each in a mask says which), the others are deflated. So a series without traffic costs next to nothing, and a busy one
the two to four bytes that really differ.

    cell   n, n × (measure, mask), flag, planes              one bucket of one chunk, every measure
    pack   mask, flag, planes of slot 0, slot 1...           many buckets of one chunk, one measure; a slot's bytes
                                                             are side by side, so one series is cut out by slices

No numpy: its import costs 25 MB, and slices of bytes and arrays run at the speed of C as well.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["KNOWN", "LARGEST", "SLOTS", "Columns", "add", "blank", "cell", "columns_of", "pack", "rows_of", "slot_of",
           "slot_of_pack", "slots_of_pack"]  # fmt: skip

SLOTS = 128
KNOWN = 0
"""The measure that every cell has: for how many milliseconds a series was known."""
LARGEST = 2**63 - 1
"""Sums stay below; at 1 Tbit/s that is more than two years of bytes."""

Column = array  # of "Q"
Columns = dict[int, "array[int]"]
"""Columns of one chunk by number of measure."""

_WORD = 8
_ZEROS = bytes(SLOTS * _WORD)
_PLANE = tuple(range(_WORD)) if sys.byteorder == "little" else tuple(range(_WORD - 1, -1, -1))
_STORED, _DEFLATED = 0, 1
_PLANES_OF = tuple(tuple(plane for plane in range(_WORD) if mask >> plane & 1) for mask in range(256))
_FAST, _SMALL = 1, 6
"""Levels of zlib: a cell is written at every look and lives for minutes; a pack is written once and kept for a year."""


def blank() -> array[int]:
    """A column of zeros."""
    return array("Q", _ZEROS)


def add(into: Columns, more: Columns) -> None:
    """Add numbers of the same chunk, slot by slot; `into` gets columns of its own."""
    for measure, column in more.items():
        have = into.get(measure)
        into[measure] = column[:] if have is None else array("Q", map(_sum, have, column))


def _sum(one: int, other: int) -> int:
    total = one + other
    return total if total < LARGEST else LARGEST


def _planes(raw: bytes) -> tuple[int, list[bytes]]:
    """The mask, and the planes that are not zero, of numbers of eight bytes."""
    mask, planes, nothing = 0, [], bytes(len(raw) // _WORD)
    for plane in range(_WORD):
        part = raw[_PLANE[plane] :: _WORD]
        if part != nothing:
            mask |= 1 << plane
            planes.append(part)
    return mask, planes


def _pressed(planes: Iterable[bytes], level: int) -> bytes:
    """The flag and the planes, deflated when that is smaller (noise is not)."""
    plain = b"".join(planes)
    packed = zlib.compress(plain, level)
    return bytes((_DEFLATED,)) + packed if len(packed) < len(plain) else bytes((_STORED,)) + plain


def _opened(blob: bytes, at: int) -> bytes:
    return zlib.decompress(memoryview(blob)[at + 1 :]) if blob[at] == _DEFLATED else blob[at + 1 :]


def cell(columns: Columns) -> bytes:
    """The columns of one bucket as bytes; columns of zeros are left out."""
    head, body = bytearray(1), []
    for measure, column in columns.items():
        mask, planes = _planes(column.tobytes())
        if mask:
            head[0] += 1
            head += bytes((measure, mask))
            body += planes
    return bytes(head) + _pressed(body, _FAST)


def columns_of(blob: bytes) -> Columns:
    """What `cell` wrote."""
    count = blob[0]
    data, at = _opened(blob, 1 + 2 * count), 0
    found: Columns = {}
    for each in range(count):
        measure, mask = blob[1 + 2 * each], blob[2 + 2 * each]
        words = bytearray(SLOTS * _WORD)
        for plane in _PLANES_OF[mask]:
            words[_PLANE[plane] :: _WORD] = data[at : at + SLOTS]
            at += SLOTS
        found[measure] = array("Q", bytes(words))
    return found


def slot_of(blob: bytes, slot: int, measures: Sequence[int]) -> list[int]:
    """The numbers of one series in a cell, in the order of `measures`; 0 where it has none."""
    count = blob[0]
    data, at = _opened(blob, 1 + 2 * count), slot
    found = dict.fromkeys(measures, 0)
    for each in range(count):
        measure, planes = blob[1 + 2 * each], _PLANES_OF[blob[2 + 2 * each]]
        if measure in found:
            value = 0
            for number, plane in enumerate(planes):
                value |= data[at + number * SLOTS] << 8 * plane
            found[measure] = value
        at += SLOTS * len(planes)
    return [found[measure] for measure in measures]


def pack(rows: Sequence[array[int] | None]) -> bytes:
    """Columns of one measure, one per bucket; None is a bucket without any."""
    count = len(rows)
    words = array("Q", bytes(SLOTS * _WORD * count))
    for number, row in enumerate(rows):
        if row is not None:
            words[number::count] = row
    mask, planes = _planes(words.tobytes())
    return bytes((mask,)) + _pressed(planes, _SMALL)


def rows_of(blob: bytes, count: int) -> list[array[int]]:
    """What `pack` wrote of `count` buckets."""
    data, words = _opened(blob, 1), bytearray(SLOTS * _WORD * count)
    for number, plane in enumerate(_PLANES_OF[blob[0]]):
        words[_PLANE[plane] :: _WORD] = data[number * SLOTS * count : (number + 1) * SLOTS * count]
    flat = array("Q", bytes(words))
    return [flat[number::count] for number in range(count)]


def slot_of_pack(blob: bytes, slot: int, count: int) -> array[int]:
    """The numbers of one series in a pack of `count` buckets."""
    return next(slots_of_pack(blob, (slot,), count))


def slots_of_pack(blob: bytes, slots: Iterable[int], count: int) -> Iterator[array[int]]:
    """The same of several series, one after the other: the pack is opened once."""
    data, planes = _opened(blob, 1), _PLANES_OF[blob[0]]
    for slot in slots:
        words = bytearray(_WORD * count)
        for number, plane in enumerate(planes):
            at = (number * SLOTS + slot) * count
            words[_PLANE[plane] :: _WORD] = data[at : at + count]
        yield array("Q", bytes(words))

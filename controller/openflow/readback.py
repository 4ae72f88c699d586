"""What a switch holds and what others do to it, read by walking headers: match and instructions stay raw
bytes.

Open vSwitch gives back the very bytes that packed.py sent, so comparing is comparing bytes; nothing is parsed
until a person wants to read it (text.py). 100,000 flows: a quarter of a second, in slices of a few
milliseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from controller.openflow import wire
from data.steps import Pace

# Multipart types
DESCRIPTION, FLOW, AGGREGATE, FLOW_MONITOR = 0, 1, 2, 16

_STATS: Final = struct.Struct("!HBxIIHHHHH2xQQQ")  # 48 bytes up to the match
_AGGREGATE: Final = struct.Struct("!QQI4x")
_EVENT: Final = struct.Struct("!HHBBHHH4xQ")  # ofp_flow_update_full, 24 bytes up to the match
_SOFTWARE: Final = slice(512, 768)  # sw_desc of ofp_desc, after the manufacturer's and the hardware's 256 bytes
_NO_MATCH: Final = struct.pack("!HH4x", 1, 4)
_MONITOR_FLAGS = 2 | 4 | 8 | 16  # added, removed, modified, with instructions; not the flows that are there already
_EVENTS = {1: "added", 2: "removed", 3: "modified"}


class FlowEntry(msgspec.Struct, frozen=True, gc=False):
    """One flow as the switch holds it. ``match`` is padded to 8 bytes; ``duration`` is its age in seconds,
    ``octets`` the bytes it carried.

    A Struct outside the garbage collector: with 100,000 tuples one collection stops the loop for 30 ms.
    """

    table: int
    priority: int
    cookie: int
    match: bytes
    instructions: bytes
    packets: int
    octets: int
    duration: int

    @property
    def key(self) -> bytes:
        """The same as packed.flow_key of the flow-mod that made it."""
        return self.table.to_bytes(1, "big") + self.priority.to_bytes(2, "big") + self.match

    def flow_mod(self) -> bytes:
        """The flow-mod that makes such a flow; packed.as_delete_strict of it removes this one."""
        return flow_mod(self.table, self.priority, self.cookie, self.match, self.instructions)


class FlowEvent(msgspec.Struct, frozen=True, gc=False):
    """A change of flows that somebody else made: ``change`` is added, removed or modified."""

    change: str
    table: int
    priority: int
    cookie: int
    match: bytes
    instructions: bytes

    @property
    def key(self) -> bytes:
        """The same as packed.flow_key of the flow-mod for this flow."""
        return self.table.to_bytes(1, "big") + self.priority.to_bytes(2, "big") + self.match

    def flow_mod(self) -> bytes:
        """The flow-mod that makes such a flow."""
        return flow_mod(self.table, self.priority, self.cookie, self.match, self.instructions)


def flow_mod(table: int, priority: int, cookie: int, match: bytes, instructions: bytes) -> bytes:
    """An OFPFC_ADD from raw match and instructions."""
    head = wire.FLOW_MOD.pack(
        wire.VERSION, wire.FLOW_MOD_TYPE, wire.FLOW_MOD.size + len(match) + len(instructions), wire.FLOW_XID,
        cookie, 0, table, wire.ADD, 0, 0, priority, wire.NO_BUFFER, wire.PORT_ANY, wire.GROUP_ANY, 0, 0,
    )  # fmt: skip
    return head + match + instructions


def request(table: int = wire.ALL_TABLES) -> bytes:
    """Body of a flow or aggregate statistics request for one table or all."""
    return struct.pack("!B3xII4xQQ", table, wire.PORT_ANY, wire.GROUP_ANY, 0, 0) + _NO_MATCH


def monitor_request(number: int) -> bytes:
    """Body of a flow monitor request: all tables, changes only, with instructions (7.3.5.18)."""
    fixed = struct.pack("!IIIHBB", number, wire.PORT_ANY, wire.GROUP_ANY, _MONITOR_FLAGS, wire.ALL_TABLES, 0)
    return fixed + _NO_MATCH


async def entries(parts: Sequence[bytes]) -> list[FlowEntry]:
    """The flows in the bodies of a flow statistics reply. Raises ValueError when a length is wrong."""
    out: list[FlowEntry] = []
    pace = Pace()
    for body in parts:
        out += _entries(body)
        await pace.breathe()
    return out


def _entries(body: bytes) -> Iterator[FlowEntry]:
    at, end = 0, len(body)
    while at < end:
        if end - at < 56:
            raise ValueError("flow statistics end in the middle of a flow")
        length, table, seconds, _, priority, _, _, _, _, cookie, packets, count = _STATS.unpack_from(body, at)
        match = at + 48
        after = match + ((body[match + 2] << 8 | body[match + 3]) + 7 & ~7)
        if not after <= at + length <= end:
            raise ValueError(f"flow statistics with a wrong length, {length}")
        yield FlowEntry(table, priority, cookie, body[match:after], body[after : at + length], packets, count, seconds)
        at += length


def flow_count(parts: Sequence[bytes]) -> int:
    """Number of flows in an aggregate statistics reply."""
    total: int = _AGGREGATE.unpack_from(parts[0])[2]
    return total


def software(parts: Sequence[bytes]) -> str:
    """The software's version in a description reply."""
    return parts[0][_SOFTWARE].partition(b"\0")[0].decode("utf-8", "replace")


def events(body: bytes) -> Iterator[FlowEvent]:
    """The changes in one flow monitor message.

    One's own changes arrive abbreviated and are left out, as are the notes that the switch paused and
    resumed: after a pause it sends what changed meanwhile.
    """
    at, end = 0, len(body)
    while at + 4 <= end:
        length, event = struct.unpack_from("!HH", body, at)
        if length < 4 or at + length > end:
            raise ValueError(f"flow monitor event with a wrong length, {length}")
        if event in _EVENTS and length >= 32:
            _, _, table, _, _, _, priority, cookie = _EVENT.unpack_from(body, at)
            match = at + 24
            after = match + ((body[match + 2] << 8 | body[match + 3]) + 7 & ~7)
            yield FlowEvent(_EVENTS[event], table, priority, cookie, body[match:after], body[after : at + length])
        at += length

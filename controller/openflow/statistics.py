"""Counters of a switch, added up straight from the bytes of its replies: flows, ports, meters, tables.

A look at a switch reads what counts and nothing else: no object is made of a flow that carried nothing, and of one that
did, only what tells it from others. 5,000 flows: 3 ms. What the numbers mean is for `controller/telemetry/`.

Sources: OpenFlow Switch Specification 1.4.0 (ONF TS-012) 7.3.5.2 (flows), 7.3.5.4 (tables), 7.3.5.6 (ports), 7.3.5.9
(meters), 7.4.2 (flow removed).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from controller.openflow import wire
from controller.openflow.wire import FIELDS
from data.steps import Pace

__all__ = ["FLOW", "METER", "PORT", "TABLE", "Counter", "flow_removed", "flows", "flows_request", "meter_drops",
           "meters_request", "port_bytes", "port_request", "table_flows"]  # fmt: skip

FLOW, TABLE, PORT, METER = 1, 3, 4, 9
"""Multipart types of statistics."""

_FLOW: Final = struct.Struct("!HBxIIHHHHH2xQQQ")  # 48 bytes up to the match
_CARRIED: Final = struct.Struct("!H30xQ")  # of the same: its length, and its packets
_REMOVED: Final = struct.Struct("!QHBBIIHHQQ")  # 40 bytes up to the match
_TABLE: Final = struct.Struct("!B3xIQQ")
_PORT: Final = struct.Struct("!H2xIIIQQQQ")  # length, port, age; packets and bytes, received and sent
_METER: Final = struct.Struct("!IH6xIQQII")
_BAND: Final = struct.Struct("!QQ")
_NO_MATCH: Final = struct.pack("!HH4x", 1, 4)
_LARGEST: Final = 2**63
"""What is not less was not counted: all ones say so (7.3.5.2, 7.3.5.6), and nothing else is a number to be reached."""
_TOGETHER = 32  # flows between two looks at the clock, about 50 µs
_METERED: Final = struct.pack("!HH", wire.METER, 8)
_TUNNEL_4: Final = FIELDS["tun_ipv4_dst"].oxm()
_TUNNEL_6: Final = FIELDS["tun_ipv6_dst"].oxm()


class Counter(NamedTuple):
    """What one flow, port or meter has counted in the `age` seconds since it was made.

    `identity` (8 bytes) is the same as long as it is the same flow; `cookie` is 0 of what has none. `first` and
    `second` are packets and bytes of a flow, dropped packets and bytes of a meter, received and sent bytes of a port.
    `meter` is what a flow's packets must pass; `endpoints` are the tunnels that it sends into, as packed addresses.
    """

    identity: bytes
    table: int
    cookie: int
    first: int
    second: int
    age: float
    meter: int | None = None
    endpoints: tuple[bytes, ...] = ()


def _identity(kind: bytes, name: bytes) -> bytes:
    return blake2b(name, digest_size=8, person=kind).digest()


def _known(number: int) -> int:
    return number if number < _LARGEST else 0


def flows_request(table: int, cookie: int = 0, mask: int = 0) -> bytes:
    """Body of a request for the flows of one table, or those of them with this cookie under the mask."""
    return struct.pack("!B3xII4xQQ", table, wire.PORT_ANY, wire.GROUP_ANY, cookie, mask) + _NO_MATCH


def port_request(port: int) -> bytes:
    """Body of a request for one port."""
    return struct.pack("!I4x", port)


def meters_request() -> bytes:
    """Body of a request for all meters."""
    return struct.pack("!I4x", 0xFFFFFFFF)


async def flows(parts: Sequence[bytes], purposes: Mapping[int, object], tunnels: frozenset[int]) -> list[Counter]:
    """The flows that carried anything and count: by the upper 24 bits of their cookies, which are among `purposes`, or
    because they send into a tunnel and are in one of the tables `tunnels`. Raises ValueError when a length is wrong."""
    found: list[Counter] = []
    pace = Pace()
    for body in parts:
        for counter in _flows(body, purposes, tunnels):
            if counter is not None:
                found.append(counter)
            elif pace.due:
                await pace.breathe()
    return found


def _flows(body: bytes, purposes: Mapping[int, object], tunnels: frozenset[int]) -> Iterator[Counter | None]:
    """None now and then: time to look at the clock."""
    at, end, number = 0, len(body), 0
    carried = _CARRIED.unpack_from
    while at < end:
        if end - at < 56:
            raise ValueError("flow statistics end in the middle of a flow")
        length, packets = carried(body, at)
        if length < 56 or at + length > end:
            raise ValueError(f"flow statistics with a wrong length, {length}")
        number += 1
        if number % _TOGETHER == 0:
            yield None
        if 0 < packets < _LARGEST:
            _, table, seconds, fraction, _, _, _, _, _, cookie, _, octets = _FLOW.unpack_from(body, at)
            counts, sends = cookie >> 40 in purposes, table in tunnels
            if counts or sends:
                match = at + 48
                after = match + ((body[match + 2] << 8 | body[match + 3]) + 7 & ~7)
                if after > at + length:
                    raise ValueError("flow statistics with a match that is longer than its flow")
                to = _endpoints(body[after : at + length]) if sends else ()
                if counts or to:
                    name = body[at + 2 : at + 3] + body[at + 12 : at + 14] + body[match:after]
                    meter = (
                        int.from_bytes(body[after + 4 : after + 8], "big")
                        if body[after : after + 4] == _METERED
                        else None
                    )
                    yield Counter(
                        _identity(b"flow", name),
                        table,
                        cookie,
                        packets,
                        _known(octets),
                        seconds + fraction / 1e9,
                        meter,
                        to,
                    )
        at += length


def _endpoints(instructions: bytes) -> tuple[bytes, ...]:
    """The tunnel endpoints that the actions set, in order."""
    found: list[bytes] = []
    for header, width in ((_TUNNEL_4, 4), (_TUNNEL_6, 16)):
        at = instructions.find(header)
        while at >= 0:
            found.append(instructions[at + 4 : at + 4 + width])
            at = instructions.find(header, at + 4 + width)
    return tuple(found)


def flow_removed(body: bytes) -> Counter:
    """What a flow had counted when it went. Raises ValueError when the message is too short."""
    if len(body) < 48:
        raise ValueError("a flow removed message without its match")
    cookie, priority, _, table, seconds, fraction, _, _, packets, octets = _REMOVED.unpack_from(body)
    after = 40 + ((body[42] << 8 | body[43]) + 7 & ~7)
    name = bytes((table,)) + priority.to_bytes(2, "big") + body[40:after]
    return Counter(_identity(b"flow", name), table, cookie, _known(packets), _known(octets), seconds + fraction / 1e9)


def table_flows(parts: Sequence[bytes]) -> dict[int, int]:
    """How many flows each table holds that holds any."""
    found: dict[int, int] = {}
    for body in parts:
        for table, count, _, _ in _TABLE.iter_unpack(body[: len(body) - len(body) % _TABLE.size]):
            if count:
                found[table] = count
    return found


def port_bytes(parts: Sequence[bytes]) -> Iterator[tuple[int, Counter]]:
    """(port, bytes received and sent) of each port. Raises ValueError when a length is wrong."""
    for body in parts:
        at = 0
        while at < len(body):
            if len(body) - at < _PORT.size:
                raise ValueError("port statistics end in the middle of a port")
            length, port, seconds, fraction, _, _, received, sent = _PORT.unpack_from(body, at)
            if length < _PORT.size or at + length > len(body):
                raise ValueError(f"port statistics with a wrong length, {length}")
            name, age = _identity(b"port", str(port).encode()), seconds + fraction / 1e9
            yield port, Counter(name, 0, 0, _known(received), _known(sent), age)
            at += length


def meter_drops(parts: Sequence[bytes]) -> Iterator[tuple[int, Counter]]:
    """(number, packets and bytes dropped) of each meter that dropped any. Raises ValueError when a length is wrong."""
    for body in parts:
        at = 0
        while at < len(body):
            if len(body) - at < _METER.size:
                raise ValueError("meter statistics end in the middle of a meter")
            number, length, _, _, _, seconds, fraction = _METER.unpack_from(body, at)
            if length < _METER.size or at + length > len(body):
                raise ValueError(f"meter statistics with a wrong length, {length}")
            packets = octets = 0
            for band in range(at + _METER.size, at + length - _BAND.size + 1, _BAND.size):
                more_packets, more_octets = _BAND.unpack_from(body, band)
                packets, octets = packets + _known(more_packets), octets + _known(more_octets)
            if packets:
                name = _identity(b"meter", str(number).encode())
                yield number, Counter(name, 0, 0, packets, octets, seconds + fraction / 1e9)
            at += length

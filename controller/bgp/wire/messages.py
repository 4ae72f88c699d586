"""Routes to UPDATE messages (RFC 4271 section 4.3), as few as possible: one group for each set of attributes.

::

    marker 16 | length 2 | 2 = UPDATE | withdrawn length 2 | withdrawn | attributes length 2 | attributes | NLRI
              |------- header 19 -----|                    |-- IPv4 --|                                    |- IPv4 -|

MP_REACH_NLRI and MP_UNREACH_NLRI stand first among the attributes (RFC 7606 section 5.1): whoever cannot read one
behind them still knows what the message is about.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from controller.bgp.routes import Attributes, Encapsulation, Family, Nlri, Route, family_of
from controller.bgp.wire.attributes import FLAGS, Attribute, Kind, encode_attribute, encode_attributes
from controller.bgp.wire.families import NUMBERS, encode_next_hop
from controller.bgp.wire.faults import WireError
from controller.bgp.wire.nlri import encode_nlri
from data.addresses import Ip

__all__ = ["EXTENDED_MESSAGE", "HEADER", "MESSAGE", "encode_updates", "encode_withdrawals", "end_of_rib", "update_body"]

MESSAGE, EXTENDED_MESSAGE = 4096, 65535
"""Bytes of a message at most: RFC 4271 section 4.1; RFC 8654 where both ends can."""
HEADER = 19
_MARKER = b"\xff" * 16
_UPDATE = 2
_LENGTHS = 4  # bytes of the two length fields of an UPDATE
_MP_HEADER = 4  # bytes of flags, type and a length of two octets

_Told = tuple[Family, Ip, bytes, Encapsulation]
"""What the routes of one group of messages share: the attributes are bytes already."""


def encode_updates(
    routes: Iterable[Route],
    size: int = MESSAGE,
    *,
    as4: bool = True,
    encapsulation: Encapsulation = Encapsulation.VXLAN,
) -> list[bytes]:
    """Whole messages of at most `size` bytes that announce the routes, of which no two may have one key: the order of
    groups is not that of the routes.

    `encapsulation` is of EVPN routes without a community of it. Raises WireError for what cannot be said, and when
    the attributes of a route leave no room for it.
    """
    told: dict[tuple[int, Family], _Told] = {}
    groups: dict[_Told, list[Nlri]] = {}
    held: list[Attributes] = []
    for route in routes:
        nlri, attributes = route.nlri, route.attributes
        family = family_of(nlri)
        mark = id(attributes), family  # equal attributes are mostly one object, and hashing one costs 3 microseconds
        found = told.get(mark)
        if found is None:
            held.append(attributes)  # or another object could get its id
            spoken = attributes.encapsulation or encapsulation
            block = b"".join(map(encode_attribute, encode_attributes(attributes, encapsulation, as4=as4)))
            found = told[mark] = (family, attributes.next_hop, block, spoken)
        group = groups.get(found)
        if group is None:
            group = groups[found] = []
        group.append(nlri)
    return [message for group, nlri in groups.items() for message in _announcements(group, nlri, size)]


def encode_withdrawals(routes: Iterable[Nlri], size: int = MESSAGE) -> list[bytes]:
    """Whole messages of at most `size` bytes that take the routes back. Raises WireError."""
    families: dict[Family, list[bytes]] = {}
    for nlri in routes:
        families.setdefault(family_of(nlri), []).append(encode_nlri(nlri, withdrawal=True))
    messages = []
    for family, encoded in families.items():
        if family is Family.IPV4:
            messages += [_message(field, b"", b"") for field in _packed(encoded, size - HEADER - _LENGTHS)]
            continue
        numbers = struct.pack("!HB", *NUMBERS[family])
        room = size - HEADER - _LENGTHS - _MP_HEADER - len(numbers)
        for field in _packed(encoded, room):
            messages.append(_message(b"", _mp(Kind.MP_UNREACH_NLRI, numbers + field), b""))
    return messages


def end_of_rib(family: Family) -> bytes:
    """The whole message that says so (RFC 4724 section 2)."""
    if family is Family.IPV4:
        return _message(b"", b"", b"")
    return _message(b"", _mp(Kind.MP_UNREACH_NLRI, struct.pack("!HB", *NUMBERS[family])), b"")


def update_body(message: bytes) -> bytes:
    """What is behind the header of a whole UPDATE message. Raises WireError when it is not one."""
    if len(message) < HEADER or message[:16] != _MARKER or message[18] != _UPDATE:
        raise WireError(f"{len(message)} bytes that are not an UPDATE message")
    if int.from_bytes(message[16:18], "big") != len(message):
        raise WireError(f"a message of {len(message)} bytes says that it has {int.from_bytes(message[16:18], 'big')}")
    return message[HEADER:]


def _announcements(told: _Told, routes: Sequence[Nlri], size: int) -> Iterator[bytes]:
    family, next_hop, block, encapsulation = told
    encoded = [encode_nlri(nlri, encapsulation) for nlri in routes]
    room = size - HEADER - _LENGTHS - len(block)
    if family is Family.IPV4 and next_hop.version == 4:
        hop = encode_attribute(Attribute(FLAGS[Kind.NEXT_HOP], Kind.NEXT_HOP, next_hop.packed))
        for field in _packed(encoded, room - len(hop)):
            yield _message(b"", hop + block, field)
        return
    hop = encode_next_hop(family, next_hop)
    head = struct.pack("!HBB", *NUMBERS[family], len(hop)) + hop + b"\0"
    for field in _packed(encoded, room - _MP_HEADER - len(head)):
        yield _message(b"", _mp(Kind.MP_REACH_NLRI, head + field) + block, b"")


def _packed(encoded: Sequence[bytes], room: int) -> Iterator[bytes]:
    """As much as fits into each field. Raises WireError for one that fits into none."""
    begin, used = 0, 0
    for at, one in enumerate(encoded):
        if used + len(one) > room:
            if len(one) > room:
                raise WireError(f"a route of {len(one)} bytes does not fit: its attributes leave {max(room, 0)}")
            yield b"".join(encoded[begin:at])
            begin, used = at, 0
        used += len(one)
    if used:
        yield b"".join(encoded[begin:])


def _mp(kind: Kind, value: bytes) -> bytes:
    return encode_attribute(Attribute(FLAGS[kind], kind, value))


def _message(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    length = HEADER + _LENGTHS + len(withdrawn) + len(attributes) + len(nlri)
    return b"".join(
        (
            _MARKER,
            struct.pack("!HBH", length, _UPDATE, len(withdrawn)),
            withdrawn,
            struct.pack("!H", len(attributes)),
            attributes,
            nlri,
        )
    )

"""Values of path attributes to `Attributes`, and what becomes of those that are malformed (RFC 7606 sections 3 and 7).

::

    ORIGIN, AS_PATH, NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, COMMUNITIES (all kinds), ORIGINATOR_ID, CLUSTER_LIST,
    PMSI_TUNNEL, wrong flags, unknown and not optional           the routes count as withdrawn
    ATOMIC_AGGREGATE, AGGREGATOR, AS4_PATH, AS4_AGGREGATOR       the attribute is left out
    LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST of an external peer  the attribute is left out, whatever is in it
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from controller.bgp.routes import Attributes, Community, Encapsulation, Origin, Pmsi
from controller.bgp.wire.attributes import EXTENDED, FLAGS, OPTIONAL, PARTIAL, TRANSITIVE, Kind
from controller.bgp.wire.faults import Action, Fault, WireError
from controller.bgp.wire.labels import decode_label
from controller.bgp.wire.paths import AS_TRANS, decode_path, flat, with_as4
from data.addresses import Ip

__all__ = ["read_attributes"]

_Raw = Mapping[int, tuple[int, bytes]]
"""Attribute type -> flags and value, as they came."""

_DISCARDED = frozenset((Kind.ATOMIC_AGGREGATE, Kind.AGGREGATOR, Kind.AS4_PATH, Kind.AS4_AGGREGATOR))
_INTERNAL = frozenset((Kind.LOCAL_PREF, Kind.ORIGINATOR_ID, Kind.CLUSTER_LIST))
_MANDATORY = (Kind.ORIGIN, Kind.AS_PATH)
_NO_TUNNEL, _INGRESS_REPLICATION = 0, 6
_ELSEWHERE = frozenset((Kind.MP_REACH_NLRI, Kind.MP_UNREACH_NLRI, Kind.AS4_PATH, Kind.AS4_AGGREGATOR))


class _Unusable(WireError):
    """The attribute is right, and of a kind that is of no use."""


def read_attributes(
    raw: _Raw, next_hop: Ip | None, *, announces: bool, internal: bool, as4: bool, encapsulation: Encapsulation
) -> tuple[Attributes | None, tuple[Fault, ...]]:
    """The attributes, None when they cannot be (there is a fault that withdraws, then), and everything wrong with
    them.

    `next_hop` is the one of MP_REACH_NLRI, None when NEXT_HOP has it. Without `announces` (nothing is reachable by
    them) none has to be there.
    """
    faults: list[Fault] = []
    fields: dict[str, Any] = {}
    unknown: list[tuple[int, int, bytes]] = []
    for number, (flags, value) in raw.items():
        if number in _ELSEWHERE or (number == Kind.NEXT_HOP and next_hop is not None):
            continue
        if number not in FLAGS:
            fault = _keep(unknown, flags, number, value)
            if fault is not None:
                faults.append(fault)
            continue
        kind = Kind(number)
        if not internal and kind in _INTERNAL:
            faults.append(Fault(Action.DISCARD, f"{kind.name} of an external peer"))
            continue
        try:
            if (flags ^ FLAGS[kind]) & (OPTIONAL | TRANSITIVE):
                raise WireError(f"flags {flags:#04x} are not those of the attribute")
            if kind is Kind.AS_PATH:
                fields["as_path"], fields["as_path_length"] = _path(raw, value, as4, faults)
            elif kind is Kind.AGGREGATOR:
                unknown.append((flags & ~EXTENDED, number, _aggregator(raw, value, as4)))
            elif kind is Kind.ATOMIC_AGGREGATE or kind is Kind.LARGE_COMMUNITY:
                _whole(value, 12 if kind is Kind.LARGE_COMMUNITY else 0)
                unknown.append((flags & ~EXTENDED, number, value))
            else:
                name, read = _READERS[kind]
                fields[name] = read(value)
        except WireError as problem:
            mild = kind in _DISCARDED or isinstance(problem, _Unusable)
            action = Action.DISCARD if mild else Action.WITHDRAW
            faults.append(Fault(action, f"{kind.name}: {problem}"))
    if next_hop is not None:
        fields["next_hop"] = next_hop
    if announces:
        wanted = [kind for kind in _MANDATORY if kind not in raw]
        wanted += [Kind.NEXT_HOP] if next_hop is None and Kind.NEXT_HOP not in raw else []
        faults += [Fault(Action.WITHDRAW, f"{kind.name} is missing") for kind in wanted]
    if "next_hop" not in fields or any(fault.action > Action.DISCARD for fault in faults):
        return None, tuple(faults)
    return _attributes(fields, unknown, encapsulation), tuple(faults)


def _attributes(
    fields: dict[str, Any], unknown: list[tuple[int, int, bytes]], encapsulation: Encapsulation
) -> Attributes:
    """The value; what the label of the tunnel is can be said only now that the communities have been read."""
    pmsi: tuple[Ip, bytes, int, int] | None = fields.pop("pmsi", None)
    found = Attributes(unknown=tuple(sorted(unknown, key=lambda one: one[1])), **fields)
    if pmsi is None:
        return found
    endpoint, label, flags, kind = pmsi
    decoded = decode_label(label, found.encapsulation or encapsulation)
    return Attributes(unknown=found.unknown, pmsi=Pmsi(endpoint, decoded, flags, kind), **fields)


def _keep(unknown: list[tuple[int, int, bytes]], flags: int, number: int, value: bytes) -> Fault | None:
    """RFC 4271 section 5: what is optional and transitive goes on with the partial bit, what is optional alone is
    passed over; what every speaker must know, and we do not, makes the routes useless."""
    if not flags & OPTIONAL:
        return Fault(Action.WITHDRAW, f"attribute {number} is said to be well known, and is not")
    if flags & TRANSITIVE:
        unknown.append((OPTIONAL | TRANSITIVE | PARTIAL, number, value))
    return None


def _path(raw: _Raw, value: bytes, as4: bool, faults: list[Fault]) -> tuple[tuple[int, ...], int]:
    if as4:
        return flat(decode_path(value, 4))
    segments = decode_path(value, 2)
    aggregator = raw.get(Kind.AGGREGATOR, (0, b""))[1][:2]
    if Kind.AS4_PATH in raw and (not aggregator or int.from_bytes(aggregator, "big") == AS_TRANS):
        try:
            segments = with_as4(segments, decode_path(raw[Kind.AS4_PATH][1], 4))
        except WireError as problem:
            faults.append(Fault(Action.DISCARD, f"AS4_PATH: {problem}"))
    return flat(segments)


def _aggregator(raw: _Raw, value: bytes, as4: bool) -> bytes:
    """AGGREGATOR in the form of 8 bytes."""
    if len(value) != (8 if as4 else 6):
        raise WireError(f"{len(value)} bytes")
    if as4:
        return value
    newer = raw.get(Kind.AS4_AGGREGATOR, (0, b""))[1]
    if int.from_bytes(value[:2], "big") == AS_TRANS and len(newer) == 8:
        return newer
    return b"\0\0" + value


def _whole(value: bytes, size: int) -> None:
    """Raises WireError unless these are records of `size` bytes, at least one; nothing at all for 0."""
    if size and (not value or len(value) % size):
        raise WireError(f"{len(value)} bytes are not one or more of {size} each")
    if value and not size:
        raise WireError(f"{len(value)} bytes instead of none")


def _word(value: bytes) -> int:
    if len(value) != 4:
        raise WireError(f"{len(value)} bytes instead of 4")
    return int.from_bytes(value, "big")


def _origin(value: bytes) -> Origin:
    if len(value) != 1 or value[0] > Origin.INCOMPLETE:
        raise WireError(f"{value[:8].hex()} is not 0, 1 or 2")
    return Origin(value[0])


def _words(value: bytes) -> tuple[int, ...]:
    _whole(value, 4)
    return struct.unpack(f"!{len(value) // 4}I", value)


def _extended(value: bytes) -> tuple[Community, ...]:
    _whole(value, 8)
    return tuple(sorted(Community(value[at : at + 8]) for at in range(0, len(value), 8)))


def _pmsi(value: bytes) -> tuple[Ip, bytes, int, int] | None:
    """Flags, type, label, endpoint (RFC 6514 section 5); "no tunnel information" is none."""
    if len(value) < 5:
        raise WireError(f"{len(value)} bytes, less than 5")
    if value[1] == _NO_TUNNEL:
        return None
    if value[1] != _INGRESS_REPLICATION:
        raise _Unusable(f"tunnels of type {value[1]} are not known here, only ingress replication")
    if len(value) not in (9, 21):
        raise WireError(f"an endpoint of {len(value) - 5} bytes")
    return Ip(4 if len(value) == 9 else 6, int.from_bytes(value[5:], "big")), value[2:5], value[0], value[1]


def _identifier(value: bytes) -> Ip:
    return Ip(4, _word(value))


_READERS: dict[Kind, tuple[str, Callable[[bytes], Any]]] = {
    Kind.ORIGIN: ("origin", _origin),
    Kind.NEXT_HOP: ("next_hop", _identifier),
    Kind.MULTI_EXIT_DISC: ("med", _word),
    Kind.LOCAL_PREF: ("local_preference", _word),
    Kind.COMMUNITIES: ("communities", _words),
    Kind.ORIGINATOR_ID: ("originator_id", _identifier),
    Kind.CLUSTER_LIST: ("cluster_list", lambda value: tuple(Ip(4, number) for number in _words(value))),
    Kind.EXTENDED_COMMUNITIES: ("extended", _extended),
    Kind.PMSI_TUNNEL: ("pmsi", _pmsi),
}
"""Attribute -> the field of `Attributes`, and what reads its value or raises WireError."""

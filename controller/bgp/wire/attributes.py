"""Path attributes: their numbers, and `Attributes` as what stands on the wire.

An attribute is flags, type, a length of one or two octets (the flag EXTENDED says which) and the value. The next hop is
not among them: it stands in MP_REACH_NLRI, or in NEXT_HOP for IPv4 unicast.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from controller.bgp.routes import Attributes, Encapsulation, Pmsi
from controller.bgp.wire.faults import WireError
from controller.bgp.wire.labels import encode_label
from controller.bgp.wire.paths import AS_TRANS, encode_path, needs_as4
from data.addresses import Ip

__all__ = [
    "CARRIED",
    "EXTENDED",
    "FLAGS",
    "OPTIONAL",
    "PARTIAL",
    "TRANSITIVE",
    "Attribute",
    "Kind",
    "encode_attribute",
    "encode_attributes",
]

OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10
"""Flags (RFC 4271 section 4.3)."""


class Kind(IntEnum):
    """Attribute types that we know, by their names at IANA."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    PMSI_TUNNEL = 22
    LARGE_COMMUNITY = 32


_WELL_KNOWN, _BOTH = TRANSITIVE, OPTIONAL | TRANSITIVE
FLAGS = {
    Kind.ORIGIN: _WELL_KNOWN,
    Kind.AS_PATH: _WELL_KNOWN,
    Kind.NEXT_HOP: _WELL_KNOWN,
    Kind.MULTI_EXIT_DISC: OPTIONAL,
    Kind.LOCAL_PREF: _WELL_KNOWN,
    Kind.ATOMIC_AGGREGATE: _WELL_KNOWN,
    Kind.AGGREGATOR: _BOTH,
    Kind.COMMUNITIES: _BOTH,
    Kind.ORIGINATOR_ID: OPTIONAL,
    Kind.CLUSTER_LIST: OPTIONAL,
    Kind.MP_REACH_NLRI: OPTIONAL,
    Kind.MP_UNREACH_NLRI: OPTIONAL,
    Kind.EXTENDED_COMMUNITIES: _BOTH,
    Kind.AS4_PATH: _BOTH,
    Kind.AS4_AGGREGATOR: _BOTH,
    Kind.PMSI_TUNNEL: _BOTH,
    Kind.LARGE_COMMUNITY: _BOTH,
}
"""The bits OPTIONAL and TRANSITIVE as they must be."""

CARRIED = (Kind.ATOMIC_AGGREGATE, Kind.AGGREGATOR, Kind.LARGE_COMMUNITY)
"""Known, checked, and kept as they are in `Attributes.unknown`; AGGREGATOR always with 4 bytes of autonomous system."""


class Attribute(NamedTuple):
    """One attribute; the flag EXTENDED is set where the value needs it, whatever stands here."""

    flags: int
    type: int
    value: bytes


def encode_attribute(attribute: Attribute) -> bytes:
    """Flags, type, length, value. Raises WireError when it is too long for its length."""
    flags, kind, value = attribute
    if len(value) > 0xFFFF:
        raise WireError(f"attribute {kind} has {len(value)} bytes, more than 65535")
    if len(value) > 0xFF:
        return struct.pack("!BBH", flags | EXTENDED, kind, len(value)) + value
    return bytes((flags & ~EXTENDED, kind, len(value))) + value


def encode_attributes(
    attributes: Attributes, encapsulation: Encapsulation = Encapsulation.VXLAN, *, as4: bool = True
) -> tuple[Attribute, ...]:
    """Everything but the next hop, in the order of the types.

    `encapsulation` says what the label of the PMSI tunnel is where no community does. `as4` is whether the other end
    knows autonomous systems of 4 bytes (RFC 6793). Raises WireError for what cannot be said.
    """
    width = 4 if as4 else 2
    values: list[tuple[int, bytes]] = [
        (Kind.ORIGIN, bytes((attributes.origin,))),
        (Kind.AS_PATH, encode_path(attributes.as_path, attributes.as_path_length, width)),
    ]
    if not as4 and needs_as4(attributes.as_path):
        values.append((Kind.AS4_PATH, encode_path(attributes.as_path, attributes.as_path_length, 4)))
    if attributes.med is not None:
        values.append((Kind.MULTI_EXIT_DISC, _word(attributes.med, "metric")))
    if attributes.local_preference is not None:
        values.append((Kind.LOCAL_PREF, _word(attributes.local_preference, "local preference")))
    if attributes.communities:
        values.append((Kind.COMMUNITIES, b"".join(_word(one, "community") for one in attributes.communities)))
    if attributes.originator_id is not None:
        values.append((Kind.ORIGINATOR_ID, _identifier(attributes.originator_id)))
    if attributes.cluster_list:
        values.append((Kind.CLUSTER_LIST, b"".join(map(_identifier, attributes.cluster_list))))
    if attributes.extended:
        packed = [one.packed for one in attributes.extended]
        if any(len(one) != 8 for one in packed):
            raise WireError("an extended community has 8 bytes")
        values.append((Kind.EXTENDED_COMMUNITIES, b"".join(packed)))
    if attributes.pmsi is not None:
        values.append((Kind.PMSI_TUNNEL, _pmsi(attributes.pmsi, attributes.encapsulation or encapsulation)))
    found = [Attribute(FLAGS[Kind(kind)], kind, value) for kind, value in values]
    for flags, kind, value in attributes.unknown:
        if kind in FLAGS and kind not in CARRIED:
            raise WireError(f"{Kind(kind).name} has a place of its own, and cannot be among the unknown attributes")
        if kind == Kind.AGGREGATOR and not as4:
            found += _aggregator(flags, value)
        else:
            found.append(Attribute(flags, kind, value))
    found.sort(key=lambda one: one.type)
    return tuple(found)


def _pmsi(pmsi: Pmsi, encapsulation: Encapsulation) -> bytes:
    """RFC 6514 section 5; the low four bits below a label are 0, above a VNI there are none (RFC 8365 section
    5.1.3)."""
    label = encode_label(pmsi.label, encapsulation)
    if encapsulation is not Encapsulation.VXLAN:
        label = bytes((*label[:2], label[2] & 0xF0))
    return bytes((pmsi.flags, pmsi.type)) + label + pmsi.endpoint.packed


def _aggregator(flags: int, value: bytes) -> list[Attribute]:
    """AGGREGATOR for a speaker of 2 bytes, and AS4_AGGREGATOR where it needs one (RFC 6793 section 4.2.2)."""
    number = int.from_bytes(value[:4], "big")
    if number <= 0xFFFF:
        return [Attribute(flags, Kind.AGGREGATOR, value[2:])]
    short = AS_TRANS.to_bytes(2, "big") + value[4:]
    return [Attribute(flags, Kind.AGGREGATOR, short), Attribute(flags, Kind.AS4_AGGREGATOR, value)]


def _word(number: int, what: str) -> bytes:
    if not 0 <= number < 1 << 32:
        raise WireError(f"{number} is not a {what} of 32 bits")
    return number.to_bytes(4, "big")


def _identifier(ip: Ip) -> bytes:
    if ip.version != 4:
        raise WireError(f"{ip} is not the identifier of a router: it has more than 4 bytes")
    return ip.packed

"""Which counters of a switch count, and as what: by the kind of object and the feature that a flow's cookie names.

    purpose    flows (table)                                        first, second
    sends      RECEIVED of a vport (classify)                       packets, bytes
    gets       DELIVERED of a vport (deliver)                       packets, bytes
    spoofed    what anti-spoofing drops (classify, spoof_guard)     packets
    denied     DENIED, INVALID of a vport (both verdict tables)     packets
    limited    its meters (classify, limited)                       packets dropped
    hits       RULE of a policy entry (acl tables, forward)         packets, bytes
    tunnel     what sets a tunnel's endpoint (switch, flood, ...)   packets, bytes
    uplink     the ports of the tunnels                             bytes received

What goes out by a hypervisor's tunnels is what its flows send into them: the port of a tunnel counts each packet that
it sends twice in Open vSwitch 3.1's userspace datapath, as it is and encapsulated. Both directions are told without
the encapsulation.

A packet is counted once for each purpose: it enters by classify once, whatever is resubmitted later, and what comes
back from the connection tracker goes on behind it. What a vport floods and would get back itself is not delivered. A
packet that is denied, spoofed or over a limit has been sent: `sends` is everything that came from the vport. A reply
may be looked up among the rules twice (`compile/skeleton.py`); the first time it hits only what decides about it.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from controller.pipeline import Feature, Owner, Table, cookie
from controller.telemetry.keys import Measure

__all__ = ["MEASURES", "PURPOSES", "READ", "SPOOFED", "TUNNELS", "Asked", "Purpose", "Subject", "upper"]


class Purpose(Enum):
    """See the module."""

    SENDS = "sends"
    GETS = "gets"
    SPOOFED = "spoofed"
    DENIED = "denied"
    LIMITED = "limited"
    HITS = "hits"
    METER = "meter"  # a flow that only tells whose meter it is
    TUNNEL = "tunnel"
    UPLINK = "uplink"


class Subject(NamedTuple):
    """What a counter is about: the object with this number, or the tunnel to this endpoint."""

    purpose: Purpose
    number: int = 0
    endpoint: bytes = b""


MEASURES: dict[Purpose, tuple[Measure | None, Measure | None]] = {
    Purpose.SENDS: (Measure.SENDS_PACKETS, Measure.SENDS_BYTES),
    Purpose.GETS: (Measure.GETS_PACKETS, Measure.GETS_BYTES),
    Purpose.SPOOFED: (Measure.SPOOFED_PACKETS, None),
    Purpose.DENIED: (Measure.DENIED_PACKETS, None),
    Purpose.LIMITED: (Measure.LIMITED_PACKETS, None),
    Purpose.HITS: (Measure.HIT_PACKETS, Measure.HIT_BYTES),
    Purpose.TUNNEL: (Measure.SENDS_PACKETS, Measure.SENDS_BYTES),
    Purpose.UPLINK: (Measure.UPLINK_RECEIVED_BYTES, None),
}
"""What both numbers of a counter are; None: nothing that is kept."""


def upper(owner: Owner, feature: Feature) -> int:
    """The upper 24 bits of the cookies of these flows, of any object."""
    return cookie(owner, feature, 0) >> 40


SPOOFED = (
    Feature.SPOOFED_MAC, Feature.SPOOFED_IP, Feature.SPOOFED_ARP, Feature.SPOOFED_ND, Feature.SPOOFED_DHCP,
    Feature.OTHER_PROTOCOL, Feature.VLAN_TAGGED, Feature.TOO_MANY,
)  # fmt: skip
"""What anti-spoofing drops: each a feature of a vport's flows."""
PURPOSES: dict[int, Purpose] = {
    upper(Owner.VPORT, Feature.RECEIVED): Purpose.SENDS,
    upper(Owner.VPORT, Feature.DELIVERED): Purpose.GETS,
    upper(Owner.VPORT, Feature.DENIED): Purpose.DENIED,
    upper(Owner.VPORT, Feature.INVALID): Purpose.DENIED,
    upper(Owner.VPORT, Feature.LIMITED): Purpose.METER,
    upper(Owner.ENTRY, Feature.RULE): Purpose.HITS,
    **{upper(Owner.VPORT, feature): Purpose.SPOOFED for feature in SPOOFED},
}
"""Upper 24 bits of a cookie -> what the flow counts."""

_ANY_OWNER = 0xFF00FF0000000000
"""Mask of a cookie that leaves its mark and feature."""


class Asked(NamedTuple):
    """Flows that are asked for: of a table, with this cookie under the mask."""

    table: Table
    cookie: int = 0
    mask: int = 0


def _of(table: Table, feature: Feature) -> Asked:
    return Asked(table, cookie(Owner.FABRIC, feature, 0) & _ANY_OWNER, _ANY_OWNER)


READ = (
    *map(Asked, (
        Table.CLASSIFY, Table.SPOOF_GUARD, Table.INGRESS_ACL, Table.INGRESS_VERDICT, Table.FORWARD, Table.SWITCH,
        Table.FLOOD, Table.EGRESS_ACL, Table.EGRESS_VERDICT, Table.DELIVER, Table.LIMITED,
    )),
    _of(Table.ROUTE, Feature.REMOTE_PREFIX), _of(Table.ROUTE, Feature.TRANSLATE),
    _of(Table.SPREAD, Feature.REMOTE_PREFIX),
)  # fmt: skip
"""What is asked of a switch. Most flows are in other tables, and most of `route` are those of single addresses: a
hypervisor with 50 vports of a domain of 10,000 tells a third of its flows."""

TUNNELS = frozenset({Table.ROUTE, Table.SPREAD, Table.SWITCH, Table.FLOOD})
"""Tables with flows that send into tunnels, or choose the tunnel that `depart` sends into. Copies that a mirror sends
into one are not counted there."""

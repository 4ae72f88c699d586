"""The pipeline of br-nsh, as data: tables, registers, cookies and priorities, each declared once.

A packet from a vport enters at `classify`, one from the tunnel fabric skips what its source hypervisor already did:

    from a vport                                                         from the tunnel fabric (VNI)
        |                                                                          |
    classify -> spoof_guard -> responder -> source -> destination  <---- classify -+
    (port: domain, (MAC, IP,    (ARP, gateway  (address -> identity,  |
     subnet)        ARP of the   ping answered   for both ends)       |
                    vport)       here)                                v
                                     +------------------------ ingress_track --- from the tunnel ---+
                                     | (conntrack zone of the sender, only where a rule is stateful)|
                                     v                                                              |
                  ingress_state -> ingress_reply -> ingress_acl* -> ingress_verdict                 |
                                                                          |                         |
                                                   route  <---------------+                         |
                                           (domain FIB, TTL-1)                                      |
                                                     |                                              |
                                                   switch  <----------------------------------------+
                                               (subnet, MAC) ----> flood (broadcast, unknown, multicast)
                                                |        |           |             |
                                     tunnel out (VXLAN)  +-----------+   head-end replication to the others
                                                         v
            egress_track -> egress_state -> egress_reply -> egress_acl* -> egress_verdict -> deliver -> the vport

(*) the two acl tables are subroutines: they are resubmitted to, write a verdict into a register and return. A reply is
matched against the rules of the *other* direction with both ends swapped, so that a connection lives only while the
rule that let it begin is still there (measured: traffic stops 14-33 ms after the rule is removed).

Read next: `compile/` (who writes which flow), `openflow/packed.py` (how a flow becomes bytes).
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["TABLE_NAMES", "Feature", "Owner", "Priority", "Register", "Table", "Verdict", "cookie", "split_cookie"]


class Table(IntEnum):
    """OpenFlow table numbers; goto only ever leads to a higher number."""

    CLASSIFY = 0
    SPOOF_GUARD = 1
    RESPONDER = 2
    SOURCE = 3
    DESTINATION = 4
    INGRESS_TRACK = 5
    INGRESS_STATE = 6
    INGRESS_REPLY = 7
    INGRESS_ACL = 8
    INGRESS_VERDICT = 9
    ROUTE = 10
    SWITCH = 11
    FLOOD = 12
    EGRESS_TRACK = 13
    EGRESS_STATE = 14
    EGRESS_REPLY = 15
    EGRESS_ACL = 16
    EGRESS_VERDICT = 17
    DELIVER = 18


TABLE_NAMES = {int(table): table.name.lower() for table in Table}


class Register(IntEnum):
    """What the 32-bit registers hold. The 64-bit metadata field holds the number of the domain."""

    SUBNET = 0  # VNI of the subnet the packet is in (24 bits)
    FROM_PORT = 1  # OpenFlow port of the sending vport, also its conntrack zone (16 bits); 0 from the tunnel
    TO_PORT = 2  # OpenFlow port of the receiving vport, also its conntrack zone (16 bits)
    VERDICT = 3  # see Verdict
    SOURCE = 4  # identity of the packet's source address, 0 when no rule names it
    DESTINATION = 5  # identity of the packet's destination address
    RULE_FROM = 6  # the identity that a rule's `from` is matched with: SOURCE, or DESTINATION for a reply
    RULE_TO = 7  # the identity that a rule's `to` is matched with
    REPLY = 8  # 1 while a reply is matched against the mirrored rules


class Verdict(IntEnum):
    """What an acl table decided."""

    ALLOW = 1
    ALLOW_STATEFUL = 2  # the connection is remembered, its replies pass, and what belongs to none is dropped
    DENY = 3
    ALLOW_TRACKED = 4  # no rule matched and the default allows: remembered too, but nothing is asked of the packet


class Priority(IntEnum):
    """Flow priorities by name; between RULE_LAST and RULE_FIRST every rule has one of its own."""

    DEFAULT = 1
    MISS = 10
    LOW = 90
    NORMAL = 100
    HIGH = 200
    HIGHEST = 300
    PREFIX = 100  # plus the prefix length: the longest match decides
    RULE_LAST = 10
    RULE_FIRST = 60000
    RULE_CEILING = 65000


class Owner(IntEnum):
    """The kind of object a flow comes from (8 bits of its cookie)."""

    FABRIC = 1
    DOMAIN = 2
    SUBNET = 3
    VPORT = 4
    ENTRY = 5


class Feature(IntEnum):
    """What the flow does for its owner (8 bits of its cookie); counters are attributed by it."""

    FORWARD = 1
    SPOOFED_MAC = 2
    SPOOFED_IP = 3
    SPOOFED_ARP = 4
    OTHER_PROTOCOL = 5
    VLAN_TAGGED = 6
    RECEIVED = 7
    DELIVERED = 8
    RULE = 9
    DEFAULT_INGRESS = 10
    DEFAULT_EGRESS = 11
    INVALID = 12
    NO_ROUTE = 13
    UNKNOWN_ARP = 14
    RESPONDER = 15
    DENIED = 16


_MARK = 0x6E  # 'n': tells our flows from anyone else's


def cookie(owner: Owner, feature: Feature, number: int) -> int:
    """64-bit cookie: mark (8) | owner (8) | feature (8) | zero (8) | number of the object (32)."""
    return _MARK << 56 | owner << 48 | feature << 40 | number


def split_cookie(value: int) -> tuple[Owner, Feature, int] | None:
    """The parts of a cookie of ours, or None for a flow that is not ours."""
    if value >> 56 != _MARK:
        return None
    try:
        return Owner(value >> 48 & 0xFF), Feature(value >> 40 & 0xFF), value & 0xFFFFFFFF
    except ValueError:
        return None

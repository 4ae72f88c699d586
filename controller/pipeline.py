"""The pipeline of br-nsh, as data: tables, registers, cookies and priorities, each declared once.

A packet from a vport enters at `classify`, one from the tunnel fabric skips what its source hypervisor already did:

    from a vport                                                          from the tunnel fabric (VNI)
        |                                                                           |
    classify -> spoof_guard -> responder -> nat_in -> source -> destination <-- classify
    (port, VLAN:  (MAC, IP,     (ARP, ND,    (answers  (address -> identity, |
     domain,       ARP, ND of    gateway      to source  for both ends)      |
     subnet)       the vport)    ping, DNS)   NAT)                           v
                                     +------------------------ ingress_track --- from the tunnel ---+
                                     | (conntrack zone of the sender, only where a rule is stateful)|
                                     v                                                              |
                  ingress_state -> ingress_reply -> ingress_acl* -> ingress_verdict                 |
                                                                          |                         |
                            service <- mark <- forward <------------------+                         |
              (VIP -> balance -> balanced)  (DSCP) (policy-based                                    |
                                |                   forwarding)                                     |
                                v                                                                   |
                              route -> spread -> translate                                          |
                (domain FIB, TTL-1) (one of   (floating IP,                                         |
                                |    several)  shared domain)                                       |
                                v                   v                                               |
                              switch  <-----------------------------------------------------+-------+
                           (subnet, MAC) ----> flood (broadcast, unknown, multicast)
                            |        |           |             |
                 tunnel out (VXLAN)  +-----------+   head-end replication to the others
                                     v
         return -> returned -> egress_track -> egress_state -> egress_reply -> egress_acl* -> egress_verdict
         (answers of load balancers)                                                               |
                                                                     the vport <- deliver <- nat_out
                                                             (rate: limited*)

From the WAN, on the VNI or the labels of a whole domain, a packet comes by classify -> nat_in -> source -> destination
-> ingress_track -> route: it is routed here, to the vports of the domain, and never back into the WAN. What route sends
there leaves by `depart` (VXLAN with the MAC address of this hypervisor's router, or MPLS over GRE).

(*) subroutines, which are resubmitted to and return: `limited` is a meter; the acl tables write a verdict. A reply is
matched against the rules of the *other* direction with both ends swapped, so that a connection lives only while the
rule that let it begin is still there (measured: traffic stops 14-33 ms after the rule is removed).

A vport is a **slot** on its hypervisor: the OpenFlow port of its interface, or, behind an uplink that several vports
share by VLAN, a number of its own from TRUNK_SLOTS on. The slot is its conntrack zone; `slot | SERVICE_ZONE` is the
zone in which services (source NAT, load balancing) translate for it.

Read next: `compile/` (who writes which flow), `openflow/packed.py` (how a flow becomes bytes).
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ANSWERED", "ARRIVED", "REMOTE_SHARED", "SERVICE_ZONE", "SPREAD_SLOTS", "TABLE_NAMES", "TRUNK_SLOTS",
           "Feature", "Owner", "Priority", "Register", "Table", "Verdict", "cookie", "split_cookie"]  # fmt: skip


class Table(IntEnum):
    """OpenFlow table numbers; goto only ever leads to a higher number."""

    CLASSIFY = 0
    SPOOF_GUARD = 1
    RESPONDER = 2
    ND_REPLY = 3
    NAT_IN = 4
    SOURCE = 5
    DESTINATION = 6
    INGRESS_TRACK = 7
    INGRESS_STATE = 8
    INGRESS_REPLY = 9
    INGRESS_ACL = 10
    INGRESS_VERDICT = 11
    FORWARD = 12
    MARK = 13
    SERVICE = 14
    BALANCE = 15
    BALANCED = 16
    ROUTE = 17
    SPREAD = 18
    TRANSLATE = 19
    SWITCH = 20
    FLOOD = 21
    RETURN = 22
    RETURNED = 23
    EGRESS_TRACK = 24
    EGRESS_STATE = 25
    EGRESS_REPLY = 26
    EGRESS_ACL = 27
    EGRESS_VERDICT = 28
    NAT_OUT = 29
    DELIVER = 30
    LIMITED = 31
    DEPART = 32


TABLE_NAMES = {int(table): table.name.lower() for table in Table}


class Register(IntEnum):
    """What the 32-bit registers hold. The 64-bit metadata field holds the number of the domain."""

    SUBNET = 0  # VNI of the subnet the packet is in (24 bits); 0 of one from the WAN that is not routed yet
    FROM_PORT = 1  # slot of the sending vport, also its conntrack zone (16 bits); 0 from the tunnel
    TO_PORT = 2  # slot of the receiving vport, also its conntrack zone (16 bits); in `depart` the port of the tunnel
    VERDICT = 3  # see Verdict
    SOURCE = 4  # identity of the packet's source address, 0 when no rule names it
    DESTINATION = 5  # identity of the packet's destination address
    RULE_FROM = 6  # the identity that a rule's `from` is matched with: SOURCE, or DESTINATION for a reply
    RULE_TO = 7  # the identity that a rule's `to` is matched with
    REPLY = 8  # 1 while a reply is matched against the mirrored rules
    PATH = 9  # which of SPREAD_SLOTS the packet's flow fell into
    TARGET = 10  # number of the object whose members share the flows: redirection target, route, load balancer;
    # or REMOTE_SHARED plus the length of the remote prefix whose next hops do
    REALM = 11  # number of the domain whose outside the packet goes to, for address translation; 0 inside
    ZONE = 12  # conntrack zone of a service (16 bits): slot | SERVICE_ZONE; above them ANSWERED


ARRIVED = 0xFFFFFFFF  # in REALM: translated back into the domain of its receiver, and only to be delivered
REMOTE_SHARED = 0xFFFFFF00  # in TARGET, plus a prefix length (0 to 128)
SPREAD_SLOTS = 64  # parts into which flows fall when several members share them; dealt out by weight
TRUNK_SLOTS = 0x5000  # slots from here to 0x7fff are of vports that share an uplink by VLAN: 12,287 of them
SERVICE_ZONE = 0x8000  # bit of a conntrack zone in which services translate, beside that of the policy
ANSWERED = 0x10000  # in ZONE: an answer that a load balancer has translated back


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
    REDIRECTED = 60000
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
    SERVICE = 6  # an edge service: route, virtual or floating IP, NAT, load balancer, redirection, mirror


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
    SPOOFED_ND = 17
    UNKNOWN_ND = 18
    DHCP = 19  # punted: DHCP and DHCPv6
    SOLICITED = 20  # punted: router solicitation
    DNS = 21  # punted: a query to the DNS proxy
    PROBED = 22  # punted: the answer to a health probe
    LEARN = 23  # punted: a source address behind a bridge vport that is not known yet
    TOO_MANY = 24  # dropped: a bridge vport has as many MAC addresses as it may
    CLAIM = 25  # punted: gratuitous ARP or unsolicited ND for a virtual IP
    GLEAN = 26  # punted: an address of a bridged subnet that is not resolved yet
    BLACKHOLE = 27
    NO_MEMBER = 28  # dropped: nobody of those who share the flows is alive
    BALANCE = 29
    TRANSLATE = 30
    REDIRECT = 31
    MARK = 32
    MIRRORED = 33
    UNICAST = 34  # dropped: unknown unicast where the subnet does not flood it
    SPOOFED_DHCP = 35  # dropped: what only a server of DHCP or DHCPv6 says
    LIMITED = 36
    ENTERED = 37  # from the WAN, on the VNI or a label of the domain
    REMOTE_MAC = 38  # to a machine behind another VTEP or at another site
    REMOTE_PREFIX = 39  # to a PE or VTEP that told a route
    TRANSIT = 40  # dropped: from the WAN to the WAN
    ANSWER = 41  # punted: what a machine behind a VTEP says to a gateway that asked who has an address
    PASSED_OVER = 42  # of an entry that a reply is asked of and that decides nothing about it: it is not stateful


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

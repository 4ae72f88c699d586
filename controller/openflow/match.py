"""Match elements: what a flow looks at, one function per field.

``value`` is a constant (an int; MAC, IPv4 and IPv6 addresses also as text or bytes) or a Field. ``mask`` must leave
no bit of the value outside (Open vSwitch refuses that), and must not be zero: Open vSwitch would not read such a match
back at all. A constant mask of all ones is left away, as Open vSwitch does; a Field must not be one. Prerequisites
(``eth_type`` before ``ip_proto`` before ``tcp_dst``) are the caller's. The order in which elements are written does not
matter: packed.py puts them in Open vSwitch's own order, so that a match read back has the same bytes. Import as
``from controller.openflow import match``.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.openflow.wire import FIELDS, Field, Part, Value, constant, part


class Match(NamedTuple):
    """One OXM: ``rank`` gives its place in the match, ``parts`` its bytes and slots."""

    rank: int
    parts: tuple[Part, ...]


def field(name: str, value: Value, mask: Value | None = None) -> Match:
    """Any field of wire.FIELDS by name, exact or masked. Raises KeyError, ValueError."""
    spec = FIELDS[name]
    # With a mask of all ones the flow would be read back under another key, and be taken away as somebody else's.
    if mask is None or (not isinstance(mask, Field) and constant(mask, spec.width) == b"\xff" * spec.width):
        return Match(spec.rank, (spec.oxm(), part(value, spec.width)))
    if not isinstance(value, Field) and not isinstance(mask, Field):
        bits, ones = constant(value, spec.width), constant(mask, spec.width)
        if any(b & ~o for b, o in zip(bits, ones, strict=True)):
            raise ValueError(f"{name}: {bits.hex()} has bits outside its mask {ones.hex()}")
    return Match(spec.rank, (spec.oxm(masked=True), part(value, spec.width), part(mask, spec.width)))


def in_port(value: Value) -> Match:
    """Port the packet came in by."""
    return field("in_port", value)


def metadata(value: Value) -> Match:
    """All 64 bits of the metadata register."""
    return field("metadata", value)


def reg(number: int, value: Value, mask: Value | None = None) -> Match:
    """32-bit register 0 to 15."""
    return field(f"reg{number}", value, mask)


def tunnel_id(value: Value) -> Match:
    """Key of the tunnel: the VNI of VXLAN."""
    return field("tunnel_id", value)


def tun_ipv4_src(value: Value) -> Match:
    """Outer source address of a packet from a tunnel."""
    return field("tun_ipv4_src", value)


def tun_ipv4_dst(value: Value) -> Match:
    """Outer destination address of a packet from a tunnel."""
    return field("tun_ipv4_dst", value)


def eth_src(value: Value, mask: Value | None = None) -> Match:
    """Source MAC address."""
    return field("eth_src", value, mask)


def eth_dst(value: Value, mask: Value | None = None) -> Match:
    """Destination MAC address."""
    return field("eth_dst", value, mask)


def eth_type(value: Value) -> Match:
    """EtherType."""
    return field("eth_type", value)


def tun_ipv6_src(value: Value, mask: Value | None = None) -> Match:
    """Outer source address of a packet from a tunnel over IPv6."""
    return field("tun_ipv6_src", value, mask)


def tun_ipv6_dst(value: Value, mask: Value | None = None) -> Match:
    """Outer destination address of a packet from a tunnel over IPv6."""
    return field("tun_ipv6_dst", value, mask)


def vlan_vid(value: Value, mask: Value | None = None) -> Match:
    """VLAN of the outer tag with 0x1000 added; 0 means no tag at all, 0x1000 masked with itself any tag (ONF TS-012,
    7.2.3.7).
    """
    return field("vlan_vid", value, mask)


def mpls_label(value: Value) -> Match:
    """Label of the outer MPLS header, 20 bits."""
    return field("mpls_label", value)


def mpls_bos(value: Value) -> Match:
    """Whether the outer MPLS header is the last one (RFC 3032 section 2.1)."""
    return field("mpls_bos", value)


def ip_proto(value: Value) -> Match:
    """IP protocol number."""
    return field("ip_proto", value)


def ip_dscp(value: Value) -> Match:
    """Differentiated services code point, 0 to 63."""
    return field("ip_dscp", value)


def ip_ecn(value: Value) -> Match:
    """Explicit congestion notification, 0 to 3."""
    return field("ip_ecn", value)


def nw_ttl(value: Value) -> Match:
    """Time to live of IPv4, hop limit of IPv6."""
    return field("nw_ttl", value)


def ip_frag(value: Value, mask: Value | None = None) -> Match:
    """Fragments: bit 0 says it is one, bit 1 that it is not the first (0 none, 1 first, 3 later)."""
    # The two bits are the whole field: Open vSwitch writes a mask of both back as no mask.
    return field("ip_frag", value, None if mask == 3 else mask)


def ipv4_src(value: Value, mask: Value | None = None) -> Match:
    """IPv4 source address."""
    return field("ipv4_src", value, mask)


def ipv4_dst(value: Value, mask: Value | None = None) -> Match:
    """IPv4 destination address."""
    return field("ipv4_dst", value, mask)


def ipv6_src(value: Value, mask: Value | None = None) -> Match:
    """IPv6 source address."""
    return field("ipv6_src", value, mask)


def ipv6_dst(value: Value, mask: Value | None = None) -> Match:
    """IPv6 destination address."""
    return field("ipv6_dst", value, mask)


def tcp_src(value: Value, mask: Value | None = None) -> Match:
    """TCP source port."""
    return field("tcp_src", value, mask)


def tcp_dst(value: Value, mask: Value | None = None) -> Match:
    """TCP destination port."""
    return field("tcp_dst", value, mask)


def udp_src(value: Value, mask: Value | None = None) -> Match:
    """UDP source port."""
    return field("udp_src", value, mask)


def udp_dst(value: Value, mask: Value | None = None) -> Match:
    """UDP destination port."""
    return field("udp_dst", value, mask)


def sctp_src(value: Value, mask: Value | None = None) -> Match:
    """SCTP source port."""
    return field("sctp_src", value, mask)


def sctp_dst(value: Value, mask: Value | None = None) -> Match:
    """SCTP destination port."""
    return field("sctp_dst", value, mask)


def icmpv4_type(value: Value) -> Match:
    """ICMP type."""
    return field("icmpv4_type", value)


def icmpv4_code(value: Value) -> Match:
    """ICMP code."""
    return field("icmpv4_code", value)


def icmpv6_type(value: Value) -> Match:
    """ICMPv6 type."""
    return field("icmpv6_type", value)


def icmpv6_code(value: Value) -> Match:
    """ICMPv6 code."""
    return field("icmpv6_code", value)


def nd_target(value: Value, mask: Value | None = None) -> Match:
    """Target address of a neighbour solicitation or advertisement (RFC 4861, 4.3)."""
    return field("nd_target", value, mask)


def nd_sll(value: Value) -> Match:
    """Source link-layer address option of a neighbour solicitation."""
    return field("nd_sll", value)


def nd_tll(value: Value) -> Match:
    """Target link-layer address option of a neighbour advertisement."""
    return field("nd_tll", value)


def nd_reserved(value: Value) -> Match:
    """The 32 bits before the target: router, solicited and override flags of an advertisement (RFC 4861, 4.4)."""
    return field("nd_reserved", value)


def nd_options_type(value: Value) -> Match:
    """Type of the first option of a neighbour message: 1 source, 2 target link-layer address."""
    return field("nd_options_type", value)


def arp_op(value: Value) -> Match:
    """ARP operation: 1 request, 2 reply."""
    return field("arp_op", value)


def arp_spa(value: Value, mask: Value | None = None) -> Match:
    """ARP sender protocol address."""
    return field("arp_spa", value, mask)


def arp_tpa(value: Value, mask: Value | None = None) -> Match:
    """ARP target protocol address."""
    return field("arp_tpa", value, mask)


def arp_sha(value: Value) -> Match:
    """ARP sender hardware address."""
    return field("arp_sha", value)


def arp_tha(value: Value) -> Match:
    """ARP target hardware address."""
    return field("arp_tha", value)


def ct_state(value: Value, mask: Value) -> Match:
    """Connection state: the bits of ``mask`` must be as in ``value`` (CT_NEW … CT_TRACKED of wire.py)."""
    return field("ct_state", value, mask)


def ct_zone(value: Value) -> Match:
    """Conntrack zone the packet was last looked up in."""
    return field("ct_zone", value)


def ct_mark(value: Value, mask: Value | None = None) -> Match:
    """Mark of the tracked connection."""
    return field("ct_mark", value, mask)


def conj_id(value: Value) -> Match:
    """Number of a conjunction all of whose clauses matched."""
    return field("conj_id", value)

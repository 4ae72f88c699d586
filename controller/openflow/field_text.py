"""How ovs-ofctl writes fields and their values, with the pipeline's names where it has some.

``text.py`` writes matches with it, ``action_text.py`` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from controller.openflow import wire
from controller.openflow.wire import BY_HEADER, MatchField


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the pipeline: ``tables`` by number, ``fields`` by field name (``{"reg0": "vni", "metadata":
    "domain"}``), ``ports`` by number; ``decimal`` are the fields whose whole values people know in decimal."""

    tables: Mapping[int, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)
    decimal: frozenset[str] = frozenset()

    def table(self, number: int) -> str:
        """Name of a table, or its number."""
        return self.tables.get(number, str(number))

    def port(self, number: int) -> str:
        """Name of a port, or its number."""
        return PORTS.get(number) or self.ports.get(number, str(number))


PORTS = {wire.PORT_IN_PORT: "IN_PORT", wire.PORT_CONTROLLER: "CONTROLLER", wire.PORT_LOCAL: "LOCAL"}
PLAIN = Names()

NICIRA_BYTES = wire.NICIRA.to_bytes(4, "big")

# How ovs-ofctl names fields in set_field and in move, where it differs from OpenFlow.
IN_SET = {
    "ipv4_src": "ip_src", "ipv4_dst": "ip_dst", "tunnel_id": "tun_id", "tun_ipv4_src": "tun_src",
    "tun_ipv4_dst": "tun_dst", "icmpv4_type": "icmp_type", "icmpv4_code": "icmp_code", "ip_ecn": "nw_ecn",
}  # fmt: skip
_IN_MOVE = {
    "in_port": "OXM_OF_IN_PORT", "eth_src": "NXM_OF_ETH_SRC", "eth_dst": "NXM_OF_ETH_DST",
    "eth_type": "NXM_OF_ETH_TYPE", "ipv4_src": "NXM_OF_IP_SRC", "ipv4_dst": "NXM_OF_IP_DST",
    "ip_proto": "NXM_OF_IP_PROTO", "tcp_src": "NXM_OF_TCP_SRC", "tcp_dst": "NXM_OF_TCP_DST",
    "udp_src": "NXM_OF_UDP_SRC", "udp_dst": "NXM_OF_UDP_DST", "icmpv4_type": "NXM_OF_ICMP_TYPE",
    "icmpv4_code": "NXM_OF_ICMP_CODE", "arp_op": "NXM_OF_ARP_OP", "arp_spa": "NXM_OF_ARP_SPA",
    "arp_tpa": "NXM_OF_ARP_TPA", "arp_sha": "NXM_NX_ARP_SHA", "arp_tha": "NXM_NX_ARP_THA",
    "tunnel_id": "NXM_NX_TUN_ID", "tun_ipv4_src": "NXM_NX_TUN_IPV4_SRC",
    "tun_ipv4_dst": "NXM_NX_TUN_IPV4_DST", "metadata": "OXM_OF_METADATA", "ip_frag": "NXM_NX_IP_FRAG",
    "conj_id": "NXM_NX_CONJ_ID", "ct_state": "NXM_NX_CT_STATE", "ct_zone": "NXM_NX_CT_ZONE",
    "ct_mark": "NXM_NX_CT_MARK", "vlan_vid": "OXM_OF_VLAN_VID", "ip_dscp": "OXM_OF_IP_DSCP",
    "sctp_src": "OXM_OF_SCTP_SRC", "sctp_dst": "OXM_OF_SCTP_DST", "ip_ecn": "NXM_NX_IP_ECN",
    "nw_ttl": "NXM_NX_IP_TTL", "ipv6_src": "NXM_NX_IPV6_SRC", "ipv6_dst": "NXM_NX_IPV6_DST",
    "icmpv6_type": "NXM_NX_ICMPV6_TYPE", "icmpv6_code": "NXM_NX_ICMPV6_CODE", "nd_target": "NXM_NX_ND_TARGET",
    "nd_sll": "NXM_NX_ND_SLL", "nd_tll": "NXM_NX_ND_TLL", "nd_reserved": "ERICOXM_OF_ICMPV6_ND_RESERVED",
    "nd_options_type": "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE", "tun_ipv6_src": "NXM_NX_TUN_IPV6_SRC",
    "tun_ipv6_dst": "NXM_NX_TUN_IPV6_DST", "mpls_label": "OXM_OF_MPLS_LABEL", "mpls_bos": "OXM_OF_MPLS_BOS",
    **{f"reg{n}": f"NXM_NX_REG{n}" for n in range(16)},
}  # fmt: skip

_DECIMAL = frozenset((
    "vlan_vid", "conj_id", "ct_zone", "ip_proto", "arp_op", "icmpv4_type", "icmpv4_code", "icmpv6_type", "icmpv6_code",
    "ip_ecn", "nw_ttl", "nd_reserved", "nd_options_type", "tun_erspan_ver", "tun_erspan_dir", "in_port",
    "mpls_label", "mpls_bos",
))  # fmt: skip
_WIDTH_BITS = {"ip_dscp": 6, "ip_ecn": 2, "mpls_label": 20, "mpls_bos": 1}


def value_text(spec: MatchField, value: int, names: Names, masked: bool = False) -> str:
    """A value as people write it."""
    if spec.kind == "mac":
        return value.to_bytes(6, "big").hex(":")
    if spec.kind == "ipv4":
        return str(IPv4Address(value))
    if spec.kind == "ipv6":
        return str(IPv6Address(value))
    known = spec.name in _DECIMAL or spec.name in names.decimal or spec.name.endswith(("p_src", "p_dst"))
    if known and not masked:
        return str(value)
    return f"0x{value:0{4 if spec.name == 'eth_type' else 1}x}"


def spec_of(header: bytes) -> MatchField | None:
    """The field that an OXM or NXM header names; None for one not in wire.FIELDS."""
    return BY_HEADER.get((int.from_bytes(header[:2], "big"), header[2] >> 1))


def bits_of(data: bytes, at: int) -> tuple[int, int]:
    """First bit and number of bits of an ofs_nbits."""
    packed_range = int.from_bytes(data[at : at + 2], "big")
    return packed_range >> 6, (packed_range & 63) + 1


def place_text(header: bytes, first: int, bits: int, names: Names) -> str:
    """A field or part of it: ``NXM_NX_REG4[]``, ``NXM_NX_REG4[0..7]``."""
    spec = spec_of(header)
    if spec is None:
        return f"0x{header.hex()}[{first}..{first + bits - 1}]"
    name = names.fields.get(spec.name) or _IN_MOVE.get(spec.name, spec.name)
    if first == 0 and bits == _WIDTH_BITS.get(spec.name, spec.width * 8):
        return f"{name}[]"
    return f"{name}[{first}]" if bits == 1 else f"{name}[{first}..{first + bits - 1}]"

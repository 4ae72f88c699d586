"""Numbers of OpenFlow 1.4 and of Open vSwitch's extensions, and the table of match fields.

Everything else in this package draws on the facts here: message and action types, special ports, header
layouts, and ``FIELDS``, the fields that flows may match, set or move. Sources: OpenFlow Switch Specification
1.4.0 (ONF TS-012), Open vSwitch ``include/openflow/nicira-ext.h`` and ``lib/meta-flow.h``. Read match.py and
actions.py next.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

VERSION: Final = 5  # OpenFlow 1.4
# Every flow-mod bears it: a bundle-add must repeat the xid of the message inside, and so bytes can be shared.
FLOW_XID: Final = 0x6E736866

HEADER: Final = struct.Struct("!BBHI")  # version, type, length, xid
FLOW_MOD: Final = struct.Struct("!BBHIQQBBHHHIIIHH")  # 48 bytes up to the match

# ofp_type
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REQUEST, FEATURES_REPLY = 0, 1, 2, 3, 4, 5, 6
SET_CONFIG, PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT = 9, 10, 11, 12, 13
FLOW_MOD_TYPE, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 14, 18, 19, 20, 21
METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 29, 33, 34

# ofp_flow_mod_command
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = 0, 1, 2, 3, 4

SEND_FLOW_REM = 1  # ofp_flow_mod_flags

# ofp_port_no, ofp_group, ofp_table, buffer
PORT_MAX, PORT_IN_PORT, PORT_CONTROLLER = 0xFFFFFF00, 0xFFFFFFF8, 0xFFFFFFFD
PORT_LOCAL, PORT_ANY = 0xFFFFFFFE, 0xFFFFFFFF
GROUP_ANY, ALL_TABLES, NO_BUFFER = 0xFFFFFFFF, 0xFF, 0xFFFFFFFF
IN_PORT_16 = 0xFFF8  # OFPP_IN_PORT of OpenFlow 1.0, as the resubmit extension writes it

# ofp_instruction_type, ofp_action_type
GOTO_TABLE, APPLY_ACTIONS, METER = 1, 4, 6
OUTPUT, PUSH_VLAN, POP_VLAN, PUSH_MPLS, POP_MPLS, GROUP, SET_NW_TTL = 0, 17, 18, 19, 20, 22, 23
DEC_NW_TTL, SET_FIELD = 24, 25
EXPERIMENTER_ACTION = 0xFFFF

# Nicira extensions (vendor 0x2320)
NICIRA: Final = 0x00002320
ONF: Final = 0x4F4E4600  # experimenter of fields that a later OpenFlow standardised
NX_REG_MOVE, NX_REG_LOAD, NX_MULTIPATH, NX_RESUBMIT_TABLE, NX_OUTPUT_REG, NX_CONJUNCTION = 6, 7, 10, 14, 15, 34
NX_SAMPLE, NX_CT, NX_NAT, NX_OUTPUT_TRUNC, NX_CLONE = 29, 35, 36, 39, 42
NX_CT_FLUSH_ZONE = 29  # message subtype (NXT_CT_FLUSH_ZONE)
NX_CT_COMMIT = 1
NX_CT_NO_RECIRCULATION = 0xFF

# nx_hash_fields and nx_mp_algorithm of a multipath action
SYMMETRIC_L3L4, SYMMETRIC_L3L4_UDP, NW_SRC, NW_DST, SYMMETRIC_L3 = 2, 3, 4, 5, 6
MODULO_N, HASH_THRESHOLD, HRW = 0, 1, 2

# flags of a NAT action, and the bits that say which values follow
NAT_SRC, NAT_DST = 1, 2
NAT_IPV4_MIN, NAT_IPV4_MAX, NAT_IPV6_MIN, NAT_IPV6_MAX, NAT_PORT_MIN, NAT_PORT_MAX = 1, 2, 4, 8, 16, 32

# bits of ct_state
CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_REPLY, CT_INVALID, CT_TRACKED = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
CT_SRC_NAT, CT_DST_NAT = 0x40, 0x80
TCP_RST: Final = 0x04  # RFC 9293, 3.1

# Values people write in matches
ETH_IPV4, ETH_ARP, ETH_VLAN, ETH_IPV6, ETH_MPLS = 0x0800, 0x0806, 0x8100, 0x86DD, 0x8847
IP_ICMP, IP_TCP, IP_UDP, IP_ICMPV6, IP_SCTP = 1, 6, 17, 58, 132
IP_FRAGMENT = 44  # RFC 8200 4.5: what Open vSwitch shows as the protocol of later IPv6 fragments, whatever it is

BASIC, NXM_0, NXM_1 = 0x8000, 0x0000, 0x0001  # ofp_oxm_class
ERIC, EXTENDED = 0x1000, 0xFFFF  # classes of two ND fields, and of fields whose header names an experimenter
_TCP_FLAGS = (EXTENDED, 42)  # ONFOXM_ET_TCP_FLAGS; the others with an experimenter are Open vSwitch's own


@dataclass(frozen=True, slots=True)
class MatchField:
    """One field: how flows name it on the wire.

    ``header`` is (class, field) in matches and set-field; ``nxm`` is the (class, field) that Open vSwitch
    writes in its own move, load, output and ct actions (it differs for fields that OpenFlow standardised
    later). ``width`` in bytes, ``kind`` says how people write the value: number, mac, ipv4 or ipv6. ``rank`` is
    its place in the order in which Open vSwitch writes a match on read-back (``nx_put_raw`` of lib/nx-match.c).
    """

    name: str
    header: tuple[int, int]
    nxm: tuple[int, int]
    width: int
    kind: str
    rank: int

    def oxm(self, masked: bool = False) -> bytes:
        """The OXM header for a value, or for a value and mask: 4 bytes, 8 with an experimenter."""
        return oxm_header(self.header, self.width, masked)

    @property
    def nxm_header(self) -> bytes:
        """The 4-byte header that the Nicira actions name the field by. Raises ValueError for fields that can only
        be set whole: their header does not fit there.
        """
        if self.nxm[0] == EXTENDED:
            raise ValueError(f"{self.name} cannot be moved or loaded: use set_field")
        return oxm_header(self.nxm, self.width)


def oxm_header(header: tuple[int, int], width: int, masked: bool = False) -> bytes:
    """OXM header: class, field and mask bit, payload length (ONF TS-012, 7.2.3.2); behind it the experimenter,
    which counts as payload.
    """
    length = width * 2 if masked else width
    if header[0] == EXTENDED:
        experimenter = ONF if header == _TCP_FLAGS else NICIRA
        return struct.pack("!HBBI", EXTENDED, header[1] << 1 | masked, 4 + length, experimenter)
    return struct.pack("!HBB", header[0], header[1] << 1 | masked, length)


# In the order of read-back. A row: name, (class, field), (class, field) in Nicira actions or None when the
# same, bytes, kind.
_ROWS: tuple[tuple[str, tuple[int, int], tuple[int, int] | None, int, str], ...] = (
    ("conj_id", (NXM_1, 37), None, 4, "number"),
    ("in_port", (BASIC, 0), None, 4, "number"),  # NXM_OF_IN_PORT has 16 bits
    ("eth_src", (BASIC, 4), (NXM_0, 2), 6, "mac"),
    ("eth_dst", (BASIC, 3), (NXM_0, 1), 6, "mac"),
    ("eth_type", (BASIC, 5), (NXM_0, 3), 2, "number"),
    ("vlan_vid", (BASIC, 6), None, 2, "number"),
    ("mpls_bos", (BASIC, 36), None, 1, "number"),
    ("mpls_label", (BASIC, 34), None, 4, "number"),
    ("ipv4_src", (BASIC, 11), (NXM_0, 7), 4, "ipv4"),
    ("ipv4_dst", (BASIC, 12), (NXM_0, 8), 4, "ipv4"),
    ("ipv6_src", (BASIC, 26), (NXM_1, 19), 16, "ipv6"),
    ("ipv6_dst", (BASIC, 27), (NXM_1, 20), 16, "ipv6"),
    ("ip_frag", (NXM_1, 26), None, 1, "number"),
    ("ip_dscp", (BASIC, 8), None, 1, "number"),
    ("ip_ecn", (BASIC, 9), (NXM_1, 28), 1, "number"),
    ("nw_ttl", (NXM_1, 29), None, 1, "number"),
    ("ip_proto", (BASIC, 10), (NXM_0, 6), 1, "number"),
    ("tcp_src", (BASIC, 13), (NXM_0, 9), 2, "number"),
    ("tcp_dst", (BASIC, 14), (NXM_0, 10), 2, "number"),
    ("tcp_flags", _TCP_FLAGS, (NXM_1, 34), 2, "number"),
    ("udp_src", (BASIC, 15), (NXM_0, 11), 2, "number"),
    ("udp_dst", (BASIC, 16), (NXM_0, 12), 2, "number"),
    ("sctp_src", (BASIC, 17), None, 2, "number"),
    ("sctp_dst", (BASIC, 18), None, 2, "number"),
    ("icmpv4_type", (BASIC, 19), (NXM_0, 13), 1, "number"),
    ("icmpv4_code", (BASIC, 20), (NXM_0, 14), 1, "number"),
    ("icmpv6_type", (BASIC, 29), (NXM_1, 21), 1, "number"),
    ("icmpv6_code", (BASIC, 30), (NXM_1, 22), 1, "number"),
    ("nd_reserved", (ERIC, 1), None, 4, "number"),
    ("nd_target", (BASIC, 31), (NXM_1, 23), 16, "ipv6"),
    ("nd_options_type", (ERIC, 2), None, 1, "number"),
    ("nd_sll", (BASIC, 32), (NXM_1, 24), 6, "mac"),
    ("nd_tll", (BASIC, 33), (NXM_1, 25), 6, "mac"),
    ("arp_op", (BASIC, 21), (NXM_0, 15), 2, "number"),
    ("arp_spa", (BASIC, 22), (NXM_0, 16), 4, "ipv4"),
    ("arp_tpa", (BASIC, 23), (NXM_0, 17), 4, "ipv4"),
    ("arp_sha", (BASIC, 24), (NXM_1, 17), 6, "mac"),
    ("arp_tha", (BASIC, 25), (NXM_1, 18), 6, "mac"),
    ("tunnel_id", (BASIC, 38), (NXM_1, 16), 8, "number"),
    ("tun_ipv4_src", (NXM_1, 31), None, 4, "ipv4"),
    ("tun_ipv4_dst", (NXM_1, 32), None, 4, "ipv4"),
    ("tun_ipv6_src", (NXM_1, 109), None, 16, "ipv6"),
    ("tun_ipv6_dst", (NXM_1, 110), None, 16, "ipv6"),
    # To be set only: Open vSwitch 3.1 takes a match's value for its mask.
    ("tun_erspan_idx", (EXTENDED, 11), None, 4, "number"),
    ("tun_erspan_ver", (EXTENDED, 12), None, 1, "number"),
    ("tun_erspan_dir", (EXTENDED, 13), None, 1, "number"),
    ("tun_erspan_hwid", (EXTENDED, 14), None, 1, "number"),
    *((f"reg{n}", (NXM_1, n), None, 4, "number") for n in range(16)),
    ("ct_state", (NXM_1, 105), None, 4, "number"),
    ("ct_zone", (NXM_1, 106), None, 2, "number"),
    ("ct_mark", (NXM_1, 107), None, 4, "number"),
    ("metadata", (BASIC, 2), None, 8, "number"),
)
FIELDS: Final[dict[str, MatchField]] = {
    name: MatchField(name, header, nxm or header, width, kind, rank)
    for rank, (name, header, nxm, width, kind) in enumerate(_ROWS)
}
BY_HEADER: Final[dict[tuple[int, int], MatchField]] = {spec.header: spec for spec in FIELDS.values()} | {
    spec.nxm: spec for spec in FIELDS.values()
}


class Field:
    """A named value left open in a Template; an argument of its ``pack``.

    ``width`` in bytes may be given to state what the caller promises; a place that is narrower is then
    refused when the template is declared. Numbers and IPv4 addresses are packed from int, MAC addresses from
    6 bytes, IPv6 addresses from 16 bytes (``Ip.packed``). Bytes must have that very length: struct cuts and
    fills without a word.
    """

    __slots__ = ("name", "width")

    def __init__(self, name: str, width: int | None = None) -> None:
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot name an argument")
        self.name, self.width = name, width

    def __repr__(self) -> str:
        return f"Field({self.name!r})"


class Slot(NamedTuple):
    """The place of a field: ``width`` bytes, big-endian (6: a MAC, 16: IPv6), holding the value less ``minus``."""

    field: Field
    width: int
    minus: int = 0


Value = int | bytes | str | Field
Part = bytes | Slot


_TEXT: Final[dict[int, Callable[[str], bytes]]] = {
    4: lambda text: ipaddress.IPv4Address(text).packed,
    6: lambda text: bytes.fromhex(text.replace(":", "")),
    16: lambda text: ipaddress.IPv6Address(text).packed,
}


def constant(value: int | bytes | str, width: int) -> bytes:
    """The value as ``width`` bytes; text is an IPv4 (4 bytes), MAC (6 bytes) or IPv6 address (16 bytes).

    Raises ValueError when it does not fit.
    """
    if isinstance(value, int):
        try:
            return value.to_bytes(width, "big")
        except OverflowError:
            raise ValueError(f"{value} does not fit {width} bytes") from None
    if isinstance(value, str):
        read = _TEXT.get(width)
        if read is None:
            raise ValueError(f"{value!r} cannot be written into {width} bytes: text is for addresses")
        value = read(value)
    if len(value) != width:
        raise ValueError(f"{value!r} is not {width} bytes long")
    return value


def part(value: Value, width: int, minus: int = 0) -> Part:
    """A constant as bytes, or the slot of a field; ``minus`` is subtracted (clauses count from 0 on the
    wire).
    """
    if isinstance(value, Field):
        if value.width is not None and value.width > width:
            raise ValueError(f"{value.name} has {value.width} bytes, its place has {width}")
        return Slot(value, width, minus)
    return constant(value - minus if minus and isinstance(value, int) else value, width)


def size(parts: Sequence[Part]) -> int:
    """Bytes that the parts take on the wire."""
    return sum(len(item) if isinstance(item, bytes) else item.width for item in parts)


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    """A whole OpenFlow 1.4 message."""
    return HEADER.pack(VERSION, kind, HEADER.size + len(body), xid) + body

"""Numbers of OpenFlow 1.4 and of Open vSwitch's extensions, and the table of match fields.

Everything else in this package draws on the facts here: message and action types, special ports, header
layouts, and ``FIELDS``, the fields that flows may match, set or move. Sources: OpenFlow Switch Specification
1.4.0 (ONF TS-012), Open vSwitch ``include/openflow/nicira-ext.h`` and ``lib/meta-flow.h``. Read match.py and
actions.py next.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
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
BUNDLE_CONTROL, BUNDLE_ADD = 33, 34

# ofp_flow_mod_command
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = 0, 1, 2, 3, 4

# ofp_port_no, ofp_group, ofp_table, buffer
PORT_MAX, PORT_IN_PORT, PORT_CONTROLLER = 0xFFFFFF00, 0xFFFFFFF8, 0xFFFFFFFD
PORT_LOCAL, PORT_ANY = 0xFFFFFFFE, 0xFFFFFFFF
GROUP_ANY, ALL_TABLES, NO_BUFFER = 0xFFFFFFFF, 0xFF, 0xFFFFFFFF
IN_PORT_16 = 0xFFF8  # OFPP_IN_PORT of OpenFlow 1.0, as the resubmit extension writes it

# ofp_instruction_type, ofp_action_type
GOTO_TABLE, APPLY_ACTIONS = 1, 4
OUTPUT, GROUP, SET_NW_TTL, DEC_NW_TTL, SET_FIELD, EXPERIMENTER_ACTION = 0, 22, 23, 24, 25, 0xFFFF

# Nicira extensions (vendor 0x2320)
NICIRA: Final = 0x00002320
NX_REG_MOVE, NX_REG_LOAD, NX_RESUBMIT_TABLE, NX_OUTPUT_REG, NX_CONJUNCTION, NX_CT = 6, 7, 14, 15, 34, 35
NX_CT_FLUSH_ZONE = 29  # message subtype (NXT_CT_FLUSH_ZONE)
NX_CT_COMMIT = 1
NX_CT_NO_RECIRCULATION = 0xFF

# bits of ct_state
CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_REPLY, CT_INVALID, CT_TRACKED = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

# Values people write in matches
ETH_IPV4, ETH_ARP = 0x0800, 0x0806
IP_ICMP, IP_TCP, IP_UDP, IP_SCTP = 1, 6, 17, 132

BASIC, NXM_0, NXM_1 = 0x8000, 0x0000, 0x0001  # ofp_oxm_class


@dataclass(frozen=True, slots=True)
class MatchField:
    """One field: how flows name it on the wire.

    ``header`` is (class, field) in matches and set-field; ``nxm`` is the (class, field) that Open vSwitch
    writes in its own move, load, output and ct actions (it differs for fields that OpenFlow standardised
    later). ``width`` in bytes, ``kind`` says how people write the value: number, mac or ipv4. ``rank`` is its
    place in the order in which Open vSwitch writes a match on read-back (``nx_put_raw`` of lib/nx-match.c).
    """

    name: str
    header: tuple[int, int]
    nxm: tuple[int, int]
    width: int
    kind: str
    rank: int

    def oxm(self, masked: bool = False) -> bytes:
        """The 4-byte OXM header for a value, or for a value and mask."""
        return oxm_header(self.header, self.width, masked)

    @property
    def nxm_header(self) -> bytes:
        """The 4-byte header that the Nicira actions name the field by."""
        return oxm_header(self.nxm, self.width)


def oxm_header(header: tuple[int, int], width: int, masked: bool = False) -> bytes:
    """OXM header: class, field and mask bit, payload length (ONF TS-012, 7.2.3.2)."""
    return struct.pack("!HBB", header[0], header[1] << 1 | masked, width * 2 if masked else width)


# In the order of read-back. A row: name, (class, field), (class, field) in Nicira actions or None when the
# same, bytes, kind.
_ROWS: tuple[tuple[str, tuple[int, int], tuple[int, int] | None, int, str], ...] = (
    ("conj_id", (NXM_1, 37), None, 4, "number"),
    ("in_port", (BASIC, 0), (NXM_0, 0), 4, "number"),
    ("eth_src", (BASIC, 4), (NXM_0, 2), 6, "mac"),
    ("eth_dst", (BASIC, 3), (NXM_0, 1), 6, "mac"),
    ("eth_type", (BASIC, 5), (NXM_0, 3), 2, "number"),
    ("vlan_vid", (BASIC, 6), None, 2, "number"),
    ("ipv4_src", (BASIC, 11), (NXM_0, 7), 4, "ipv4"),
    ("ipv4_dst", (BASIC, 12), (NXM_0, 8), 4, "ipv4"),
    ("ip_frag", (NXM_1, 26), None, 1, "number"),
    ("ip_dscp", (BASIC, 8), None, 1, "number"),
    ("ip_proto", (BASIC, 10), (NXM_0, 6), 1, "number"),
    ("tcp_src", (BASIC, 13), (NXM_0, 9), 2, "number"),
    ("tcp_dst", (BASIC, 14), (NXM_0, 10), 2, "number"),
    ("udp_src", (BASIC, 15), (NXM_0, 11), 2, "number"),
    ("udp_dst", (BASIC, 16), (NXM_0, 12), 2, "number"),
    ("sctp_src", (BASIC, 17), None, 2, "number"),
    ("sctp_dst", (BASIC, 18), None, 2, "number"),
    ("icmpv4_type", (BASIC, 19), (NXM_0, 13), 1, "number"),
    ("icmpv4_code", (BASIC, 20), (NXM_0, 14), 1, "number"),
    ("arp_op", (BASIC, 21), (NXM_0, 15), 2, "number"),
    ("arp_spa", (BASIC, 22), (NXM_0, 16), 4, "ipv4"),
    ("arp_tpa", (BASIC, 23), (NXM_0, 17), 4, "ipv4"),
    ("arp_sha", (BASIC, 24), (NXM_1, 17), 6, "mac"),
    ("arp_tha", (BASIC, 25), (NXM_1, 18), 6, "mac"),
    ("tunnel_id", (BASIC, 38), (NXM_1, 16), 8, "number"),
    ("tun_ipv4_src", (NXM_1, 31), None, 4, "ipv4"),
    ("tun_ipv4_dst", (NXM_1, 32), None, 4, "ipv4"),
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


class Field:
    """A named value left open in a Template; an argument of its ``pack``.

    ``width`` in bytes may be given to state what the caller promises; a place that is narrower is then
    refused when the template is declared. Numbers and IPv4 addresses are packed from int, MAC addresses from
    6 bytes.
    """

    __slots__ = ("name", "width")

    def __init__(self, name: str, width: int | None = None) -> None:
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot name an argument")
        self.name, self.width = name, width

    def __repr__(self) -> str:
        return f"Field({self.name!r})"


class Slot(NamedTuple):
    """The place of a field: ``width`` bytes, big-endian (6: a MAC), holding the value less ``minus``."""

    field: Field
    width: int
    minus: int = 0


Value = int | bytes | str | Field
Part = bytes | Slot


def constant(value: int | bytes | str, width: int) -> bytes:
    """The value as ``width`` bytes; text is an IPv4 address (4 bytes) or a MAC address (6 bytes).

    Raises ValueError when it does not fit.
    """
    if isinstance(value, int):
        try:
            return value.to_bytes(width, "big")
        except OverflowError:
            raise ValueError(f"{value} does not fit {width} bytes") from None
    if isinstance(value, str):
        value = ipaddress.IPv4Address(value).packed if width == 4 else bytes.fromhex(value.replace(":", ""))
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

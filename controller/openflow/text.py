"""A flow as one line for people, in the words of ovs-ofctl, with the pipeline's names where it has some.

``table=3, cookie=0x12, priority=7,tcp,reg0=0x1,tp_dst=80 actions=output:7``. Decodes everything that match.py
and actions.py can write, and shows what it does not know as hexadecimal instead of failing: a person who
looks at a strange flow needs the line most.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from controller.openflow import packed, wire
from controller.openflow.readback import FlowEntry, FlowEvent
from controller.openflow.wire import FIELDS, MatchField


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
        return _PORTS.get(number) or self.ports.get(number, str(number))


_PORTS = {wire.PORT_IN_PORT: "IN_PORT", wire.PORT_CONTROLLER: "CONTROLLER", wire.PORT_LOCAL: "LOCAL"}
_PLAIN = Names()
_BY_HEADER = {spec.header: spec for spec in FIELDS.values()} | {spec.nxm: spec for spec in FIELDS.values()}

# How ovs-ofctl names fields in matches and in set_field, where it differs from OpenFlow.
_IN_MATCH = {
    "eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type", "ipv4_src": "nw_src",
    "ipv4_dst": "nw_dst", "ip_frag": "nw_frag", "ip_dscp": "nw_tos", "ip_proto": "nw_proto",
    "tunnel_id": "tun_id", "tun_ipv4_src": "tun_src", "tun_ipv4_dst": "tun_dst", "icmpv4_type": "icmp_type",
    "icmpv4_code": "icmp_code", "tcp_src": "tp_src", "tcp_dst": "tp_dst", "udp_src": "tp_src",
    "udp_dst": "tp_dst", "sctp_src": "tp_src", "sctp_dst": "tp_dst",
}  # fmt: skip
_IN_SET = {
    "ipv4_src": "ip_src", "ipv4_dst": "ip_dst", "tunnel_id": "tun_id", "tun_ipv4_src": "tun_src",
    "tun_ipv4_dst": "tun_dst", "icmpv4_type": "icmp_type", "icmpv4_code": "icmp_code",
}  # fmt: skip
_IN_MOVE = {
    "in_port": "NXM_OF_IN_PORT", "eth_src": "NXM_OF_ETH_SRC", "eth_dst": "NXM_OF_ETH_DST",
    "eth_type": "NXM_OF_ETH_TYPE", "ipv4_src": "NXM_OF_IP_SRC", "ipv4_dst": "NXM_OF_IP_DST",
    "ip_proto": "NXM_OF_IP_PROTO", "tcp_src": "NXM_OF_TCP_SRC", "tcp_dst": "NXM_OF_TCP_DST",
    "udp_src": "NXM_OF_UDP_SRC", "udp_dst": "NXM_OF_UDP_DST", "icmpv4_type": "NXM_OF_ICMP_TYPE",
    "icmpv4_code": "NXM_OF_ICMP_CODE", "arp_op": "NXM_OF_ARP_OP", "arp_spa": "NXM_OF_ARP_SPA",
    "arp_tpa": "NXM_OF_ARP_TPA", "arp_sha": "NXM_NX_ARP_SHA", "arp_tha": "NXM_NX_ARP_THA",
    "tunnel_id": "NXM_NX_TUN_ID", "tun_ipv4_src": "NXM_NX_TUN_IPV4_SRC",
    "tun_ipv4_dst": "NXM_NX_TUN_IPV4_DST", "metadata": "OXM_OF_METADATA", "ip_frag": "NXM_NX_IP_FRAG",
    "conj_id": "NXM_NX_CONJ_ID", "ct_state": "NXM_NX_CT_STATE", "ct_zone": "NXM_NX_CT_ZONE",
    "ct_mark": "NXM_NX_CT_MARK", "vlan_vid": "OXM_OF_VLAN_VID", "ip_dscp": "OXM_OF_IP_DSCP",
    "sctp_src": "OXM_OF_SCTP_SRC", "sctp_dst": "OXM_OF_SCTP_DST",
    **{f"reg{n}": f"NXM_NX_REG{n}" for n in range(16)},
}  # fmt: skip

# The order of ovs-ofctl; the protocol's own word (ip, tcp, arp) stands where "protocol" does.
_ORDER = (
    "conj_id", "ct_state", "ct_zone", "ct_mark", "protocol", *(f"reg{n}" for n in range(16)), "tunnel_id",
    "tun_ipv4_src", "tun_ipv4_dst", "metadata", "in_port", "vlan_vid", "eth_src", "eth_dst", "eth_type", "ipv4_src",
    "ipv4_dst", "arp_spa", "arp_tpa", "ip_proto", "arp_op", "arp_sha", "arp_tha", "ip_dscp", "ip_frag",
    "icmpv4_type", "icmpv4_code", "tcp_src", "tcp_dst", "udp_src", "udp_dst", "sctp_src", "sctp_dst",
)  # fmt: skip
# A field that nobody gave a place in the order comes last: a line must never fail for it.
_PLACE = {name: place for place, name in enumerate(dict.fromkeys((*_ORDER, *FIELDS)))}
_ETHER_TYPES = {wire.ETH_IPV4: "ip", wire.ETH_ARP: "arp", 0x86DD: "ipv6", 0x8847: "mpls"}
_IP_PROTOCOLS = {wire.IP_ICMP: "icmp", wire.IP_TCP: "tcp", wire.IP_UDP: "udp", wire.IP_SCTP: "sctp"}
_FRAGMENTS = {(0, 3): "no", (1, 1): "yes", (1, 3): "first", (3, 3): "later", (0, 2): "not_later"}
_CT_STATE = {
    wire.CT_NEW: "new", wire.CT_ESTABLISHED: "est", wire.CT_RELATED: "rel", wire.CT_REPLY: "rpl",
    wire.CT_INVALID: "inv", wire.CT_TRACKED: "trk",
}  # fmt: skip
_DECIMAL = ("vlan_vid", "conj_id", "ct_zone", "ip_proto", "arp_op", "icmpv4_type", "icmpv4_code")


def describe(flow: bytes | FlowEntry | FlowEvent, names: Names = _PLAIN) -> str:
    """One line for a flow-mod, a flow read back, or a change of a flow. A flow-mod that deletes begins with
    ``delete``.
    """
    msg = flow if isinstance(flow, bytes) else flow.flow_mod()
    key = packed.flow_key(msg)
    verb = "delete " if packed.is_delete(msg) else ""
    head = f"{verb}table={names.table(packed.table_of(msg))}, cookie=0x{packed.cookie(msg):x}"
    line = f"{head}, {match_text(packed.priority_of(msg), key[3:], names)}"
    return line if verb else f"{line} actions={actions_text(packed.instructions(msg), names)}"


def match_text(priority: int, match: bytes, names: Names = _PLAIN) -> str:
    """``priority=7,tcp,tp_dst=80`` for a raw match (type, length, OXMs, padding)."""
    found: dict[str, tuple[int, int | None]] = {}
    unknown: list[str] = []
    at, end = 4, int.from_bytes(match[2:4], "big")
    while at + 4 <= end:
        number, third, length = struct.unpack_from("!HBB", match, at)
        payload = match[at + 4 : at + 4 + length]
        spec = _BY_HEADER.get((number, third >> 1))
        if spec is None:
            unknown.append(f"0x{match[at : at + 4].hex()}={payload.hex()}")
        elif third & 1:
            half = length // 2
            found[spec.name] = (int.from_bytes(payload[:half], "big"), int.from_bytes(payload[half:], "big"))
        else:
            found[spec.name] = (int.from_bytes(payload, "big"), None)
        at += 4 + length
    texts: dict[str, str] = {}
    if word := _protocol(found):
        texts["protocol"] = word
    for name, (value, mask) in found.items():
        texts[name] = _match_one(FIELDS[name], value, mask, names)
    ordered = sorted(texts, key=lambda name: _PLACE[name])
    return ",".join([f"priority={priority}", *(texts[name] for name in ordered), *unknown])


def _protocol(found: dict[str, tuple[int, int | None]]) -> str:
    """The word for EtherType and IP protocol, which are then not shown as fields."""
    word = _ETHER_TYPES.get(found.get("eth_type", (0, None))[0], "")
    if word:
        del found["eth_type"]
    if word == "ip" and (layer4 := _IP_PROTOCOLS.get(found.get("ip_proto", (-1, None))[0])):
        del found["ip_proto"]
        return layer4
    return word


def _match_one(spec: MatchField, value: int, mask: int | None, names: Names) -> str:
    name = names.fields.get(spec.name) or _IN_MATCH.get(spec.name, spec.name)
    if spec.name == "ct_state":
        bits = ((bit, word) for bit, word in _CT_STATE.items() if (mask is None or mask & bit))
        return f"{name}=" + "".join(("+" if value & bit else "-") + word for bit, word in bits)
    if spec.name == "ip_frag":
        return f"{name}=" + _FRAGMENTS.get((value, 3 if mask is None else mask), f"{value}/{mask}")
    if spec.name == "ip_dscp":
        return f"{name}={value << 2}"
    if spec.name == "vlan_vid":
        mask = 0x1FFF if mask is None else mask
        tagged = mask == 0x1FFF and value & 0x1000
        return f"dl_vlan={value & 0xFFF}" if tagged else f"vlan_tci=0x{value:04x}/0x{mask:04x}"
    if spec.name == "in_port":
        return f"{name}={names.port(value)}"
    if spec.kind == "ipv4" and mask is not None:
        ones = mask.bit_count()
        prefix = mask == (1 << 32) - (1 << 32 - ones)
        return f"{name}={IPv4Address(value)}/{ones if prefix else IPv4Address(mask)}"
    shown = _value(spec, value, names, masked=mask is not None)
    return f"{name}={shown}" if mask is None else f"{name}={shown}/{_value(spec, mask, names, masked=True)}"


def _value(spec: MatchField, value: int, names: Names, masked: bool = False) -> str:
    if spec.kind == "mac":
        return value.to_bytes(6, "big").hex(":")
    if spec.kind == "ipv4":
        return str(IPv4Address(value))
    known = spec.name in _DECIMAL or spec.name in names.decimal or spec.name.endswith(("p_src", "p_dst"))
    if known and not masked:
        return str(value)
    return f"0x{value:0{4 if spec.name == 'eth_type' else 1}x}"


def actions_text(instructions: bytes, names: Names = _PLAIN) -> str:
    """``set_field:0x1->reg0,goto_table:5`` for raw instructions; ``drop`` when there are none."""
    out: list[str] = []
    at = 0
    while at + 8 <= len(instructions):
        kind, length = struct.unpack_from("!HH", instructions, at)
        if length < 8:
            break
        if kind == wire.APPLY_ACTIONS:
            out += _actions(instructions[at + 8 : at + length], names)
        elif kind == wire.GOTO_TABLE:
            out.append(f"goto_table:{names.table(instructions[at + 4])}")
        else:
            out.append(f"instruction({instructions[at : at + length].hex()})")
        at += length
    return ",".join(out) or "drop"


def _actions(data: bytes, names: Names) -> list[str]:
    out: list[str] = []
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 8:
            break
        try:
            out.append(_action(data[at : at + length], names))
        except (struct.error, IndexError):
            out.append(f"action({data[at : at + length].hex()})")
        at += length
    return out


def _action(data: bytes, names: Names) -> str:
    kind = int.from_bytes(data[:2], "big")
    if kind == wire.OUTPUT:
        port, limit = struct.unpack_from("!IH", data, 4)
        if port == wire.PORT_CONTROLLER:
            return f"CONTROLLER:{limit}"
        return names.port(port) if port in _PORTS else f"output:{names.port(port)}"
    if kind == wire.GROUP:
        return f"group:{int.from_bytes(data[4:8], 'big')}"
    if kind == wire.SET_NW_TTL:
        return f"mod_nw_ttl:{data[4]}"
    if kind == wire.DEC_NW_TTL:
        return "dec_ttl"
    if kind == wire.SET_FIELD:
        spec = _spec(data[4:8])
        if spec is not None and not data[6] & 1:
            value = int.from_bytes(data[8 : 8 + spec.width], "big")
            name = names.fields.get(spec.name) or _IN_SET.get(spec.name, spec.name)
            return f"set_field:{value if spec.name == 'ip_dscp' else _value(spec, value, names)}->{name}"
    if kind == wire.EXPERIMENTER_ACTION and data[4:8] == wire.NICIRA.to_bytes(4, "big"):
        return _nicira(data, names) or f"nicira({data[8:].hex()})"
    return f"action({data.hex()})"


def _nicira(data: bytes, names: Names) -> str:
    subtype = int.from_bytes(data[8:10], "big")
    if subtype == wire.NX_RESUBMIT_TABLE:
        return f"resubmit(,{names.table(data[12])})"
    if subtype == wire.NX_CONJUNCTION:
        clause, clauses, number = struct.unpack_from("!BBI", data, 10)
        return f"conjunction({number},{clause + 1}/{clauses})"
    if subtype == wire.NX_OUTPUT_REG:
        first, bits = _bits(data, 10)
        return f"output:{_place(data[12:16], first, bits, names)}"
    if subtype == wire.NX_REG_LOAD:
        first, bits = _bits(data, 10)
        value = int.from_bytes(data[16:24], "big")
        return f"load:0x{value:x}->{_place(data[12:16], first, bits, names)}"
    if subtype == wire.NX_REG_MOVE:
        bits, source, target = struct.unpack_from("!HHH", data, 10)
        return f"move:{_place(data[16:20], source, bits, names)}->{_place(data[20:24], target, bits, names)}"
    return _ct(data, names) if subtype == wire.NX_CT else ""


def _ct(data: bytes, names: Names) -> str:
    flags, zone = int.from_bytes(data[10:12], "big"), int.from_bytes(data[16:18], "big")
    words = ["commit"] if flags & wire.NX_CT_COMMIT else []
    if data[18] != wire.NX_CT_NO_RECIRCULATION:
        words.append(f"table={names.table(data[18])}")
    if data[12:16] != bytes(4):
        words.append(f"zone={_place(data[12:16], *_bits(data, 16), names)}")
    elif zone:
        words.append(f"zone={zone}")
    if nested := _actions(data[24:], names):
        words.append(f"exec({','.join(nested)})")
    return f"ct({','.join(words)})" if words else "ct"


def _spec(header: bytes) -> MatchField | None:
    return _BY_HEADER.get((int.from_bytes(header[:2], "big"), header[2] >> 1))


def _bits(data: bytes, at: int) -> tuple[int, int]:
    """First bit and number of bits of an ofs_nbits."""
    packed_range = int.from_bytes(data[at : at + 2], "big")
    return packed_range >> 6, (packed_range & 63) + 1


def _place(header: bytes, first: int, bits: int, names: Names) -> str:
    """A field or part of it: ``NXM_NX_REG4[]``, ``NXM_NX_REG4[0..7]``."""
    spec = _spec(header)
    if spec is None:
        return f"0x{header.hex()}[{first}..{first + bits - 1}]"
    name = names.fields.get(spec.name) or _IN_MOVE.get(spec.name, spec.name)
    if first == 0 and bits == _WIDTH_BITS.get(spec.name, spec.width * 8):
        return f"{name}[]"
    return f"{name}[{first}]" if bits == 1 else f"{name}[{first}..{first + bits - 1}]"


_WIDTH_BITS = {"ip_dscp": 6}

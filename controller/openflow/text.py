"""A flow as one line for people, in the words of ovs-ofctl, with the pipeline's names where it has some.

``table=3, cookie=0x12, priority=7,tcp,reg0=0x1,tp_dst=80 actions=output:7``. Decodes everything that match.py
and actions.py can write, and shows what it does not know as hexadecimal instead of failing: a person who
looks at a strange flow needs the line most. Fields are in field_text.py, actions in action_text.py.
"""

from __future__ import annotations

import struct

from controller.openflow import meters, packed, wire
from controller.openflow.action_text import actions_text
from controller.openflow.field_text import PLAIN, Names, value_text
from controller.openflow.readback import FlowEntry, FlowEvent
from controller.openflow.wire import BY_HEADER, FIELDS, MatchField

__all__ = ["Names", "actions_text", "describe", "match_text", "meter_text"]


# How ovs-ofctl names fields in matches, where it differs from OpenFlow.
_IN_MATCH = {
    "eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type", "ipv4_src": "nw_src",
    "ipv4_dst": "nw_dst", "ip_frag": "nw_frag", "ip_dscp": "nw_tos", "ip_proto": "nw_proto",
    "tunnel_id": "tun_id", "tun_ipv4_src": "tun_src", "tun_ipv4_dst": "tun_dst", "icmpv4_type": "icmp_type",
    "icmpv4_code": "icmp_code", "icmpv6_type": "icmp_type", "icmpv6_code": "icmp_code", "ip_ecn": "nw_ecn",
    "tcp_src": "tp_src", "tcp_dst": "tp_dst", "udp_src": "tp_src",
    "udp_dst": "tp_dst", "sctp_src": "tp_src", "sctp_dst": "tp_dst",
}  # fmt: skip
# The order of ovs-ofctl; the protocol's own word (ip, tcp, arp) stands where "protocol" does.
_ORDER = (
    "conj_id", "ct_state", "ct_zone", "ct_mark", "protocol", *(f"reg{n}" for n in range(16)), "tunnel_id",
    "tun_ipv4_src", "tun_ipv4_dst", "tun_ipv6_src", "tun_ipv6_dst", "tun_erspan_idx", "tun_erspan_ver",
    "tun_erspan_dir", "tun_erspan_hwid", "metadata", "in_port", "vlan_vid", "eth_src", "eth_dst", "eth_type",
    "ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst", "arp_spa", "arp_tpa", "ip_proto", "arp_op", "arp_sha", "arp_tha",
    "mpls_label", "mpls_bos",
    "ip_dscp", "ip_ecn", "nw_ttl", "ip_frag", "icmpv4_type", "icmpv4_code", "icmpv6_type", "icmpv6_code", "nd_target",
    "nd_sll", "nd_tll", "nd_reserved", "nd_options_type", "tcp_src", "tcp_dst", "tcp_flags", "udp_src", "udp_dst",
    "sctp_src", "sctp_dst",
)  # fmt: skip
# A field that nobody gave a place in the order comes last: a line must never fail for it.
_PLACE = {name: place for place, name in enumerate(dict.fromkeys((*_ORDER, *FIELDS)))}
_ETHER_TYPES = {wire.ETH_IPV4: "ip", wire.ETH_ARP: "arp", wire.ETH_IPV6: "ipv6", wire.ETH_MPLS: "mpls"}
_IP_PROTOCOLS = {
    ("ip", wire.IP_ICMP): "icmp", ("ip", wire.IP_TCP): "tcp", ("ip", wire.IP_UDP): "udp", ("ip", wire.IP_SCTP): "sctp",
    ("ipv6", wire.IP_ICMPV6): "icmp6", ("ipv6", wire.IP_TCP): "tcp6", ("ipv6", wire.IP_UDP): "udp6",
    ("ipv6", wire.IP_SCTP): "sctp6",
}  # fmt: skip
_FRAGMENTS = {(0, 3): "no", (1, 1): "yes", (1, 3): "first", (3, 3): "later", (0, 2): "not_later"}
_CT_STATE = {
    wire.CT_NEW: "new", wire.CT_ESTABLISHED: "est", wire.CT_RELATED: "rel", wire.CT_REPLY: "rpl",
    wire.CT_INVALID: "inv", wire.CT_TRACKED: "trk", wire.CT_SRC_NAT: "snat", wire.CT_DST_NAT: "dnat",
}  # fmt: skip
_TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")  # RFC 9293, 3.1, from the lowest bit on


def describe(flow: bytes | FlowEntry | FlowEvent, names: Names = PLAIN) -> str:
    """One line for a flow-mod, a meter-mod, a flow read back, or a change of a flow. A message that deletes begins
    with ``delete``.
    """
    msg = flow if isinstance(flow, bytes) else flow.flow_mod()
    if meters.is_meter(msg):
        return meter_text(msg)
    key = packed.flow_key(msg)
    verb = "delete " if packed.is_delete(msg) else ""
    head = f"{verb}table={names.table(packed.table_of(msg))}, cookie=0x{packed.cookie(msg):x}"
    line = f"{head}, {match_text(packed.priority_of(msg), key[3:], names)}"
    return line if verb else f"{line} actions={actions_text(packed.instructions(msg), names)}"


_METER_VERBS = {meters.ADD: "", meters.MODIFY: "modify ", meters.DELETE: "delete "}
_METER_FLAGS = {1: "kbps", 2: "pktps", 4: "burst", 8: "stats"}


def meter_text(msg: bytes) -> str:
    """``meter=9 kbps burst bands=type=drop rate=1000 burst_size=200`` for a meter-mod."""
    order = meters.command(msg)
    line = f"{_METER_VERBS.get(order, f'command {order} ')}meter={meters.number(msg)}"
    if order == meters.DELETE:
        return line
    flags = int.from_bytes(msg[10:12], "big")
    words = [word for bit, word in _METER_FLAGS.items() if flags & bit]
    bands: list[str] = []
    at = 16
    while at + 12 <= len(msg):
        kind, length, rate, burst = struct.unpack_from("!HHII", msg, at)
        size = f" burst_size={burst}" if flags & 4 else ""
        bands.append(f"type={'drop' if kind == 1 else kind} rate={rate}{size}")
        at += max(length, 12)
    return " ".join([line, *words, "bands=" + " ".join(bands)])


def match_text(priority: int, match: bytes, names: Names = PLAIN) -> str:
    """``priority=7,tcp,tp_dst=80`` for a raw match (type, length, OXMs, padding)."""
    found: dict[str, tuple[int, int | None]] = {}
    unknown: list[str] = []
    at, end = 4, int.from_bytes(match[2:4], "big")
    while at + 4 <= end:
        number, third, length = struct.unpack_from("!HBB", match, at)
        payload = match[at + 4 : at + 4 + length]
        spec = BY_HEADER.get((number, third >> 1))
        if number == wire.EXTENDED:
            spec = spec if spec is not None and spec.oxm()[4:8] == payload[:4] else None
            payload = payload if spec is None else payload[4:]
        if spec is None:
            unknown.append(f"0x{match[at : at + 4].hex()}={payload.hex()}")
        elif third & 1:
            half = len(payload) // 2
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
    if layer4 := _IP_PROTOCOLS.get((word, found.get("ip_proto", (-1, None))[0])):
        del found["ip_proto"]
        return layer4
    return word


def _match_one(spec: MatchField, value: int, mask: int | None, names: Names) -> str:
    name = names.fields.get(spec.name) or _IN_MATCH.get(spec.name, spec.name)
    if spec.name == "ct_state":
        bits = ((bit, word) for bit, word in _CT_STATE.items() if (mask is None or mask & bit))
        return f"{name}=" + "".join(("+" if value & bit else "-") + word for bit, word in bits)
    if spec.name == "tcp_flags":
        flags = [(word, value >> nth & 1) for nth, word in enumerate(_TCP_FLAGS) if mask is None or mask >> nth & 1]
        if mask is None:
            return f"{name}=" + ("|".join(word for word, is_set in flags if is_set) or "0")
        return f"{name}=" + "".join(("+" if is_set else "-") + word for word, is_set in flags)
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
    if spec.kind in ("ipv4", "ipv6") and mask is not None:
        ones, width = mask.bit_count(), spec.width * 8
        prefix = mask == (1 << width) - (1 << width - ones)
        return f"{name}={value_text(spec, value, names)}/{ones if prefix else value_text(spec, mask, names)}"
    shown = value_text(spec, value, names, masked=mask is not None)
    return f"{name}={shown}" if mask is None else f"{name}={shown}/{value_text(spec, mask, names, masked=True)}"

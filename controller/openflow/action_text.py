"""Instructions and actions as ovs-ofctl writes them; what is not known comes as hexadecimal."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from controller.openflow import wire
from controller.openflow.field_text import (
    IN_SET,
    NICIRA_BYTES,
    PLAIN,
    PORTS,
    Names,
    bits_of,
    place_text,
    spec_of,
    value_text,
)

_HASHED = {
    0: "eth_src", 1: "symmetric_l4", wire.SYMMETRIC_L3L4: "symmetric_l3l4",
    wire.SYMMETRIC_L3L4_UDP: "symmetric_l3l4+udp", wire.NW_SRC: "nw_src", wire.NW_DST: "nw_dst",
    wire.SYMMETRIC_L3: "symmetric_l3",
}  # fmt: skip
_ALGORITHMS = {wire.MODULO_N: "modulo_n", wire.HASH_THRESHOLD: "hash_threshold", wire.HRW: "hrw", 3: "iter_hash"}


def actions_text(instructions: bytes, names: Names = PLAIN) -> str:
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
        elif kind == wire.METER:
            out.append(f"meter:{int.from_bytes(instructions[at + 4 : at + 8], 'big')}")
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
        return names.port(port) if port in PORTS else f"output:{names.port(port)}"
    if kind == wire.GROUP:
        return f"group:{int.from_bytes(data[4:8], 'big')}"
    if kind == wire.SET_NW_TTL:
        return f"mod_nw_ttl:{data[4]}"
    if kind == wire.DEC_NW_TTL:
        return "dec_ttl"
    if kind == wire.PUSH_VLAN:
        return f"push_vlan:0x{int.from_bytes(data[4:6], 'big'):04x}"
    if kind == wire.POP_VLAN:
        return "pop_vlan"
    if kind in (wire.PUSH_MPLS, wire.POP_MPLS):
        verb = "push" if kind == wire.PUSH_MPLS else "pop"
        return f"{verb}_mpls:0x{int.from_bytes(data[4:6], 'big'):04x}"
    if kind == wire.SET_FIELD:
        spec = spec_of(data[4:8])
        if spec is not None and not data[6] & 1:
            at = 12 if spec.header[0] == wire.EXTENDED else 8
            value = int.from_bytes(data[at : at + spec.width], "big")
            name = names.fields.get(spec.name) or IN_SET.get(spec.name, spec.name)
            return f"set_field:{value if spec.name == 'ip_dscp' else value_text(spec, value, names)}->{name}"
    if kind == wire.EXPERIMENTER_ACTION and data[4:8] == NICIRA_BYTES:
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
        first, bits = bits_of(data, 10)
        return f"output:{place_text(data[12:16], first, bits, names)}"
    if subtype == wire.NX_REG_LOAD:
        first, bits = bits_of(data, 10)
        value = int.from_bytes(data[16:24], "big")
        return f"load:{f'0x{value:x}' if value else '0'}->{place_text(data[12:16], first, bits, names)}"
    if subtype == wire.NX_REG_MOVE:
        bits, source, target = struct.unpack_from("!HHH", data, 10)
        return f"move:{place_text(data[16:20], source, bits, names)}->{place_text(data[20:24], target, bits, names)}"
    if subtype == wire.NX_MULTIPATH:
        fields, basis, algorithm, last, argument = struct.unpack_from("!HH2xHHI", data, 10)
        place = place_text(data[28:32], *bits_of(data, 26), names)
        words = (_HASHED.get(fields, fields), basis, _ALGORITHMS.get(algorithm, algorithm), last + 1, argument, place)
        return f"multipath({','.join(map(str, words))})"
    if subtype == wire.NX_SAMPLE:
        probability, collectors, domain, point = struct.unpack_from("!HIII", data, 10)
        observed = f"obs_domain_id={domain},obs_point_id={point}"
        return f"sample(probability={probability},collector_set_id={collectors},{observed})"
    if subtype == wire.NX_OUTPUT_TRUNC:
        port, limit = struct.unpack_from("!HI", data, 10)
        return f"output(port={names.port(port)},max_len={limit})"
    if subtype == wire.NX_CLONE:
        return f"clone({','.join(_actions(data[16:], names))})"
    if subtype == wire.NX_NAT:
        return _nat(data)
    return _ct(data, names) if subtype == wire.NX_CT else ""


def _nat(data: bytes) -> str:
    flags, present = struct.unpack_from("!HH", data, 12)
    if not flags & (wire.NAT_SRC | wire.NAT_DST):
        return "nat"
    addresses: list[str] = []
    ports: list[str] = []
    at = 16
    for bit, width in ((1, 4), (2, 4), (4, 16), (8, 16), (16, 2), (32, 2)):
        if not present & bit:
            continue
        raw = data[at : at + width]
        if len(raw) != width:
            raise IndexError("a NAT action that is cut off")
        if width == 2:
            ports.append(str(int.from_bytes(raw, "big")))
        else:
            addresses.append(str(IPv4Address(raw) if width == 4 else IPv6Address(raw)))
        at += width
    if ports:
        addresses = [f"[{text}]" if ":" in text else text for text in addresses]
    text = "-".join(dict.fromkeys(addresses)) + (":" + "-".join(dict.fromkeys(ports)) if ports else "")
    return f"nat({'src' if flags & wire.NAT_SRC else 'dst'}{'=' if text else ''}{text})"


def _ct(data: bytes, names: Names) -> str:
    flags, zone = int.from_bytes(data[10:12], "big"), int.from_bytes(data[16:18], "big")
    words = ["commit"] if flags & wire.NX_CT_COMMIT else []
    if data[18] != wire.NX_CT_NO_RECIRCULATION:
        words.append(f"table={names.table(data[18])}")
    if data[12:16] != bytes(4):
        words.append(f"zone={place_text(data[12:16], *bits_of(data, 16), names)}")
    elif zone:
        words.append(f"zone={zone}")
    nested = _actions(data[24:], names)
    words += [word for word in nested if word.startswith("nat")]
    if others := [word for word in nested if not word.startswith("nat")]:
        words.append(f"exec({','.join(others)})")
    return f"ct({','.join(words)})" if words else "ct"

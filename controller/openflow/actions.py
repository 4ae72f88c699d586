"""Action elements: what a flow does, in the form in which Open vSwitch writes them back.

Values are constants or Fields, as in match.py. Register numbers, table numbers, bit ranges and the shape of
an action are constants. Import as ``from controller.openflow import actions``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from controller.openflow import wire
from controller.openflow.wire import FIELDS, Field, Part, Value, part
from data.addresses import Ip

# What a multipath action hashes, and how it chooses.
SYMMETRIC_L3L4_UDP, NW_SRC, NW_DST, MODULO_N = wire.SYMMETRIC_L3L4_UDP, wire.NW_SRC, wire.NW_DST, wire.MODULO_N

Address = Ip | Value


class Action(NamedTuple):
    """One action, padded to 8 bytes."""

    parts: tuple[Part, ...]


def together(*parts: Action) -> Action:
    """Several actions of constants as one, made once and used in many flows. Raises ValueError."""
    made = bytearray()
    for piece in (piece for action in parts for piece in action.parts):
        if not isinstance(piece, bytes):
            raise ValueError(f"{piece.field} is left open, and nothing would fill it")
        made += piece
    return Action((bytes(made),))


def _nicira(subtype: int, *parts: Part) -> Action:
    length = 10 + wire.size(parts)
    padding = -length % 8
    header = struct.pack("!HHIH", wire.EXPERIMENTER_ACTION, length + padding, wire.NICIRA, subtype)
    return Action((header, *parts, bytes(padding)))


def _range(first: int, bits: int) -> bytes:
    return struct.pack("!H", first << 6 | bits - 1)  # ofs_nbits of nicira-ext.h


def output(port: Value) -> Action:
    """Send by a port."""
    return Action((struct.pack("!HH", wire.OUTPUT, 16), part(port, 4), bytes(8)))


def output_alone(port: int) -> Action:
    """Send by a port, whole; a ``clone`` with this in it is one in the datapath, too (NXAST_OUTPUT_TRUNC).

    Open vSwitch leaves a clone out of the datapath's actions when it can undo what is done in it, and a packet that is
    dropped there at the meter of another flow would be lost to all that follows. Truncation it cannot undo.
    """
    return _nicira(wire.NX_OUTPUT_TRUNC, struct.pack("!HI", port, 0xFFFFFFFF))


def in_port() -> Action:
    """Send back by the port the packet came in by (``output`` to that port's number does nothing)."""
    return output(wire.PORT_IN_PORT)


def load_in_port(port: Value = 0) -> Action:
    """Make the packet seem to have come in by another port: with 0, by none, it may be sent back by ``output``
    to the port it came from.
    """
    return load("in_port", 0, 32, port)


def controller(max_len: int = 0xFFFF) -> Action:
    """Send to the controller as a packet-in: ``max_len`` bytes of it, 0xffff the whole packet."""
    return Action((struct.pack("!HHIH6x", wire.OUTPUT, 16, wire.PORT_CONTROLLER, max_len),))


def output_reg(register: int) -> Action:
    """Send by the port whose number is in a register."""
    source = FIELDS[f"reg{register}"].nxm_header
    return _nicira(wire.NX_OUTPUT_REG, _range(0, 32), source, b"\xff\xff", bytes(6))


def group(number: Value) -> Action:
    """Hand to a group."""
    return Action((struct.pack("!HH", wire.GROUP, 8), part(number, 4)))


def set_field(name: str, value: Value) -> Action:
    """Set a whole field of wire.FIELDS. The TTL has its own action (set_ttl). Raises KeyError, ValueError."""
    spec = FIELDS[name]
    oxm = spec.oxm()
    length = 4 + len(oxm) + spec.width
    padding = -length % 8
    header = struct.pack("!HH", wire.SET_FIELD, length + padding) + oxm
    return Action((header, part(value, spec.width), bytes(padding)))


def set_reg(number: int, value: Value) -> Action:
    """Set a whole 32-bit register."""
    return set_field(f"reg{number}", value)


def set_metadata(value: Value) -> Action:
    """Set all 64 bits of the metadata register."""
    return set_field("metadata", value)


def load(name: str, first: int, bits: int, value: Value) -> Action:
    """Set ``bits`` bits of a field from bit ``first`` on (NXAST_REG_LOAD); the value is at most 64 bits."""
    return _nicira(wire.NX_REG_LOAD, _range(first, bits), FIELDS[name].nxm_header, part(value, 8))


def move(source: str, target: str, bits: int | None = None, source_first: int = 0, target_first: int = 0) -> Action:
    """Copy ``bits`` bits (all of the target by default) between fields (NXAST_REG_MOVE)."""
    count = FIELDS[target].width * 8 if bits is None else bits
    shape = struct.pack("!HHH", count, source_first, target_first)
    return _nicira(wire.NX_REG_MOVE, shape, FIELDS[source].nxm_header, FIELDS[target].nxm_header)


def set_dscp(value: Value) -> Action:
    """Set the differentiated services code point, 0 to 63."""
    return set_field("ip_dscp", value)


def push_vlan() -> Action:
    """Put an 802.1Q tag before all others; ``set_field("vlan_vid", 0x1000 | VLAN)`` then says which."""
    return Action((struct.pack("!HHH2x", wire.PUSH_VLAN, 8, wire.ETH_VLAN),))


def pop_vlan() -> Action:
    """Take the outer 802.1Q tag away; the flow must match one."""
    return Action((struct.pack("!HH4x", wire.POP_VLAN, 8),))


def push_mpls() -> Action:
    """Put an MPLS label before an IP packet, with its TTL; ``set_field("mpls_label", L)`` then says which."""
    return Action((struct.pack("!HHH2x", wire.PUSH_MPLS, 8, wire.ETH_MPLS),))


def pop_mpls(eth_type: int) -> Action:
    """Take the last MPLS label away (the flow must match one): what is under it is of this EtherType."""
    return Action((struct.pack("!HHH2x", wire.POP_MPLS, 8, eth_type),))


def set_ttl(value: Value) -> Action:
    """Set the IP time to live."""
    return Action((struct.pack("!HH", wire.SET_NW_TTL, 8), part(value, 1), bytes(3)))


def dec_ttl() -> Action:
    """Decrement the IP time to live; a packet at 0 or 1 goes to the controller and no further."""
    return Action((struct.pack("!HH4x", wire.DEC_NW_TTL, 8),))


def resubmit(table: Value) -> Action:
    """Look the packet up in another table, then go on with the next action."""
    return _nicira(wire.NX_RESUBMIT_TABLE, struct.pack("!H", wire.IN_PORT_16), part(table, 1), bytes(3))


def multipath(fields: int, basis: int, algorithm: int, n: int, register: int, first: int = 0, bits: int = 32) -> Action:
    """Hash ``fields`` of the packet (SYMMETRIC_L3L4_UDP, NW_SRC, NW_DST) with ``basis`` into a number below ``n``, and
    write it into ``bits`` bits of a register from bit ``first`` on (NXAST_MULTIPATH).

    Packets of one connection get one number. ``algorithm`` is MODULO_N (or HASH_THRESHOLD, HRW of wire.py). Raises
    ValueError when the number does not fit the bits.
    """
    if not 1 <= n <= min(1 << bits, 0x10000):
        raise ValueError(f"{n} links do not fit {bits} bits")
    shape = struct.pack("!HH2xHHI2x", fields, basis, algorithm, n - 1, 0)
    return _nicira(wire.NX_MULTIPATH, shape, _range(first, bits), FIELDS[f"reg{register}"].nxm_header)


def sample(probability: int, collectors: int, domain: int, point: int) -> Action:
    """Tell the IPFIX collectors with this number (Flow_Sample_Collector_Set of OVSDB) of ``probability`` in 65535
    packets, with an observation domain and an observation point (NXAST_SAMPLE, RFC 7011 section 2)."""
    return _nicira(wire.NX_SAMPLE, struct.pack("!HIII", probability, collectors, domain, point))


def clone(nested: Sequence[Action]) -> Action:
    """Do ``nested`` to a copy of the packet; the packet itself goes on as it was (NXAST_CLONE)."""
    return _nicira(wire.NX_CLONE, bytes(6), *(piece for action in nested for piece in action.parts))


def nat(
    *,
    src: tuple[Address, Address] | None = None,
    dst: tuple[Address, Address] | None = None,
    ports: tuple[Value, Value] | None = None,
    version: int = 4,
) -> Action:
    """Address translation within ``ct(nested=[nat(...)])`` (NXAST_NAT): of new connections that are committed, the
    source or destination becomes one of (first, last), and the port one of ``ports``.

    Without arguments: translates packets of connections that have been translated before, in both directions.
    Addresses are Ip, text or bytes, which say their family; an int or a Field is one of IP ``version``. Raises
    ValueError for both directions at once and for ports without an address.
    """
    if src is not None and dst is not None:
        raise ValueError("a NAT action changes the source or the destination, not both")
    if src is None and dst is None:
        if ports is not None:
            raise ValueError("a NAT action with ports needs an address")
        return _nicira(wire.NX_NAT, bytes(6))
    first, last = (_address(value, version) for value in (src or dst or ()))
    if wire.size([first]) != wire.size([last]):
        raise ValueError("a NAT range from one address family to another")
    present = wire.NAT_IPV4_MIN if wire.size([first]) == 4 else wire.NAT_IPV6_MIN
    values = [first]
    if not _same(first, last):  # the highest bit follows the lowest
        present |= present << 1
        values.append(last)
    if ports is not None:
        low, high = (part(value, 2) for value in ports)
        present |= wire.NAT_PORT_MIN
        values.append(low)
        if not _same(low, high):
            present |= wire.NAT_PORT_MAX
            values.append(high)
    flags = wire.NAT_SRC if src is not None else wire.NAT_DST
    return _nicira(wire.NX_NAT, struct.pack("!2xHH", flags, present), *values)


def _same(low: Part, high: Part) -> bool:
    if isinstance(low, bytes) or isinstance(high, bytes):
        return low == high
    return low.field.name == high.field.name


def _address(value: Address, version: int) -> Part:
    if isinstance(value, Ip):
        return value.packed
    if isinstance(value, bytes) or (isinstance(value, str) and ":" in value):
        return part(value, 16 if isinstance(value, str) else len(value))
    width = 16 if version == 6 or (isinstance(value, Field) and value.width == 16) else 4
    return part(value, 4 if isinstance(value, str) else width)


def ct(
    *,
    zone: Value = 0,
    zone_reg: int | None = None,
    zone_first: int = 0,
    commit: bool = False,
    table: int | None = None,
    nested: Sequence[Action] = (),
) -> Action:
    """Pass through the connection tracker (NXAST_CT).

    ``zone`` is a number, or 16 bits of register ``zone_reg`` from bit ``zone_first`` on. With ``table`` the tracked
    packet is looked up again there, and only a lookup of that kind sees ct_state. ``commit`` makes the connection
    stay; ``nested`` actions (set_field of ct_mark, nat with an address) need it.
    """
    shape: tuple[Part, ...]
    if zone_reg is None:
        shape = (bytes(4), part(zone, 2))
    else:
        shape = (FIELDS[f"reg{zone_reg}"].nxm_header, _range(zone_first, 16))
    flags = struct.pack("!H", wire.NX_CT_COMMIT if commit else 0)
    recirculation = struct.pack("!B5x", wire.NX_CT_NO_RECIRCULATION if table is None else table)
    inner = tuple(piece for action in nested for piece in action.parts)
    return _nicira(wire.NX_CT, flags, *shape, recirculation, *inner)


def conjunction(number: Value, clause: Value, clauses: Value) -> Action:
    """This flow is clause ``clause`` (counted from 1) of ``clauses`` of conjunction ``number``.

    A flow with a conjunction may bear other conjunctions and nothing else.
    """
    return _nicira(wire.NX_CONJUNCTION, part(clause, 1, minus=1), part(clauses, 1), part(number, 4))

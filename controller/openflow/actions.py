"""Action elements: what a flow does, in the form in which Open vSwitch writes them back.

Values are constants or Fields, as in match.py. Register numbers, table numbers, bit ranges and the shape of
an action are constants. Import as ``from controller.openflow import actions``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from controller.openflow import wire
from controller.openflow.wire import FIELDS, Part, Value, part


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


def in_port() -> Action:
    """Send back by the port the packet came in by (``output`` to that port's number does nothing)."""
    return output(wire.PORT_IN_PORT)


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
    length = 8 + spec.width
    padding = -length % 8
    header = struct.pack("!HH", wire.SET_FIELD, length + padding) + spec.oxm()
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


def set_ttl(value: Value) -> Action:
    """Set the IP time to live."""
    return Action((struct.pack("!HH", wire.SET_NW_TTL, 8), part(value, 1), bytes(3)))


def dec_ttl() -> Action:
    """Decrement the IP time to live; a packet at 0 or 1 goes to the controller and no further."""
    return Action((struct.pack("!HH4x", wire.DEC_NW_TTL, 8),))


def resubmit(table: Value) -> Action:
    """Look the packet up in another table, then go on with the next action."""
    return _nicira(wire.NX_RESUBMIT_TABLE, struct.pack("!H", wire.IN_PORT_16), part(table, 1), bytes(3))


def ct(
    *,
    zone: Value = 0,
    zone_reg: int | None = None,
    commit: bool = False,
    table: int | None = None,
    nested: Sequence[Action] = (),
) -> Action:
    """Pass through the connection tracker (NXAST_CT).

    ``zone`` is a number, or the low 16 bits of register ``zone_reg``. With ``table`` the tracked packet is
    looked up again there, and only a lookup of that kind sees ct_state. ``commit`` makes the connection stay;
    ``nested`` actions (set_field of ct_mark) need it.
    """
    shape: tuple[Part, ...]
    if zone_reg is None:
        shape = (bytes(4), part(zone, 2))
    else:
        shape = (FIELDS[f"reg{zone_reg}"].nxm_header, _range(0, 16))
    flags = struct.pack("!H", wire.NX_CT_COMMIT if commit else 0)
    recirculation = struct.pack("!B5x", wire.NX_CT_NO_RECIRCULATION if table is None else table)
    inner = tuple(piece for action in nested for piece in action.parts)
    return _nicira(wire.NX_CT, flags, *shape, recirculation, *inner)


def conjunction(number: Value, clause: Value, clauses: Value) -> Action:
    """This flow is clause ``clause`` (counted from 1) of ``clauses`` of conjunction ``number``.

    A flow with a conjunction may bear other conjunctions and nothing else.
    """
    return _nicira(wire.NX_CONJUNCTION, part(clause, 1, minus=1), part(clauses, 1), part(number, 4))

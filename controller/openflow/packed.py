"""Flows: a kind of flow declared once, readably, and packed millions of times a second.

::

    VPORT_CLASSIFY = Template(
        table=0, priority=100, cookie=Field("cookie", 8),
        match=[match.in_port(Field("port"))],
        actions=[actions.set_reg(0, Field("vni")), actions.set_metadata(Field("domain"))],
        goto=1,
    )
    VPORT_CLASSIFY.pack(cookie, port, vni, domain)      # -> the bytes of one flow-mod

When it is declared, a template becomes one ``struct.Struct`` and one generated function with the constants
bound in: 3,000,000 flow-mods a second. A flow whose length varies (a flood list) is built by ``flow``,
100,000 a second. The other functions here read a packed flow-mod: its key, its deletion, its instructions.

Every flow-mod is OFPFC_ADD of OpenFlow 1.4 with no buffer, no timeouts and FLOW_XID. Its one flag may be that the
switch tells what the flow had counted when it goes (``told``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter

from controller.openflow import wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.wire import Field, Part, Slot, Value, part

_FORMAT = {1: "B", 2: "H", 4: "I", 6: "6s", 8: "Q", 16: "16s"}
_RANK = itemgetter(0)
MAX_FLOW_MOD = 0xFFFF - 16  # bytes: a bundle-add puts 16 before it, and a message has at most 65,535
_MATCH = 48  # where the match starts in a flow-mod
_PREFIX = struct.Struct("!BBHI")
_MIDDLE = struct.Struct("!QBBHH")  # cookie mask, table, command, idle timeout, hard timeout
_TARGET = struct.pack("!III", wire.NO_BUFFER, wire.PORT_ANY, wire.GROUP_ANY)
_FLAGS = {told: struct.pack("!HH", wire.SEND_FLOW_REM if told else 0, 0) for told in (False, True)}


def _parts(
    table: int,
    priority: Value,
    cookie: Value,
    match: Sequence[Match],
    actions: Sequence[Action],
    goto: int | None,
    meter: Value | None,
    told: bool,
) -> list[Part]:
    """The whole flow-mod in order: header, match in read-back order, instructions."""
    oxms = [piece for element in sorted(match, key=_RANK) for piece in element.parts]
    matched = 4 + wire.size(oxms)
    body: list[Part] = [struct.pack("!HH", 1, matched), *oxms, bytes(-matched % 8)]
    acts = [piece for action in actions for piece in action.parts]
    acting = 8 + wire.size(acts) if acts else 0
    length = _MATCH + wire.size(body) + acting + 8 * ((goto is not None) + (meter is not None))
    if length > MAX_FLOW_MOD:
        raise ValueError(f"a flow-mod of {length} bytes, at most {MAX_FLOW_MOD}: split it over several flows")
    if meter is not None:
        body += [struct.pack("!HH", wire.METER, 8), part(meter, 4)]
    if acts:
        body += [struct.pack("!HH4x", wire.APPLY_ACTIONS, acting), *acts]
    if goto is not None:
        body.append(struct.pack("!HHB3x", wire.GOTO_TABLE, 8, goto))
    return [
        _PREFIX.pack(wire.VERSION, wire.FLOW_MOD_TYPE, length, wire.FLOW_XID),
        part(cookie, 8),
        _MIDDLE.pack(0, table, wire.ADD, 0, 0),
        part(priority, 2),
        _TARGET + _FLAGS[told],
        *body,
    ]


def _named(*values: Value) -> list[str]:
    return [value.name for value in values if isinstance(value, Field)]


class Template:
    """A kind of flow, compiled when declared.

    ``pack(*values) -> bytes`` takes one value per Field. Their order is ``fields`` when given, else the order
    in which Fields first appear reading priority, cookie, match, meter, actions as written. ``meter`` is the number
    of a meter that packets must pass before the actions (``meters.py``). A Field may appear in
    several places, also of different widths. Wrong numbers raise struct.error. ``size`` is the length of
    every flow-mod in bytes.
    """

    __slots__ = ("fields", "pack", "size", "table")

    pack: Callable[..., bytes]

    def __init__(
        self,
        *,
        table: int,
        priority: int | Field,
        cookie: int | Field = 0,
        match: Sequence[Match] = (),
        actions: Sequence[Action] = (),
        goto: int | None = None,
        meter: Value | None = None,
        fields: Sequence[str] | None = None,
        told: bool = False,
    ) -> None:
        pieces = _parts(table, priority, cookie, match, actions, goto, meter, told)
        names = _named(priority, cookie)
        written = [piece for element in match for piece in element.parts]
        written += [part(meter, 4)] if meter is not None else []
        written += [piece for action in actions for piece in action.parts]
        names += [piece.field.name for piece in written if isinstance(piece, Slot)]
        seen = tuple(dict.fromkeys(names))
        if fields is not None and (len(set(fields)) != len(fields) or set(fields) != set(seen)):
            raise ValueError(f"fields {tuple(fields)} are not those of the flow, {seen}")
        self.fields = tuple(fields) if fields is not None else seen
        self.table = table
        self.size = wire.size(pieces)
        self.pack = _compile(pieces, self.fields)

    def __repr__(self) -> str:
        return f"Template(table={self.table}, fields={self.fields})"


def _compile(pieces: Sequence[Part], fields: Sequence[str]) -> Callable[..., bytes]:
    """One struct.Struct for the message, and a function with its constants in the closure."""
    layout = "!"
    arguments: list[str] = []
    constants: list[bytes] = []
    for piece in _joined(pieces):
        if isinstance(piece, bytes):
            layout += f"{len(piece)}s"
            arguments.append(f"c{len(constants)}")
            constants.append(piece)
        else:
            layout += _FORMAT[piece.width]
            arguments.append(piece.field.name + (f" - {piece.minus}" if piece.minus else ""))
    names = ", ".join(f"c{n}" for n in range(len(constants)))
    body = f" def pack({', '.join(fields)}):\n  return S_({', '.join(arguments)})\n return pack\n"
    namespace: dict[str, Callable[..., Callable[..., bytes]]] = {}
    exec(f"def bind(S_, {names}):\n{body}", {}, namespace)
    return namespace["bind"](struct.Struct(layout).pack, *constants)


def _joined(pieces: Sequence[Part]) -> list[Part]:
    """The same with neighbouring constants in one piece."""
    out: list[Part] = []
    for piece in pieces:
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        elif piece:
            out.append(piece)
    return out


def flow(
    table: int,
    priority: int,
    cookie: int = 0,
    match: Sequence[Match] = (),
    actions: Sequence[Action] = (),
    goto: int | None = None,
    meter: int | None = None,
    told: bool = False,
) -> bytes:
    """One flow-mod of constants, at most MAX_FLOW_MOD bytes. Raises ValueError (too long, a Field in it)."""
    pieces = _parts(table, priority, cookie, match, actions, goto, meter, told)
    try:
        return b"".join(pieces)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("a flow of constants has a Field in it; declare a Template") from None


# Reading a packed flow-mod back.


def _match_end(msg: bytes) -> int:
    return _MATCH + (int.from_bytes(msg[50:52], "big") + 7 & ~7)


def flow_key(msg: bytes) -> bytes:
    """What identifies the flow in its switch: table (1 byte), priority (2 bytes), padded match."""
    return msg[24:25] + msg[30:32] + msg[_MATCH : _match_end(msg)]


def as_delete_strict(msg: bytes) -> bytes:
    """The flow-mod that removes exactly this flow, whatever its cookie or instructions have become."""
    end = _match_end(msg)
    return msg[:2] + end.to_bytes(2, "big") + msg[4:25] + bytes((wire.DELETE_STRICT,)) + msg[26:end]


DELETE_ALL = wire.FLOW_MOD.pack(
    wire.VERSION, wire.FLOW_MOD_TYPE, wire.FLOW_MOD.size + 8, wire.FLOW_XID, 0, 0, wire.ALL_TABLES, wire.DELETE,
    0, 0, 0, wire.NO_BUFFER, wire.PORT_ANY, wire.GROUP_ANY, 0, 0,
) + bytes((0, 1, 0, 4, 0, 0, 0, 0))  # fmt: skip
"""The flow-mod that removes every flow of a switch."""


def is_delete(msg: bytes) -> bool:
    """Whether the flow-mod removes instead of adds."""
    return msg[25] == wire.DELETE_STRICT


def instructions(msg: bytes) -> bytes:
    """The instructions as they come back from the switch."""
    return msg[_match_end(msg) :]


def cookie(msg: bytes) -> int:
    """The 64-bit cookie."""
    return int.from_bytes(msg[8:16], "big")


def table_of(msg: bytes) -> int:
    """The table it goes to."""
    return msg[24]


def priority_of(msg: bytes) -> int:
    """Its priority."""
    return int.from_bytes(msg[30:32], "big")

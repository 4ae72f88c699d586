"""os-ken as the reference: elements and flow-mods built by its objects."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Any

from os_ken.ofproto import ofproto_protocol

from controller.openflow import wire

DESCRIPTION = ofproto_protocol.ProtocolDesc(version=wire.VERSION)
PARSER = DESCRIPTION.ofproto_parser
OF = DESCRIPTION.ofproto


THEIRS = {"nd_target": "ipv6_nd_target", "nd_sll": "ipv6_nd_sll", "nd_tll": "ipv6_nd_tll"}
"""Our name of a field -> os-ken's name of the one with the same header, where it differs."""
UNKNOWN = frozenset(
    ("nd_reserved", "nd_options_type", "tun_erspan_idx", "tun_erspan_ver", "tun_erspan_dir", "tun_erspan_hwid")
)
"""Fields that os-ken does not have."""


def text(kind: str, width: int, value: int | bytes) -> Any:
    """A value as os-ken's users write it."""
    raw = value if isinstance(value, bytes) else value.to_bytes(width, "big")
    if kind == "mac":
        return raw.hex(":")
    if kind == "ipv4":
        return ".".join(map(str, raw))
    if kind == "ipv6":
        return str(IPv6Address(raw))
    return int.from_bytes(raw, "big")


def flow_mod(
    match: Sequence[tuple[str, Any]],
    actions: Sequence[Any],
    *,
    table: int = 0,
    priority: int = 100,
    cookie: int = 0,
    goto: int | None = None,
    meter: int | None = None,
    command: int = wire.ADD,
) -> bytes:
    """A flow-mod with the match fields in the order given."""
    instructions = [] if meter is None else [PARSER.OFPInstructionMeter(meter)]
    if actions:
        instructions.append(PARSER.OFPInstructionActions(OF.OFPIT_APPLY_ACTIONS, list(actions)))
    if goto is not None:
        instructions.append(PARSER.OFPInstructionGotoTable(goto))
    message = PARSER.OFPFlowMod(
        DESCRIPTION,
        cookie=cookie,
        table_id=table,
        command=command,
        priority=priority,
        out_port=OF.OFPP_ANY,
        out_group=OF.OFPG_ANY,
        match=PARSER.OFPMatch(_ordered_fields=list(match)),
        instructions=instructions,
    )
    return serialized(message)


def serialized(message: Any) -> bytes:
    """The bytes of any of os-ken's messages, with our transaction number."""
    message.set_xid(wire.FLOW_XID)
    message.serialize()
    return bytes(message.buf)

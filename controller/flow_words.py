"""Flows in the pipeline's own words: tables and registers by name, the object and the purpose behind a cookie.

What commands show and events tell.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.openflow import messages, packed
from controller.openflow.text import Names, actions_text, match_text, meter_text
from controller.pipeline import TABLE_NAMES, Owner, Register, split_cookie
from data.path import Path

NAMES = Names(
    tables=TABLE_NAMES,
    fields={"metadata": "domain", **{f"reg{register.value}": register.name.lower() for register in Register}},
    decimal=frozenset({f"reg{Register.SUBNET.value}", "tunnel_id"}),  # VNIs, as `show subnets` prints them
)
TABLE_WIDTH = max(map(len, TABLE_NAMES.values()))


def object_name(path: Path) -> str:
    """'vport acme/prod/web-1', 'ingress-policy acme/prod/base/10': what a flow is there for, short."""
    keyword = path[-4] if path[-2] == "entry" else path[-2]
    named = path[1::2]
    if keyword == "subnet" and len(named) == 4:
        named = (*named[:2], named[3])
    return f"{keyword} {'/'.join(named)}"


def owner_name(cookie: int, explain: Callable[[int], Path | None]) -> str:
    """The object behind a cookie, in words also when there is none."""
    parts = split_cookie(cookie)
    if parts is None:
        return "not of nshell"
    path = explain(cookie)
    if path is not None:
        return object_name(path)
    return "fabric" if parts[0] is Owner.FABRIC else "an object that is gone"


def purpose(cookie: int) -> str | None:
    """What the flow does for its owner: 'forward', 'spoofed ip', 'rule'."""
    parts = split_cookie(cookie)
    return None if parts is None else parts[1].name.lower().replace("_", " ")


def flow_text(priority: int, match: bytes, instructions: bytes) -> str:
    """Match and actions; table and cookie have places of their own."""
    return f"{match_text(priority, match, NAMES)} actions={actions_text(instructions, NAMES)}"


def change_line(message: bytes, explain: Callable[[int], Path | None]) -> str:
    """One flow-mod as one line: '+ egress_acl  priority=...,tcp actions=...  # egress-policy acme/prod/db/20'; one
    meter-mod: '+ meters  meter=8 kbps ...'."""
    gone = messages.is_delete(message)
    if messages.table_of(message) == messages.METERS:
        return f"{'-' if gone else '+'} {'meters'.ljust(TABLE_WIDTH)} {meter_text(message).removeprefix('delete ')}"
    table = TABLE_NAMES.get(packed.table_of(message), str(packed.table_of(message)))
    text = match_text(packed.priority_of(message), packed.flow_key(message)[3:], NAMES)
    if not gone:
        text += f" actions={actions_text(packed.instructions(message), NAMES)}"
    return f"{'-' if gone else '+'} {table.ljust(TABLE_WIDTH)} {text}  # {owner_name(packed.cookie(message), explain)}"

"""show audit: who typed what, from where, when, and what came of it."""

from __future__ import annotations

import time

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.times import past
from views.models import Clock, Column, Table

ROWS = 100
"""Rows shown unless a limit is given."""
COLUMNS = (
    Column("time", "Time"),
    Column("user", "User"),
    Column("origin", "From", spare=True),
    Column("result", "Result"),
    Column("revision", "Rev", "right"),
    Column("command", "Command", shrink=True),
    Column("detail", "Detail", shrink=True),
)


@command(
    "show audit [user <name>] [since <since>] [limit <number>]",
    help="who did what: every command, accepted or refused, newest last",
    words={"user": "of one user", "since": "from then on"},
    confined=True,
)
async def show_audit(context: Context, arguments: Arguments) -> Table:
    """The latest rows; without permission `audit` one's own alone."""
    access = context.access
    own = access.confined or not access.permits("audit")
    if own and arguments.get("name") not in (None, context.user):
        access.refuse_verb("audit", False, f"show audit user {arguments.get('name')}")
    user = context.user if own else arguments.get("name")
    since = arguments.get("since")
    rows = await context.audit(
        user, past(since, time.time()) if since is not None else None, int(arguments.get("number") or ROWS)
    )
    note = f"{context.user} alone" if own else (user or "everybody")
    return Table(
        "Audit",
        COLUMNS,
        [
            (
                Clock(row.time),
                row.user,
                row.origin,
                row.result,
                row.revision,
                "; ".join(row.command.splitlines()),
                row.detail or None,
            )
            for row in rows
        ],
        "commands",
        note=note,
    )

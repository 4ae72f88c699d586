"""show system commit, show sessions: what was committed, and who is here."""

from __future__ import annotations

import time
from collections.abc import Mapping

from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from views.models import Cell, Clock, Column, Model, Moment, Table

COMMITS = 20
NAMED = 8
"""Hypervisors that a commit's receipts name."""


@command("show system commit [limit <number>]", help="revisions: who, when, what became of each", confined=True)
async def show_system_commit(context: Context, arguments: Arguments) -> Model:
    """The latest revisions and failed commits, newest first, with what each hypervisor confirmed."""
    limit = int(arguments.get("number") or COMMITS)
    waiting = context.fabric.waiting
    fabric = context.fabric
    rows: list[tuple[Cell, ...]] = [
        (None, Clock(entry.at), entry.user, f"scheduled as {entry.id}", None, entry.comment or None)
        for entry in reversed(context.schedule.rows())
        if entry.user == context.user or not context.access.confined
    ]
    for entry in await fabric.history(limit):
        state = str(entry.state)
        if waiting is not None and waiting[0] == entry.number:
            left = max(0, int(waiting[1] - time.time()))
            state = f"unconfirmed, {left // 60}:{left % 60:02} left"
        rows.append(
            (
                entry.number,
                Clock(entry.time),
                entry.author,
                state,
                confirmed({receipt.part: receipt.state for receipt in entry.receipts}),
                entry.reason or entry.comment or None,
            )
        )
    columns = (
        Column("revision", "Rev", "right"),
        Column("time", "Time"),
        Column("author", "Author"),
        Column("state", "State"),
        Column("receipts", "Receipts", shrink=True),
        Column("comment", "Comment", shrink=True),
    )
    return Table("Commits", columns, rows, "commits", note=f"running revision {fabric.running.revision}")


def confirmed(receipts: Mapping[str, str]) -> str | None:
    """'3 verified', '2 verified, hv3 pending': a number for those where all is well, names for the others."""
    verified = sum(state == "verified" for state in receipts.values())
    others = [f"{dvrs} {state}" for dvrs, state in receipts.items() if state != "verified"]
    named, rest = others[:NAMED], len(others) - NAMED
    parts = [f"{verified} verified"] if verified else []
    return ", ".join([*parts, *named, *([f"{rest} more"] if rest > 0 else [])]) or None


@command("show sessions", help="who is connected, and who is configuring", confined=True)
async def show_sessions(context: Context, arguments: Arguments) -> Model:
    """One row per session."""
    editing = set(context.editors())
    rows = [
        (
            session.number,
            session.user,
            session.origin,
            "interactive" if session.interactive else "commands",
            session.mode.value,
            session.user in editing,
            Moment(session.since),
        )
        for session in sorted(context.sessions(), key=lambda session: session.since)
    ]
    configuring = sum(session.mode is Mode.CONFIGURE for session in context.sessions())
    columns = (
        Column("session", "No.", "right"),
        Column("user", "User"),
        Column("origin", "From"),
        Column("kind", "Kind"),
        Column("mode", "Mode"),
        Column("edits", "Edits"),
        Column("since", "Since"),
    )
    return Table("Sessions", columns, rows, "sessions", f"configuring {configuring}")

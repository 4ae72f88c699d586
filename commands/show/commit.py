"""show system commit revision: one commit, and what each hypervisor, neighbor and router confirmed of it."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from data.errors import NothingThere
from views.models import Clock, Column, Document, Model, Several, Table

COLUMNS = (
    Column("part", "Of"),
    Column("state", "State"),
    Column("added", "Added", "right"),
    Column("removed", "Removed", "right"),
    Column("milliseconds", "ms", "right"),
    Column("time", "Time"),
    Column("reason", "Reason", shrink=True, whole=True),
)
ATTEMPTS = 20
"""Commits that would have become the same revision, and failed, of which the last ones are shown."""


@command(
    "show system commit revision <revision>",
    help="one commit, and what each part of the network confirmed of it",
    confined=True,
)
async def show_commit(context: Context, arguments: Arguments) -> Model:
    """The revision; attempts at it that failed stand before it."""
    number = int(arguments.values["revision"])
    found = await context.fabric.history(ATTEMPTS, number)
    if not found:
        raise NothingThere(f"revision {number}", "there is no such revision", "'show system commit' has the latest")
    parts: dict[str, Model] = {}
    for count, entry in enumerate(reversed(found)):
        behind = f"_{count}" if count else ""
        facts: dict[str, object] = {
            "revision": entry.number, "time": Clock(entry.time), "author": entry.author, "state": entry.state,
            "comment": entry.comment or None, "reason": entry.reason or None,
        }  # fmt: skip
        parts[f"commit{behind}"] = Document({key: value for key, value in facts.items() if value is not None}, "Commit")
        rows = [
            (one.part, one.state, one.added, one.removed, round(one.milliseconds, 1), Clock(one.time),
             one.reason or None)
            for one in sorted(entry.receipts, key=lambda one: (" " in one.part, one.part))
        ]  # fmt: skip
        parts[f"receipts{behind}"] = Table("Receipts", COLUMNS, rows, "receipts", note=f"revision {number}")
    return Several(parts)

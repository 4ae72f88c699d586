"""commit at ..., clear system commit ...: a commit at a time when nobody wants to be awake."""

from __future__ import annotations

import time

from commands.configure.commit import KEPT, merged
from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from commands.times import moment
from data.errors import CommandFailed, NshellError
from views.models import Lines
from views.moment import clock, iso


@command(
    "commit at <time> [comment <text>] [and-quit]",
    help="commit what the candidate has now, at that time",
    permission="commit",
    mode=Mode.CONFIGURE,
    words={
        "at": "at that time, what the candidate has now",
        "comment": "why, for the history",
        "and-quit": "and leave configure mode",
    },
    confined=True,
)
async def commit_at(context: Context, arguments: Arguments) -> Lines:
    """Checked now; applied then, over what is running then. A daemon that is down at that time does not catch up."""
    at = moment(arguments.values["time"], time.time())
    where = f"commit at {arguments.values['time']}"
    if at <= time.time():
        raise CommandFailed(where, f"{clock(at)} is in the past", "choose a later time, or 'commit' now")
    candidate = await context.candidate()
    try:
        edits = await merged(context, candidate)
        if not edits:
            raise CommandFailed(where, "the candidate equals the running configuration", "change something first")
        await context.fabric.plan(edits)
    except NshellError as problem:
        problem.add_note(KEPT)
        raise
    entry = await context.schedule.add(context.user, at, arguments.get("text") or "", candidate)
    if arguments.has("and-quit"):
        context.leave_configure()
    return Lines(
        [
            "configuration check succeeds",
            f"commit at will be executed at {clock(at)}",
            f"it takes what your candidate has now; 'clear system commit {entry.id}' cancels it",
        ],
        {"scheduled": entry.id, "at": iso(at)},
    )


@command(
    "clear system commit <scheduled>",
    help="cancel a scheduled commit",
    permission="commit",
    words={"clear": "forget something", "system": "this nshell", "commit": "a scheduled commit"},
    confined=True,
)
async def clear(context: Context, arguments: Arguments) -> Lines:
    """One's own, or with permission `request` anybody's. The candidate that it was made from stays as it is."""
    number = int(arguments.values["scheduled"])
    whose = next((entry.user for entry in context.schedule.rows() if entry.id == number), None)
    if whose != context.user:
        context.access.refuse_verb("request", False, f"clear system commit {number}")
    entry = await context.schedule.cancel(number)
    return Lines([f"scheduled commit {number} of {entry.user} is cancelled"], {"cancelled": number})

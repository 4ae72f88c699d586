"""The rescue configuration: one revision that somebody called good, to come back to when nobody remembers a number."""

from __future__ import annotations

from commands.configure.mode import roll
from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from data.errors import NothingThere
from views.models import Document, Lines

WORDS = {
    "system": "this nshell",
    "configuration": "the configuration",
    "rescue": "the revision to come back to",
    "save": "it is the running one from now on",
    "delete": "there is none any more",
}
MISSING = ("there is no rescue configuration", "'request system configuration rescue save' makes the running one it")


async def revision(context: Context) -> int:
    """The rescue configuration's revision. Raises NothingThere."""
    fabric = context.fabric
    number = await fabric.submit(fabric.store.rescue)
    if number is None:
        raise NothingThere("rescue", *MISSING)
    return number


@command(
    "request system configuration rescue save",
    help="make the running revision the rescue configuration",
    permission="request",
    words=WORDS,
)
async def save(context: Context, arguments: Arguments) -> Lines:
    """The revision that runs now, in place of an earlier rescue configuration."""
    fabric = context.fabric
    number = fabric.running.revision
    await fabric.submit(fabric.store.set_rescue, number)
    return Lines([f"revision {number} is the rescue configuration"], {"rescue": number})


@command(
    "request system configuration rescue delete",
    help="forget the rescue configuration; the revision stays",
    permission="request",
    words=WORDS,
)
async def delete(context: Context, arguments: Arguments) -> Lines:
    """Only the mark goes."""
    fabric = context.fabric
    number = await revision(context)
    await fabric.submit(fabric.store.set_rescue, None)
    return Lines([f"revision {number} is not the rescue configuration any more"], {"rescue": None})


@command("show system rescue", help="which revision is the rescue configuration", words=WORDS)
async def show_rescue(context: Context, arguments: Arguments) -> Document:
    """Its number; `show configuration revision N` shows it."""
    number = await revision(context)
    return Document({"revision": number, "commits_since": context.fabric.running.revision - number})


@command(
    "rollback rescue",
    help="make the candidate the rescue configuration",
    permission="configure",
    mode=Mode.CONFIGURE,
    words=WORDS,
)
async def rollback_rescue(context: Context, arguments: Arguments) -> None:
    """As `rollback revision N` with its number; `commit` applies it."""
    await roll(context, await revision(context))

"""set, delete, rename, copy, annotate, deactivate, activate, undo: one line, one change of the candidate, kept
at once.
"""

from __future__ import annotations

from collections.abc import Callable

from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from commands.language.statement import path_of, places, words_of
from data.candidate import Candidate
from data.errors import CommandFailed
from data.path import path_text
from data.schema.words import secret_left_out

CONFIGURE = Mode.CONFIGURE


async def change(context: Context, arguments: Arguments, verb: Callable[..., object], *more: str) -> None:
    """Do one verb of the candidate with the words of the tail and what else it takes, and keep the candidate."""
    candidate = await context.candidate()
    with places(arguments):
        verb(candidate, words_of(arguments), *more, at=context.level, abbreviations=context.interactive)
    await context.save_candidate()


@command("set <statement...>", help="make or change something", permission="configure", mode=CONFIGURE, confined=True)
async def set_(context: Context, arguments: Arguments) -> None:
    """The words are those of the configuration, relative to the edit level. A secret that is left out is asked for."""
    if not context.interactive:
        await change(context, arguments, Candidate.set)
        return
    secret = secret_left_out(words_of(arguments), at=context.level, abbreviations=True)
    typed = [await asked(context, secret)] if secret else []
    await change(context, arguments, lambda candidate, words, **how: candidate.set([*words, *typed], **how))


async def asked(context: Context, leaf: str) -> str:
    """A secret typed twice without an echo. Raises CommandFailed when the two differ."""
    first = await context.read_secret("new password: ")
    if await context.read_secret("once more: ") != first:
        raise CommandFailed(leaf, "the two are not the same", "give the command again; nothing was changed")
    return first


@command(
    "delete <target...>",
    help="remove something, with everything below it",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def delete(context: Context, arguments: Arguments) -> None:
    """The words name an object or a leaf, relative to the edit level."""
    await change(context, arguments, Candidate.delete)


@command(
    "rename <place...> to <name:new-name>",
    help="give something another name; it and all below it stay what they are",
    permission="configure",
    mode=CONFIGURE,
    words={"to": "its new name"},
    confined=True,
)
async def rename(context: Context, arguments: Arguments) -> None:
    """The same objects under another name; what names them in the same scope follows."""
    await change(context, arguments, Candidate.rename, arguments.values["name"])


@command(
    "copy <place...> to <name:new-name>",
    help="the same once more under another name, with everything below it",
    permission="configure",
    mode=CONFIGURE,
    words={"to": "the copy's name"},
    confined=True,
)
async def copy(context: Context, arguments: Arguments) -> None:
    """New objects with the same leaves; `commit check` names those that must not be the same twice."""
    await change(context, arguments, Candidate.copy, arguments.values["name"])


@command(
    "annotate <place...> <text:remark>",
    help='a remark that is shown before something; "" takes it away',
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def annotate(context: Context, arguments: Arguments) -> None:
    """The remark stands in quotes; it is part of the configuration and does nothing."""
    await change(context, arguments, Candidate.annotate, arguments.values["text"])


def marked(context: Context, arguments: Arguments, inactive: bool) -> None:
    """Say so when there is nothing to do."""
    path = path_of(context, arguments)
    item = context.configuration.get(path)
    if item is not None and item.inactive is inactive:
        context.note(f"{path_text(path)} is {'inactive' if inactive else 'active'} already")


@command(
    "deactivate <place...>",
    help="keep something in the configuration, but act as if it were not there",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def deactivate(context: Context, arguments: Arguments) -> None:
    """It and all below it; `activate` takes that back."""
    marked(context, arguments, True)
    await change(context, arguments, Candidate.deactivate)


@command(
    "activate <place...>",
    help="let something that was deactivated act again",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def activate(context: Context, arguments: Arguments) -> None:
    """Take a `deactivate` back."""
    marked(context, arguments, False)
    await change(context, arguments, Candidate.activate)


@command(
    "undo",
    help="take back the latest command that changed your candidate",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def undo(context: Context, arguments: Arguments) -> None:
    """One command a time, up to a hundred; also load, rollback and discard. Says what it took back."""
    candidate = await context.candidate()
    said = candidate.undo()
    await context.save_candidate()
    context.note(said)

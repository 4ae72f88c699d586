"""set and delete: one line, one change of the candidate, kept at once."""

from __future__ import annotations

from commands.context import Context
from commands.registry import Arguments, Mode, command
from commands.statement import places, words_of


@command("set <statement...>", help="make or change something", permission="configure", mode=Mode.CONFIGURE)
async def set_(context: Context, arguments: Arguments) -> None:
    """The words are those of the configuration, relative to the edit level."""
    candidate = await context.candidate()
    with places(arguments):
        candidate.set(words_of(arguments), at=context.level, abbreviations=context.interactive)
    await context.save_candidate()


@command(
    "delete <target...>", help="remove something, with everything below it", permission="configure", mode=Mode.CONFIGURE
)
async def delete(context: Context, arguments: Arguments) -> None:
    """The words name an object or a leaf, relative to the edit level."""
    candidate = await context.candidate()
    with places(arguments):
        candidate.delete(words_of(arguments), at=context.level, abbreviations=context.interactive)
    await context.save_candidate()

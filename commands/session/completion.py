"""complete: what could stand next in a command line, for programs that help to write one (bash, zsh)."""

from __future__ import annotations

from commands.context import Context
from commands.language.complete import complete
from commands.language.registry import Arguments, command
from views.models import Lines


@command(
    "complete <line>",
    help="the lines that this one could become with its next word; for programs that complete",
    permission="session",
    audited=False,
)
async def complete_(context: Context, arguments: Arguments) -> Lines:
    """One line for each word that could stand at the end of this line, in the session's mode."""
    text = arguments.values["line"]
    found = complete(context.mode, text, context)
    lines = [text[: found.start] + candidate.word for candidate in found.candidates if not candidate.hint]
    return Lines(lines, lines)

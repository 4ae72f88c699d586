"""help: what may follow, as `?` says it, for those who type a word and for scripts; alone, how to find one's way."""

from __future__ import annotations

from commands.context import Context
from commands.language.complete import help_lines
from commands.language.registry import Arguments, Mode, automaton, command
from data.path import quoted
from views.models import Lines

WIDTH = 80
"""Characters of a line unless the operator asked for another width."""
INTRODUCTION = (
    "?              at any place of a line: what may stand there, and what exists",
    "tab            completes; words may be shortened while they are unambiguous",
    "up, ctrl-r     earlier lines; ctrl-c ends a command and keeps the session",
    "| match TEXT   behind a command; '| ?' lists the other pipes",
    "help WORDS     the same as 'WORDS ?'",
)
FIRST_STEPS = {
    Mode.OPERATIONAL: "configure      to change something: set, delete, compare, commit",
    Mode.CONFIGURE: "run COMMAND    an operational command; 'exit' leaves configure mode",
}


@command("help [<words...>]", help="how to find your way, or what may follow some words", permission="session")
@command(
    "help [<words...>]",
    help="how to find your way, or what may follow some words",
    permission="session",
    mode=Mode.CONFIGURE,
)
async def help_(context: Context, arguments: Arguments) -> Lines:
    """A line that is no operational one is explained as one of configure mode."""
    mode, width = context.mode, context.settings.columns or WIDTH
    text = "".join(f"{quoted(word.text)} " for word in arguments.tail)
    if text:
        first = arguments.tail[0].text
        if mode is Mode.OPERATIONAL and not begins(first, mode) and begins(first, Mode.CONFIGURE):
            mode = Mode.CONFIGURE
        return Lines(help_lines(mode, text, context, width))
    introduction = [f"  {line}" for line in (*INTRODUCTION, FIRST_STEPS[mode])]
    return Lines([*introduction, "", *help_lines(mode, "", context, width)])


def begins(word: str, mode: Mode) -> bool:
    """Whether a command of this mode begins with the word."""
    return any(known.startswith(word) for known in automaton(mode).root.words)

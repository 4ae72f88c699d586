"""Aliases: one word that an operator types for a command; `alias NAME` is everybody's, `user U alias NAME` one's own.

    line ── first word is an alias? ── its command + the rest of the line ── the same once more, at most DEPTH times

Only what is typed is expanded, at the prompt and with -c: files are exact. A command of the shell wins over an alias of
its name, an alias over an abbreviation, one's own over everybody's. In configure mode `run NAME` works as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.lexer import Line, lex
from commands.language.registry import Arguments, Mode, automaton, command
from data.errors import CommandFailed
from data.schema.accounts import Alias
from views.models import Column, Table

if TYPE_CHECKING:
    from data.configuration import Configuration, Edits

DEPTH = 8
"""Aliases that may stand for one another."""


def aliases(running: Configuration, user: str) -> dict[str, Alias]:
    """What this user's aliases are, by name."""
    found: dict[str, Alias] = {}
    for above in ((), ("user", user)):
        for name in running.children(above, "alias"):
            item = running.get((*above, "alias", name))
            if isinstance(item, Alias):
                found[name] = item
    return found


def own(running: Configuration, user: str, name: str) -> Alias | None:
    """The alias of this name that counts for the user."""
    for above in (("user", user), ()):
        item = running.get((*above, "alias", name))
        if isinstance(item, Alias):
            return item
    return None


def is_command(name: str, mode: Mode) -> bool:
    """Whether a command of the shell begins with this word."""
    return name in automaton(mode).root.words or name in automaton(Mode.OPERATIONAL).root.words


def expand(line: Line, mode: Mode, context: Context) -> Line:
    """The line with its alias replaced by what that stands for. Raises CommandFailed when it stands for itself."""
    start = line
    for _ in range(DEPTH):
        words = line.words
        at = 1 if len(words) > 1 and words[0].text == "run" else 0
        if at >= len(words) or words[at].quoted:
            return line
        word = words[at]
        found = None
        if not is_command(word.text, Mode.OPERATIONAL if at else mode):
            found = own(context.running, context.user, word.text)
        if found is None:
            return line
        line = lex(line.text[: word.start] + found.command + line.text[word.end :])
    name = start.words[0].text
    raise CommandFailed(
        f"alias {name}", f"it stands for aliases more than {DEPTH} deep, or for itself", "'show aliases' lists them"
    )


def offered(mode: Mode, context: Context) -> Iterator[tuple[str, str]]:
    """Aliases that could be typed now, each with what it stands for."""
    for name, item in sorted(aliases(context.running, context.user).items()):
        if not is_command(name, mode):
            yield name, f"alias: {item.command}"


def warn(context: Context, edits: Edits) -> None:
    """Say which aliases of these edits nobody will ever reach."""
    for path, item in edits.items():
        if isinstance(item, Alias) and is_command(path[-1], Mode.CONFIGURE):
            context.note(f"alias {path[-1]} will not be used: there is a command {path[-1]}")


@command("show aliases", help="short words for commands: everybody's and your own", confined=True)
async def show_aliases(context: Context, arguments: Arguments) -> Table:
    """One row per alias that you can use, or could if no command had its name."""
    rows = [
        (
            name,
            "own" if context.running.get(("user", context.user, "alias", name)) is not None else "everybody",
            None if not is_command(name, Mode.CONFIGURE) else "hidden by a command",
            item.command,
        )
        for name, item in sorted(aliases(context.running, context.user).items())
    ]
    columns = (
        Column("name", "Name"),
        Column("whose", "Whose"),
        Column("note", "Note"),
        Column("command", "Stands for", shrink=True),
    )
    return Table("Aliases", columns, rows, "aliases")

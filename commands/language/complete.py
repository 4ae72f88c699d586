"""What may come next in a line: for Tab (words that go on from what is typed) and for `?` (all of them, with help).

Both walk the same tree as parsing, with abbreviations. Values list what is there now; tails ask the schema's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands.language.grammar import Value
from commands.language.levels import level_of
from commands.language.lexer import Word, lex, split_pipes
from commands.language.parse import Walk, allowed_values, allowed_words, types_hint, walk
from commands.language.registry import Command, Mode
from commands.language.types import types
from commands.language.vocabulary import shared_help
from data.errors import NshellError
from data.path import quoted
from views.wrapping import wrapped

if TYPE_CHECKING:
    from commands.context import Context

ENTER = "<enter>"
HELP = "help"
"""What stands behind this word is completed as if it began the line."""
SHOWN_VALUES = 12
"""Live values that `?` prints for one type; the rest is counted."""


NARROWEST_HELP = 20
"""Characters of a line that the help gets however narrow the terminal is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible next word. A `hint` (`<name>`, `<enter>`) is shown but not inserted; a `live` one is a
    value that exists.
    """

    word: str
    help: str
    hint: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """The candidates and the column at which they replace what is typed."""

    start: int
    candidates: tuple[Candidate, ...]


def complete(mode: Mode, text: str, context: Context) -> Completion:
    """What may stand at the end of this text. A line that is already wrong has no candidates."""
    from commands.session.aliases import expand, offered

    line = lex(text)
    first = line.words[0] if line.words else None
    if first is not None and (len(line.words) > 1 or line.fresh):
        try:
            expanded = expand(line, mode, context)
        except NshellError:
            return Completion(len(text), ())
        if expanded is not line:
            inner = complete(mode, expanded.text, context)
            return Completion(inner.start - len(expanded.text) + len(text), inner.candidates)
        if first.text == HELP and not first.quoted and len(split_pipes(line.words)) == 1:
            inner = complete(mode, text[first.end :], context)
            rest = tuple(found for found in inner.candidates if found.word not in (ENTER, "|"))
            return Completion(inner.start + first.end, rest)
    parts = split_pipes(line.words)
    piped = len(parts) > 1
    words = parts[-1]
    last = None if line.fresh or not words else words[-1]
    before = words if last is None else words[:-1]
    partial = "" if last is None else last.text
    start = len(text) if last is None else last.start
    try:
        here = walk(Mode.PIPE if piped else mode, before, context, abbreviations=True)
    except NshellError:
        return Completion(start, ())
    found = [
        candidate
        for candidate in candidates(here, before, partial, context)
        if candidate.hint or candidate.word.startswith(partial)
    ]
    if not before and not piped:
        found += [Candidate(name, help) for name, help in offered(mode, context) if name.startswith(partial)]
    if not partial and any(candidate.word == ENTER for candidate in found):
        found.append(Candidate("|", "filter or reshape the output"))
    if partial:
        found = [candidate for candidate in found if candidate.word != ENTER]
    return Completion(start, tuple(found))


def candidates(here: Walk, before: tuple[Word, ...], partial: str, context: Context) -> Iterator[Candidate]:
    """Everything that may follow the words before."""
    tail = here.tail or next((value for value in here.state.values if value.tail), None)
    if here.tail is None:
        if here.state.ends is not None and here.state.ends.permitted(context.access):
            yield Candidate(ENTER, here.state.ends.help, hint=True)
        offered = allowed_words(here.state, context)
        for word in offered:
            if partial and partial != word and word.startswith(partial) and f"{word}s" in offered:
                continue  # `show vpo` means `show vports`: who means the other writes it out
            yield Candidate(word, word_help(word, here.state.commands[here.state.words[word]]))
        for value in allowed_values(here.state, context):
            if not value.tail:
                yield from value_candidates(value, here, partial, context, here.state.commands[value])
    if tail is not None:
        yield from tail_candidates(here, tail, before, partial, context)


def tail_candidates(
    here: Walk, tail: Value, before: tuple[Word, ...], partial: str, context: Context
) -> Iterator[Candidate]:
    """What may follow in a tail, and what its grammar has behind it once the tail could end."""
    from commands.language.statement import complete_tail

    after = here.state.after(tail)
    words = before[here.tail_start :] if here.tail else ()
    complete_path = bool(words) and bool(partial)
    for found in complete_tail(tail, words, partial, context, level_of(context, here.words)):
        complete_path = complete_path or found.word == ENTER
        if found.word != ENTER or after.ends is not None:
            yield found
    if complete_path:
        for word in allowed_words(after, context):
            yield Candidate(word, word_help(word, after.commands[after.words[word]]))
        for value in allowed_values(after, context):
            yield from value_candidates(value, here, partial, context, after.commands[value])


def word_help(word: str, commands: list[Command]) -> str:
    """The help of a fixed word: its command's own, the command's help when it is the only one, or the shared one."""
    own = next((command.words[word] for command in commands if word in command.words), "")
    return (
        own
        or ("" if len(commands) > 1 else commands[0].help if ends_with(commands[0], word) else "")
        or shared_help(word)
        or commands[0].help
    )


def ends_with(command: Command, word: str) -> bool:
    """Whether the word belongs to the command's name, that is, stands before any value or option."""
    for part in command.grammar.split():
        if part == word:
            return True
        if part[0] in "[<{":
            return False
    return False


def value_candidates(
    value: Value, here: Walk, partial: str, context: Context, commands: list[Command]
) -> Iterator[Candidate]:
    """The values that could stand here: choices, live values that go on from what is typed, and the type's hint."""
    if value.choices:
        for choice in value.choices:
            yield Candidate(choice, next((each.words[choice] for each in commands if choice in each.words), ""))
        return
    kind = types()[value.type]
    if kind.live is not None:
        for name, help in kind.live(context, here.values, partial):
            yield Candidate(quoted(name), help, live=True)
    yield Candidate(types_hint(value), kind.help, hint=True)


def help_lines(mode: Mode, text: str, context: Context, width: int = 80) -> list[str]:
    """What `?` prints for this text: fixed words and hints with help, live values gathered behind their type."""
    found = complete(mode, text, context).candidates
    if not found:
        return ["  nothing may follow: the line is complete, or has a mistake before this place"]
    live = [candidate for candidate in found if candidate.live]
    rows = [
        (candidate.word, candidate.help)
        for candidate in found
        if not candidate.live and not (candidate.hint and candidate.word != ENTER and live)
    ]
    hints = [candidate for candidate in found if candidate.hint and candidate.word != ENTER]
    if live and len(live) <= SHOWN_VALUES and any(candidate.help for candidate in live):
        rows += [(candidate.word, candidate.help) for candidate in [*live, *hints]]
    elif live:
        names = ", ".join(candidate.word for candidate in live[:SHOWN_VALUES])
        if len(live) > SHOWN_VALUES:
            names += f", ... {len(live) - SHOWN_VALUES} more"
        word, help = (hints[0].word, hints[0].help) if hints else ("<name>", "one of")
        rows.append((word, f"{help}   [{names}]" if help else f"[{names}]"))
    rows.sort(key=lambda row: row[0] == "|")
    column = max(12, *(len(word) for word, _ in rows)) + 2
    lines = []
    for word, help in rows:
        texts = wrapped(help, max(NARROWEST_HELP, width - column - 2)) if width else [help]
        lines.append(f"  {word.ljust(column)}{texts[0]}".rstrip())
        lines += [f"  {' ' * column}{text}" for text in texts[1:]]
    return lines

"""The tails of configure mode's verbs: the schema's own words, relative to the edit level.

Parsing and completion come from data/schema/; this module puts the edit level in front and turns the places
of errors back into places of the operator's line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from commands.language.grammar import Value
from commands.language.lexer import Word
from commands.language.registry import Arguments
from data.errors import SyntaxProblem
from data.path import Path
from data.schema.completion import complete
from data.schema.words import parse_path

if TYPE_CHECKING:
    from commands.context import Context
    from commands.language.complete import Candidate

VERBS = {"statement": "set", "target": "delete", "place": "edit", "part": "show"}
"""Type of a tail in a grammar -> the verb that data/schema/completion.py knows."""


@contextmanager
def places(arguments: Arguments) -> Iterator[None]:
    """Errors in the tail's words get the index they have in the whole line."""
    try:
        yield
    except SyntaxProblem as problem:
        problem.word += arguments.tail_start
        raise


def words_of(arguments: Arguments) -> list[str]:
    """The tail as plain words."""
    return [word.text for word in arguments.tail]


def path_of(context: Context, arguments: Arguments) -> Path:
    """The path that the tail names, below the edit level. Raises SyntaxProblem."""
    with places(arguments):
        return parse_path(words_of(arguments), at=context.level, abbreviations=context.interactive)


def complete_tail(
    tail: Value, before: tuple[Word, ...], partial: str, context: Context, at: Path
) -> Iterator[Candidate]:
    """What may follow in the tail, whose words are relative to `at`, as candidates."""
    from commands.language.complete import ENTER, Candidate

    verb = VERBS.get(tail.type)
    if verb is None:
        yield Candidate(f"<{tail.name}>", "words of the command, up to the end of the line", hint=True)
        return
    words = [word.text for word in before]
    if words == ["dvrs"] and not at and verb in ("set", "edit"):
        for name, stranger in sorted(context.fabric.topology.unknown.items()):
            if name.startswith(partial):
                peer = stranger.ovsdb_peer or stranger.openflow_peer
                yield Candidate(name, f"dials in from {peer}, not configured yet", live=True)
    for found in complete(words, partial, context.configuration, verb=verb, at=at):
        text = f"{found.help}   {found.hint}" if found.hint and found.word else found.help
        if found.word == ENTER or not found.word:
            yield Candidate(found.word or found.hint, text, hint=True)
        else:
            yield Candidate(found.word, text, live=found.live)

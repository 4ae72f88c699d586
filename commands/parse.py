"""Words to a command and its values, or an error that knows which word is wrong and what could stand there.

Abbreviations (interactive sessions alone; files are exact): a unique beginning of a fixed word. Precedence at
each word: the exact fixed word, a live value of that name, a unique abbreviation, any value of the right shape.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands.automaton import State
from commands.grammar import Literal, Token, Value
from commands.lexer import Word
from commands.registry import Arguments, Command, Mode, automaton
from commands.types import types
from data.errors import SyntaxProblem
from data.schema.types import BadValue

if TYPE_CHECKING:
    from commands.context import Context


@dataclass(slots=True)
class Walk:
    """How far some words lead: the state there and what they have given so far."""

    state: State
    values: dict[str, str]
    words: set[str]
    tail: Value | None = None
    tail_start: int = 0


def walk(mode: Mode, words: Sequence[Word], context: Context, abbreviations: bool) -> Walk:
    """Follow the words through the mode's tree. Raises SyntaxProblem."""
    here = Walk(automaton(mode).root, {}, set())
    for index, word in enumerate(words):
        tail = next((value for value in here.state.values if value.tail), None)
        if tail is not None and not (word.text in here.state.words and not word.quoted):
            here.tail, here.tail_start = tail, index
            return here
        token = choose(here, index, word, context, abbreviations)
        if isinstance(token, Literal):
            here.words.add(token.text)
        else:
            here.values[token.name] = value_word(token, word, abbreviations)
        here.state = here.state.after(token)
    return here


def choose(here: Walk, index: int, word: Word, context: Context, abbreviations: bool) -> Token:
    """The edge this word takes. Raises SyntaxProblem."""
    state = here.state
    if not word.quoted and word.text in state.words:
        return state.words[word.text]
    fitting: list[Value] = []
    refusal: BadValue | None = None
    for value in state.values:
        try:
            check(value, word.text, abbreviations)
        except BadValue as problem:
            refusal = problem
        else:
            fitting.append(value)
    for value in fitting:
        if value.choices or is_live(value, word.text, context, here.values):
            return value
    if abbreviations and not word.quoted and word.text:
        begun = [text for text in state.words if text.startswith(word.text)]
        if len(begun) == 1:
            return state.words[begun[0]]
        if begun and not fitting:
            raise SyntaxProblem(
                "",
                f"'{word.text}' is ambiguous: {', '.join(sorted(begun))}",
                "type more of the word",
                word=index,
                expected=sorted(begun),
            )
    if fitting:
        return fitting[0]
    if refusal is not None and not state.words:
        raise SyntaxProblem("", refusal.cause, refusal.remedy, word=index, expected=expected(state))
    if not state.words and not state.values:
        raise SyntaxProblem(
            "", f"nothing may follow here, but '{word.text}' does", "end the line before it", word=index
        )
    raise SyntaxProblem(
        "",
        f"unknown word '{word.text}'",
        f"{close(word.text, state)}expected {listing(expected(state))}",
        word=index,
        expected=expected(state),
    )


def close(word: str, state: State) -> str:
    """'did you mean vports? ' when one word is near enough."""
    found = difflib.get_close_matches(word, sorted(state.words), 1, 0.6)
    return f"did you mean {found[0]}? " if found else ""


def check(value: Value, word: str, abbreviations: bool) -> None:
    """Raise BadValue when the word is not of the value's type."""
    if value.choices:
        value_choice(value, word, abbreviations)
    else:
        types()[value.type].check(word)


def value_choice(value: Value, word: str, abbreviations: bool) -> str:
    """The choice a word means. Raises BadValue."""
    if word in value.choices:
        return word
    begun = [choice for choice in value.choices if choice.startswith(word)] if abbreviations and word else []
    if len(begun) == 1:
        return begun[0]
    raise BadValue(f"'{word}' is not a {value.name}", f"choose one of {', '.join(value.choices)}")


def value_word(value: Value, word: Word, abbreviations: bool) -> str:
    """What the handler gets for this word."""
    return value_choice(value, word.text, abbreviations) if value.choices else word.text


def is_live(value: Value, word: str, context: Context, values: dict[str, str]) -> bool:
    """Whether the word is one of the type's live values now."""
    live = types()[value.type].live
    return live is not None and any(word == name for name, _ in live(context, values, word))


def expected(state: State) -> list[str]:
    """What may come next, as words and hints."""
    return [*sorted(state.words), *(hint for value in state.values for hint in (value.choices or (types_hint(value),)))]


def types_hint(value: Value) -> str:
    """The hint of a value's type."""
    known = types().get(value.type)
    return known.hint if known else f"<{value.name}>"


def listing(words: Sequence[str]) -> str:
    """Words as a phrase."""
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else "".join(words) or "nothing"


def parse(mode: Mode, words: Sequence[Word], context: Context, abbreviations: bool) -> tuple[Command, Arguments]:
    """The command the words mean, with its values. Raises SyntaxProblem, whose `word` is an index into `words`."""
    here = walk(mode, words, context, abbreviations)
    if here.tail is not None:
        command = here.state.commands[here.tail][0]
        return command, Arguments(here.values, frozenset(here.words), tuple(words[here.tail_start :]), here.tail_start)
    if here.state.ends is None:
        raise SyntaxProblem(
            "",
            "the command is not complete",
            f"expected {listing(expected(here.state))}",
            word=len(words),
            expected=expected(here.state),
        )
    return here.state.ends, Arguments(here.values, frozenset(here.words), (), len(words))

"""Words to a command and its values, or an error that knows which word is wrong and what could stand there.

Abbreviations (interactive sessions alone; files are exact): a unique beginning of a fixed word. Precedence at
each word: the exact fixed word, a live value of that name, a unique abbreviation, any value of the right shape.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands.language.automaton import State
from commands.language.grammar import Literal, Token, Value
from commands.language.habits import advice
from commands.language.lexer import Word
from commands.language.registry import Arguments, Command, Mode, automaton
from commands.language.types import types
from data.errors import SyntaxProblem
from data.schema.redaction import redacted
from data.schema.types import BadValue

if TYPE_CHECKING:
    from commands.context import Context


PREPOSITIONS = ("by", "from", "of", "to")
"""Words before a choice that are no name of it."""
LISTED = 8
"""Words that an error names as what could have stood in a place; of more it says how to list them."""


@dataclass(slots=True)
class Walk:
    """How far some words lead: the state there and what they have given so far.

    `tail` is one that is still open: everything up to the end of the line belongs to it.
    """

    state: State
    values: dict[str, str]
    words: set[str]
    tail: Value | None = None
    tail_start: int = 0
    tail_words: tuple[Word, ...] = ()


def walk(mode: Mode, words: Sequence[Word], context: Context, abbreviations: bool) -> Walk:
    """Follow the words through the mode's tree. Raises SyntaxProblem."""
    here = Walk(automaton(mode).root, {}, set(), tail_start=len(words))
    behind = 0
    for index, word in enumerate(words):
        if index < behind:
            continue
        tail = next((value for value in here.state.values if value.tail), None)
        if tail is not None and not (word.text in here.state.words and not word.quoted):
            after = here.state.after(tail)
            behind = end_of_tail(after, words, index)
            here.tail_start, here.tail_words = index, tuple(words[index:behind])
            if behind == len(words):
                here.tail = tail
                return here
            here.state = after
            continue
        token = choose(here, index, words, context, abbreviations)
        if isinstance(token, Literal):
            here.words.add(token.text)
        else:
            here.values[token.name] = value_word(token, word, abbreviations)
        here.state = here.state.after(token)
    return here


def end_of_tail(after: State, words: Sequence[Word], start: int) -> int:
    """Where the tail that begins at `start` ends: before the last word that its grammar has behind it, so that names in
    the tail may be like that word; at the end of the line when there is none.
    """
    return next((at for at in range(len(words) - 1, start, -1) if closes_at(after, words, at)), len(words))


def closes_at(after: State, words: Sequence[Word], at: int) -> bool:
    """Whether this word stands behind the tail: a fixed word, or at the end of the line a text in quotes."""
    word = words[at]
    if word.quoted:
        return at == len(words) - 1 and any(not value.tail for value in after.values)
    return word.text in after.words


def meant(begun: list[str]) -> list[str]:
    """The words that an abbreviation can mean: of a list and what begins with the name of its things, the list:
    `show dom` is `show domains` also where there is `show domain-template`.
    """
    lists = [text for text in begun if text.endswith("s") and all(other.startswith(text[:-1]) for other in begun)]
    return lists[:1] or begun


def choose(here: Walk, index: int, words: Sequence[Word], context: Context, abbreviations: bool) -> Token:
    """The edge the word at `index` takes. Raises SyntaxProblem."""
    state, word = here.state, words[index]
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
    offered = allowed_words(state, context)
    if abbreviations and not word.quoted and word.text:
        begun = meant([text for text in offered if text.startswith(word.text)])
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
    if redacted(word.text) != word.text:  # a secret glued to its keyword, or a whole line about one in quotes
        raise SyntaxProblem(
            "",
            "this word is not known here",
            wanted(state, context, words[:index]),
            word=index,
            expected=expected(state, context),
        )
    if word.text == "?" and not word.quoted:  # a prompt answers that key itself; -c, batches and SSH commands send it
        before = " ".join(each.text for each in words[:index])
        raise SyntaxProblem(
            "",
            "'?' is a key of the prompt",
            f"'help {before}' lists what may stand here" if before else "'help' lists the commands",
            word=index,
            expected=expected(state, context),
        )
    if refusal is not None and not state.words:
        raise SyntaxProblem("", refusal.cause, refusal.remedy, word=index, expected=expected(state, context))
    if not state.words and not state.values:
        raise SyntaxProblem(
            "", f"nothing may follow here, but '{word.text}' does", "end the line before it", word=index
        )
    raise SyntaxProblem(
        "",
        f"unknown word '{word.text}'",
        close(word.text, offered) + wanted(state, context, words[:index]),
        word=index,
        expected=expected(state, context),
    )


def allowed_words(state: State, context: Context) -> list[str]:
    """The fixed words that lead to a command which the user may use; not those that are for programs alone."""
    access = context.access
    return sorted(
        text
        for text, token in state.words.items()
        if any(each.permitted(access) and each.audited for each in state.commands[token])
    )


def allowed_values(state: State, context: Context) -> list[Value]:
    """The same for values."""
    access = context.access
    return [value for value in state.values if any(each.permitted(access) for each in state.commands[value])]


def close(word: str, words: Sequence[str]) -> str:
    """'did you mean vports? ' when one word is near enough."""
    found = difflib.get_close_matches(word, words, 1, 0.6)
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
    wrong = f"cannot stand behind '{value.name}'" if value.name in PREPOSITIONS else f"is not a {value.name}"
    raise BadValue(f"'{word}' {wrong}", f"choose one of {', '.join(value.choices)}")


def value_word(value: Value, word: Word, abbreviations: bool) -> str:
    """What the handler gets for this word."""
    return value_choice(value, word.text, abbreviations) if value.choices else word.text


def is_live(value: Value, word: str, context: Context, values: dict[str, str]) -> bool:
    """Whether the word is one of the type's live values now."""
    live = types()[value.type].live
    return live is not None and any(word == name for name, _ in live(context, values, word))


def expected(state: State, context: Context) -> list[str]:
    """What may come next, as words and hints."""
    hints = [hint for value in allowed_values(state, context) for hint in value_words(value, context)]
    return [*allowed_words(state, context), *hints]


def value_words(value: Value, context: Context) -> tuple[str, ...]:
    """What a value may be: its choices, the words with which a tail may begin, or the hint of its type."""
    from commands.language.statement import complete_tail

    if value.tail:
        words = (found.word for found in complete_tail(value, (), "", context, context.level) if not found.hint)
        return tuple(words) or (types_hint(value),)
    return value.choices or (types_hint(value),)


def wanted(state: State, context: Context, before: Sequence[Word]) -> str:
    """What may come next, as a remedy: the words themselves, or who lists them when they are too many to read."""
    words = expected(state, context)
    if not words and before:  # there are some, but for other classes
        return "your class has no such commands; 'help' lists those that it has"
    if len(words) <= LISTED or state is automaton(Mode.PIPE).root:
        return f"expected {listing(words)}"
    return f"'{' '.join(['help', *(word.text for word in before)])}' lists what may stand there"


def types_hint(value: Value) -> str:
    """The hint of a value's type."""
    known = types().get(value.type)
    return known.hint if known else f"<{value.name}>"


def listing(words: Sequence[str]) -> str:
    """Words as a phrase."""
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else "".join(words) or "nothing"


def parse(mode: Mode, words: Sequence[Word], context: Context, abbreviations: bool) -> tuple[Command, Arguments]:
    """The command the words mean, with its values.

    Raises SyntaxProblem, whose `word` is an index into `words`, and NotPermitted: this is where verbs are refused.
    """
    try:
        return understood(mode, words, context, abbreviations)
    except SyntaxProblem as problem:
        problem.remedy = advice(mode, words) or problem.remedy
        raise


def understood(mode: Mode, words: Sequence[Word], context: Context, abbreviations: bool) -> tuple[Command, Arguments]:
    """The same without a word about other platforms."""
    here = walk(mode, words, context, abbreviations)
    state = here.state if here.tail is None else here.state.after(here.tail)
    if state.ends is None:
        raise SyntaxProblem(
            "",
            "the command is not complete",
            wanted(state, context, words),
            word=len(words),
            expected=expected(state, context),
        )
    command = permitted(state.ends, words, context)
    return command, Arguments(here.values, frozenset(here.words), here.tail_words, here.tail_start)


def permitted(command: Command, words: Sequence[Word], context: Context) -> Command:
    """The command itself. Raises NotPermitted when the user's class does not allow it."""
    context.access.refuse_verb(command.permission, command.confined, " ".join(word.text for word in words))
    return command

"""Any line through lexer, parser, completion and help: NshellError or nothing, what is offered is understood, soon."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

from commands.language.complete import ENTER, complete, help_lines
from commands.language.lexer import Word, lex, split_pipes
from commands.language.parse import Walk, allowed_words, parse, walk
from commands.language.registry import Mode
from commands.session.aliases import expand
from data.errors import NshellError
from data.path import Path
from data.schema.tokens import split, tokens
from tests.fuzz.lines import lines
from tests.fuzz.runs import SIZES, bounded, fuzzed, soon
from tests.unit.shell.pretend import LINES, PretendContext, running

EXTRA = """
set alias sv command "show vports"
set alias loop command "loop | match x"
set alias odd command "show \\"vports"
set user ops class super-user password ******** alias mine command "show version"
set enterprise acme description "with | and [ ] and #"
set enterprise acme domain prod vport 7 subnet web1
set enterprise acme domain prod vport detail subnet web1
"""
LEVELS: tuple[Path, ...] = (
    (),
    ("enterprise", "acme"),
    ("enterprise", "acme", "domain", "prod"),
    ("user", "ops"),
    ("system",),
)
MODES = (Mode.OPERATIONAL, Mode.CONFIGURE)
Where = tuple[Mode, Path, bool]
"""Mode, edit level, and whether somebody types: what a session is."""


class Pretended(PretendContext):
    """One where no commit waits for its time."""

    schedule = SimpleNamespace(rows=list)


@cache
def contexts() -> dict[Where, PretendContext]:
    """A session for each mode, edit level and kind of operator."""
    state = running(LINES + EXTRA)
    return {
        (mode, level, interactive): Pretended(state, mode=mode, level=level, interactive=interactive)
        for mode in MODES
        for level in (LEVELS if mode is Mode.CONFIGURE else ((),))
        for interactive in (False, True)
    }


def any_line(mode: Mode) -> st.SearchStrategy[tuple[Where, str]]:
    """A session in this mode and a line for it."""
    return st.tuples(st.sampled_from([where for where in contexts() if where[0] is mode]), lines(mode))


any_session_and_line = st.sampled_from(MODES).flatmap(any_line)


def reached(context: PretendContext, text: str) -> Walk:
    """Where the words of the line's last part lead. Raises NshellError."""
    line = lex(text)
    parts = split_pipes(expand(line, context.mode, context).words)
    return walk(Mode.PIPE if len(parts) > 1 else context.mode, parts[-1], context, True)


@fuzzed(400, any_session_and_line)
def test_any_line_is_understood_or_refused_in_words(drawn: tuple[Where, str]) -> None:
    context, text = contexts()[drawn[0]], drawn[1]
    with soon():
        line = lex(text)
        places = [place for word in line.words for place in (word.start, word.end)]
        assert places == sorted(places) and all(0 <= place <= len(text) for place in places)
        try:
            expanded = expand(line, context.mode, context)
            for number, part in enumerate(split_pipes(expanded.words)):
                parse(Mode.PIPE if number else context.mode, part, context, context.interactive)
        except NshellError as problem:
            assert str(problem) and problem.cause


@fuzzed(400, any_session_and_line)
def test_whatever_is_offered_for_a_line_is_understood_when_it_is_typed(drawn: tuple[Where, str]) -> None:
    context, text = contexts()[drawn[0]], drawn[1]
    with soon():
        found = complete(context.mode, text, context)
        assert 0 <= found.start <= len(text)
        for candidate in found.candidates[:20]:
            if candidate.hint:
                continue
            typed = text[: found.start] + candidate.word + " "
            if candidate.help.startswith("alias: "):
                continue  # what it stands for may be anything
            here = reached(context, typed)
            if here.tail is None and any(value.tail for value in here.state.values):
                continue  # a verb whose objects are not there: `delete` where nothing is set
            after = complete(context.mode, typed, context)
            assert after.candidates, (typed, "nothing may follow what was offered")


@fuzzed(200, any_session_and_line)
def test_an_offered_command_is_a_command(drawn: tuple[Where, str]) -> None:
    """Where <enter> is offered, the line is complete for the parser, too."""
    context, text = contexts()[drawn[0]], drawn[1]
    if '"' in text or "\\" in text or lex(text).text != expanded_text(context, text):
        return
    if any(candidate.word == ENTER for candidate in complete(context.mode, text, context).candidates):
        parts = split_pipes(lex(text).words)
        parse(Mode.PIPE if len(parts) > 1 else context.mode, parts[-1], context, True)


def expanded_text(context: PretendContext, text: str) -> str:
    try:
        return expand(lex(text), context.mode, context).text
    except NshellError:
        return ""


@fuzzed(200, any_session_and_line)
def test_the_shortest_beginning_of_a_fixed_word_that_is_its_own_stands_for_it(
    drawn: tuple[Where, str],
) -> None:
    context, text = contexts()[drawn[0]], drawn[1]
    words = split_pipes(lex(text).words)[0]
    for end in range(min(len(words), 6)):
        before = words[:end]
        try:
            here = walk(context.mode, before, context, True)
        except NshellError:
            return
        if here.tail is not None or any(value.tail for value in here.state.values):
            return
        offered = allowed_words(here.state, context)
        for word in offered:
            short = next(
                (word[:size] for size in range(1, len(word)) if sum(o.startswith(word[:size]) for o in offered) == 1),
                None,
            )
            if short is None or short in offered or here.state.values:
                continue
            abbreviated = walk(context.mode, (*before, Word(short, 0, len(short))), context, True)
            assert abbreviated.state is walk(context.mode, (*before, Word(word, 0, len(word))), context, True).state
            with pytest.raises(NshellError):
                walk(context.mode, (*before, Word(short, 0, len(short))), context, False)


@fuzzed(200, any_session_and_line, st.integers(0, 200))
def test_help_for_any_line_is_lines_without_control_characters(drawn: tuple[Where, str], width: int) -> None:
    context, text = contexts()[drawn[0]], drawn[1]
    with soon():
        shown = help_lines(context.mode, text, context, width)
    assert shown and all("\n" not in line for line in shown)


@fuzzed(300, lines(Mode.CONFIGURE))
def test_the_lexer_of_prompts_and_that_of_files_cut_a_plain_line_alike(text: str) -> None:
    if any(character in text for character in '"#|\\') or text.strip() != text.strip(" \t\r\n"):
        return
    plain = "".join(character if character.isprintable() or character in "\t" else "x" for character in text)
    assert [word.text for word in lex(plain).words] == split(plain) == [token.text for token in tokens(plain)]


@pytest.mark.parametrize("longer", SIZES)
def test_long_lines_cost_their_length(longer: int) -> None:
    """64 KiB of the same in every mode: what an operator may send in one line."""
    pieces = [
        "a ",
        '"',
        "\\",
        "[",
        "] ",
        "| ",
        "show ",
        "set ",
        "enterprise a ",
        '"a" ',
        "x",
        "# ",
        "show vports | ",
        "[ ",
        " ",
    ]
    limit = 64 * 1024

    def check(start: str, piece: str, where: Where) -> None:
        text = (start + piece * (limit // len(piece)))[:limit]
        context = contexts()[where]
        with soon():
            try:
                for part in split_pipes(expand(lex(text), context.mode, context).words)[:50]:
                    parse(context.mode, part, context, True)
            except NshellError as problem:
                assert str(problem)
        with soon():
            complete(context.mode, text, context)

    from hypothesis import given

    bounded(30 * longer)(
        given(
            st.sampled_from(["", "show ", "set ", "set enterprise acme description ", "run show vports "]),
            st.sampled_from(pieces),
            st.sampled_from(list(contexts())),
        )(check)
    )()

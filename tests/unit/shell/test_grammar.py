"""The grammar engine: strings to trees, words to commands, and the errors that name the word that is wrong."""

from __future__ import annotations

import time

import pytest

from commands.language.automaton import Automaton
from commands.language.complete import ENTER, complete, help_lines
from commands.language.grammar import BadGrammar, compile_grammar
from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode, automaton, commands
from commands.language.types import types
from data.errors import SyntaxProblem
from tests.unit.shell.pretend import PretendContext


def words_of(text: str, context: PretendContext) -> list[str]:
    """What may come next, as words."""
    return [candidate.word for candidate in complete(context.mode, text, context).candidates]  # type: ignore[arg-type]


def parsed(text: str, context: PretendContext, abbreviations: bool = False) -> tuple[str, dict[str, str]]:
    """The grammar of the command a line means, and its values."""
    found, arguments = parse(context.mode, lex(text).words, context, abbreviations)  # type: ignore[arg-type]
    return found.grammar, dict(arguments.values)


def refused(text: str, context: PretendContext, abbreviations: bool = False) -> SyntaxProblem:
    """The error of a line."""
    with pytest.raises(SyntaxProblem) as caught:
        parse(context.mode, lex(text).words, context, abbreviations)  # type: ignore[arg-type]
    return caught.value


@pytest.fixture
def context() -> PretendContext:
    return PretendContext()


def test_quotes_keep_blanks_and_pipes_and_a_hash_begins_a_comment() -> None:
    line = lex('match "a | b" | count # how many')
    assert [word.text for word in line.words] == ["match", "a | b", "|", "count"]
    assert [[word.text for word in part] for part in split_pipes(line.words)] == [["match", "a | b"], ["count"]]
    assert not line.open_quote


def test_a_line_that_ends_inside_a_quote_is_seen_as_unfinished() -> None:
    assert lex('commit comment "half').open_quote


def test_brackets_stand_alone_as_in_set_lines() -> None:
    assert [word.text for word in lex("address [10.0.0.1 10.0.0.2]").words] == [
        "address", "[", "10.0.0.1", "10.0.0.2", "]"]  # fmt: skip


@pytest.mark.parametrize("text", ["show [x", "show x]", "show {a|b", "show <x"])
def test_a_grammar_string_with_a_mistake_is_refused_when_declared(text: str) -> None:
    with pytest.raises(BadGrammar):
        compile_grammar(text)


def test_every_type_that_a_grammar_names_exists() -> None:
    def named(nodes: object) -> set[str]:
        if hasattr(nodes, "items"):
            return set().union(*(named(item) for item in nodes.items))
        return {nodes.type} if hasattr(nodes, "type") and not nodes.choices and not nodes.tail else set()

    for mode in Mode:
        for command in commands(mode):
            assert named(command.nodes) <= set(types()), command.grammar


def test_no_two_commands_of_a_mode_end_in_the_same_place() -> None:
    for mode in Mode:
        grammars = [command.grammar for command in commands(mode)]
        assert len(grammars) == len(set(grammars))


def test_options_come_in_any_order_and_each_at_most_once(context: PretendContext) -> None:
    first = parsed("show vports enterprise acme domain prod type vm detail", context)
    second = parsed("show vports detail type vm enterprise acme domain prod", context)
    assert first == second
    problem = refused("show vports detail type vm detail", context)
    assert problem.word == 5


def test_an_inner_option_needs_the_outer_one(context: PretendContext) -> None:
    assert refused("show vports domain prod", context).cause.startswith("nothing may follow") is False


def test_an_unknown_word_names_its_place_and_what_was_expected(context: PretendContext) -> None:
    problem = refused("show vprots", context)
    assert problem.word == 1
    assert "vports" in problem.remedy


def test_a_missing_word_is_placed_behind_the_line(context: PretendContext) -> None:
    problem = refused("show routes enterprise acme", context)
    assert problem.word == 4
    assert "domain" in problem.expected


def test_abbreviations_are_taken_interactively_and_refused_in_files(context: PretendContext) -> None:
    assert parsed("sh vpo ent acme det", context, True)[0].startswith("show vports")
    assert parsed("sh dom", context, True)[0].startswith("show domains")
    assert parsed("show domain-t", context, True)[0].startswith("show domain-template")
    assert parsed("show vport", context, True)[0].startswith("show vport ")
    assert refused("sh vports", context).word == 0


def test_an_ambiguous_abbreviation_lists_what_it_could_mean(context: PretendContext) -> None:
    problem = refused("show d", context, True)
    assert "domains" in problem.cause and "dvrs" in problem.cause


def test_a_live_name_wins_over_an_abbreviation(context: PretendContext) -> None:
    assert parsed("show dvrs hv1", context, True)[1] == {"dvrs": "hv1"}
    assert parsed("show dvrs det", context, True)[1] == {}


def test_a_choice_after_a_word_is_that_words_value(context: PretendContext) -> None:
    assert parsed("show vports type bridge", context)[1] == {"type": "bridge"}
    assert "choose one of" in refused("show vports type cow", context).remedy


def test_completion_offers_live_names_below_those_already_given(context: PretendContext) -> None:
    assert words_of("show vports enterprise ", context) == ["acme", "umbrella", "<enterprise>"]
    assert "prod" in words_of("show vports enterprise acme domain ", context)
    assert "lab" not in words_of("show vports enterprise acme domain ", context)
    assert "web1" in words_of("show vports enterprise acme domain prod subnet ", context)


def test_completion_offers_full_names_once_a_slash_is_typed(context: PretendContext) -> None:
    assert "web1" in words_of("show statistics subnet ", context)
    assert "acme/prod/web1" in words_of("show statistics subnet acme/", context)
    assert words_of("show statistics subnet acme/prod/web1", context)[:1] == ["acme/prod/web1"]
    assert "acme/prod" in words_of("show statistics domain acme/", context)
    assert words_of("show statistics zone nobody/", context) == ["<zone>"]


def test_completion_goes_on_from_what_is_typed_and_offers_nothing_after_a_mistake(context: PretendContext) -> None:
    assert words_of("show vp", context) == ["vports"]
    assert words_of("show vport", context) == ["vport", "vports"]
    assert words_of("show nonsense ", context) == []


def test_completion_after_a_pipe_offers_pipes(context: PretendContext) -> None:
    assert "match" in words_of("show vports | ", context)
    assert words_of("show vports | disp", context) == ["display"]
    assert words_of("show vports | display ", context) == ["set", "json", "inheritance"]


def test_a_complete_line_offers_enter_and_a_pipe(context: PretendContext) -> None:
    offered = words_of("show vports ", context)
    assert offered[0] == ENTER and offered[-1] == "|"


def test_configure_mode_completes_the_words_of_the_schema_from_the_edit_level(context: PretendContext) -> None:
    context.mode = Mode.CONFIGURE
    assert words_of("set ent", context) == ["enterprise"]
    context.level = ("enterprise", "acme", "domain", "prod")
    assert "web-1" in words_of("set vport ", context)
    assert "web1" in words_of("set vport web-9 subnet ", context)


def test_operational_commands_stand_behind_run_in_configure_mode(context: PretendContext) -> None:
    context.mode = Mode.CONFIGURE
    assert parsed("run show version", context)[0] == "run show version"
    assert "configure" not in words_of("run ", context)


def test_help_shows_words_with_help_and_gathers_live_values(context: PretendContext) -> None:
    text = "\n".join(help_lines(Mode.OPERATIONAL, "show vports enterprise ", context))  # type: ignore[arg-type]
    assert "[acme, umbrella]" in text
    text = "\n".join(help_lines(Mode.OPERATIONAL, "show ", context))  # type: ignore[arg-type]
    assert all(word in text for word in ("dvrs", "vports", "flows", "hypervisors"))


def test_help_of_every_word_of_every_command_says_something(context: PretendContext) -> None:
    for mode in (Mode.OPERATIONAL, Mode.CONFIGURE, Mode.PIPE):
        for command in commands(mode):
            assert command.help and not command.help.endswith("."), command.grammar


def test_a_state_is_made_once(context: PretendContext) -> None:
    tree = Automaton(commands(Mode.OPERATIONAL))
    show = tree.root.after(tree.root.words["show"])
    assert tree.root.after(tree.root.words["show"]) is show


def test_a_completion_costs_less_than_five_milliseconds(context: PretendContext) -> None:
    complete(Mode.OPERATIONAL, "show vports enterprise acme domain ", context)  # type: ignore[arg-type]
    began = time.perf_counter()
    for _ in range(20):
        complete(Mode.OPERATIONAL, "show vports enterprise acme domain ", context)  # type: ignore[arg-type]
    assert (time.perf_counter() - began) / 20 < 0.005
    assert automaton(Mode.OPERATIONAL) is automaton(Mode.OPERATIONAL)

"""Remedies for what people of other platforms type, help in words, and a verb behind `top`."""

from __future__ import annotations

import pytest

from commands.language.complete import complete
from commands.language.habits import CONFIGURING, OPERATIONAL, advice
from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from data.errors import NshellError
from nshell.terminal.pasted import Pasted
from tests.unit.shell.pretend import PretendContext
from views.wrapping import indented


def understood(line: str, mode: Mode) -> bool:
    try:
        parse(mode, lex(line).words, PretendContext(mode=mode), False)  # type: ignore[arg-type]
    except NshellError:
        return False
    return True


def remedy(line: str, mode: Mode = Mode.OPERATIONAL) -> str:
    return advice(mode, lex(line).words)


def words(line: str, context: PretendContext) -> list[str]:
    return [candidate.word for candidate in complete(context.mode, line, context).candidates]  # type: ignore[arg-type]


@pytest.mark.parametrize(("mode", "lines"), [(Mode.OPERATIONAL, OPERATIONAL), (Mode.CONFIGURE, CONFIGURING)])
def test_nothing_that_is_a_command_is_called_a_habit(mode: Mode, lines: dict[str, str]) -> None:
    assert not [line for line in lines if understood(line, mode)]


def test_the_longest_beginning_decides_and_words_may_be_shortened() -> None:
    assert remedy("show system uptime") == OPERATIONAL["show system uptime"]
    assert remedy("sh int brief") == OPERATIONAL["show interfaces"]
    assert remedy("conf t") == "here it is 'configure'"
    assert remedy("s") == "" and remedy("frobnicate") == ""


def test_a_command_is_not_short_for_a_word_of_other_platforms() -> None:
    assert remedy("traceroute 10.1.1.1") == OPERATIONAL["traceroute"]
    for mode, run in ((Mode.OPERATIONAL, ""), (Mode.CONFIGURE, "run ")):
        for line in ("trace from web-1 to app-1 protocol tpc", "tra from web-1 to app-1 fragment middle"):
            assert remedy(run + line, mode) == "", "its own error says what could have stood there"
    assert remedy("who") == OPERATIONAL["who"] and remedy("wh flow") == ""


def test_what_stands_behind_a_command_of_ours_on_other_routers_has_a_remedy() -> None:
    assert understood("show bgp neighbors", Mode.OPERATIONAL)
    assert "show bgp received" in remedy("show bgp neighbors pe received-routes")
    assert "show bgp advertised" in remedy("run show bgp neighbors pe advertised-routes", Mode.CONFIGURE)


def test_configure_mode_sends_to_run_and_repeats_no_word_of_the_line() -> None:
    assert remedy("ping 192.0.2.1", Mode.CONFIGURE) == "'ping' is an operational command: 'run ping ...'"
    assert remedy("run show users", Mode.CONFIGURE) == OPERATIONAL["show users"]
    assert remedy("copy running-config", Mode.CONFIGURE) == "", "a command of its own says itself what it lacks"
    assert "hunter2" not in remedy("monitor password hunter2", Mode.CONFIGURE)


def test_what_stands_behind_top_is_completed_from_the_top() -> None:
    context = PretendContext(mode=Mode.CONFIGURE, level=("enterprise", "acme"))
    assert "dvrs" in words("top set ", context) and "dvrs" not in words("set ", context)
    assert "hv1" in words("top delete dvrs ", context)
    assert "commit" not in words("top ", context)


def test_what_stands_behind_help_is_completed_as_if_it_began_the_line() -> None:
    context = PretendContext()
    assert words("help show vpo", context) == ["vports"]
    assert "complete" not in words("", context), "for programs"


def test_a_paste_is_its_lines_and_what_has_no_end_yet() -> None:
    pasted = Pasted()
    assert pasted.add("one") == ("one", False) and pasted.line() is None and pasted.rest() == ""
    assert pasted.add("one\r\ntwo\rthree\t3\nfo") == ("one", True)
    assert [pasted.line(), pasted.line(), pasted.line()] == ["two", "three 3", None]
    assert pasted.rest() == "fo" and pasted.rest() == ""
    pasted.add("a\nb\nc\n")
    pasted.clear()
    assert pasted.line() is None and pasted.rest() == ""


def test_text_is_broken_between_words_behind_its_indent() -> None:
    assert indented("one two three", "  ", 9) == ["  one two", "  three"]
    assert indented("one two three", "  ", 0) == ["  one two three"]

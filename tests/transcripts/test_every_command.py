"""Every command that is declared stands in a transcript, to be replayed over the socket, over SSH and with -c."""

from __future__ import annotations

from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Command, Mode, automaton, commands
from data.errors import NshellError
from tests.transcripts.test_transcripts import FILES, steps
from tests.unit.shell.pretend import PretendContext

ELSEWHERE = {
    "tools": "needs an agent on a hypervisor: tests/system/seen/test_shows.py",
    "request dvrs": "prints a secret that is new each time: tests/system/switches/test_trust.py",
    "show certificates": "says when: tests/system/switches/test_trust.py",
    "show agents": "needs an agent: tests/system/seen/test_shows.py",
    "monitor": "goes on until ctrl-c: tests/transcripts/test_live.py",
    "ping": "tests/transcripts/test_live.py",
    "request session": "needs two sessions: tests/transcripts/test_live.py",
    "show audit": "says when and from where: tests/system/sessions/test_two_operators.py",
    "dashboard": "full screen: tests/system/seen/test_dashboard.py",
    "complete": "for programs: tests/transcripts/test_completion.py",
}
"""Beginnings of the commands that a text without hypervisors, clocks and other people cannot hold."""


def meant(line: str, mode: Mode) -> set[Command]:
    """The command of a line, and those of its pipes."""
    found = set()
    first, *pipes = split_pipes(lex(line).words)
    context = PretendContext(mode=mode)
    for words, where in [(first, mode), *((words, Mode.PIPE) for words in pipes)]:
        try:
            found.add(parse(where, words, context, False)[0])
        except NshellError:
            continue  # transcripts of bad input
    return found


def test_every_command_is_in_a_transcript() -> None:
    lines = [line for file in FILES for step in steps(file.read_text()) for line in step.commands]
    used = {
        (command.mode, command.handler)
        for line in lines
        for mode in (Mode.OPERATIONAL, Mode.CONFIGURE)
        for command in meant(line, mode)
    }
    used |= {(Mode.OPERATIONAL, handler) for mode, handler in used if mode is Mode.CONFIGURE}
    missing = [
        f"{mode.value}: {command.grammar}"
        for mode in Mode
        for command in commands(mode)
        if (mode, command.handler) not in used
        and not command.grammar.startswith("run ")
        and not any(command.grammar.startswith(beginning) for beginning in ELSEWHERE)
    ]
    assert not missing, "\n".join(missing)


def test_what_is_said_to_be_elsewhere_is_a_command() -> None:
    for beginning in ELSEWHERE:
        assert beginning.split()[0] in automaton(Mode.OPERATIONAL).root.words
        assert any(command.grammar.startswith(beginning) for command in commands(Mode.OPERATIONAL)), beginning

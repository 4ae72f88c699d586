"""Commands that go on, at a terminal: drawn in place, ended by ctrl-c; and sessions that stand in each other's way."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.transcripts.shell import Shell
from tests.transcripts.test_interactive import CONFIGURATION, Person

PATIENCE = 10.0
"""Seconds until something has to be there."""


@pytest.fixture
def person(shell: Shell) -> Iterator[Person]:
    assert shell.commands(*CONFIGURATION).returncode == 0
    made = Person(shell)
    yield made
    made.child.close(force=True)


@pytest.fixture
def other(person: Person, shell: Shell) -> Iterator[Person]:
    """A second session of the same user."""
    made = Person(shell)
    yield made
    made.child.close(force=True)


def test_refresh_draws_in_place_until_ctrl_c_and_the_session_goes_on(person: Person) -> None:
    person.type("show vports | refresh 1\r")
    person.see("ctrl-c ends it")
    person.child.expect(re.escape("\x1b[?2026h\x1b[H"))
    person.see("No. of virtual ports")
    person.type("\x03")
    assert "^C" in person.prompt()
    assert "No. of enterprises: 2" in person.line("show enterprises")


def test_monitor_tells_events_as_they_happen(person: Person, shell: Shell) -> None:
    person.type("monitor events kind commit\r")
    time.sleep(0.3)
    assert shell.commands("set enterprise later", "commit").returncode == 0
    person.see("revision 3 by ")
    person.type("\x03")
    person.prompt()


def test_a_filter_on_events_acts_on_each(person: Person, shell: Shell) -> None:
    person.type('monitor events | match "revision 4"\r')
    time.sleep(0.3)
    assert shell.commands("set enterprise later", "commit", "delete enterprise later", "commit").returncode == 0
    assert "revision 3 by" not in person.see("revision 4 by ")
    person.type("\x03")
    person.prompt()


@pytest.mark.quiet
def test_ctrl_c_ends_a_one_shot_monitor_and_nothing_stays_behind(shell: Shell) -> None:
    assert shell.commands("show version").returncode == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "nshell.main", "-c", "monitor events"], env=shell.environment, cwd=shell.work,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background a shell ignores ctrl-c
    )  # fmt: skip
    try:
        time.sleep(1.0)
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 130
    finally:
        child.kill()
        child.wait()
    deadline = time.monotonic() + PATIENCE
    while "No. of sessions: 1 " not in shell.commands("show sessions").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_terminal_length_0_ends_paging_as_programs_want_it(shell: Shell) -> None:
    person = Person(shell, rows=10)
    try:
        assert "Screen length set to 0" in person.line("set cli screen-length 0")
        assert "--more--" not in person.line("show configuration | display json")
        assert "Screen width set to 511" in person.line("set cli screen-width 511")
        assert "Disabling complete-on-space" in person.line("set cli complete-on-space off")
        assert "Entering configuration mode" in person.line("configure", "#")
        person.line("exit configuration-mode")
    finally:
        person.child.close(force=True)


def test_who_configures_exclusively_keeps_the_others_out(person: Person, other: Person) -> None:
    assert "Entering configuration mode" in person.line("configure exclusive", "#")
    refused = other.line("configure")
    assert "configures exclusively since" in refused and "from local pid" in refused and "disconnect" in refused
    assert "configures exclusively" in other.line("configure exclusive")
    person.line("exit")
    assert "Entering configuration mode" in other.line("configure exclusive", "#")
    other.child.close(force=True)
    deadline = time.monotonic() + PATIENCE
    while "Entering configuration mode" not in person.line("configure", ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_somebody_who_is_configuring_already_cannot_commit_meanwhile(person: Person, other: Person) -> None:
    other.line("configure", "#")
    assert "Entering configuration mode" in person.line("configure exclusive", "#")
    other.line("set enterprise third", "#")
    assert "configures exclusively" in other.line("commit", "#")
    person.line("exit")
    assert "commit complete" in other.line("commit", "#")


def test_a_session_can_be_ended_and_its_right_with_it(person: Person, other: Person) -> None:
    person.line("configure exclusive", "#")
    holder = re.search(r"^ *(\d+) .*configure", other.line("show sessions"), re.MULTILINE)
    assert holder is not None
    assert "ends" in other.line(f"request session {holder[1]} disconnect")
    person.see("ended this session")
    assert person.leave() == 1
    assert "Entering configuration mode" in other.line("configure exclusive", "#")


def test_an_alias_is_offered_and_completed(person: Person) -> None:
    person.line("configure", "#")
    person.line('set alias vp command "show vports enterprise"', "#")
    person.line("commit and-quit")
    person.type("?")
    person.see("alias: show vports enterprise")
    person.prompt()
    person.type("vp um\t| count\r")
    person.see("Count: 0 virtual ports")


def test_words_of_state_are_in_colour_unless_no_color_says_otherwise(shell: Shell) -> None:
    assert shell.commands("set dvrs hv1 tunnel-address 172.31.0.1", "commit").returncode == 0
    person = Person(shell)
    try:
        person.type("show dvrs\r")
        person.see("\x1b[31maway\x1b[0m")
        person.prompt()
        person.line("terminal color off")
        person.type("show dvrs | match away\r")
        person.see(" away ")
        assert "\x1b" not in shell.commands("show dvrs").stdout
    finally:
        person.child.close(force=True)
    shell.environment["NO_COLOR"] = "1"
    person = Person(shell)
    try:
        person.type("show dvrs\r")
        person.see(" away ")
    finally:
        person.child.close(force=True)


def test_a_terminal_without_cursor_movements_gets_a_plain_line(shell: Shell) -> None:
    shell.environment["TERM"] = "dumb"
    assert shell.commands(*CONFIGURATION).returncode == 0
    person = Person(shell)
    try:
        person.type("show vp\t?")
        person.see("virtual ports and where they are")
        person.type("enterprise ac\t| count\r")
        person.see("Count: 1 virtual ports")
        person.type("\x10\x15show version | match revision\r")
        person.see("revision         2\r\n")
        person.type("half a line\x03")
        person.prompt()
        person.type("exit\r")
        assert person.leave() == 0
    finally:
        person.child.close(force=True)

"""A person at a terminal: a real client on a pseudo-terminal, keys and screen."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pexpect
import pytest

from tests.transcripts.shell import Shell

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")
PATIENCE = 10.0
"""Seconds until a prompt has to be there."""
MORE = "--more--"
QUIET = 0.15
"""Seconds without output after which the screen rests."""
CONFIGURATION = (
    "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24",
    "set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
    "set enterprise umbrella domain lab",
    "commit",
)


class Person:
    """Types at an interactive client and reads its screen."""

    def __init__(self, shell: Shell, rows: int = 40, columns: int = 120) -> None:
        self.child = pexpect.spawn(
            sys.executable, ["-m", "nshell.main"], env=shell.environment, cwd=str(shell.work), encoding="utf-8",
            dimensions=(rows, columns), timeout=8,
        )  # fmt: skip
        self.prompt()

    def prompt(self, mark: str = ">") -> str:
        """Wait until the screen rests at a prompt; what was written since the last call, without escapes."""
        said, self.child.buffer = self.child.buffer, ""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                said += self.child.read_nonblocking(65536, timeout=QUIET)
            except pexpect.TIMEOUT:
                plain = ESCAPES.sub("", said)
                if f"@nshell{mark}" in plain.rpartition("\n")[2]:
                    return plain
        raise AssertionError(f"no prompt {mark} within {PATIENCE:g} s:\n{ESCAPES.sub('', said)}")

    def see(self, text: str) -> str:
        """Wait until this text is written; the screen up to it."""
        self.child.expect_exact(text)
        return ESCAPES.sub("", self.child.before or "")

    def type(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def line(self, text: str, mark: str = ">") -> str:
        """Type a line; what it printed."""
        self.type(text + "\r")
        return self.prompt(mark)

    def leave(self) -> int:
        """Wait for the client to end; its exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus or 0)


@pytest.fixture
def person(shell: Shell) -> Iterator[Person]:
    assert shell.commands(*CONFIGURATION).returncode == 0
    made = Person(shell)
    yield made
    made.child.close(force=True)


def test_a_command_prints_and_exit_leaves(person: Person) -> None:
    assert "No. of enterprises: 2" in person.line("show enterprises")
    person.type("exit\r")
    assert person.leave() == 0


def test_a_question_mark_explains_without_executing_and_keeps_the_line(person: Person) -> None:
    person.type("show vports enterprise ?")
    person.see("[acme, umbrella]")
    person.prompt()
    person.type("acme | count\r")
    person.see("Count: 1 virtual ports")


def test_a_question_mark_in_quotes_is_a_character(person: Person) -> None:
    assert "no difference" not in person.line('show enterprises | match "a?"')


def test_tab_completes_words_and_live_names(person: Person) -> None:
    person.type("sh\tver\t| ma\trevision\r")
    assert "revision" in person.prompt()
    person.type("show vports ent\tum\t| count\r")
    person.see("Count: 0 virtual ports")


def test_a_paste_of_lines_runs_each_of_them_and_leaves_the_last_to_be_edited(person: Person) -> None:
    person.line("configure", "#")
    person.type('\x1b[200~set enterprise one\rset enterprise two description "what?"\nset enterprise thr\x1b[201~')
    person.see("set enterprise thr")
    person.type("ee\r")
    person.prompt("#")
    shown = person.line("compare", "#")
    assert all(f"+ enterprise {name}" in shown for name in ("one", "two", "three")) and "what?" in shown
    assert "took back: set enterprise three" in person.line("undo", "#")
    person.line("discard", "#")


def test_a_paste_feeds_what_the_terminal_is_read_for(person: Person) -> None:
    person.line("configure", "#")
    person.type("\x1b[200~load set terminal\nset enterprise one\nset enterprise two\n\x1b[201~")
    person.see("set enterprise two")
    person.type("\x04")
    person.prompt("#")
    shown = person.line("compare", "#")
    assert "+ enterprise one" in shown and "+ enterprise two" in shown
    person.line("discard", "#")


def test_tab_lists_what_there_is_when_nothing_is_certain(person: Person) -> None:
    person.type("show d\t")
    screen = person.prompt()
    assert "domains" in screen and "dvrs" in screen
    person.type("\x03")


def test_abbreviations_are_understood_and_ambiguous_ones_explained(person: Person) -> None:
    assert "Count: 2 enterprises" in person.line("sh en | cou")
    assert "ambiguous: dhcp, domain-template, domains, drift, dvrs" in person.line("sh d")


def test_configure_mode_shows_level_and_star(person: Person) -> None:
    assert "[edit]" in person.line("configure", "#")
    assert "[edit enterprise acme domain prod]" in person.line("edit ent acme dom prod", "#")
    assert "*[edit enterprise acme domain prod]" in person.line("set vport web-1 desc x", "#")
    assert "+ " in person.line("compare", "#")
    person.line("top", "#")
    person.line("discard", "#")
    person.line("exit")


def test_configuration_verbs_in_operational_mode_say_where_they_belong(person: Person) -> None:
    assert "type 'configure' first" in person.line("set enterprise x")


def test_ctrl_c_cancels_the_command_not_the_session(person: Person) -> None:
    person.line("configure", "#")
    person.type("load merge terminal\r")
    person.see("ctrl-d")
    person.type("\x03")
    person.see("^C")
    person.prompt("#")
    person.type("half a line\x03")
    person.prompt("#")
    assert "no difference" in person.line("compare", "#")


def test_lines_can_be_loaded_from_the_terminal(person: Person) -> None:
    person.line("configure", "#")
    person.type("load set terminal\r")
    person.see("ctrl-d")
    person.type("set enterprise typed\r\x04")
    assert "*[edit]" in person.prompt("#")
    assert "typed" in person.line("compare", "#")
    person.line("discard", "#")


@pytest.fixture
def reader(shell: Shell) -> Iterator[Person]:
    """Somebody whose screen of 12 rows is shorter than the table of hypervisors."""
    lines = [f"set dvrs hv{number:02} tunnel-address 172.31.0.{number}" for number in range(1, 40)]
    assert shell.run(text="\n".join([*lines, "commit"])).returncode == 0
    made = Person(shell, rows=12)
    yield made
    made.child.close(force=True)


def test_the_pager_shows_a_page_at_a_time_and_q_leaves_it(reader: Person) -> None:
    reader.type("show dvrs\r")
    reader.see(MORE)
    reader.type(" ")
    reader.see(MORE)
    reader.type("q")
    reader.prompt()
    assert "hv39" in reader.line("show dvrs | no-more")


def test_the_pager_goes_forward_and_back_by_pages_and_lines(reader: Person) -> None:
    reader.type("show dvrs\r")
    assert "hv05" in (first := reader.see(MORE)) and "hv07" not in first
    reader.type(" ")
    assert "hv17" in (second := reader.see(MORE)) and "hv05" not in second
    for key, seen in (("\r", "hv18"), ("\x1b[B", "hv19"), ("\x1b[A", "hv18"), ("b", "hv07"), ("\x1b[5~", "hv05")):
        reader.type(key)
        assert seen in reader.see(MORE), key
    reader.type("G")
    assert "No. of hypervisors: 39" in reader.prompt()


@pytest.mark.parametrize("pace", ["one key after the other", "all at once"])
def test_what_is_typed_at_the_pager_is_ignored_with_a_hint_and_never_a_command(reader: Person, pace: str) -> None:
    reader.type("show dvrs\r")
    reader.see(MORE)
    for keys in "exit\r" if pace == "one key after the other" else ("exit\r",):
        reader.type(keys)
        reader.see(MORE)
    reader.type("x\x1b[C")
    reader.see(f"{MORE}  space: next page  q: leave")
    reader.type("G")
    assert "No. of hypervisors: 39" in reader.see("--end--  q: leave")
    reader.type("q")
    reader.prompt()
    assert "Count: 39" in reader.line("show dvrs | count")


def test_a_line_typed_at_the_last_page_ends_the_pager_and_runs_nothing(reader: Person) -> None:
    reader.type("show dvrs | last 12\r")
    reader.see(MORE)
    for key in "xx exit":
        reader.type(key)
        reader.see("--")
    reader.type("\r")
    reader.prompt()
    assert "Count: 39" in reader.line("show dvrs | count")


def test_lines_typed_ahead_of_the_pager_wait_for_the_prompt(reader: Person) -> None:
    reader.type("show dvrs\rconfigure\rset enterprise ahead\rcommit\r")
    reader.see(MORE)
    reader.type("q")
    reader.see("applied")
    reader.prompt("#")
    assert "ahead" in reader.line("run show enterprises", "#")


def test_ctrl_c_leaves_the_pager_and_forgets_what_was_typed_ahead(reader: Person) -> None:
    reader.type("show dvrs\r")
    reader.see(MORE)
    reader.type(" \x03")
    reader.prompt()
    assert "Count: 39" in reader.line("show dvrs | count")


def test_the_window_size_is_followed(person: Person) -> None:
    wide = re.findall("=+", person.line("show subnets"))
    person.child.setwinsize(40, 70)
    time.sleep(0.3)
    narrow = re.findall("=+", person.line("show subnets"))
    assert narrow and len(narrow[0]) <= 70 < len(wide[0])


def test_a_dropped_connection_keeps_the_candidate(shell: Shell, person: Person) -> None:
    person.line("configure", "#")
    person.line("set enterprise kept", "#")
    person.child.close(force=True)
    again = Person(shell)
    assert "your candidate was kept" in again.line("configure", "#")
    assert "kept" in again.line("compare", "#")
    again.line("discard", "#")
    again.child.close(force=True)


def test_a_notice_tells_of_commits_made_elsewhere(shell: Shell, person: Person) -> None:
    shell.commands("set enterprise other", "commit confirmed 60")
    screen = person.line("show enterprises | count")
    assert "[unconfirmed" in person.line("show version") or "[unconfirmed" in screen


def test_ctrl_d_leaves_configure_mode_then_the_session(person: Person) -> None:
    person.line("configure", "#")
    person.type("\x04")
    person.prompt()
    person.type("\x04")
    assert person.leave() == 0


def test_a_daemon_that_goes_away_ends_the_client_with_code_5(shell: Shell, person: Person) -> None:
    shell.end()
    assert person.leave() in (5, 1)

"""An operator at a terminal: tmux drives OpenSSH's client in a pane, and the pane is what is looked at."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nshell.lab.probing import wait_until
from tests.system.openssh import Site
from tests.system.pane import PATIENCE, Pane

CONFIGURATION = (
    "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24",
    "set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
    "set enterprise umbrella domain lab",
    "commit",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("ssh"))
    try:
        made.run(*CONFIGURATION)
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


@pytest.fixture
def pane(site: Site, tmp_path: Path) -> Iterator[Pane]:
    made = Pane(tmp_path, site.ssh.command())
    try:
        made.prompt()
        yield made
    finally:
        made.close()
        site.shell.commands("configure", "discard")


def test_a_question_mark_explains_with_live_names_and_keeps_the_line(pane: Pane) -> None:
    pane.type("show vports enterprise ?")
    screen = pane.see("acme, umbrella")
    assert screen.rstrip().endswith("show vports enterprise")
    pane.type("acme | count", "Enter")
    pane.see("Count: 1 virtual ports")


def test_tab_completes_words_and_live_names_and_abbreviations_are_understood(pane: Pane) -> None:
    pane.type("sh", "Tab")
    pane.type("vp", "Tab")
    pane.type("ent", "Tab")
    pane.type("um", "Tab")
    pane.see("show vports enterprise umbrella")
    pane.type("", "C-u")
    assert "Count: 2 enterprises" in pane.line("sh en | cou")
    assert "ambiguous" in pane.line("sh d")


def test_tables_follow_the_size_of_the_window(pane: Pane) -> None:
    wide = pane.line("show sessions")
    pane.resize(60, 30)
    time.sleep(0.3)
    narrow = pane.line("show sessions")

    def ruler(screen: str) -> int:
        return max(line.count("=") for line in screen.splitlines())

    assert ruler(narrow) <= 60 < ruler(wide)


def test_a_long_line_is_drawn_anew_when_the_window_changes_while_it_is_typed(pane: Pane) -> None:
    pane.type("show vports enterprise acme domain prod | match web | except nothing-that-is-there")
    pane.see("nothing-that-is-there")
    pane.resize(50, 20)
    time.sleep(0.3)
    pane.type(" | count", "Enter")
    pane.see("Count: 1 virtual ports")


def test_ctrl_c_stops_a_long_command_and_not_the_session(pane: Pane) -> None:
    for command in ("monitor events", "show vports | refresh 1"):
        pane.line("show version")
        pane.type(command, "Enter")
        time.sleep(1.0)
        pane.type("", "C-c")
        pane.prompt()
        assert "hostname" in pane.line("show version")


def test_ctrl_r_searches_what_was_typed_before(pane: Pane) -> None:
    pane.line("show enterprises | count")
    pane.line("show version")
    pane.type("", "C-r")
    pane.type("terpr")
    pane.see("show enterprises | count")
    pane.type("", "Enter")
    pane.type("", "Enter")
    pane.see("Count: 2 enterprises")


def test_a_commit_elsewhere_is_told_above_the_prompt_at_once(site: Site, pane: Pane) -> None:
    other = site.user("eve", "class super-user password Correct.Horse")
    pane.type("show ver")
    pane.see("show ver")
    said, code, _ = other.log_in(["Correct.Horse"], 'set enterprise others\ncommit comment "by eve"')
    assert code == 0, said
    screen = pane.see("was committed by eve: by eve")
    assert screen.rstrip().endswith("show ver"), "what was typed is still there"
    pane.type("sion", "Enter")
    pane.see("hostname")


def test_a_dropped_connection_loses_nothing(site: Site, pane: Pane, tmp_path: Path) -> None:
    pane.line("configure", "#")
    pane.line("set enterprise kept", "#")
    os.kill(pane.client, signal.SIGKILL)
    pane.see("code=")
    assert wait_until(lambda: not site.sessions(), PATIENCE), "the session is gone"
    (tmp_path / "again").mkdir()
    again = Pane(tmp_path / "again", site.ssh.command())
    try:
        again.prompt()
        assert "your candidate was kept: 1 changed object" in again.line("configure", "#")
        assert "kept" in again.line("compare", "#")
        again.line("discard", "#")
        again.type("", "C-d")
        again.prompt()
        again.type("", "C-d")
        again.see("code=0")
    finally:
        again.close()


def test_the_pager_works_and_q_leaves_it(site: Site, tmp_path: Path) -> None:
    short = Pane(tmp_path, site.ssh.command(), rows=10)
    try:
        short.prompt()
        short.type("show configuration", "Enter")
        short.see("--more--")
        short.type(" ")
        short.type("q")
        short.prompt()
        short.type("exit", "Enter")
        short.see("code=0")
    finally:
        short.close()


def test_a_daemon_that_stops_ends_the_session_in_words(site: Site, pane: Pane) -> None:
    site.shell.end()
    pane.see("code=")
    assert "the daemon stops" in pane.screen
    site.run("show version")
    assert wait_until(lambda: site.ssh.run("show version").returncode == 0, PATIENCE)

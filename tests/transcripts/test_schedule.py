"""commit at: applied at its time over what runs then, also by a daemon that was started meanwhile; never late."""

from __future__ import annotations

import signal
import time

import pytest

from tests.transcripts.shell import Shell

PATIENCE = 15.0
"""Seconds until something has to have happened."""
HV1 = "set dvrs hv1 tunnel-address 172.31.0.1"


def in_seconds(seconds: float) -> str:
    """A time of day, so many seconds from now (the shell's time zone is UTC)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + seconds))


def until(shell: Shell, command: str, text: str) -> str:
    """Wait until a command says this."""
    deadline = time.monotonic() + PATIENCE
    while text not in (said := shell.commands(command).stdout):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    return said


def ok(shell: Shell, *lines: str) -> str:
    done = shell.commands(*lines)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_applied_at_its_time_over_what_others_committed(shell: Shell) -> None:
    ok(shell, HV1, f'commit at {in_seconds(3)} comment "in time"')
    ok(shell, "discard", "set enterprise acme", "commit")
    assert "scheduled as 1" in ok(shell, "show system commit")
    until(shell, "show configuration | display set", "dvrs hv1")
    assert "set enterprise acme" in ok(shell, "show configuration | display set")
    assert "scheduled as" not in (history := ok(shell, "show system commit")) and "in time" in history


def test_the_candidate_that_it_was_made_from_loses_what_was_committed(shell: Shell) -> None:
    ok(shell, HV1, f"commit at {in_seconds(2)}", "set enterprise acme")
    until(shell, "show configuration | display set", "dvrs hv1")
    assert ok(shell, "configure", "compare | display set").split("\n") == ["set enterprise acme", ""]


def test_a_conflict_is_told_and_nothing_is_applied(shell: Shell) -> None:
    ok(shell, HV1, "commit")
    ok(shell, "set dvrs hv1 tunnel-address 172.31.0.2", f"commit at {in_seconds(3)}", "discard")
    ok(shell, "set dvrs hv1 tunnel-address 172.31.0.3", "commit")
    assert "was not applied" in until(shell, "show events | match scheduled", "was not applied")
    assert "172.31.0.3" in ok(shell, "show configuration dvrs hv1")
    assert "scheduled commit 1: " in ok(shell, "show system commit | match failed")


def test_it_outlives_the_daemon(shell: Shell) -> None:
    ok(shell, HV1, f"commit at {in_seconds(4)}")
    shell.end(signal.SIGKILL)
    assert "scheduled as 1" in ok(shell, "show system commit")
    until(shell, "show configuration | display set", "dvrs hv1")


def test_what_a_daemon_missed_is_reported_and_not_applied(shell: Shell) -> None:
    ok(shell, HV1, f"commit at {in_seconds(2)}")
    shell.end(signal.SIGTERM)
    time.sleep(2.5)
    assert "missed" in ok(shell, "show events | match scheduled")
    assert "missed" in ok(shell, "show system commit | match failed")
    assert "dvrs" not in ok(shell, "show configuration")
    assert ok(shell, "configure", "compare | display set").strip() == HV1


@pytest.mark.parametrize("cancel", ["clear system commit 1"])
def test_it_can_be_cancelled(shell: Shell, cancel: str) -> None:
    ok(shell, HV1, f"commit at {in_seconds(2)}", cancel, "discard")
    time.sleep(2.5)
    assert "dvrs" not in ok(shell, "show configuration")

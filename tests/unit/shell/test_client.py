"""The thin client without a daemon: what it imports, how it reads its arguments, what it says when nobody answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nshell.client import Refused, parse
from nshell.places import state_directory

ROOT = Path(__file__).parents[3]
HEAVY = {"argparse", "asyncio", "fcntl", "json", "logging", "re", "signal", "socket", "subprocess", "typing"}


def client(*arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nshell.main", *arguments], cwd=ROOT, input=text, capture_output=True, text=True,
        env={**os.environ, **environment}, check=False, timeout=20,
    )  # fmt: skip


def test_the_client_imports_the_standard_library_alone_and_little_of_it() -> None:
    script = "import sys; old = set(sys.modules); import nshell.main, nshell.client; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    new = set(done.stdout.split())
    assert {name for name in new if name.split(".")[0] not in sys.stdlib_module_names} == {
        "nshell", "nshell.main", "nshell.client", "nshell.frames", "nshell.places"}  # fmt: skip
    assert not new & HEAVY


@pytest.mark.parametrize(
    ("arguments", "commands", "files"),
    [
        (["-c", "show version"], ["show version"], []),
        (["-c", "a", "--json", "-c", "b"], ["a", "b"], []),
        (["run", "x", "y", "--keep-going"], [], ["x", "y"]),
        (["--state", "/s", "run", "-"], [], ["-"]),
        ([], [], []),
    ],
)
def test_arguments_are_understood(arguments: list[str], commands: list[str], files: list[str]) -> None:
    request = parse(arguments)
    assert (request.commands, request.files) == (commands, files)


@pytest.mark.parametrize("arguments", [["-c"], ["--state"], ["run"], ["--frob"], ["-c", "x", "run", "y"], ["extra"]])
def test_arguments_that_make_no_sense_are_bad_syntax(arguments: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        parse(arguments)
    assert caught.value.args[0] == 2


def test_a_program_behind_an_option_is_told_to_be_the_first_word() -> None:
    with pytest.raises(Refused) as refused:
        parse(["--state", "/tmp/x", "serve"])
    assert "'serve' has to be the first word" in str(refused.value.args)


def test_without_a_daemon_the_exit_code_is_5_and_the_remedy_is_said(tmp_path: Path) -> None:
    done = client("--no-start", "--state", str(tmp_path), "-c", "show version")
    assert done.returncode == 5
    assert "nshell serve" in done.stderr
    done = client("--no-start", "--json", "--state", str(tmp_path), "-c", "show version")
    assert done.returncode == 5
    assert json.loads(done.stdout)["error"]["exit_code"] == 5


def test_a_state_directory_that_cannot_be_made_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = client("--state", str(tmp_path / "file" / "below"), "-c", "show version")
    assert done.returncode in (5, 6)
    assert "Traceback" not in done.stderr


def test_the_state_directory_follows_option_then_environment_then_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHELL_STATE", "/from/environment")
    assert state_directory("/from/option") == "/from/option"
    assert state_directory() == "/from/environment"
    monkeypatch.delenv("NSHELL_STATE")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state_directory() == "/var/lib/nshell"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ops/.local/state")
    assert state_directory() == "/home/ops/.local/state/nshell"

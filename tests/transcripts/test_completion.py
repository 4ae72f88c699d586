"""Completion of the command `nshell`: real bash and real zsh, with a real daemon behind `-c`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import cannot_run
from tests.transcripts.shell import Shell

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging" / "completion"
PROMPT = "READY> "
SETTLED = 5.0
"""Seconds for a shell to show what it completed."""


def bash(shell: Shell, *words: str, folder: Path | None = None) -> list[str]:
    """What bash would offer for the last of these words."""
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in ("nshell", *words))
    script = (
        f"source '{FOLDER / 'nshell.bash'}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _nshell 2>/dev/null\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=shell.environment, cwd=folder or shell.work, capture_output=True,
        text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


class Terminal:
    """An interactive shell in a terminal: what is typed, and what it made of it."""

    def __init__(self, command: str, arguments: list[str], shell: Shell, set_up: str) -> None:
        self.spawned = pexpect.spawn(
            command, arguments, env={**shell.environment, "PS1": PROMPT, "TERM": "dumb"}, cwd=str(shell.work),
            encoding="utf-8", timeout=SETTLED, dimensions=(50, 200),
        )  # fmt: skip
        self.spawned.sendline(set_up + "; PS1='READ''Y> '")
        self.spawned.expect_exact(PROMPT)

    def becomes(self, typed: str, pattern: str) -> str:
        """Type, press Tab, and wait until the line (or what is offered) matches; the line is taken back."""
        self.spawned.send(typed + "\t")
        self.spawned.expect(pattern)
        said = str(self.spawned.after)
        self.spawned.send("\x15")  # ctrl-u
        self.spawned.send("\n")
        self.spawned.expect_exact(PROMPT)
        return said

    def close(self) -> None:
        self.spawned.close(force=True)


@pytest.fixture(params=["bash", "zsh"])
def terminal(request: pytest.FixtureRequest, shell: Shell) -> Iterator[Terminal]:
    """Each of the two shells, with completion loaded as its users load it."""
    if shutil.which(request.param) is None:
        cannot_run(f"{request.param} is not installed: ./bootstrap.sh packages")
    if request.param == "bash":
        set_up = f"bind 'set enable-bracketed-paste off'; source '{FOLDER / 'nshell.bash'}'"
        made = Terminal("bash", ["--norc", "--noprofile", "-i"], shell, set_up)
    else:
        dump = shell.folder / "zcompdump"
        set_up = f"fpath=('{FOLDER}' $fpath); autoload -Uz compinit; compinit -u -d '{dump}'"
        made = Terminal("zsh", ["-f", "-i"], shell, set_up)
    try:
        yield made
    finally:
        made.close()


def test_bash_offers_options_programs_and_files(shell: Shell) -> None:
    assert bash(shell, "--j") == ["--json"]
    assert {"run", "serve", "agent", "lab", "doctor", "-c"} <= set(bash(shell, ""))
    assert bash(shell, "doc") == ["doctor"]
    assert bash(shell, "doctor", "h") == ["hypervisor"]
    assert bash(shell, "serve", "--log-f") == ["--log-format"]
    assert bash(shell, "serve", "--log-format", "j") == ["json", "journal"]
    assert bash(shell, "agent", "jo") == ["join"]
    assert bash(shell, "agent", "join", "--sys") == ["--system-id"]
    (shell.work / "batch one.nsh").write_text("")
    (shell.work / "folder").mkdir()
    assert bash(shell, "run", "ba") == ["batch one.nsh"]
    assert bash(shell, "--state", "") == ["folder"]


def test_bash_asks_the_daemon_for_commands_and_starts_none(shell: Shell) -> None:
    assert bash(shell, "-c", "'show ver") == []
    assert shell.pid is None
    assert shell.commands("show version").returncode == 0
    assert bash(shell, "-c", "'show ver") == ["'show version"]
    assert bash(shell, "-c", "show\\ ver") == ["show\\ version"]
    assert bash(shell, "--state", str(shell.state), "-c", '"show version | m') == ['"show version | match']
    assert bash(shell, "-c", "'nonsense ") == []
    assert bash(shell, "-c", "'show \"x") == []


def test_a_shell_completes_words_and_commands_as_they_are_typed(terminal: Terminal, shell: Shell) -> None:
    assert shell.commands("show version").returncode == 0
    terminal.becomes("nshell --keep", r"--keep-going")
    terminal.becomes("nshell doc", r"doctor ")
    terminal.becomes("nshell serve --log-le", r"--log-level ")
    terminal.becomes("nshell -c 'show ver", r"show version")
    terminal.becomes(f"nshell --state {shell.state} -c 'show version | m", r"show version \| match")
    (shell.work / "policy.nsh").write_text("")
    terminal.becomes("nshell run pol", r"policy\.nsh")


def test_what_completion_asks_is_one_line_for_each_word(shell: Shell) -> None:
    shell.commands("show version")
    done = shell.run("--complete", "show v")
    assert done.returncode == 0
    assert "show version" in done.stdout.splitlines()
    assert all(re.match(r"show v\S+$", line) for line in done.stdout.splitlines())
    assert shell.run("--complete", "nonsense ").stdout == ""
    assert shell.run("--complete", "show \\").returncode == 0

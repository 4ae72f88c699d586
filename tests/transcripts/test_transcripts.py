"""Replays every transcript (*.txt) through a real daemon and compares what it says.

    # a remark
    > show vports                 a command line, sent over the socket, over SSH and with -c: all must say the same
    .. show zones                 more lines of the same session
    expected output
    [2]                           the exit code when it is not 0
    $ nshell run FILE             a script of the system's shell in which `nshell` is ours
    .. more lines of the script

Over SSH the whole configuration has a user and the listener more than shown here: a step does not count its lines.

`pytest tests/transcripts --update-transcripts` writes what was said; read the difference before committing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.transcripts.shell import Shell

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.txt"))


@dataclass
class Step:
    """One step: remarks before it, its lines, and what it should say."""

    remarks: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    @property
    def commands(self) -> list[str]:
        """Command lines without their marks; [] for a script."""
        return [line[2:].lstrip() for line in self.lines] if self.lines[0].startswith("> ") else []

    @property
    def script(self) -> str:
        """The script without its marks."""
        return "\n".join(line[3:] if line.startswith("..") else line[2:] for line in self.lines)


def steps(text: str) -> Iterator[Step]:
    """The steps of a transcript."""
    step = Step()
    for line in text.splitlines():
        begins = line.startswith(("$ ", "> "))
        if step.lines and (begins or line.startswith("# ")):
            yield step
            step = Step()
        if line.startswith("# ") and not step.lines:
            step.remarks.append(line)
        elif begins or (line.startswith("..") and not step.expected):
            step.lines.append(line)
        elif step.lines:
            step.expected.append(line)
        else:
            step.remarks.append(line)
    if step.lines:
        yield step


def said(shell: Shell, output: str, code: int) -> list[str]:
    """What a step said, as a transcript writes it."""
    lines = shell.normal(output).splitlines()
    while lines and not lines[-1]:
        lines.pop()
    return lines + ([f"[{code}]"] if code else [])


def run(shell: Shell, step: Step, way: str) -> list[str]:
    """Run one step."""
    if not step.commands:
        return said(shell, *shell.script(step.script))
    if way == "socket":
        return said(shell, *shell.over_socket(step.commands))
    if way == "ssh":
        assert shell.over_ssh is not None
        return said(shell, *shell.over_ssh.run(step.commands))
    words = " ".join("-c '" + line.replace("'", "'\\''") + "'" for line in step.commands)
    return said(shell, *shell.script(f"nshell {words}"))


@pytest.mark.parametrize("way", ["command", "socket", "ssh"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_transcript_replays(file: Path, way: str, shell: Shell, request: pytest.FixtureRequest) -> None:
    if way != "command":
        assert shell.commands("show version").returncode == 0
    update = request.config.getoption("--update-transcripts")
    script = list(steps(file.read_text()))
    result: list[str] = []
    for step in script:
        answer = run(shell, step, way)
        expected = list(step.expected)
        while expected and not expected[-1]:
            expected.pop()
        if not update:
            assert answer == expected, "\n".join(step.lines)
        result += [*step.remarks, *step.lines, *answer, ""]
    if update and way == "command":
        file.write_text("\n".join(result))

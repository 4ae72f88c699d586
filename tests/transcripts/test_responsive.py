"""Batches of 100,000 lines through the daemon: other sessions are answered meanwhile, and nobody sees half of one."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.transcripts.shell import Shell

pytestmark = pytest.mark.quiet

LINES = 100_000
SHARE = 0.25  # of a batch's own time that an answer may take: one that waits for the whole batch takes all of it


def lines(vports: int) -> str:
    """One domain with so many vports."""
    above = "set enterprise acme domain prod"
    text = [f"{above} zone z subnet s prefix 10.0.0.0/8"]
    for number in range(vports):
        high, middle, low = number >> 15 & 255, number >> 7 & 255, (number & 127) + 2
        text.append(
            f"{above} vport v{number} subnet s mac 02:00:00:{high:02x}:{middle:02x}:{low:02x}"
            f" address 10.{high}.{middle}.{low}"
        )
    return "\n".join(text) + "\n"


def start(shell: Shell, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nshell.main", *arguments], env=shell.environment, cwd=shell.work,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def answers(shell: Shell, process: subprocess.Popen[str]) -> list[float]:
    """Seconds that each `show version` of another session takes until the process ends."""
    taken = []
    while process.poll() is None:
        began = time.monotonic()
        assert shell.commands("show version").returncode == 0
        taken.append(time.monotonic() - began)
    return taken


@pytest.mark.parametrize("way", ["run", "load"])
def test_another_session_is_answered_during_a_huge_batch_and_its_commit(shell: Shell, way: str) -> None:
    (shell.work / "big.set").write_text(lines(LINES))
    shell.commands("show version")
    first = ("run", "big.set") if way == "run" else ("-c", "load merge big.set")
    for arguments in (first, ("-c", "commit")):
        began = time.monotonic()
        process = start(shell, *arguments)
        taken = answers(shell, process)
        longest = SHARE * (time.monotonic() - began)
        assert process.stdout is not None
        assert process.returncode == 0, process.stdout.read()
        assert len(taken) > 3 and max(taken) < longest, (max(taken), longest)
    shown = shell.commands("show vports | count").stdout
    assert str(LINES) in shown.replace(",", "")


def test_a_huge_batch_that_fails_or_is_interrupted_leaves_the_candidate_as_it_was(shell: Shell) -> None:
    assert shell.commands("set enterprise mine").returncode == 0
    before = shell.commands("compare").stdout
    (shell.work / "bad.set").write_text(lines(5000) + "set nonsense\n")
    (shell.work / "big.set").write_text(lines(LINES))
    failed = shell.run("run", "bad.set")
    assert failed.returncode == 2 and "5002" in failed.stdout + failed.stderr
    assert shell.commands("compare").stdout == before
    process = start(shell, "run", "big.set")
    time.sleep(1.5)
    assert process.poll() is None, "it is under way"
    assert shell.commands("compare").stdout == before, "nobody sees half of it"
    process.kill()
    process.wait()
    assert shell.commands("compare").stdout == before

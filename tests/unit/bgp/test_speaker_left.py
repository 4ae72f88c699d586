"""Speaker processes that an earlier daemon left: exactly those are ended, whatever the file says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controller.bgp.outbox import Outbox
from controller.bgp.rib.inbound import Inbound
from controller.bgp.rib.table import LocRib
from controller.bgp.sessions import Sessions
from controller.bgp.speaker import left
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from controller.bgp.speaker.left import Left


@pytest.fixture
def processes() -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    with ExitStack() as stack:
        made = [stack.enter_context(subprocess.Popen(["sleep", "600"])) for _ in range(2)]
        try:
            yield made[0], made[1]
        finally:
            for one in made:
                one.kill()


def test_all_but_ones_own_are_ended_and_gone_when_it_returns(
    tmp_path: Path, processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]
) -> None:
    former, own = processes
    Left(tmp_path / left.FILE).note(former.pid)
    now = Left(tmp_path / left.FILE)
    now.note(own.pid)
    assert now.end(but=own.pid) == 1
    assert former.poll() == -9 and own.poll() is None
    assert now.end() == 1 and own.poll() == -9


def test_a_process_that_began_at_another_time_is_somebody_elses(
    tmp_path: Path, processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]
) -> None:
    file = tmp_path / left.FILE
    Left(file).note(processes[0].pid)
    ((number, (began, daemon)),) = json.loads(file.read_bytes()).items()
    boot, ticks = began.split()
    for other in (f"{boot} {int(ticks) - 1}", f"{boot[::-1]} {ticks}", "", ticks):  # another time, another boot
        file.write_text(json.dumps({number: [other, daemon], 1: [began, daemon], 2**40: [began, daemon]}))
        assert Left(file).end() == 0 and processes[0].poll() is None
    file.write_text(json.dumps({number: [began, daemon]}))
    assert Left(file).end() == 1


DAEMON = """
import subprocess, sys
from pathlib import Path
from controller.bgp.speaker.left import Left
speaker = subprocess.Popen(["sleep", "600"])
Left(Path(sys.argv[1])).note(speaker.pid)
print(speaker.pid, flush=True)
sys.stdin.read()
"""


def test_the_speaker_of_a_daemon_that_lives_is_not_ended_by_one_on_a_copy_of_its_state(tmp_path: Path) -> None:
    file, copy = tmp_path / left.FILE, tmp_path / "copy.json"
    argv = [sys.executable, "-c", DAEMON, str(file)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as daemon:
        assert daemon.stdout is not None
        try:
            assert daemon.stdout.readline()
            copy.write_bytes(file.read_bytes())
            lives = Left(copy).end() == 0
        finally:
            daemon.kill()
            daemon.wait()
            ended = Left(file).end()
    assert lives, "its daemon keeps it"
    assert ended == 1, "nobody's any more"


async def test_whoever_has_no_neighbours_any_more_ends_it_too(
    tmp_path: Path, processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]
) -> None:
    """The speaker that would end it is never started."""
    file = tmp_path / left.FILE
    Left(file).note(processes[0].pid)
    decided = Inbound(LocRib(), lambda: 0.0)
    sessions = Sessions(lambda event: None, lambda: decided, Outbox(lambda problem: None), Left(file))
    await sessions.speak([], 179)
    assert processes[0].poll() == -9 and not sessions.running


def test_those_that_are_gone_are_forgotten_with_the_next(
    tmp_path: Path, processes: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]
) -> None:
    file = tmp_path / left.FILE
    Left(file).note(processes[0].pid)
    processes[0].kill()
    processes[0].wait()
    Left(file).note(processes[1].pid)
    assert list(json.loads(file.read_bytes())) == [str(processes[1].pid)]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text",
    [
        "", "nonsense", "[1]", "7", "{}", "[" * 60_000, "{" * 200_000, '{"a": ["b 1", 1]}', '{"1": null}', '{"1": 1}',
        '{"1": ["b", Infinity]}', '{"1": ["b", NaN]}', '{"1": ["b"]}', '{"1": ["b", 1, 2]}',
        '{"%s": ["b", 1]}' % ("9" * 5000),
        '{"-1": ["b", 1], "0": ["b", 1], "99999999999999999999999": ["b", 1]}',
    ],
    ids=lambda text: text[:16],
)  # fmt: skip
def test_a_file_that_is_not_ours_names_nobody(tmp_path: Path, text: str) -> None:
    file = tmp_path / left.FILE
    file.write_text(text)
    assert Left(file).end() == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_of_ours_keeps_nobody_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / left.FILE)
    assert Left(tmp_path / left.FILE).end() == 0


def test_without_a_file_there_is_nobody(tmp_path: Path) -> None:
    assert Left(tmp_path / left.FILE).end() == 0


async def test_a_speaker_that_cannot_be_noted_runs_all_the_same_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    command = (sys.executable, str(Path(__file__).with_name("fake_speaker.py")), "plain")
    speaker = ExabgpSpeaker(lambda event: None, command=command, left=Left(tmp_path / "nowhere" / left.FILE))
    await speaker.start()
    assert speaker.pid is not None
    await speaker.stop()
    assert "the speaker is not noted for the next daemon" in caplog.text

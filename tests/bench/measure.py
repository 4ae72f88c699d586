"""What a benchmark reports and how it measures: rows with targets, processes that always end, CPU and memory.

Times are seconds, memory is MiB, CPU is seconds of user and system time of one process.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `ratio` is ours/peer unless given; `target` is the most that ratio may be.

    A row without a peer or a target is information: it is printed and never missed. `measured` says exactly
    what the two sides' numbers span.
    """

    name: str
    ours: float
    peer: float | None = None
    target: float | None = None
    unit: str = "s"
    measured: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        return None if self.target is None or self.ratio is None else self.ratio <= self.target


class Unavailable(Exception):
    """A benchmark cannot run here; the message says what is missing."""


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def timed(action: Callable[[], object]) -> float:
    """Seconds of wall clock that `action` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def run(*argv: str, env: dict[str, str] | None = None, text: str | None = None, timeout: float = 300) -> str:
    """Run a program to its end, return its standard output; its standard error is the exception's words."""
    done = subprocess.run(argv, env=env, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)[:200]}: exit {done.returncode}: {done.stderr.strip()[:2000]}")
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str, *, timeout: float = 60, interval: float = 0.02) -> None:
    """Poll `condition` every `interval` seconds; RuntimeError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"gave up after {timeout:g} s waiting for {what}")
        time.sleep(interval)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident(pid: int, peak: bool = False) -> float:
    """Resident memory of a process in MiB, now or at its highest."""
    key = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no {key}")


def free_ports(count: int) -> list[int]:
    """TCP ports that nothing listens on at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Processes:
    """Background processes of one benchmark, and its directory. Leaving the context ends them, by pid, and
    removes the directory, also after an error or SIGTERM."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="nshell-bench-"))
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program that stays; its output goes to a file beside its data."""
        log = self.directory / f"{len(self.running):03}-{Path(argv[0]).name}.out"
        with log.open("wb") as output:
            process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.running.append(process)
        return process

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """What a process that `start` started has printed so far."""
        number = self.running.index(process)
        return next(self.directory.glob(f"{number:03}-*.out")).read_text(errors="replace")

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """End this process too when the context is left."""
        self.running.append(process)

    def close(self) -> None:
        for process in reversed(self.running):
            if process.poll() is None:
                process.kill()
        for process in self.running:
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def processes() -> Iterator[Processes]:
    """A Processes for the length of a `with`."""
    everything = Processes()
    try:
        yield everything
    finally:
        everything.close()


def leave_on_sigterm() -> None:
    """Make SIGTERM unwind the stack as an error would, so that every Processes is closed."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, leave)

"""Processes the lab started, told apart from others that got the same number later.

A process number is used again, so each is recorded with its start time (proc(5), field 22 of stat) and its
program; only one that matches all three is ever ended.
"""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

END_TIMEOUT = 5.0  # seconds for killed processes to be gone
EXEC_TIMEOUT = 1.0  # seconds; a process that is just becoming its program has no command line for some microseconds


class Process(msgspec.Struct, frozen=True):
    """A process as recorded when it was started."""

    pid: int
    started: int  # clock ticks after boot
    program: str  # the first word of its command line


def look(pid: int) -> Process | None:
    """The live process of that number; None when there is none, or only its unreaped remains."""
    deadline = time.monotonic() + EXEC_TIMEOUT
    while True:
        try:
            # the program's name, in parentheses, may hold anything: count fields from the last ')'
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        if fields[0] in "ZX":
            return None
        if words[0] or time.monotonic() > deadline:
            return Process(pid, int(fields[19]), words[0].decode(errors="replace"))
        time.sleep(0.001)


def is_alive(process: Process | None) -> bool:
    """Whether exactly this process still runs."""
    return process is not None and look(process.pid) == process


def in_namespaces(files: Iterable[Path]) -> list[Process]:
    """Every process whose network namespace is one of these, except this very one."""
    wanted = set()
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue
        wanted.add((found.st_dev, found.st_ino))
    processes = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            place = os.stat(f"/proc/{entry.name}/ns/net")
        except OSError:
            continue
        if (place.st_dev, place.st_ino) in wanted and (process := look(int(entry.name))) is not None:
            processes.append(process)
    return processes


def end(
    processes: Iterable[Process | None], sign: signal.Signals = signal.SIGKILL, timeout: float = END_TIMEOUT
) -> None:
    """Signal those that still run and wait until they are gone; after `timeout` seconds they are killed."""
    left = [process for process in processes if process is not None and is_alive(process)]
    for process in left:
        _signal(process, sign)
    deadline = time.monotonic() + timeout
    killed = sign is signal.SIGKILL
    while left:
        for process in left:
            _reap(process.pid)
        left = [process for process in left if is_alive(process)]
        if left and time.monotonic() > deadline:
            if killed:
                return
            for process in left:
                _signal(process, signal.SIGKILL)
            killed, deadline = True, time.monotonic() + timeout
        if left:
            time.sleep(0.005)


def _signal(process: Process, sign: signal.Signals) -> None:
    try:
        os.kill(process.pid, sign)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    """Collect it when it is our own child; others are collected by their own parent."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return

"""Speaker processes that earlier daemons left behind, and their end.

A speaker whose daemon was killed keeps its sessions until another daemon has one that is ready (child/alone.py). A
peer allows one session with us, so the old process must be gone before the new one dials; what ends it is kill -9,
which peers take for what it is, the restart of a speaker (RFC 4724). It may be stuck, so it is not asked.

One file in the state directory has the number of each process, when it began (which start of the host, and clock ticks
since then, proc(5)): together they name one process and never another. And it has the daemon that began it: whoever
copies a state directory must not end the speaker of a daemon that lives. A process whose parent is gone has another.
"""

from __future__ import annotations

import json
import os
import select
import signal
from pathlib import Path

from data.files import replace_private

__all__ = ["FILE", "Left"]

FILE = "speakers.json"
END = 2.0  # seconds in which a process that was killed is gone
LARGEST = 1 << 16  # bytes: of a file that we wrote, a speaker is 80
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Left:
    """The file. Methods block for milliseconds; what is in it is only believed of processes that are there."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, number: int) -> None:
        """A process of ours has begun. Raises OSError when that cannot be written."""
        found = {other: mark for other, mark in self._read().items() if _now(other)[0] == mark[0]}
        began, _ = _now(number)
        self._write(found if began is None else found | {number: (began, os.getpid())})

    def end(self, but: int | None = None) -> int:
        """Ends all of them `but` one and those of other daemons that live, and returns when their connections are
        closed; how many there were."""
        return sum(_end(number, *mark) for number, mark in self._read().items() if number != but)

    def _read(self) -> dict[int, tuple[str, int]]:
        """When each began and its daemon's number; nothing of a file that is not there, or that we did not write."""
        try:
            with open(self._file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
                found = json.loads(file.read(LARGEST))
            return {int(number): (str(began), int(daemon)) for number, (began, daemon) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}

    def _write(self, found: dict[int, tuple[str, int]]) -> None:
        replace_private(self._file, json.dumps(found).encode(), durable=False)  # no process outlives the host


def _now(number: int) -> tuple[str | None, int]:
    """When a process began, and the number of its parent; None of one that is not there."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return f"{BOOT.read_text().strip()} {fields[19]}", int(fields[1])
    except (OSError, ValueError, IndexError):
        return None, 0


def _end(number: int, began: str, daemon: int) -> bool:
    """Whether it was there. The descriptor holds the process, so its number cannot become another's in between."""
    try:
        descriptor = os.pidfd_open(number)
    except (OSError, OverflowError):
        return False
    try:
        since, parent = _now(number)
        if since != began or (parent == daemon and daemon != os.getpid()):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(END * 1000)
        return True
    except OSError:
        return False  # gone in this moment, or nobody's whom we may end
    finally:
        os.close(descriptor)

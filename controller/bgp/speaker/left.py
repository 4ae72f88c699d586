"""Speaker processes that earlier daemons left behind, and their end.

A speaker whose daemon was killed keeps its sessions until another daemon has one that is ready (child/alone.py). A
peer allows one session with us, so the old process must be gone before the new one dials; what ends it is kill -9,
which peers take for what it is, the restart of a speaker (RFC 4724). It may be stuck, so it is not asked.

One file in the state directory has the number of each process and when it began, in clock ticks since the host started
(proc(5)): together they name one process and never another.
"""

from __future__ import annotations

import json
import os
import select
import signal
from pathlib import Path

__all__ = ["FILE", "Left"]

FILE = "speakers.json"
END = 2.0  # seconds in which a process that was killed is gone


class Left:
    """The file. Methods block for milliseconds; what is in it is only believed of processes that are there."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, number: int) -> None:
        """A process of ours has begun. Raises OSError when that cannot be written."""
        began = _began(number)
        found = {other: since for other, since in self._read().items() if _began(other) == since}
        self._write(found if began is None else found | {number: began})

    def end(self, but: int | None = None) -> int:
        """Ends all of them `but` one, and returns when their connections are closed; how many there were."""
        return sum(_end(number, began) for number, began in self._read().items() if number != but)

    def _read(self) -> dict[int, int]:
        """Nothing of a file that is not there, or that we did not write."""
        try:
            found = json.loads(self._file.read_bytes())
            return {int(number): int(began) for number, began in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, found: dict[int, int]) -> None:
        new = self._file.with_suffix(".new")
        with open(new, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(found, file)
        new.replace(self._file)


def _began(number: int) -> int | None:
    """When a process began; None of one that is not there."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _end(number: int, began: int) -> bool:
    """Whether it was there. The descriptor holds the process, so its number cannot become another's in between."""
    try:
        descriptor = os.pidfd_open(number)
    except (OSError, OverflowError):
        return False
    try:
        if _began(number) != began:
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

"""Acting inside another network namespace.

A network namespace belongs to a thread, and a process started by a thread begins in that thread's one.  So a
short-lived thread that enters the namespace, does the work and ends is all it takes: no `ip netns exec`
(which also remounts /sys and costs about 10 ms), and the rest of the program never leaves its own.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from data.errors import CommandFailed

CLONE_NEWNET = 0x40000000  # sched.h
NAMED = Path("/run/netns")  # where iproute2 pins named namespaces
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


def of_name(name: str) -> Path:
    """The file of a namespace that `ip netns` knows by name."""
    return NAMED / name


def of_process(pid: int) -> Path:
    """The file of the network namespace a process lives in."""
    return Path(f"/proc/{pid}/ns/net")


def enter(namespace: Path) -> None:
    """Move the calling thread into a network namespace for good (setns(2))."""
    try:
        handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise CommandFailed(
            str(namespace), f"there is no such network namespace ({problem.strerror})", "see 'ip netns list'"
        ) from None
    try:
        if _libc.setns(handle, CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise CommandFailed(str(namespace), f"cannot enter the network namespace: {reason}", "run it as root")
    finally:
        os.close(handle)


class _Visit(threading.Thread, Generic[T]):
    """One thread that enters a namespace, calls a function there and keeps what came of it."""

    def __init__(self, namespace: Path, work: Callable[[], T]) -> None:
        super().__init__(name=f"in {namespace.name}", daemon=True)
        self.namespace = namespace
        self.work = work
        self.result: list[T] = []
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            enter(self.namespace)
            self.result.append(self.work())
        except BaseException as problem:
            self.problem = problem


def inside(namespace: Path, work: Callable[[], T]) -> T:
    """Call `work` in a thread inside the namespace; give its result or raise what it raised."""
    visit = _Visit(namespace, work)
    visit.start()
    visit.join()
    if visit.problem is not None:
        raise visit.problem
    return visit.result[0]

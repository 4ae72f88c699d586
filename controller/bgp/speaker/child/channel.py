"""The socket pair to the daemon; ExaBGP believes that it is its set of helper processes.

Nothing here waits. What the daemon does not read is kept, and above `FULL` bytes of it no session is read any more
until it is down to `ENOUGH`, nor while the daemon says so: TCP then holds back the peers, and their hold timers stand
still (session.py). Commands are answered all the while. What follows when the daemon is gone is in alone.py.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from controller.bgp.speaker.child.alone import Alone
from controller.bgp.speaker.child.session import Session
from controller.bgp.speaker.frames import Kind, Splitter, frame

__all__ = ["Channel"]

FULL = 4 << 20  # bytes
ENOUGH = 1 << 20  # bytes
READ_SIZE = 1 << 18  # bytes at once
READS_PER_TURN = 4  # so that a long push leaves turns to the sessions


class Channel:
    """`command` is called with each frame that comes and gives what to answer. `outlive`: sessions may be kept when
    the daemon is gone."""

    terminate_on_error = False  # asked for by ExaBGP

    def __init__(self, line: socket.socket, reactor: Callable[[], Any], *, outlive: bool = False) -> None:
        line.setblocking(False)
        self.alone = Alone(outlive)
        self.command: Callable[[Kind, bytes], bytes] | None = None
        self.sessions: dict[int, Session] = {}
        self._full = self._held = False
        self._line = line
        self._reactor = reactor
        self._splitter = Splitter()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._offset = 0
        self._number = 0
        self.fds = [line.fileno()]  # asked for by ExaBGP, which polls them

    @property
    def paused(self) -> bool:
        """Whether no session is read."""
        return self._full or self._held or self.alone.since is not None

    def hold(self, held: bool) -> None:
        """The daemon has more to decide than it wants, or not any more."""
        self._held = held
        if held:
            self._unpoll()

    def number(self) -> int:
        """The next session's."""
        self._number += 1
        return self._number

    def enter(self, session: Session) -> None:
        """A session begins."""
        self.sessions[session.number] = session
        self.alone.follow(self.sessions.values())

    def leave(self, session: Session) -> None:
        """A session ends."""
        del self.sessions[session.number]
        self.alone.follow(self.sessions.values())

    def put(self, kind: Kind, *payload: bytes | bytearray) -> None:
        """Tell the daemon, if there is one."""
        if self.alone.since is not None:
            return
        some = frame(kind, *payload)
        self._waiting.append(some)
        self._size += len(some)
        if self._size > FULL and not self._full:
            self._full = True
            self._unpoll()

    def _unpoll(self) -> None:
        """A socket with unread data would wake the loop again and again."""
        for session in self.sessions.values():
            self.forget(session.descriptor)

    def forget(self, descriptor: int) -> None:
        """Poll a socket no more; ExaBGP asks anew at the peer's next turn."""
        try:
            self._reactor()._poller.unregister(descriptor)
        except (KeyError, ValueError):
            return  # it was not polled

    def flush(self) -> None:
        """Write what the daemon takes."""
        while self._waiting:
            first = self._waiting[0]
            try:
                sent = self._line.send(memoryview(first)[self._offset :])
            except BlockingIOError:
                break
            except OSError:
                self._bereft()
                return
            self._size -= sent
            self._offset += sent
            if self._offset == len(first):
                self._waiting.popleft()
                self._offset = 0
        if self._size < ENOUGH:
            self._full = False

    def drain(self) -> None:
        """Write everything, waiting for the daemon."""
        self._line.setblocking(True)
        self.flush()

    # what ExaBGP calls on its helper processes

    def received(self) -> Iterator[tuple[str, str]]:
        """Once a turn. Does what the daemon asks; has no text commands to give to ExaBGP."""
        if self.alone.since is not None:
            return iter(())
        for _ in range(READS_PER_TURN):
            try:
                data = self._line.recv(READ_SIZE)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data or self.command is None:
                self._bereft()
                return iter(())
            for kind, payload in self._splitter.feed(data):
                answer = self.command(kind, payload)
                self.put(Kind.REFUSED if answer else Kind.DONE, answer)
        self.flush()
        return iter(())

    def _bereft(self) -> None:
        """The daemon is gone. Its end of the line is polled no more; ours stays open, so that no socket gets its
        number."""
        self.alone.begin(self.sessions.values(), self._reactor())
        self.fds = []
        self._waiting.clear()
        self._size = self._offset = 0
        self._unpoll()

    def start(self, configuration: object, restart: bool = False) -> None:
        """There are no helpers to start."""

    def terminate(self) -> None:
        """Nor to end."""

    def answer_error(self, service: str) -> None:
        """Nor to answer."""

    def broken(self, neighbor: object) -> bool:
        """Whether a neighbour's helper is gone; never, as there is none."""
        return False

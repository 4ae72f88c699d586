"""The servers that are told events: follows commits, and keeps a bounded queue and one task for each of them.

    away ──connected──> telling ──lost──> away ── AGAIN, then twice as long, at most LONGEST_WAIT ──> connect again

A server that is away, or is back, is told as an event, and so is what was lost when its queue was full. Over UDP one is
away when a datagram was refused, and back when one was not; it is not told so itself, or it would never end.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass

from controller.events.event import Event, Kind, Severity
from controller.events.recent import Events
from controller.events.syslog.message import message
from controller.events.syslog.transport import PORTS, Transport, open_transport, trusting
from data.configuration import Configuration, Edits
from data.errors import ApplyFailed
from data.path import path_text
from data.schema.objects import System
from data.schema.seen import SyslogServer

__all__ = ["QUEUE", "Exporter", "Seen", "Server"]

QUEUE = 10_000  # events that wait for a server, about 5 MB; then the oldest are lost
AGAIN = 1.0  # seconds until a server is tried again
LONGEST_WAIT = 60.0  # seconds
STAYING = 30.0  # seconds after which a connection counts as good, and the next wait is AGAIN once more
SURE = 0.5  # seconds in which a datagram is refused, if it is
FAREWELL = 1.0  # seconds in which what waits may still be told when the controller stops
_KEYWORD = SyslogServer.declared.keyword


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as `show syslog` shows it; `since` (seconds since the epoch) is when the state began."""

    name: str
    protocol: str
    address: str
    port: int
    severity: str
    state: str
    since: float
    told: int
    waiting: int
    lost: int
    reason: str


class Server:
    """One server; `host` gives the name of this machine."""

    def __init__(self, name: str, settings: SyslogServer, events: Events, host: Callable[[], str]) -> None:
        self.name = name
        self.settings = settings
        self._events = events
        self._host = host
        self._least = Severity(settings.severity).code
        self._facility = 16 + int(settings.facility.removeprefix("local"))
        self._udp = settings.protocol == "udp"
        self._queue: deque[Event] = deque()
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._told = 0
        self._lost = 0
        self._lost_said = 0
        self._state, self._since, self._reason = "connecting", time.time(), ""
        # In a context of its own: what is logged of a server is not by the user whose commit made it.
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"syslog {name}", context=Context())

    def take(self, event: Event) -> None:
        """Has an event told, when it is severe enough."""
        if event.severity.code > self._least or (self._udp and event.about == (_KEYWORD, self.name)):
            return
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(event)
        self._idle.clear()
        self._due.set()

    async def stop(self, farewell: float) -> None:
        """Ends; what waits may still be told within so many seconds."""
        if farewell and self._state == "telling":
            try:
                await asyncio.wait_for(self._idle.wait(), farewell)
            except TimeoutError:
                self._lost += len(self._queue)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def seen(self) -> Seen:
        """How it stands."""
        settings = self.settings
        port = PORTS[settings.protocol] if settings.port is None else settings.port
        return Seen(
            self.name, settings.protocol, settings.address or "", port, settings.severity, self._state, self._since,
            self._told, len(self._queue), self._lost, self._reason,
        )  # fmt: skip

    async def _run(self) -> None:
        wait = AGAIN
        while True:
            began = time.monotonic()
            transport: Transport | None = None
            try:
                settings = self.settings
                transport = await open_transport(
                    settings.protocol, settings.address or "", settings.port, settings.certificate
                )
                if not self._udp:
                    self._stand("telling", "")
                await self._tell(transport)
            except OSError as problem:
                self._stand("away", _cause(problem))
            except Exception as problem:  # a mistake of ours with one event must not silence those to come
                if self._queue:
                    self._queue.popleft()
                    self._lost += 1
                self._stand("away", repr(problem))
            finally:
                if transport is not None:
                    transport.close()
            if time.monotonic() > began + STAYING:
                wait = AGAIN
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    async def _tell(self, transport: Transport) -> None:
        """Until the server is gone. An event leaves the queue when it was handed over."""
        while True:
            while self._queue:
                event = self._queue[0]
                number = self.settings.enterprise_number
                await transport.send(message(event, self._facility, self._host(), os.getpid(), number))
                if self._udp and self._state != "telling":
                    await asyncio.sleep(SURE)
                    transport.check()
                if self._queue and self._queue[0] is event:  # else it was lost meanwhile, and counted
                    self._queue.popleft()
                self._told += 1
                self._stand("telling", "")
            self._idle.set()
            self._due.clear()
            await self._due.wait()

    def _stand(self, state: str, reason: str) -> None:
        if state == self._state:
            self._reason = reason
            return
        former, self._state, self._since, self._reason = self._state, state, time.time(), reason
        about = (_KEYWORD, self.name)
        facts: dict[str, str | int | float] = {"state": state, "lost": self._lost - self._lost_said}
        if state == "away":
            text = f"{_KEYWORD} {self.name} is away: {reason}"
            self._events.add(Kind.FAULT, text, severity=Severity.WARNING, about=about, facts=facts)
        elif former == "away":
            lost, self._lost_said = self._lost - self._lost_said, self._lost
            text = f"{_KEYWORD} {self.name} is told again" + (f", {lost} events were lost" if lost else "")
            severity = Severity.WARNING if lost else Severity.NOTICE
            self._events.add(Kind.FAULT, text, severity=severity, about=about, facts=facts)


class Exporter:
    """All servers of the configuration; a participant of commits. Life: `start`, `stop`."""

    def __init__(self, events: Events, configured: Callable[[], Configuration]) -> None:
        self._events = events
        self._configured = configured
        self._servers: dict[str, Server] = {}
        self._unwatch: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begins to tell, as the configuration says."""
        self._unwatch = self._events.watch(self._take)
        await self._follow()

    async def stop(self) -> None:
        """Ends all connections; what waits is told if that is quick."""
        if self._unwatch is not None:
            self._unwatch()
        await asyncio.gather(*(server.stop(FAREWELL) for server in self._servers.values()))
        self._servers.clear()

    def seen(self) -> list[Seen]:
        """The servers by name."""
        return [self._servers[name].seen for name in sorted(self._servers)]

    async def prepare(self, edits: Edits) -> None:
        """Raises ApplyFailed for authorities that cannot be read: nothing could ever be told with them."""
        for path, item in edits.items():
            if isinstance(item, SyslogServer) and not item.inactive and item.certificate:
                try:
                    await asyncio.to_thread(trusting, item.certificate)
                except OSError as problem:
                    raise ApplyFailed(
                        path_text((*path, "certificate")),
                        f"no authorities can be read from {item.certificate}: {_cause(problem)}",
                        "name a file of certificates in PEM that the daemon may read",
                    ) from problem

    async def drop(self) -> None:
        """The commit failed: nothing was done for it."""

    async def changed(self, edits: Edits) -> None:
        """Follows a commit that concerns servers."""
        if any(path[0] == _KEYWORD for path in edits):
            await self._follow()

    async def _follow(self) -> None:
        wanted = {path[-1]: item for path, item in self._configured().objects(SyslogServer)}
        for name in [name for name, one in self._servers.items() if wanted.get(name) != one.settings]:
            await self._servers.pop(name).stop(0.0)
        for name, settings in wanted.items():
            if name not in self._servers:
                self._servers[name] = Server(name, settings, self._events, self._host)

    def _take(self, event: Event) -> None:
        for server in self._servers.values():
            server.take(event)

    def _host(self) -> str:
        return self._configured().settings(System).hostname


def _cause(problem: OSError) -> str:
    """The system's words; asyncio's sentences repeat the address, and OpenSSL's its source lines."""
    if isinstance(problem, ssl.SSLError):
        said = getattr(problem, "verify_message", "") or (problem.reason or str(problem)).replace("_", " ").lower()
        return f"TLS: {said}"
    return os.strerror(problem.errno) if problem.errno else str(problem)

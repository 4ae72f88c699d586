"""A listener that hypervisors dial into, whatever they speak.

It bounds what a stranger can cost: a number of connections, and garbage is one line in the log (the protocols bound the
handshake and the size of a message themselves). Who is not on this machine comes through `trust/door.py`, which demands
TLS and a certificate; a connection's `certificate` then says whose. ``on_connect`` runs as a task of its own once a
connection has said who it is; ``on_disconnect`` is called for exactly those connections that were announced so.
Next: `openflow/server.py` and `ovsdb/server.py`, the two that stand on it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, Protocol, TypeVar

from controller.trust.door import Credential, Door, Gate

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 2000
_BACKLOG = 1024  # 500 hypervisors that return at the same time must not wait for a retransmitted SYN

__all__ = ["MAX_CONNECTIONS", "DialIn", "Refusal"]


class Dialled(Protocol):
    """What a connection offers to its listener."""

    peer: str
    probe_interval: float
    certificate: Credential | None

    def close(self, reason: str) -> None:
        """End it."""


C = TypeVar("C", bound=Dialled)


class DialIn(ABC, Generic[C]):
    """``connections`` holds those that have said who they are, in order of arrival.

    ``probe_interval`` in seconds: silence after which a peer is probed.
    """

    protocol: ClassVar[str]
    """What is spoken, for the log."""
    failure: ClassVar[type[Exception]]
    """What a peer's own mistake looks like: told in one line, any other exception with its traceback."""

    def __init__(
        self,
        on_connect: Callable[[C], Awaitable[None]],
        on_disconnect: Callable[[C, str], None] | None = None,
        probe_interval: float = 5.0,
        *,
        max_connections: int = MAX_CONNECTIONS,
        door: Door | None = None,
    ) -> None:
        """Without a `door` everybody is let in, in the clear: for tests and benchmarks of a protocol alone."""
        self._door = door
        self._gates: set[Gate] = set()
        self._on_connect, self._on_disconnect = on_connect, on_disconnect
        self._probe_interval, self._max_connections = probe_interval, max_connections
        self._servers: list[asyncio.Server] = []
        self._all: set[C] = set()
        self._tasks: dict[C, asyncio.Task[None]] = {}
        self.connections: list[C] = []

    @abstractmethod
    def accept(self, probe_interval: float) -> C:
        """The protocol object of a new connection."""

    @abstractmethod
    def name(self, connection: C) -> str:
        """Who it is, for the log."""

    async def start(self, host: str, port: int) -> int:
        """Listen on an address; port 0 takes a free one. Returns the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, host, port, backlog=_BACKLOG)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def start_unix(self, path: str | os.PathLike[str]) -> None:
        """Listen on a unix socket. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._protocol, path))

    def stop_listening(self) -> None:
        """Let nobody in any more; ``start`` begins again. Connections stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def end_connections(self, reason: str) -> None:
        """End all connections; who dials again gets in."""
        for gate in tuple(self._gates):
            gate.abort()
        for connection in list(self._all):
            connection.close(reason)

    def cut(self, system_id: str, reason: str) -> int:
        """End the connections that this system-id's certificates opened; how many."""
        found = [one for one in self._all if one.certificate is not None and one.certificate.system_id == system_id]
        for connection in found:
            connection.close(reason)
        return len(found)

    def set_probe_interval(self, seconds: float) -> None:
        """Probe at this interval from the next probe on, also those that are connected."""
        self._probe_interval = seconds
        for connection in self._all:
            connection.probe_interval = seconds

    async def close(self) -> None:
        """Stop listening and end all connections."""
        self.stop_listening()
        self.end_connections("the controller stops")
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def greeted(self, connection: C) -> None:
        """Announce a connection that has said who it is. For the connection itself."""
        log.info("%s of %s connected from %s", self.protocol, self.name(connection), connection.peer)
        self.connections.append(connection)
        task = asyncio.get_running_loop().create_task(self._announce(connection))
        self._tasks[connection] = task
        task.add_done_callback(lambda _: self._tasks.pop(connection, None))

    def ended(self, connection: C, reason: str) -> None:
        """Take note that a connection ended. For the connection itself."""
        self._all.discard(connection)
        if connection not in self.connections:
            log.warning("%s connection from %s refused: %s", self.protocol, connection.peer, reason)
            return
        self.connections.remove(connection)
        name = self.name(connection)
        log.info("%s of %s at %s disconnected: %s", self.protocol, name, connection.peer, reason)
        if self._on_disconnect is not None:
            try:
                self._on_disconnect(connection, reason)
            except Exception:
                log.exception("%s of %s: on_disconnect failed", self.protocol, name)

    def _protocol(self) -> asyncio.BaseProtocol:
        if len(self._all) + len(self._gates) >= self._max_connections:
            return Refusal(self.protocol, self._max_connections)
        if self._door is None:
            return self._enter(None)
        gate = Gate(self._door, self.protocol, True, self._enter, self._gates.discard)
        self._gates.add(gate)
        return gate

    def _enter(self, certificate: Credential | None) -> asyncio.BaseProtocol:
        connection = self.accept(self._probe_interval)
        connection.certificate = certificate
        self._all.add(connection)
        assert isinstance(connection, asyncio.BaseProtocol)
        return connection

    async def _announce(self, connection: C) -> None:
        try:
            await self._on_connect(connection)
        except self.failure as problem:
            log.info("%s of %s at %s: %s", self.protocol, self.name(connection), connection.peer, problem)
            connection.close(str(problem))
        except Exception:
            log.exception("%s of %s at %s: cannot be served", self.protocol, self.name(connection), connection.peer)
            connection.close("internal error, see the log")


class Refusal(asyncio.Protocol):
    """A connection above the limit: closed at once."""

    def __init__(self, protocol: str, limit: int) -> None:
        self._protocol, self._limit = protocol, limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        log.warning("%s connection from %s refused: already %d connections", self._protocol, peer, self._limit)
        transport.close()

"""The listener that ovsdb-servers dial into.

Bounded like the OpenFlow one: handshake within 5 s, 8 MiB of unfinished message, a number of connections;
garbage costs one line in the log. ``on_connect`` runs as a task of its own once the tables are mirrored;
``on_disconnect`` is called for exactly those connections that were announced so.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import OvsdbError

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 2000
_BACKLOG = 1024  # 500 hypervisors that return at the same time must not wait for a retransmitted SYN


class OvsdbServer:
    """Listens for databases. ``connections`` holds those that are mirrored, in order of arrival.

    ``probe_interval`` in seconds: silence after which a database is probed.
    """

    def __init__(
        self,
        on_connect: Callable[[Hypervisor], Awaitable[None]],
        on_disconnect: Callable[[Hypervisor, str], None] | None = None,
        probe_interval: float = 5.0,
        *,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._on_connect, self._on_disconnect = on_connect, on_disconnect
        self._probe_interval, self._max_connections = probe_interval, max_connections
        self._servers: list[asyncio.Server] = []
        self._all: set[Hypervisor] = set()
        self._tasks: dict[Hypervisor, asyncio.Task[None]] = {}
        self.connections: list[Hypervisor] = []

    async def start(self, host: str, port: int) -> int:
        """Listen on an address; port 0 takes a free one. Returns the port. Raises OSError."""
        server = await asyncio.get_running_loop().create_server(self._protocol, host, port, backlog=_BACKLOG)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def start_unix(self, path: str | os.PathLike[str]) -> None:
        """Listen on a unix socket. Raises OSError."""
        self._servers.append(await asyncio.get_running_loop().create_unix_server(self._protocol, path))

    def stop_listening(self) -> None:
        """Let nobody in any more; ``start`` begins again. Connections stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def end_connections(self, reason: str) -> None:
        """End all connections; who dials again gets in."""
        for connection in list(self._all):
            connection.close(reason)

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

    def _protocol(self) -> asyncio.Protocol:
        if len(self._all) >= self._max_connections:
            return _Refusal(self._max_connections)
        connection = Hypervisor(self, self._probe_interval)
        self._all.add(connection)
        return connection

    def greeted(self, connection: Hypervisor) -> None:
        """Announce a database. For connection.py."""
        log.info("OVSDB of %s connected from %s", connection.tables.system_id, connection.peer)
        self.connections.append(connection)
        task = asyncio.get_running_loop().create_task(self._announce(connection))
        self._tasks[connection] = task
        task.add_done_callback(lambda _: self._tasks.pop(connection, None))

    async def _announce(self, connection: Hypervisor) -> None:
        try:
            await self._on_connect(connection)
        except OvsdbError as problem:
            log.info("OVSDB of %s at %s: %s", connection.tables.system_id, connection.peer, problem)
            connection.close(str(problem))
        except Exception:
            log.exception("OVSDB of %s at %s: cannot be served", connection.tables.system_id, connection.peer)
            connection.close("internal error, see the log")

    def ended(self, connection: Hypervisor, reason: str) -> None:
        """Take note that a connection ended. For connection.py."""
        self._all.discard(connection)
        if connection not in self.connections:
            log.warning("OVSDB connection from %s refused: %s", connection.peer, reason)
            return
        self.connections.remove(connection)
        log.info("OVSDB of %s at %s disconnected: %s", connection.tables.system_id, connection.peer, reason)
        if self._on_disconnect is not None:
            try:
                self._on_disconnect(connection, reason)
            except Exception:
                log.exception("OVSDB of %s: on_disconnect failed", connection.tables.system_id)


class _Refusal(asyncio.Protocol):
    """A connection above the limit: closed at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning(
            "OVSDB connection from %s refused: already %d connections",
            transport.get_extra_info("peername"),
            self._limit,
        )
        transport.close()

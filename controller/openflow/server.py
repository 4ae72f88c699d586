"""The listener that switches dial into.

It bounds what a stranger can cost: handshake within 5 s, messages of at most 64 KiB (the length field's own
bound), a number of connections; garbage costs one line in the log. ``on_connect`` runs as a task of its own
once a switch has said its datapath id; ``on_disconnect`` is called for exactly those switches that were
announced so.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from controller.openflow import text
from controller.openflow.connection import Switch
from controller.openflow.errors import OpenFlowError

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 2000
_BACKLOG = 1024  # 500 switches that return at the same time must not wait for a retransmitted SYN


class OpenFlowServer:
    """Listens for switches. ``switches`` holds those that are connected, in order of arrival.

    ``probe_interval`` in seconds: silence after which a switch is probed. ``describe`` turns a flow-mod into
    the line that a refused bundle shows.
    """

    def __init__(
        self,
        on_connect: Callable[[Switch], Awaitable[None]],
        on_disconnect: Callable[[Switch, str], None] | None = None,
        probe_interval: float = 5.0,
        *,
        max_connections: int = MAX_CONNECTIONS,
        describe: Callable[[bytes], str] = text.describe,
    ) -> None:
        self._on_connect, self._on_disconnect = on_connect, on_disconnect
        self._probe_interval, self._max_connections = probe_interval, max_connections
        self._describe = describe
        self._servers: list[asyncio.Server] = []
        self._connections: set[Switch] = set()
        self._tasks: dict[Switch, asyncio.Task[None]] = {}
        self.switches: list[Switch] = []

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
        for switch in list(self._connections):
            switch.close(reason)

    def set_probe_interval(self, seconds: float) -> None:
        """Probe at this interval from the next probe on, also those that are connected."""
        self._probe_interval = seconds
        for switch in self._connections:
            switch.probe_interval = seconds

    async def close(self) -> None:
        """Stop listening and end all connections."""
        self.stop_listening()
        self.end_connections("the controller stops")
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _protocol(self) -> asyncio.Protocol:
        if len(self._connections) >= self._max_connections:
            return _Refusal(self._max_connections)
        switch = Switch(self, self._probe_interval, self._describe)
        self._connections.add(switch)
        return switch

    def greeted(self, switch: Switch) -> None:
        """Announce a switch. For connection.py."""
        log.info("switch %016x connected from %s", switch.datapath_id, switch.peer)
        self.switches.append(switch)
        task = asyncio.get_running_loop().create_task(self._announce(switch))
        self._tasks[switch] = task
        task.add_done_callback(lambda _: self._tasks.pop(switch, None))

    async def _announce(self, switch: Switch) -> None:
        try:
            await self._on_connect(switch)
        except OpenFlowError as problem:
            log.info("switch %016x at %s: %s", switch.datapath_id, switch.peer, problem)
            switch.close(str(problem))
        except Exception:
            log.exception("switch %016x at %s: cannot be served", switch.datapath_id, switch.peer)
            switch.close("internal error, see the log")

    def ended(self, switch: Switch, reason: str) -> None:
        """Take note that a connection ended. For connection.py."""
        self._connections.discard(switch)
        if switch not in self.switches:
            log.warning("OpenFlow connection from %s refused: %s", switch.peer, reason)
            return
        self.switches.remove(switch)
        log.info("switch %016x at %s disconnected: %s", switch.datapath_id, switch.peer, reason)
        if self._on_disconnect is not None:
            try:
                self._on_disconnect(switch, reason)
            except Exception:
                log.exception("switch %016x: on_disconnect failed", switch.datapath_id)


class _Refusal(asyncio.Protocol):
    """A connection above the limit: closed at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning(
            "OpenFlow connection from %s refused: already %d connections",
            transport.get_extra_info("peername"),
            self._limit,
        )
        transport.close()

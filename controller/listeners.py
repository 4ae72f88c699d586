"""Where hypervisors dial in: OpenFlow, OVSDB and the agents, as the `controller` configuration says.

A participant of commits. One that changes an address, a port or the probe interval opens the new listeners before
anything else happens, so that a port which is taken fails the commit, and closes the old ones after it. The connections
of the old listeners end; hypervisors dial in again and are found in agreement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from controller.agents import AgentServer
from controller.events import Kind
from controller.hypervisors import Hypervisors
from controller.network import Network
from controller.openflow.server import OpenFlowServer
from controller.ovsdb.server import OvsdbServer
from data.configuration import Edits
from data.errors import ApplyFailed, CommandFailed
from data.schema.objects import Controller

__all__ = ["Listeners"]

CONTROLLER = ("controller",)
Endpoint = tuple[str, str, int]  # protocol, address, port


class Server(Protocol):
    """What OpenFlowServer and OvsdbServer have in common."""

    async def start(self, host: str, port: int) -> int: ...

    def close(self) -> Awaitable[None]: ...


class _Agents:
    """An AgentServer as a Server."""

    def __init__(self, agents: AgentServer) -> None:
        self.agents = agents

    async def start(self, host: str, port: int) -> int:
        await self.agents.start(host, port)
        return self.agents.port or port

    async def close(self) -> None:
        await self.agents.stop()


class Listeners:
    """The open listeners. `agents` are those that dialled in; `renewed` is called when they have to dial in anew."""

    def __init__(self, hypervisors: Hypervisors, network: Network) -> None:
        self._hypervisors = hypervisors
        self._network = network
        self._open: dict[Endpoint, Server] = {}
        self._fresh: dict[Endpoint, Server] = {}
        self._settings: Controller | None = None
        self.renewed: Callable[[], None] | None = None

    @property
    def agents(self) -> AgentServer:
        """The hypervisors' agents."""
        return next(server.agents for server in self._open.values() if isinstance(server, _Agents))

    async def open(self, settings: Controller) -> None:
        """Opens what the configuration says. Raises CommandFailed when an address cannot be listened on."""
        try:
            self._fresh = await self._opened(settings, set())
        except (OSError, CommandFailed) as problem:
            raise CommandFailed("controller", _cause(problem), _REMEDY) from problem
        self._take(settings)

    async def close(self) -> None:
        """Closes everything, connections included."""
        servers, self._open = list(self._open.values()), {}
        await asyncio.gather(*(server.close() for server in servers))

    async def prepare(self, edits: Edits) -> None:
        """Opens the listeners that a commit asks for beside those that are open. Raises ApplyFailed."""
        settings = self._changed(edits)
        if settings is None:
            return
        try:
            self._fresh = await self._opened(settings, set(self._open))
        except (OSError, CommandFailed) as problem:
            raise ApplyFailed("controller", _cause(problem), _REMEDY) from problem

    async def drop(self) -> None:
        """Closes what was opened for a commit that failed."""
        fresh, self._fresh = self._fresh, {}
        await asyncio.gather(*(server.close() for server in fresh.values()))

    async def changed(self, edits: Edits) -> None:
        """Takes the new listeners, closes those that are not wanted any more."""
        settings = self._changed(edits)
        if settings is None:
            return
        before = self._settings
        wanted = set(_endpoints(settings))
        again = before is not None and before.probe_interval != settings.probe_interval
        stale = {end: self._open.pop(end) for end in tuple(self._open) if end not in wanted or again}
        await asyncio.gather(*(server.close() for server in stale.values()))
        if again:
            try:
                self._fresh |= await self._opened(settings, set(self._fresh))
            except (OSError, CommandFailed) as problem:
                self._network.events.add(Kind.FAULT, f"a listener is closed: {_cause(problem)}")
        self._take(settings)

    def _changed(self, edits: Edits) -> Controller | None:
        """The settings after the edits, None when the edits do not concern the listeners."""
        if CONTROLLER not in edits:
            return None
        item = edits[CONTROLLER]
        settings = item if isinstance(item, Controller) else Controller(uuid="")
        before = self._settings
        if before is None or before.probe_interval != settings.probe_interval:
            return settings
        return settings if set(_endpoints(settings)) != set(_endpoints(before)) else None

    async def _opened(self, settings: Controller, present: set[Endpoint]) -> dict[Endpoint, Server]:
        """Listeners for every endpoint that is not present, all or none. Raises OSError, CommandFailed."""
        opened: dict[Endpoint, Server] = {}
        hypervisors, interval = self._hypervisors, float(settings.probe_interval)
        try:
            for end in _endpoints(settings):
                if end in present:
                    continue
                server: Server
                if end[0] == "openflow":
                    server = OpenFlowServer(hypervisors.switch_connected, hypervisors.switch_closed, interval)
                elif end[0] == "agent":
                    server = _Agents(AgentServer(self._network.events, self._refusal))
                else:
                    server = OvsdbServer(hypervisors.database_connected, hypervisors.database_closed, interval)
                opened[end] = server
                await server.start(end[1], end[2])
        except (OSError, CommandFailed):
            await asyncio.gather(*(server.close() for server in opened.values()))
            raise
        return opened

    def _take(self, settings: Controller) -> None:
        renewed = any(isinstance(server, _Agents) for server in self._fresh.values())
        self._open |= self._fresh
        self._fresh = {}
        self._settings = settings
        if renewed and self.renewed is not None:
            self.renewed()

    def _refusal(self, system_id: str) -> str | None:
        """Why an agent is not let in."""
        known = self._network.running.holder("dvrs", "system_id", (), system_id)
        return None if known is not None else f"{system_id} is not configured"


_REMEDY = "choose another address or port, or stop what listens there"


def _endpoints(settings: Controller) -> tuple[Endpoint, ...]:
    address = settings.listen_address
    return (
        ("openflow", address, settings.openflow_port),
        ("ovsdb", address, settings.ovsdb_port),
        ("agent", address, settings.agent_port),
    )


def _cause(problem: OSError | CommandFailed) -> str:
    if isinstance(problem, CommandFailed):
        return problem.cause
    return f"cannot listen: {problem.strerror or problem}"

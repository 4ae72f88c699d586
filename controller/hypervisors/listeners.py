"""Where hypervisors dial in: OpenFlow, OVSDB and the agents, as the `controller` configuration says.

A participant of commits. What a commit moves is closed and opened anew before anything else happens, so that a port
which is taken fails the commit, and put back when the commit fails; what it does not move is left alone. Connections
outlive all this until the commit is decided; then those end that were dialled at a place which is no more, and
hypervisors dial in again and are found in agreement.

    prepare   close what moves ──> open it at its new place ──taken──> put it back, ApplyFailed
    drop      the same way back
    changed   end the connections of what moved away

A port that is taken at start does not keep the controller from starting: how else would an operator choose another? It
is told as an event, and tried again every RETRY seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from contextvars import Context
from typing import NamedTuple, Protocol

from controller.events import Kind
from controller.hypervisors.agents import AgentServer
from controller.hypervisors.contact import Hypervisors
from controller.network import Network
from controller.openflow.server import OpenFlowServer
from controller.ovsdb.server import OvsdbServer
from controller.trust.office import Trust
from data.configuration import Edits
from data.errors import ApplyFailed
from data.schema.objects import Controller

__all__ = ["RETRY", "Listeners"]

CONTROLLER = ("controller",)
RETRY = 5.0  # seconds between two attempts to listen at a place that is taken
_ANY = "0.0.0.0"
_REMEDY = "choose another address or port, or stop what listens there"


class Place(NamedTuple):
    """Where one protocol is listened for."""

    address: str
    port: int

    def covers(self, other: Place) -> bool:
        """Whether who dialled the other place would get through here."""
        return self.port == other.port and self.address in (_ANY, other.address)


class Server(Protocol):
    """What the three servers have in common."""

    async def start(self, host: str, port: int) -> int: ...

    def cut(self, system_id: str, reason: str) -> int: ...

    def stop_listening(self) -> None: ...

    def end_connections(self, reason: str) -> None: ...

    def close(self) -> Awaitable[None]: ...


class Listeners:
    """The servers, for life, and where they listen now. `agents` are those that dialled in."""

    def __init__(self, hypervisors: Hypervisors, network: Network, trust: Trust) -> None:
        self._network = network
        self.agents = AgentServer(network.events, self._refusal, trust)
        self._openflow = OpenFlowServer(hypervisors.switch_connected, hypervisors.switch_closed, door=trust.door)
        self._ovsdb = OvsdbServer(hypervisors.database_connected, hypervisors.database_closed, door=trust.door)
        trust.cut = self._cut
        self._servers: dict[str, Server] = {
            "openflow": self._openflow, "ovsdb": self._ovsdb, "agent": self.agents,
        }  # fmt: skip
        self._wanted: dict[str, Place] = {}
        self._former: dict[str, Place] = {}  # where they listened before the commit that is under way
        self._closed: dict[str, str] = {}  # protocol that is wanted and cannot be listened for -> why
        self._moving = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None

    async def open(self, settings: Controller) -> None:
        """Listens where the configuration says; a place that is taken is told, and tried again later."""
        self._probe(settings)
        self._wanted = _places(settings)
        self._closed = dict.fromkeys(self._wanted, "")
        async with self._moving:
            await self._try()
        self._retrying = asyncio.create_task(self._retry(), name="listeners")

    async def close(self) -> None:
        """Closes everything, connections included."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    async def prepare(self, edits: Edits) -> None:
        """Listens where a commit says. Raises ApplyFailed, and listens where it did before then."""
        settings = _edited(edits)
        if settings is None:
            return
        async with self._moving:
            self._former, places = self._wanted, _places(settings)
            problem = await self._move(places, _differing(self._former, places))
        if problem is not None:
            raise ApplyFailed("controller", problem, _REMEDY)

    async def drop(self) -> None:
        """The commit failed: listens where it did before."""
        async with self._moving:
            await self._back()

    async def changed(self, edits: Edits) -> None:
        """The commit is decided: ends the connections that were dialled at places which are no more."""
        settings = _edited(edits)
        if settings is None:
            return
        self._probe(settings)
        for protocol, place in self._former.items():
            if not self._wanted[protocol].covers(place):
                self._servers[protocol].end_connections("the controller listens elsewhere now")
        self._former = {}

    async def _move(self, places: Mapping[str, Place], moved: Iterable[str]) -> str | None:
        """Closes what moves, then opens it at its new place: all or none. Returns why it cannot be done."""
        for protocol in moved:
            self._servers[protocol].stop_listening()
        self._wanted = dict(places)
        for protocol in moved:
            problem = await self._listen(protocol)
            if problem is not None:
                await self._back()
                return problem
            self._closed.pop(protocol, None)
        return None

    async def _back(self) -> None:
        """Undoes a move; a place that was taken by somebody else meanwhile is tried again later."""
        former, self._former = self._former, {}
        if not former:
            return
        moved = _differing(self._wanted, former)
        for protocol in moved:
            self._servers[protocol].stop_listening()
        self._wanted = former
        self._closed |= {protocol: self._closed.get(protocol, "") for protocol in moved}
        await self._try()

    async def _retry(self) -> None:
        while True:
            await asyncio.sleep(RETRY)
            async with self._moving:
                await self._try()

    async def _try(self) -> None:
        """Opens what is closed; tells what cannot be opened, once for each cause, and what can at last."""
        for protocol, told in tuple(self._closed.items()):
            problem = await self._listen(protocol)
            if problem is None:
                del self._closed[protocol]
                if told:
                    place = self._wanted[protocol]
                    text = f"controller {protocol}-port: listening on {place.address}:{place.port} at last"
                    self._network.events.add(Kind.HYPERVISOR, text)
            elif problem != told:
                self._closed[protocol] = problem
                text = f"controller {problem}; {_REMEDY}. Tried again every {RETRY:g} s"
                self._network.events.add(Kind.FAULT, text)

    async def _listen(self, protocol: str) -> str | None:
        place = self._wanted[protocol]
        server = self._servers[protocol]
        try:
            # In a context of its own: what is logged of those who dial is not by the user whose commit opened the port.
            await asyncio.create_task(_opened(server, place), context=Context())
        except OSError as problem:
            return f"{protocol}-port: cannot listen on {place.address}:{place.port}: {_cause(problem)}"
        return None

    def _probe(self, settings: Controller) -> None:
        interval = float(settings.probe_interval)
        self._openflow.set_probe_interval(interval)
        self._ovsdb.set_probe_interval(interval)

    def _cut(self, system_id: str, reason: str) -> int:
        return sum(server.cut(system_id, reason) for server in self._servers.values())

    def _refusal(self, system_id: str) -> str | None:
        """Why an agent is not let in."""
        known = self._network.running.holder("dvrs", "system_id", (), system_id)
        return None if known is not None else f"{system_id} is not configured"


async def _opened(server: Server, place: Place) -> None:
    await server.start(place.address, place.port)


def _edited(edits: Edits) -> Controller | None:
    """The settings after the edits, None when these do not touch them."""
    if CONTROLLER not in edits:
        return None
    item = edits[CONTROLLER]
    return item if isinstance(item, Controller) else Controller(uuid="")


def _places(settings: Controller) -> dict[str, Place]:
    address = settings.listen_address
    return {
        "openflow": Place(address, settings.openflow_port),
        "ovsdb": Place(address, settings.ovsdb_port),
        "agent": Place(address, settings.agent_port),
    }


def _differing(before: Mapping[str, Place], after: Mapping[str, Place]) -> list[str]:
    return [protocol for protocol, place in after.items() if before.get(protocol) != place]


def _cause(problem: OSError) -> str:
    """Just the system's words: asyncio's sentence repeats the address."""
    return (problem.strerror or str(problem)).rpartition(": ")[2]

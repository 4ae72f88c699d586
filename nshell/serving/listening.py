"""Where the daemon listens for those who come over the network, as the configuration says; a participant of commits.

    prepare   close what moves ──> open it at its new place ──no──> put it back, ApplyFailed
    drop      the same way back
    changed   who may no longer come in is shown out; connections survive a move, and the end of listening

What cannot be opened at start is told as an event and tried again every RETRY seconds, as where hypervisors dial in. A
server is loaded in a thread when its listener first opens, and not before. Of SSH: nshell/ssh/listener.py; of HTTPS:
nshell/web/listener.py.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from controller.events import Kind
from data.errors import ApplyFailed, CommandFailed, NshellError
from data.schema.accounts import Ssh
from data.schema.seen import Web

if TYPE_CHECKING:
    from data.configuration import Edits
    from nshell.serving.service import Service

__all__ = ["ELSEWHERE", "Listener", "Place", "Server"]

RETRY = 5.0
BACKLOG = 128
ELSEWHERE = "choose another address or port, or stop what listens there"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is listened for."""

    address: str
    port: int


class Server(Protocol):
    """What is behind a listener once it has opened."""

    def accept(self) -> asyncio.BaseProtocol:
        """The protocol of a new connection."""
        ...

    def changed(self, edits: Edits) -> None:
        """A commit is carried out."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


PlaceT = TypeVar("PlaceT", bound=Place)
ServerT = TypeVar("ServerT", bound=Server)


class Listener(ABC, Generic[PlaceT, ServerT]):
    """A listener, for life, and the server behind it once there is one."""

    settings: ClassVar[type[Ssh] | type[Web]]
    """The container of the configuration that says where."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.server: ServerT | None = None
        self.wanted: PlaceT | None = None
        self.problem = ""
        """Why it does not listen where it should."""
        self._keyword = self.settings.declared.keyword
        self._log = logging.getLogger(f"nshell.{self._keyword}")
        self._listening: asyncio.Server | None = None
        self._former: tuple[PlaceT | None] | None = None  # before the commit that is under way
        self._moving = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None

    @abstractmethod
    def place_of(self, item: Ssh | Web, address: str) -> PlaceT:
        """What these settings say, with their address."""

    @abstractmethod
    async def serve(self, place: PlaceT) -> ServerT:
        """The server for this place, made once. Raises NshellError, ImportError, ValueError, OSError."""

    async def adapt(self, place: PlaceT) -> None:
        """Has what listens at this place already do as it says beside. Raises NshellError."""

    @property
    def listening(self) -> bool:
        """Whether somebody can dial in."""
        return self._listening is not None

    async def open(self) -> None:
        """Listens where the configuration says, soon: the start of the daemon does not wait for it."""
        fabric = self._service.fabric
        self.wanted = self._place(fabric.acting.get((self._keyword,)))
        fabric.add_participant(self)
        self._retrying = asyncio.create_task(self._retry(), name=f"{self._keyword} listener")

    async def close(self) -> None:
        """Closes everything, connections included."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        self._stop()
        if self.server is not None:
            await self.server.close()

    async def prepare(self, edits: Edits) -> None:
        """Listens where a commit says. Raises ApplyFailed, and listens as it did before then."""
        if (self._keyword,) not in edits:
            return
        place = self._place(edits[self._keyword,])
        async with self._moving:
            if place == self.wanted:
                return
            self._former = (self.wanted,)
            problem = await self._move(place)
            if problem is not None:
                await self._back()
                raise ApplyFailed(problem.where, problem.cause, problem.remedy)
            self.problem = ""

    async def drop(self) -> None:
        """The commit failed: listens where it did before."""
        async with self._moving:
            await self._back()

    async def changed(self, edits: Edits) -> None:
        """The commit is decided."""
        self._former = None
        if self.server is not None:
            self.server.changed(edits)

    def _place(self, item: object) -> PlaceT | None:
        """Where these settings say to listen; nowhere when there are none, or they are deactivated."""
        if not isinstance(item, Ssh | Web) or item.listen_address is None or getattr(item, "inactive", False):
            return None
        return self.place_of(item, item.listen_address)

    async def _move(self, place: PlaceT | None) -> NshellError | None:
        """Listens at another place, or differently at the same; why that cannot be done."""
        before, self.wanted = self.wanted, place
        same = place is not None and before is not None and (place.address, place.port) == (before.address, before.port)
        if place is not None and same and self.listening:
            try:
                await self.adapt(place)
            except NshellError as problem:
                return problem
            return None
        self._stop()
        return await self._listen()

    async def _back(self) -> None:
        if self._former is None:
            return
        (place,), self._former = self._former, None
        problem = await self._move(place)
        if problem is not None:
            self._stop()
        self._tell(problem)

    async def _retry(self) -> None:
        while True:
            async with self._moving:
                if self.wanted is not None and not self.listening:
                    self._tell(await self._listen())
            await asyncio.sleep(RETRY)

    def _tell(self, problem: NshellError | None) -> None:
        """Tells what cannot be opened, once for each cause, and when it can at last."""
        events, told = self._service.fabric.events, self.problem
        self.problem = "" if problem is None else f"{problem.where}: {problem.cause}; {problem.remedy}"
        if self.problem and self.problem != told:
            events.add(Kind.FAULT, f"{self.problem}. Tried again every {RETRY:g} s")
        elif told and not self.problem and self.wanted is not None:
            at = f"{self.wanted.address} port {self.wanted.port}"
            events.add(Kind.COMMIT, f"{self._keyword}: listening on {at} at last")

    async def _listen(self) -> NshellError | None:
        """Opens what is wanted; why it cannot be done, None when it is."""
        wanted = self.wanted
        if wanted is None:
            return None
        try:
            self.server = server = await self.serve(wanted)
            loop = asyncio.get_running_loop()
            opening = loop.create_server(server.accept, wanted.address, wanted.port, backlog=BACKLOG)
            # In a context of its own: what is logged of those who come is not by the user whose commit opened the port.
            self._listening = await loop.create_task(opening, context=Context())
        except OSError as problem:
            cause = (problem.strerror or str(problem)).rpartition(": ")[2]  # asyncio's sentence repeats the address
            cause = f"cannot listen on {wanted.address} port {wanted.port}: {cause}"
            return CommandFailed(self._keyword, cause, ELSEWHERE)
        except NshellError as problem:
            return problem
        self._log.info("listening on %s port %d", wanted.address, wanted.port)
        return None

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

"""What the tests of both protocols share: a server to dial, and what any scripted peer can do."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from controller.hypervisors.dialin import C, DialIn


class ScriptedPeer(ABC):
    """The far side of a connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @abstractmethod
    async def receive(self) -> object:
        """The next message. Raises EOFError at the end."""

    @abstractmethod
    async def greet(self) -> None:
        """Do what makes the server announce the connection."""

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def closed(self) -> bool:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                await self.receive()
        return True


P = TypeVar("P", bound=ScriptedPeer)


class Place(Generic[C, P]):
    """A server on a free port and what it said."""

    def __init__(self, server: type[DialIn[C]], peer: type[P], probe_interval: float, limit: int) -> None:
        self.arrived: asyncio.Queue[C] = asyncio.Queue()
        self.left: list[str] = []
        self.server = server(
            self.arrived.put,
            lambda _, reason: self.left.append(reason),
            probe_interval,
            max_connections=limit,
        )
        self.port = 0
        self._peer = peer

    async def dial(self) -> P:
        return self._peer(*await asyncio.open_connection("127.0.0.1", self.port))

    async def greeted(self) -> tuple[P, C]:
        peer = await self.dial()
        await peer.greet()
        return peer, await asyncio.wait_for(self.arrived.get(), 5)


@contextlib.asynccontextmanager
async def listening(place: Place[C, P]) -> AsyncIterator[Place[C, P]]:
    place.port = await place.server.start("127.0.0.1", 0)
    try:
        yield place
    finally:
        await place.server.close()

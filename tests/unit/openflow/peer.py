"""The switch's side of a connection, by hand, and a server for it to dial."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from controller.openflow import match as m
from controller.openflow import wire
from controller.openflow.connection import Switch
from controller.openflow.packed import flow
from controller.openflow.server import OpenFlowServer
from controller.openflow.wire import HEADER, message

HELLO = message(wire.HELLO, 1, struct.pack("!HHI", 1, 8, 1 << 5))
FLOW = flow(3, 7, 0xC0FFEE, [m.in_port(1)], [], goto=4)


class Peer:
    """The switch's side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def receive(self) -> tuple[int, int, bytes]:
        """Type, xid and body of the next message."""
        async with asyncio.timeout(5):
            _, kind, length, xid = HEADER.unpack(await self.reader.readexactly(8))
            return kind, xid, await self.reader.readexactly(length - 8)

    async def expect(self, kind: int) -> tuple[int, bytes]:
        got, xid, body = await self.receive()
        assert got == kind
        return xid, body

    def send(self, kind: int, xid: int, body: bytes = b"") -> None:
        self.raw(message(kind, xid, body))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def greet(self, datapath_id: int = 0xAA) -> None:
        _, body = await self.expect(wire.HELLO)
        assert body == struct.pack("!HHI", 1, 8, 1 << 5)
        self.raw(HELLO)
        await self.expect(wire.SET_CONFIG)
        xid, _ = await self.expect(wire.FEATURES_REQUEST)
        self.send(wire.FEATURES_REPLY, xid, struct.pack("!QIBB2xII", datapath_id, 0, 254, 0, 0, 0))

    async def closed(self) -> bool:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                await self.receive()
        return True


class Place:
    """A server on a free port and what it said."""

    def __init__(self, probe_interval: float, limit: int) -> None:
        self.arrived: asyncio.Queue[Switch] = asyncio.Queue()
        self.left: list[str] = []
        self.server = OpenFlowServer(
            self.arrived.put,
            lambda _, reason: self.left.append(reason),
            probe_interval,
            max_connections=limit,
        )
        self.port = 0

    async def dial(self) -> Peer:
        return Peer(*await asyncio.open_connection("127.0.0.1", self.port))

    async def greeted(self) -> tuple[Peer, Switch]:
        peer = await self.dial()
        await peer.greet()
        return peer, await asyncio.wait_for(self.arrived.get(), 5)


@contextlib.asynccontextmanager
async def serving(probe_interval: float = 5.0, limit: int = 10) -> AsyncIterator[Place]:
    place = Place(probe_interval, limit)
    place.port = await place.server.start("127.0.0.1", 0)
    try:
        yield place
    finally:
        await place.server.close()

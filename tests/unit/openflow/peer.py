"""The switch's side of a connection, by hand, and a server for it to dial."""

from __future__ import annotations

import asyncio
import struct
from contextlib import AbstractAsyncContextManager

from controller.openflow import match as m
from controller.openflow import wire
from controller.openflow.connection import Switch
from controller.openflow.packed import flow
from controller.openflow.server import OpenFlowServer
from controller.openflow.wire import HEADER, message
from tests.unit.dialling import Place, ScriptedPeer, listening

HELLO = message(wire.HELLO, 1, struct.pack("!HHI", 1, 8, 1 << 5))
FLOW = flow(3, 7, 0xC0FFEE, [m.in_port(1)], [], goto=4)


class Peer(ScriptedPeer):
    """The switch's side of a connection."""

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

    async def greet(self, datapath_id: int = 0xAA) -> None:
        _, body = await self.expect(wire.HELLO)
        assert body == struct.pack("!HHI", 1, 8, 1 << 5)
        self.raw(HELLO)
        await self.expect(wire.SET_CONFIG)
        xid, _ = await self.expect(wire.FEATURES_REQUEST)
        self.send(wire.FEATURES_REPLY, xid, struct.pack("!QIBB2xII", datapath_id, 0, 254, 0, 0, 0))


def serving(probe_interval: float = 5.0, limit: int = 10) -> AbstractAsyncContextManager[Place[Switch, Peer]]:
    return listening(Place(OpenFlowServer, Peer, probe_interval, limit))

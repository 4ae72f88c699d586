"""What becomes of a connection to a syslog server that takes nothing."""

from __future__ import annotations

import asyncio

import pytest

from controller.events.syslog import transport
from controller.events.syslog.transport import open_transport


async def test_a_server_that_reads_nothing_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is tried again and again, for days: each connection that stayed would be a file descriptor."""
    monkeypatch.setattr(transport, "SENDING", 0.1)
    ended = asyncio.Event()
    deaf: list[asyncio.Transport] = []

    class Deaf(asyncio.Protocol):
        def connection_made(self, made: asyncio.BaseTransport) -> None:
            assert isinstance(made, asyncio.Transport)
            made.pause_reading()
            deaf.append(made)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Deaf, "127.0.0.1", 0)
    try:
        way = await open_transport("tcp", "127.0.0.1", server.sockets[0].getsockname()[1], None)
        assert isinstance(way, transport.Connection)
        inner = way._writer.transport.get_protocol()
        lost = inner.connection_lost

        def told(problem: Exception | None) -> None:
            lost(problem)
            ended.set()

        monkeypatch.setattr(inner, "connection_lost", told)
        with pytest.raises(ConnectionAbortedError):
            for _ in range(10_000):
                await way.send(b"x" * 2000)
        way.close()
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        server.close()
        for made in deaf:
            made.abort()

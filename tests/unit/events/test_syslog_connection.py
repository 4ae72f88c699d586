"""What becomes of a connection to a syslog server that takes nothing."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from controller.events import Events, Kind
from controller.events.syslog import transport
from controller.events.syslog.exporter import Exporter
from controller.events.syslog.transport import open_transport
from data.configuration import Running
from data.schema.seen import SyslogServer


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


async def test_each_server_is_told_by_the_number_that_it_has_now() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Hearing(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            heard.put_nowait(data)

    loop = asyncio.get_running_loop()
    listening, _ = await loop.create_datagram_endpoint(Hearing, local_addr=("127.0.0.1", 0))
    path = ("syslog-server", "logs")
    usual = SyslogServer(uuid="s", address="127.0.0.1", port=listening.get_extra_info("sockname")[1])
    own = msgspec.structs.replace(usual, enterprise_number=50000)
    acting, events = [Running({path: usual}, 1)], Events()
    exporter = Exporter(events, lambda: acting[0])
    await exporter.start()
    try:
        async with asyncio.timeout(60):
            events.add(Kind.FAULT, "one")
            assert b"[nshell@32473 " in await heard.get()
            acting[0] = Running({path: own}, 2)
            await exporter.changed({path: own})
            events.add(Kind.FAULT, "another")
            assert b"[nshell@50000 " in await heard.get()
    finally:
        await exporter.stop()
        listening.close()

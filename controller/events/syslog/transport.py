"""How messages get to a syslog server: datagrams (RFC 5426), TCP with counted octets (RFC 6587), TLS (RFC 5425)."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol, cast

from controller.events.syslog.message import framed

__all__ = ["CONNECTING", "SENDING", "Transport", "open_transport", "trusting"]

CONNECTING = 10.0  # seconds to connect, TLS included
SENDING = 10.0  # seconds that a server may take nothing before it counts as away
PORTS = {"udp": 514, "tcp": 514, "tls": 6514}


class Transport(Protocol):
    """An open way to a server."""

    async def send(self, whole: bytes) -> None:
        """Sends one message. Raises OSError when the server is gone, or takes nothing."""

    def check(self) -> None:
        """Raises OSError when the server is gone, as far as anybody told."""

    def close(self) -> None:
        """Ends it."""


class Datagrams(asyncio.DatagramProtocol):
    """Over UDP. What the network refuses (RFC 1122, 4.1.3.3) is the error of the next message."""

    transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self._refused: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # 3.11's own is not an instance of it

    def error_received(self, exc: Exception) -> None:
        self._refused = exc

    async def send(self, whole: bytes) -> None:
        self.check()
        self.transport.sendto(whole)
        await asyncio.sleep(0)

    def check(self) -> None:
        if self._refused is not None:
            raise ConnectionRefusedError("nobody listens there")

    def close(self) -> None:
        self.transport.close()


class Connection:
    """Over TCP or TLS. A server says nothing: what can be read is the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = asyncio.create_task(self._read(reader), name="syslog connection")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while await reader.read(4096):
            continue

    def check(self) -> None:
        if self._ended.done():
            problem = None if self._ended.cancelled() else self._ended.exception()
            raise ConnectionResetError(f"the server closed the connection{f': {problem}' if problem else ''}")

    async def send(self, whole: bytes) -> None:
        self.check()
        self._writer.write(framed(whole))
        try:
            async with asyncio.timeout(SENDING):
                await self._writer.drain()
        except TimeoutError:
            raise ConnectionAbortedError(f"the server took nothing for {SENDING:g} s") from None

    def close(self) -> None:
        if not self._ended.cancel() and not self._ended.cancelled():
            self._ended.exception()  # known now, if anybody told it before or not
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()  # a server that takes nothing would hold this connection for ever
        else:
            self._writer.close()


async def open_transport(protocol: str, address: str, port: int | None, certificate: str | None) -> Transport:
    """A way to the server; `port` None is the protocol's own. Raises OSError (ssl.SSLError is one)."""
    port = PORTS[protocol] if port is None else port
    try:
        async with asyncio.timeout(CONNECTING):
            if protocol == "udp":
                loop = asyncio.get_running_loop()
                _, datagrams = await loop.create_datagram_endpoint(Datagrams, remote_addr=(address, port))
                return datagrams
            context = await asyncio.to_thread(trusting, certificate) if protocol == "tls" else None
            reader, writer = await asyncio.open_connection(address, port, ssl=context)
            return Connection(reader, writer)
    except TimeoutError:
        raise TimeoutError(f"no answer within {CONNECTING:g} s") from None


def trusting(certificate: str | None) -> ssl.SSLContext:
    """TLS that checks the server's certificate, and that it is for the address that is dialled, against the authorities
    of a file or of this machine (RFC 5425, section 4.2.1). Raises OSError. Blocks.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

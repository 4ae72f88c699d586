"""A BGP peer that says exactly the bytes it is told to: for everything that a proper router would not send.

::

    peer = RawPeer(network.space("x"), network.address("x"), asn=65009)
    await peer.connect(network.here, 179)           # or: await peer.listen(port); await peer.accepted()
    await peer.establish([(1, 128)])
    peer.send(message(UPDATE, body)); ... ; await peer.until(NOTIFICATION)
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent import namespaces

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
PATIENCE = 60.0  # seconds for what should come at once
AS_TRANS = 23456


def message(kind: int, body: bytes = b"") -> bytes:
    """With marker, length and type (RFC 4271 section 4.1)."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def attribute(flags: int, kind: int, value: bytes) -> bytes:
    """A path attribute, its length as one byte or two as `flags` say."""
    return bytes([flags, kind]) + len(value).to_bytes(2 if flags & 0x10 else 1, "big") + value


def update(attributes: bytes, nlri: bytes = b"", withdrawn: bytes = b"") -> bytes:
    """A whole UPDATE."""
    body = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + nlri
    return message(UPDATE, body)


def capability(code: int, value: bytes = b"") -> bytes:
    """As an optional parameter of its own (RFC 5492 section 4)."""
    return bytes([2, len(value) + 2, code, len(value)]) + value


@dataclass
class RawPeer:
    """One connection. `messages` are those that came, as (type, body)."""

    namespace: Path
    address: str
    asn: int = 65009
    hold: int = 90
    ttl: int | None = None
    restart: int | None = None  # seconds, with the forwarding bit of every family
    extended: bool = False
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    closed: bool = False
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _listening: socket.socket | None = None

    def _socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        made = namespaces.inside(self.namespace, lambda: socket.socket(family, socket.SOCK_STREAM))
        if self.ttl is not None:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, self.ttl)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        return made

    async def connect(self, remote: str, port: int = 179, patience: float = PATIENCE) -> None:
        """Open the connection; tries again while it is refused."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(patience):
            while True:
                made = self._socket()
                made.bind((self.address, 0))
                try:
                    await loop.sock_connect(made, (remote, port))
                except BaseException as problem:
                    made.close()
                    if not isinstance(problem, ConnectionError):
                        raise
                    await asyncio.sleep(0.05)
                    continue
                break
        await self._take(made)

    def listen(self, port: int) -> None:
        """Let the other side connect."""
        self._listening = self._socket()
        self._listening.bind((self.address, port))
        self._listening.listen()

    async def accepted(self) -> None:
        """The next connection to where it listens."""
        assert self._listening is not None
        async with asyncio.timeout(PATIENCE):
            made, _ = await asyncio.get_running_loop().sock_accept(self._listening)
        await self._take(made)

    async def _take(self, made: socket.socket) -> None:
        self.closed = False
        self._reader, self._writer = await asyncio.open_connection(sock=made)
        self._tasks.append(asyncio.create_task(self._read(self._reader)))

    async def establish(self, families: Sequence[tuple[int, int]], *, router_id: str = "9.9.9.9") -> None:
        """Send OPEN and KEEPALIVE, wait for the other side's; keepalives follow by themselves."""
        self.send(self.open_message(families, router_id))
        await self.until(OPEN)
        self.send(message(KEEPALIVE))
        await self.until(KEEPALIVE)
        if self.hold:
            self._tasks.append(asyncio.create_task(self._keep_alive()))

    def open_message(self, families: Sequence[tuple[int, int]], router_id: str = "9.9.9.9") -> bytes:
        """Its OPEN, with 4-byte AS numbers and route refresh."""
        parameters = b"".join(capability(1, struct.pack("!HBB", afi, 0, safi)) for afi, safi in families)
        parameters += capability(65, self.asn.to_bytes(4, "big")) + capability(2)
        if self.extended:
            parameters += capability(6)
        if self.restart is not None:
            flags = b"".join(struct.pack("!HBB", afi, safi, 0x80) for afi, safi in families)
            parameters += capability(64, struct.pack("!H", self.restart) + flags)
        number = self.asn if self.asn <= 0xFFFF else AS_TRANS
        head = struct.pack("!BHH", 4, number, self.hold) + ipaddress.IPv4Address(router_id).packed
        return message(OPEN, head + bytes([len(parameters)]) + parameters)

    def send(self, data: bytes) -> None:
        """Any bytes."""
        assert self._writer is not None
        self._writer.write(data)

    async def flushed(self) -> None:
        """Everything was given to the kernel, but for what a peer that does not read holds back."""
        assert self._writer is not None
        await self._writer.drain()

    def count(self, kind: int) -> int:
        """How many messages of a kind came."""
        return sum(one == kind for one, _ in self.messages)

    async def until(self, kind: int, more_than: int = 0) -> bytes:
        """The body of the last message of a kind, once there are more than so many."""
        async with asyncio.timeout(PATIENCE):
            while self.count(kind) <= more_than:
                if self.closed:
                    raise AssertionError(f"closed; messages of types {[one for one, _ in self.messages]}")
                await asyncio.sleep(0.01)
        return next(body for one, body in reversed(self.messages) if one == kind)

    async def gone(self) -> None:
        """The other side has closed the connection."""
        async with asyncio.timeout(PATIENCE):
            while not self.closed:
                await asyncio.sleep(0.01)

    def silence(self) -> None:
        """No keepalive follows any more."""
        for task in self._tasks[1:]:
            task.cancel()

    async def close(self, *, reset: bool = False) -> None:
        """End the connection and all that goes on here; `reset`: with a RST, as a crashed router's kernel."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._writer is not None:
            if reset:
                made = self._writer.get_extra_info("socket")
                if made.fileno() != -1:  # else the other side was first
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._writer.transport.abort()
            self._writer.close()
            with contextlib.suppress(OSError):  # the other side was first
                await self._writer.wait_closed()
            self._writer = None
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                head = await reader.readexactly(19)
                body = await reader.readexactly(int.from_bytes(head[16:18], "big") - 19)
                self.messages.append((head[18], body))
        except (asyncio.IncompleteReadError, OSError):
            self.closed = True

    async def _keep_alive(self) -> None:
        while not self.closed:
            await asyncio.sleep(self.hold / 3)
            self.send(message(KEEPALIVE))

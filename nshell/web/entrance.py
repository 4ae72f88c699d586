"""A connection before and below HTTP: how many there may be, TLS, and how long each may take.

    accept ──too many──> the stranger who is longest here is dropped, in the network that most are from; else who comes
      └──TLS, HANDSHAKE s──no──> one line in the log (bounded)
           └──> HTTP: WAITING s for the headers of a request, ANSWERING s for its body and answer; a websocket as long
                as its dashboard

Whoever sends slowly, or does not read, holds one of the connections of its own network for that long, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from controller.trust.refused import RefusedLog, handshake_words
from data.errors import NshellError
from nshell.serving.throttle import source

if TYPE_CHECKING:
    from nshell.web.certificate import Certificates
    from nshell.web.server import WebServer

log = logging.getLogger("nshell.web")

CONNECTIONS = 256
NEIGHBOURS = 64
"""Connections from one address (or IPv6 /64): a browser opens six, and more for each dashboard."""
HANDSHAKE = 5.0
WAITING = 10.0
ANSWERING = 60.0
"""Seconds. A login may wait 8 s for earlier failures, and behind others."""
FOREVER = float("inf")
SWEEP = 1.0
EARLY = 1 << 17
"""Bytes that TLS may hand over before HTTP is there."""


class Entrance(asyncio.Protocol):
    """One connection until HTTP has it, and its deadline until its end."""

    def __init__(self, entrances: Entrances) -> None:
        self._entrances = entrances
        self._early = bytearray()
        self._lost = False
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._attended: asyncio.Task[object] | None = None
        self.network, self.origin = "", "web"
        self.known = False
        """Whether somebody proved here to be a user, or to have the token."""
        self.deadline = FOREVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer:
            self.network, self.origin = source(str(peer[0])), f"web {peer[0]}:{peer[1]}"
        if not self._entrances.arrived(self):
            self._transport.abort()
            return
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._shake(self._transport))

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > EARLY:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._entrances.left(self)
        if self._attended is not None:
            self._attended.cancel()

    @contextmanager
    def attended(self) -> Iterator[None]:
        """What is done within ends with the connection: guesses of those who hung up must not stand in a queue."""
        self._attended = asyncio.current_task()
        try:
            yield
        finally:
            self._attended = None

    @property
    def address(self) -> str:
        """Where it comes from, without the port."""
        return self.origin.removeprefix("web ").rpartition(":")[0]

    def abort(self) -> None:
        """Drops the connection."""
        self._entrances.left(self)
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _shake(self, transport: asyncio.Transport) -> None:
        why = "it was dropped"
        try:
            address = str(transport.get_extra_info("sockname")[0]).partition("%")[0]
            context = await self._entrances.certificates.context(address)
            await self._entrances.turn()
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE, ssl_shutdown_timeout=1.0
            )
            if secured is None or self._lost:
                why = "it hung up during the handshake"
            else:
                self._hand_over(secured)
                why = ""
        except NshellError as problem:
            why = f"{problem.where}: {problem.cause}"
        except OSError as problem:
            why = handshake_words(problem, HANDSHAKE)
        except Exception:
            log.exception("origin=%r cannot be let in", self.origin)
            why = "internal error"
        finally:
            if why:
                transport.abort()
                self._entrances.left(self)
                self._entrances.refused(self.origin, why)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.deadline = asyncio.get_running_loop().time() + WAITING
        protocol = self._entrances.server.http(self)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            protocol.data_received(bytes(self._early))
            self._early.clear()


class Entrances:
    """All connections of one listener."""

    def __init__(self, server: WebServer, certificates: Certificates) -> None:
        self.server = server
        self.certificates = certificates
        self._refused = RefusedLog(log)
        self._here: dict[Entrance, None] = {}
        self._networks: Counter[str] = Counter()
        self._handshakes = asyncio.Lock()
        self._sweeping = asyncio.create_task(self._sweep(), name="web connections")

    def __len__(self) -> int:
        return len(self._here)

    def arrived(self, entrance: Entrance) -> bool:
        """Counts a connection; False when there are too many, all of which are known. A stranger gives way otherwise:
        who holds connections open keeps nobody out.
        """
        crowded = self._networks[entrance.network] >= NEIGHBOURS
        if crowded or len(self._here) >= CONNECTIONS:
            network = entrance.network if crowded else self._networks.most_common(1)[0][0]
            strangers = [one for one in self._here if not one.known and (not crowded or one.network == network)]
            leaves = next((one for one in strangers if one.network == network), next(iter(strangers), None))
            self.refused((leaves or entrance).origin, f"{len(self._here)} connections are open")
            if leaves is None:
                return False
            leaves.abort()
        self._here[entrance] = None
        self._networks[entrance.network] += 1
        return True

    def left(self, entrance: Entrance) -> None:
        """A connection is closed."""
        if entrance in self._here:
            del self._here[entrance]
            self._networks[entrance.network] -= 1
            if not self._networks[entrance.network]:
                del self._networks[entrance.network]

    def refused(self, origin: str, why: str) -> None:
        """One line in the log for somebody who is not let in; a flood of them is counted."""
        self._refused.tell("origin=%r refused: %s", origin, why)

    async def turn(self) -> None:
        """Waits for the turn to begin a handshake, one in each round of the loop: each costs it 1-3 ms."""
        async with self._handshakes:
            await asyncio.sleep(0)

    def drop(self) -> None:
        """Drops every connection."""
        for entrance in tuple(self._here):
            entrance.abort()

    def close(self) -> None:
        """The end."""
        self._sweeping.cancel()
        self.drop()

    async def _sweep(self) -> None:
        """Ends what takes too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP)
            now = loop.time()
            for entrance in tuple(self._here):
                if now > entrance.deadline:
                    self.refused(entrance.origin, "it took too long")
                    entrance.abort()

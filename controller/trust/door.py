"""The door of all three listeners: in the clear for this machine itself, TLS for everybody else.

    connection_made ──both ends loopback, or a unix socket──> enter(None)
           └──else──> TLS, 5 s ──no, or a certificate that is not good──> one line in the log (bounded)
                         └──> enter(Credential), with what arrived meanwhile

The protocol behind the door is made only when it is known who is there, so strangers cost it nothing. While a handshake
is under way the connection counts against the listener's limit, and one address has at most HANDSHAKES of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import unquote

from controller.events import Events, Kind
from controller.trust.refused import RefusedLog, handshake_words
from data.errors import NshellError

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 5.0  # seconds
SHUTDOWN_TIMEOUT = 1.0  # seconds that a peer has to answer our good-bye
HANDSHAKES = 16  # at a time from one address; a hypervisor needs three
EARLY_BYTES = 1 << 17  # a peer sends before we have looked its certificate up; TLS may hand over 64 KiB at once
URI = "nshell:hypervisor:"  # how a hypervisor's certificate names its system-id
SERVER_NAME = "nshell-controller"  # what the controller's certificate says it is

__all__ = ["ANONYMOUS", "SERVER_NAME", "URI", "Credential", "Door", "Gate", "is_local"]

Enter = Callable[["Credential | None"], asyncio.BaseProtocol]


@dataclass(frozen=True, slots=True)
class Credential:
    """Who a TLS peer has proved to be: the system-id of its certificate, and that certificate's serial."""

    system_id: str
    serial: str


ANONYMOUS = Credential("", "")
"""A TLS peer without a certificate."""


class Office(Protocol):
    """What the door asks (`office.py`)."""

    async def context(self, *, required: bool) -> ssl.SSLContext:
        """TLS as the controller speaks it; `required`: nobody without a certificate."""

    async def objection(self, credential: Credential) -> str | None:
        """Why a certificate that the authority signed is not good, None when it is."""


def is_local(transport: asyncio.BaseTransport) -> bool:
    """Whether both ends of a connection are on this machine and nowhere else."""
    ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if not any(isinstance(end, tuple) for end in ends):
        return True  # a unix socket
    return all(isinstance(end, tuple) and _is_loopback(str(end[0])) for end in ends)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Door:
    """One for all listeners. Asks `office` who is welcome."""

    def __init__(self, office: Office, events: Events) -> None:
        self.office = office
        self.events = events
        self._shaking: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._refused = RefusedLog(log, "connections")

    def begin(self, address: str) -> bool:
        """Takes note of a handshake; False when that address has too many under way."""
        if self._shaking[address] >= HANDSHAKES:
            return False
        self._shaking[address] += 1
        return True

    def end(self, address: str) -> None:
        """A handshake is over."""
        self._shaking[address] -= 1
        if not self._shaking[address]:
            del self._shaking[address]

    async def turn(self) -> None:
        """Waits for the turn to begin a handshake, one in each round of the loop: with 900 that dial at the same time
        the loop does nothing else for 40 ms at worst, else for 130 ms. Who is slow holds nobody up."""
        async with self._turn:
            await asyncio.sleep(0)

    def refused(self, protocol: str, peer: str, reason: str) -> None:
        """One line in the log for somebody who is not let in; a flood of them is counted."""
        self._refused.tell("%s connection from %s refused: %s", protocol, peer, reason)


class Gate(asyncio.Protocol):
    """One connection until it is known who is there. `left` is called whatever becomes of it, at least once."""

    def __init__(self, door: Door, protocol: str, required: bool, enter: Enter, left: Callable[[Gate], None]) -> None:
        self._door, self._protocol, self._required = door, protocol, required
        self._enter, self._left = enter, left
        self._early = bytearray()
        self._ended: list[Exception | None] = []  # what connection_lost said meanwhile
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if is_local(transport):
            self._left(self)
            self._hand_over(self._transport, None)
            return
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._shake(self._transport))

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.append(exc)

    def abort(self) -> None:
        """Ends it without a word."""
        self._left(self)
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _shake(self, transport: asyncio.Transport) -> None:
        name = transport.get_extra_info("peername")
        address, peer = str(name[0]), f"{name[0]}:{name[1]}"
        refused = None
        try:
            if not self._door.begin(address):
                refused = f"{HANDSHAKES} handshakes from there are under way"
            else:
                try:
                    refused = await self._identify(transport, peer)
                finally:
                    self._door.end(address)
        except NshellError as problem:
            refused = f"{problem.where}: {problem.cause}"
            text = f"hypervisors cannot be let in: {refused}; {problem.remedy}"
            self._door.events.once(Kind.FAULT, "door", refused, text)
        except OSError as problem:
            refused = handshake_words(problem, HANDSHAKE_TIMEOUT)
        except Exception:
            log.exception("%s connection from %s: cannot be let in", self._protocol, peer)
            refused = "internal error"
        finally:
            self._left(self)
            if refused is not None:
                transport.abort()
        if refused is not None:
            self._door.refused(self._protocol, peer, refused)

    async def _identify(self, transport: asyncio.Transport, peer: str) -> str | None:
        """The handshake and what follows; the reason to refuse, None when it was handed over."""
        context = await self._door.office.context(required=self._required)
        await self._door.turn()
        secured = await asyncio.get_running_loop().start_tls(
            transport, self, context, server_side=True,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT, ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
        )  # fmt: skip
        if secured is None or self._ended:
            return "it hung up during the handshake"
        credential = _credential(secured.get_extra_info("ssl_object").getpeercert())
        if credential is None:
            return "its certificate names no hypervisor"
        if credential is not ANONYMOUS:
            objection = await self._door.office.objection(credential)
            if objection is not None:
                text = f"{credential.system_id} from {peer.rpartition(':')[0]} refused: {objection}"
                self._door.events.once(Kind.IDENTITY, f"certificate {credential.serial}", objection, text)
                return objection
        if self._ended:
            return "it hung up after the handshake"
        self._hand_over(secured, credential)
        return None

    def _hand_over(self, transport: asyncio.Transport, credential: Credential | None) -> None:
        protocol = self._enter(credential)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            cast(asyncio.Protocol, protocol).data_received(bytes(self._early))


def _credential(certificate: Mapping[str, Any] | None) -> Credential | None:
    """Whom a verified certificate names; ANONYMOUS without one, None for one that is not a hypervisor's."""
    if not certificate:
        return ANONYMOUS
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    if len(names) != 1 or not names[0].startswith(URI):
        return None
    system_id = unquote(names[0].removeprefix(URI))
    return Credential(system_id, str(certificate["serialNumber"]).lstrip("0")) if system_id else None

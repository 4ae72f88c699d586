"""Trust: who may have a certificate, and whose are good.

    join_token   an operator asks ──> one line to run on the hypervisor; a hash of its secret is kept
    enrol        the agent brings the secret and a signing request ──> certificate, written down first
    renew        the same over a connection that the former certificate opened
    revoke       no certificate of that system-id is good any more, and its connections end at once

What is known of every certificate is in memory; the store has it on disk (`data/store/trust.py`). A serial that is not
in memory is looked for in the store, where a lab writes certificates that it issued by itself.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from controller.events import Events, Kind, Severity
from controller.trust.door import Credential, Door
from controller.trust.tokens import WINDOW, Attempts, digest, new_token
from data.errors import CommandFailed
from data.store.connection import Connection
from data.store.trust import CertificateRow, TrustStore

if TYPE_CHECKING:
    from controller.trust.authority import Authority, Issued

__all__ = ["DIRECTORY", "TOKEN_MINUTES", "Trust"]

P = ParamSpec("P")
T = TypeVar("T")

DIRECTORY = "trust"  # below the state directory
LIFETIME = timedelta(days=90)  # of a hypervisor's certificate
TOKEN_MINUTES = 60
KEPT = 30 * 86400.0  # seconds that an expired certificate is still shown
NOBODY = "nobody"  # in a certificate that is never handed out
ROUND = 3600.0  # seconds between two looks whether something is about to expire


class Submit(Protocol):
    """Runs a store call in the writer thread, after those submitted before."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class Trust:
    """The controller's side of trust. Belongs to the event loop; `clock` gives seconds since the epoch."""

    def __init__(
        self, store: Connection, submit: Submit, events: Events, clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = store.directory / DIRECTORY
        self._rows = TrustStore(store)
        self._submit = submit
        self._events = events
        self._clock = clock
        self._known: dict[str, CertificateRow] = {}
        self._attempts = Attempts(clock)
        self._authority: Authority | None = None
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._renewed_until = 0.0  # when the controller's own certificate expires
        self._opening = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self.lifetime = LIFETIME
        self.door = Door(self, events)
        self.cut: Callable[[str, str], int] = lambda system_id, reason: 0
        """Ends the connections of a system-id for a reason; how many. Set by who has the connections."""

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads what was issued. Raises StoreUnavailable."""
        await self._load()
        self._keeping = asyncio.create_task(self._keep(), name="trust")

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _load(self) -> None:
        self._known = {row.serial: row for row in await self._submit(self._rows.certificates)}

    async def _keep(self) -> None:
        """Forgets what expired long ago; the controller's own certificate is renewed long before it expires."""
        while True:
            await asyncio.sleep(ROUND)
            try:
                await self._submit(self._rows.forget, self._clock() - KEPT)
                await self._load()
                self._warn()
                if self._contexts:
                    await self._ready()
            except CommandFailed as problem:
                text = f"{problem.where}: {problem.cause}; {problem.remedy}"
                self._events.once(Kind.FAULT, "trust", text, text)

    def _warn(self) -> None:
        """Tells of hypervisors whose last certificate has not been renewed although that was due long ago."""
        now = self._clock()
        newest = {row.system_id: row for row in self.certificates() if row.revoked is None}
        for row in newest.values():
            if now < row.expires < now + (row.expires - row.issued) / 6:
                text = f"the certificate of {row.system_id} expires in {(row.expires - now) / 86400:.0f} days"
                remedy = "does 'nshell agent run' run there?"
                said = f"{text}; {remedy}"
                self._events.once(Kind.FAULT, f"certificate {row.serial}", "expires", said, severity=Severity.WARNING)

    async def _ready(self) -> Authority:
        """The authority, and TLS contexts whose certificate lasts; made when they are first needed."""
        async with self._opening:
            if self._authority is None:
                self._authority = await asyncio.to_thread(_open, self._directory)
            if self._clock() > self._renewed_until - LIFETIME.total_seconds() / 3:
                await asyncio.to_thread(self._equip, self._authority)
            return self._authority

    def _equip(self, authority: Authority) -> None:
        """Gives the contexts a fresh certificate; connections that stand keep theirs."""
        file, expires = authority.controller(self._clock())
        for required in (True, False):
            context = self._contexts.get(required) or _context(authority.pem, required)
            context.load_cert_chain(file)
            self._contexts[required] = context
        self._renewed_until = expires

    # What the door asks -------------------------------------------------------------------------------------

    async def context(self, *, required: bool) -> ssl.SSLContext:
        """TLS as the controller speaks it. Raises CommandFailed."""
        if required not in self._contexts:
            await self._ready()
        return self._contexts[required]

    async def objection(self, credential: Credential) -> str | None:
        """Why a certificate is not good, although the authority signed it and it has not expired."""
        row = self._known.get(credential.serial) or await self._submit(self._rows.certificate, credential.serial)
        if row is not None:
            row = self._known.setdefault(row.serial, row)  # what was revoked while we looked is in memory
        if row is None or row.system_id != credential.system_id:
            return f"its certificate {credential.serial} is not one that was issued here"
        if row.revoked is not None:
            return f"its certificate {credential.serial} is revoked"
        return None

    # What the web server asks --------------------------------------------------------------------------------

    async def web_certificate(self, names: Iterable[str]) -> Path:
        """The file with a key and a certificate that the authority signed for these names. Raises CommandFailed."""
        authority = await self._ready()
        return await asyncio.to_thread(authority.web, tuple(names), self._clock())

    # What operators ask -------------------------------------------------------------------------------------

    def certificates(self) -> tuple[CertificateRow, ...]:
        """Every certificate that is known, the oldest first."""
        return tuple(sorted(self._known.values(), key=lambda row: (row.issued, row.serial)))

    async def join_token(self, system_id: str, minutes: int = TOKEN_MINUTES) -> str:
        """A token with which one hypervisor may join once; an earlier one of it is void. Raises CommandFailed."""
        authority = await self._ready()
        token = new_token(authority.fingerprint)
        await self._submit(self._rows.offer, system_id, token.digest, self._clock() + minutes * 60)
        text = f"{system_id} may join within {minutes} minutes"
        self._events.add(Kind.IDENTITY, text, severity=Severity.NOTICE, facts={"system-id": system_id})
        return token.text

    async def revoke(self, system_id: str) -> tuple[int, int]:
        """Revokes every certificate and token of a hypervisor; how many certificates, and connections ended."""
        now = self._clock()
        for serial, row in self._known.items():
            if row.system_id == system_id and row.revoked is None:
                self._known[serial] = _revoked(row, now)  # before the store is asked: nobody gets in meanwhile
        try:
            count = await self._submit(self._rows.revoke, system_id, now)
            await self._load()
        finally:
            ended = self.cut(system_id, "its certificate is revoked")
        self._events.add(Kind.IDENTITY, f"{system_id}: {count} certificates revoked, {ended} connections ended")
        return count, ended

    # What agents ask ----------------------------------------------------------------------------------------

    async def authority_pem(self) -> str:
        """The authority's certificate, which the agent holds against the fingerprint in its token."""
        return (await self._ready()).pem

    async def enrol(
        self, system_id: str, secret: str, request: str, peer: str, *, configured: bool = True
    ) -> Mapping[str, str]:
        """A certificate for who brings a join token's secret. Raises CommandFailed, in the same words for a hypervisor
        that is not `configured`: strangers ask here, and are not told which there are.
        """
        address = peer.rpartition(":")[0]
        if self._attempts.exhausted(address):
            raise CommandFailed("join", "too many wrong tokens from this address", f"wait {WINDOW:g} s")
        authority = await self._ready()
        issued = authority.sign(system_id if configured else NOBODY, request, self._clock(), self.lifetime)
        if not configured or not await self._submit(self._rows.redeem, digest(secret), _row(issued)):
            self._attempts.failed(address)
            raise CommandFailed(
                "join",
                f"this is no token for {system_id}, or it was used already, or its time is over",
                f"make another one at the controller: request dvrs {system_id} join-token",
            )
        await self._granted(issued, f"{system_id} joined from {peer}")
        return {"certificate": issued.pem, "authority": authority.pem}

    async def renew(self, credential: Credential, request: str) -> Mapping[str, str]:
        """A certificate after the one that opened the connection it is asked for on. Raises CommandFailed."""
        mine = [row for row in self._known.values() if row.system_id == credential.system_id]
        newest = max(mine, key=lambda row: row.issued, default=None)
        if newest is not None and self._clock() < newest.issued + (newest.expires - newest.issued) / 10:
            # its agent asks after two thirds; who asks without end would fill the disk
            raise CommandFailed("certificate", "the last one is too young", "ask after a tenth of its life")
        authority = await self._ready()
        issued = authority.sign(credential.system_id, request, self._clock(), self.lifetime)
        if not await self._submit(self._rows.renew, credential.serial, _row(issued)):
            raise CommandFailed("certificate", "the former one is revoked", "join again with a new token")
        await self._granted(issued, f"{credential.system_id} has renewed its certificate")
        return {"certificate": issued.pem, "authority": authority.pem}

    async def _granted(self, issued: Issued, text: str) -> None:
        await self._load()  # the oldest of several may have been revoked by the way
        facts = {"system-id": issued.system_id, "serial": issued.serial}
        self._events.add(Kind.IDENTITY, f"{text}: certificate {issued.serial}", severity=Severity.NOTICE, facts=facts)


def _open(directory: Path) -> Authority:
    """Imports what signs, 50 ms, where no keepalive waits for it."""
    from controller.trust.authority import Authority

    return Authority.open(directory)


def _context(authority: str, required: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Open vSwitch before 2.17 has no 1.3
    context.load_verify_locations(cadata=authority)
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET  # a resumed session would bring a certificate that nobody verifies again
    context.num_tickets = 0
    return context


def _row(issued: Issued) -> CertificateRow:
    return CertificateRow(issued.serial, issued.system_id, issued.issued, issued.expires)


def _revoked(row: CertificateRow, now: float) -> CertificateRow:
    return CertificateRow(row.serial, row.system_id, row.issued, row.expires, now)

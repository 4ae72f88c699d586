"""The certificate of the web server: a file of the operator's, or one that the controller's own authority signs.

    own      names this machine and every address of it that somebody dialled; renewed long before it expires
    file     read again when it was replaced (whoever renews it need not tell); a bad one leaves the former in use

Both are looked at when somebody dials, at most every LOOK seconds; reading and signing happen in a thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from controller.events import Kind
from data.errors import CommandFailed

if TYPE_CHECKING:
    from controller.fabric import Fabric

LOOK = 60.0
WARNING = 14 * 86400.0
"""Seconds before its end from which on an operator's certificate is told of."""
ADDRESSES = 64
"""Addresses of this machine in the certificate."""
LARGEST = 1 << 20
"""Bytes of a PEM file; a chain of four certificates has 8,000."""
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: those with forward secrecy and authenticated encryption (RFC 7525 section 4.2)."""
REMEDY = "name a readable PEM file with the certificate, its chain and its key (not encrypted)"


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as `show web` has it; `expires` is seconds since the epoch."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    fingerprint: str
    expires: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """A certificate in use: the file, when that was written, and TLS with it."""

    file: str
    written: tuple[int, int, int]
    context: ssl.SSLContext
    shown: Shown


class Certificates:
    """The certificate in use. `file` is the operator's, None for one of the authority's."""

    def __init__(self, fabric: Fabric, file: str | None, names: tuple[str, ...]) -> None:
        self._fabric = fabric
        self.file = file
        self._names = list(names)
        self._loaded: Loaded | None = None
        self._looked = 0.0
        self._turn = asyncio.Lock()

    @property
    def shown(self) -> Shown | None:
        """What is in use; None before somebody needed one."""
        return None if self._loaded is None else self._loaded.shown

    async def open(self) -> None:
        """Reads or makes the certificate. Raises CommandFailed."""
        async with self._turn:
            await self._load(self._names)

    async def context(self, address: str) -> ssl.SSLContext:
        """TLS for somebody who dialled this address of ours. Raises CommandFailed when there was never a good one."""
        if self._due(address):
            async with self._turn:
                if self._due(address):
                    names = [*self._names, address] if self._lacks(address) else self._names
                    self._looked = asyncio.get_running_loop().time()
                    await self._again(names)
                    self._names = names
        assert self._loaded is not None
        return self._loaded.context

    def _lacks(self, address: str) -> bool:
        return self.file is None and address not in self._names and len(self._names) < ADDRESSES

    def _due(self, address: str) -> bool:
        """Whether the file must be looked at before somebody who dialled this address is answered."""
        late = asyncio.get_running_loop().time() > self._looked + LOOK
        return self._loaded is None or late or self._lacks(address)

    async def _again(self, names: list[str]) -> None:
        """Looks whether there is a newer certificate. Raises CommandFailed when none was ever good."""
        try:
            await self._load(names)
        except CommandFailed as problem:
            if self._loaded is None:
                raise
            text = f"{problem.where}: {problem.cause}; the former certificate stays in use; {problem.remedy}"
            self._fabric.events.once(Kind.FAULT, "web certificate", text, text)
        else:
            self._fabric.events.settled("web certificate")
        assert self._loaded is not None
        self._warn(self._loaded.shown)

    def _warn(self, shown: Shown) -> None:
        left = shown.expires - time.time()
        if left < WARNING:
            text = f"the certificate of the web server expires in {left / 86400:.0f} days" if left > 0 else (
                "the certificate of the web server has expired")  # fmt: skip
            self._fabric.events.once(Kind.FAULT, "web certificate expires", text, f"{text}; replace {self.file}")

    async def _load(self, names: list[str]) -> None:
        file = self.file or str(await self._fabric.trust.web_certificate(names))
        self._loaded = await asyncio.to_thread(_read, file, self._loaded)
        self._looked = asyncio.get_running_loop().time()


def names_of(listen_address: str, hostname: str) -> tuple[str, ...]:
    """What a certificate of our own names at first. Blocking: the machine's full name may be asked of DNS."""
    machine = socket.gethostname()
    names = [hostname, machine, socket.getfqdn(), "localhost", "127.0.0.1", "::1"]
    if listen_address not in ("0.0.0.0", "::"):
        names.append(listen_address)
    return tuple(dict.fromkeys(name for name in names if name and name.isascii() and len(name) < 254))


def _read(file: str, before: Loaded | None) -> Loaded:
    """Certificate and key of a file; what was read before when it is the same one. Raises CommandFailed."""
    try:
        status = os.stat(file)
        # A file that is replaced twice within the 4 ms of a kernel's clock has the same time, and another inode.
        written = status.st_mtime_ns, status.st_ino, status.st_size
        if before is not None and (before.file, before.written) == (file, written):
            return before
        if status.st_size > LARGEST:
            raise CommandFailed("web certificate", f"{file} is larger than {LARGEST >> 20} MiB", REMEDY)
        with open(file, "rb") as opened:
            text = opened.read(LARGEST)
        context = _context()
        context.load_cert_chain(file, password=_no_password)
        certificate = x509.load_pem_x509_certificate(text)
    except ssl.SSLError as problem:
        why = "the key is not the certificate's" if problem.reason == "KEY_VALUES_MISMATCH" else "it holds no such pair"
        raise CommandFailed("web certificate", f"{file}: {why}", REMEDY) from None
    except OSError as problem:
        raise CommandFailed("web certificate", f"{file}: {problem.strerror or problem}", REMEDY) from None
    except ValueError:
        raise CommandFailed("web certificate", f"{file}: it holds no certificate with its key", REMEDY) from None
    return Loaded(file, written, context, _shown(certificate))


def _no_password() -> str:
    """What an encrypted key is tried with: without it OpenSSL would ask on the daemon's terminal."""
    return ""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _shown(certificate: x509.Certificate) -> Shown:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in found)
    except x509.ExtensionNotFound:
        names = ()
    return Shown(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        names,
        certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        certificate.not_valid_after_utc.timestamp(),
    )

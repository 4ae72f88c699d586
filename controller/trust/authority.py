"""The controller's own certificate authority: one key on disk, made when it is first needed.

    STATE/trust/authority.pem    the authority's key and certificate (ECDSA P-256), mode 0600
    STATE/trust/controller.pem   the controller's own key and certificate, made anew at every start
    STATE/trust/web.pem          those of the web server, kept as long as they are good for who dials in

Each file holds a key with its certificate and appears as a whole (written beside, synced, renamed, under a lock on the
directory), so a kill at any moment leaves none or a good one. A hypervisor's certificate is for clients alone: Open
vSwitch takes any server certificate of its authority for its controller, so a stolen one must not be one.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.trust.door import SERVER_NAME, URI
from data.errors import CommandFailed

AUTHORITY_FILE = "authority.pem"
CONTROLLER_FILE = "controller.pem"
WEB_FILE = "web.pem"
AUTHORITY_LIFETIME = timedelta(days=20 * 365)
CONTROLLER_LIFETIME = timedelta(days=90)
HYPERVISOR_LIFETIME = timedelta(days=90)
WEB_LIFETIME = timedelta(days=90)  # browsers take no more than 398
SKEW = timedelta(days=1)  # that a hypervisor's clock may be behind
REQUEST_LIMIT = 8192  # characters of a signing request; an agent's has 500

__all__ = ["AUTHORITY_FILE", "CONTROLLER_FILE", "HYPERVISOR_LIFETIME", "WEB_FILE", "Authority", "Issued"]


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as it is handed out; times are seconds since the epoch."""

    pem: str
    serial: str
    system_id: str
    issued: float
    expires: float


class Authority:
    """The key that signs. Synchronous; making one for the first time takes a few milliseconds and two syncs."""

    def __init__(self, directory: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.directory = directory
        self._key, self._certificate = key, certificate

    @classmethod
    def open(cls, directory: Path) -> Authority:
        """The authority in this directory, made if there is none. Raises CommandFailed."""
        file = directory / AUTHORITY_FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(directory):
                if not file.exists():
                    _write(file, _pem(*_new_authority()))
                text = file.read_bytes()
            key = serialization.load_pem_private_key(text, None)
            certificate = x509.load_pem_x509_certificate(text)
        except OSError as problem:
            raise CommandFailed(str(file), str(problem.strerror or problem), "make it writable for this user") from None
        except (ValueError, UnsupportedAlgorithm):
            raise CommandFailed(
                str(file),
                "it holds no authority that can be read",
                "restore it from a backup; or move it away, restart, and let every hypervisor join again",
            ) from None
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(directory, key, certificate)

    @property
    def pem(self) -> str:
        """Its certificate, which is no secret."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its certificate: what a join token says of it."""
        return self._certificate.fingerprint(hashes.SHA256())

    def sign(self, system_id: str, request: str, now: float, lifetime: timedelta = HYPERVISOR_LIFETIME) -> Issued:
        """A hypervisor's certificate for the key of a signing request; of what else the request says, nothing counts.

        Raises CommandFailed for what is no such request.
        """
        certificate = self._issue(
            _public_key(request),
            quote(system_id)[:64],  # RFC 5280, ub-common-name; whole in the alternative name
            [x509.UniformResourceIdentifier(URI + quote(system_id, safe=""))],
            ExtendedKeyUsageOID.CLIENT_AUTH,
            datetime.fromtimestamp(now, UTC),
            lifetime,
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Issued(
            pem, f"{certificate.serial_number:X}", system_id, now, certificate.not_valid_after_utc.timestamp()
        )

    def controller(self, now: float) -> tuple[Path, float]:
        """A fresh key and certificate of the controller itself: the file, and when it expires."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            key.public_key(),
            SERVER_NAME,
            [x509.DNSName(SERVER_NAME)],
            ExtendedKeyUsageOID.SERVER_AUTH,
            datetime.fromtimestamp(now, UTC),
            CONTROLLER_LIFETIME,
        )
        return self._keep(CONTROLLER_FILE, key, certificate), certificate.not_valid_after_utc.timestamp()

    def web(self, names: Iterable[str], now: float) -> Path:
        """The file with key and certificate of the web server for whoever dials one of these host names or addresses.

        The one that is there stays when this authority signed it, it has a third of its life before it, and it names
        them all: who looked at its fingerprint once finds it again. Raises CommandFailed.
        """
        wanted = {_alternative(name) for name in names}
        file = self.directory / WEB_FILE
        known = _certificate_in(file)
        if known is not None and self._signed(known):
            named = set(known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
            if wanted <= named and known.not_valid_after_utc.timestamp() > now + WEB_LIFETIME.total_seconds() / 3:
                return file
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            key.public_key(),
            "nshell web",
            sorted(wanted, key=str),
            ExtendedKeyUsageOID.SERVER_AUTH,
            datetime.fromtimestamp(now, UTC),
            WEB_LIFETIME,
        )
        return self._keep(WEB_FILE, key, certificate)

    def _signed(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def _keep(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Path:
        """Writes key and certificate of this machine itself. Raises CommandFailed."""
        file = self.directory / name
        try:
            with _locked(self.directory):
                _write(file, _pem(key, certificate))
        except OSError as problem:
            raise CommandFailed(str(file), str(problem.strerror or problem), "make it writable for this user") from None
        return file

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        alternatives: list[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        now: datetime,
        lifetime: timedelta,
    ) -> x509.Certificate:
        end = min(now + lifetime, self._certificate.not_valid_after_utc)
        return (
            _builder(_name(name), self._certificate.subject, key, now - SKEW, end)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_key_usage(signs_certificates=False), True)
            .add_extension(x509.ExtendedKeyUsage([usage]), True)
            .add_extension(x509.SubjectAlternativeName(alternatives), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )


def _alternative(name: str) -> x509.GeneralName:
    """An address, or a host name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate_in(file: Path) -> x509.Certificate | None:
    """The first certificate in a file whose key is there, too; None when there is none that can be read."""
    try:
        text = file.read_bytes()
        serialization.load_pem_private_key(text, None)
        return x509.load_pem_x509_certificate(text)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _new_authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = _name("nshell authority")
    certificate = (
        _builder(name, name, key.public_key(), now - SKEW, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(_key_usage(signs_certificates=True), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _public_key(request: str) -> ec.EllipticCurvePublicKey:
    """The key that a request proves to have. One type alone: Open vSwitch cannot change it while it runs."""
    remedy = "let 'nshell agent' make it"
    if len(request) > REQUEST_LIMIT:
        raise CommandFailed("certificate", f"a signing request of more than {REQUEST_LIMIT} characters", remedy)
    try:
        read = x509.load_pem_x509_csr(request.encode())
        key = read.public_key()
        good = read.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise CommandFailed("certificate", "this is no signing request", remedy) from None
    if not good or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CommandFailed("certificate", "the signing request is not of an ECDSA P-256 key that signed it", remedy)
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nshell"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _write(file: Path, data: bytes) -> None:
    """The whole file or none, and on disk; needs the directory's lock, for the name beside."""
    beside = file.with_name(file.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(beside, file)
    place = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time: the daemon, or a lab that issues certificates before there is one."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

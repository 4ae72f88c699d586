"""This host's key, and what it signs and is signed: the only module of the agent that needs `cryptography`.

Imported when a key is made or a certificate looked at, so that the agent's other commands start without it.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from data.errors import CommandFailed

URI = "nshell:hypervisor:"  # how a certificate names its system-id; controller/trust/door.py reads the same


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says; `expires` is seconds since the epoch."""

    system_id: str
    expires: float


def new_key() -> tuple[str, str]:
    """A fresh private key and a signing request for it, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # the controller says who this is; a request has to say something
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nshell")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return private.decode(), request.public_bytes(serialization.Encoding.PEM).decode()


def check(key: str, certificate: str, authority: str, system_id: str) -> None:
    """Refuse a certificate that is not for this key, this host, or not from this authority. Raises CommandFailed."""
    try:
        mine = serialization.load_pem_private_key(key.encode(), None)
        given = x509.load_pem_x509_certificate(certificate.encode())
        given.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
        same = given.public_key() == mine.public_key() and _system_id(given) == system_id
    except (ValueError, TypeError, InvalidSignature):
        same = False
    if not same:
        raise CommandFailed(
            "certificate", "the controller gave one that is not for this host", "see the controller's log"
        )


def facts(certificate: str) -> Facts:
    """What a certificate says. Raises ValueError."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    return Facts(_system_id(found), found.not_valid_after_utc.timestamp())


def fingerprint(certificate: str) -> bytes:
    """SHA-256 of a certificate. Raises ValueError."""
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())


def _system_id(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    found = [name for name in names.get_values_for_type(x509.UniformResourceIdentifier) if name.startswith(URI)]
    return unquote(found[0].removeprefix(URI)) if found else ""

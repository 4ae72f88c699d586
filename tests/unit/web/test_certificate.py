"""The certificate of the web server: the controller's own, with the right names and in time, or the operator's."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from controller.events import Events
from controller.trust.authority import WEB_FILE, WEB_LIFETIME, Authority
from data.errors import CommandFailed
from nshell.web.certificate import Certificates, names_of

DAY = 86400.0


def fabric(folder: Path) -> SimpleNamespace:
    """As much of one as certificates ask of: an authority, and somebody to tell."""
    authority = Authority.open(folder)

    async def web_certificate(names: list[str]) -> Path:
        return await asyncio.to_thread(authority.web, tuple(names), time.time())

    return SimpleNamespace(trust=SimpleNamespace(web_certificate=web_certificate), events=Events(), authority=authority)


def read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_authoritys_stays_as_long_as_it_is_good_and_names_who_is_dialled(tmp_path: Path) -> None:
    authority, now = Authority.open(tmp_path), time.time()
    first = read(authority.web(["nsh1", "127.0.0.1"], now))
    assert (tmp_path / WEB_FILE).stat().st_mode & 0o777 == 0o600
    assert read(authority.web(["127.0.0.1"], now)) == first, "it names more than is asked for"
    assert read(Authority.open(tmp_path).web(["nsh1"], now)) == first, "after a restart as well"
    wider = read(authority.web(["nsh1", "127.0.0.1", "2001:db8::1"], now))
    assert wider != first
    names = wider.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"nsh1", "127.0.0.1", "2001:db8::1"}
    assert read(authority.web(["nsh1"], now + WEB_LIFETIME.total_seconds() / 2)) == wider
    renewed = read(authority.web(["nsh1"], now + WEB_LIFETIME.total_seconds() * 0.7))
    assert renewed != wider and renewed.not_valid_after_utc > wider.not_valid_after_utc
    (tmp_path / WEB_FILE).write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    assert read(authority.web(["nsh1"], now)) != renewed
    stranger = Authority.open(tmp_path / "other")
    (tmp_path / WEB_FILE).write_bytes(stranger.web(["nsh1"], now).read_bytes())
    assert read(authority.web(["nsh1"], now)).issuer == wider.issuer
    read(authority.web(["nsh1"], now)).verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem.encode()))


async def test_an_address_that_somebody_dials_is_in_the_certificate_from_then_on(tmp_path: Path) -> None:
    certificates = Certificates(fabric(tmp_path), None, ("nsh1",))  # type: ignore[arg-type]
    await certificates.open()
    contexts = await asyncio.gather(*(certificates.context("192.0.2.7") for _ in range(10)))
    assert len(set(map(id, contexts))) == 1
    shown = certificates.shown
    assert shown is not None and shown.names == ("nsh1", "192.0.2.7") and len(shown.fingerprint) == 95
    assert await certificates.context("192.0.2.7") is contexts[0]


async def test_a_file_that_was_replaced_is_read_again_and_a_bad_one_leaves_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nshell.web.certificate.LOOK", 0.0)
    around, other = fabric(tmp_path), Authority.open(tmp_path / "other")
    file = tmp_path / "own.pem"
    file.write_bytes(other.web(["first.example"], time.time()).read_bytes())
    certificates = Certificates(around, str(file), ("nsh1",))  # type: ignore[arg-type]
    await certificates.open()
    first = await certificates.context("192.0.2.7")
    assert certificates.shown is not None and certificates.shown.names == ("first.example",)
    assert await certificates.context("192.0.2.7") is first, "the same file is the same context"
    file.write_text("half a fi")
    assert await certificates.context("192.0.2.7") is first
    assert await certificates.context("192.0.2.7") is first
    (event,) = around.events
    assert "the former certificate stays in use" in event.text and str(file) in event.text
    file.write_bytes(other.web(["second.example"], time.time()).read_bytes())
    os.utime(file, ns=(1, 1))
    assert await certificates.context("192.0.2.7") is not first
    assert certificates.shown.names == ("second.example",)


@pytest.mark.parametrize("what", ["nothing", "no key", "a key of another", "a folder", "too large", "encrypted"])
async def test_a_file_that_cannot_be_used_is_said_to_be_so(tmp_path: Path, what: str) -> None:
    around, file = fabric(tmp_path), tmp_path / "own.pem"
    pair = around.authority.web(["nsh1"], time.time()).read_bytes()
    key, certificate = pair.split(b"-----BEGIN CERTIFICATE-----")
    if what == "no key":
        file.write_bytes(b"-----BEGIN CERTIFICATE-----" + certificate)
    elif what == "a key of another":
        other = Authority.open(tmp_path / "o").web(["nsh1"], time.time()).read_bytes()
        file.write_bytes(other.split(b"-----BEGIN CERTIFICATE-----")[0] + b"-----BEGIN CERTIFICATE-----" + certificate)
    elif what == "a folder":
        file.mkdir()
    elif what == "too large":
        file.write_bytes(pair + b"\n" * (1 << 20))
    elif what == "encrypted":
        file.write_bytes(encrypted(key) + b"-----BEGIN CERTIFICATE-----" + certificate)
    with pytest.raises(CommandFailed) as refused:
        await Certificates(around, str(file), ()).open()  # type: ignore[arg-type]
    assert refused.value.where == "web certificate" and str(file) in refused.value.cause
    assert b"PRIVATE" not in str(refused.value).encode()


def encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    loaded = form.load_pem_private_key(key, None)
    return loaded.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret"))


async def test_tls_is_new_and_its_ciphers_are_good(tmp_path: Path) -> None:
    certificates = Certificates(fabric(tmp_path), None, names_of("192.0.2.1", "nsh1"))  # type: ignore[arg-type]
    await certificates.open()
    context = await certificates.context("127.0.0.1")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert old and all(name.startswith("ECDHE-") and ("GCM" in name or "POLY1305" in name) for name in old)
    assert certificates.shown is not None and {"nsh1", "192.0.2.1", "localhost"} <= set(certificates.shown.names)

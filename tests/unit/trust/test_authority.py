"""The controller's authority: made once, whatever is killed, and what it signs and what not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent import keys
from controller.trust.authority import AUTHORITY_FILE, Authority
from data.errors import CommandFailed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "trust")


def test_it_is_made_once_and_nobody_else_may_read_its_key(tmp_path: Path) -> None:
    first = Authority.open(tmp_path / "trust")
    second = Authority.open(tmp_path / "trust")
    assert first.pem == second.pem and first.fingerprint == second.fingerprint
    assert (tmp_path / "trust").stat().st_mode & 0o777 == 0o700
    first.controller(time.time())
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "trust").iterdir()} == {0o600}


def test_a_kill_at_any_moment_leaves_none_or_a_good_one(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from controller.trust.authority import Authority
number = 0
while True:
    number += 1
    Authority.open(Path({str(tmp_path)!r}) / sys.argv[1] / str(number)).controller(1.8e9)
    print(number, flush=True)
"""
    for attempt in range(8):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        child = subprocess.Popen([sys.executable, "-c", program, str(attempt)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for number in range(1, attempt + 2):
            assert child.stdout.readline() == b"%d\n" % number
        time.sleep(0.0003 * attempt)  # one takes 1 ms
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        made = sum((place / AUTHORITY_FILE).exists() for place in folder.iterdir())
        assert made > attempt
        for place in folder.iterdir():
            assert Authority.open(place).sign("hv1", keys.new_key()[1], time.time()).serial


def test_a_hypervisors_certificate_is_for_clients_alone_and_says_its_system_id_whole(authority: Authority) -> None:
    key, request = keys.new_key()
    name = "hv 7/ö" + "x" * 80
    now = time.time()
    issued = authority.sign(name, request, now, timedelta(days=3))
    found = x509.load_pem_x509_certificate(issued.pem.encode())
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert keys.facts(issued.pem) == keys.Facts(name, issued.expires)
    assert abs(issued.expires - now - 3 * 86400) < 2
    keys.check(key, issued.pem, authority.pem, name)
    other, _ = keys.new_key()
    for wrong_key, wrong_name in ((other, name), (key, "hv8")):
        with pytest.raises(CommandFailed, match="not for this host"):
            keys.check(wrong_key, issued.pem, authority.pem, wrong_name)


def test_what_a_request_says_of_itself_does_not_count(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(keys.URI + "hv9")])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(names, False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    issued = authority.sign("hv1", request.public_bytes(serialization.Encoding.PEM).decode(), time.time())
    assert keys.facts(issued.pem).system_id == "hv1"
    found = x509.load_pem_x509_certificate(issued.pem.encode())
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def foreign_request() -> str:
    """A request of another type of key."""
    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def forged_request() -> str:
    """A request whose signature does not fit."""
    lines = keys.new_key()[1].splitlines()
    lines[2] = lines[2][:10] + ("A" if lines[2][10] != "A" else "B") + lines[2][11:]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "make",
    [lambda: "", lambda: "nonsense", lambda: "x" * 9000, lambda: keys.new_key()[0], foreign_request, forged_request],
    ids=["empty", "nonsense", "long", "key", "foreign", "forged"],
)
def test_what_is_no_good_request_is_refused(authority: Authority, make: Callable[[], str]) -> None:
    with pytest.raises(CommandFailed, match="request"):
        authority.sign("hv1", make(), time.time())


def test_a_damaged_authority_is_told_and_not_replaced(tmp_path: Path) -> None:
    Authority.open(tmp_path)
    (tmp_path / AUTHORITY_FILE).write_bytes(b"damaged")
    with pytest.raises(CommandFailed, match="no authority that can be read"):
        Authority.open(tmp_path)
    assert (tmp_path / AUTHORITY_FILE).read_bytes() == b"damaged"

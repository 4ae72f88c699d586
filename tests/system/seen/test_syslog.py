"""Events arrive at a real rsyslogd over UDP, TCP and TLS, as RFC 5424 has them, and what happens when it is away."""

from __future__ import annotations

import datetime
import ipaddress
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nshell.lab.probing import wait_until
from tests.conftest import cannot_run
from tests.transcripts.shell import Shell

PATIENCE = 30.0
HERE = "127.0.0.1"
TEMPLATE = (
    '{"pri":"%pri%","stamp":"%timestamp:::date-rfc3339%","host":"%hostname:::json%","app":"%app-name:::json%",'
    '"msgid":"%msgid:::json%","sd":"%structured-data:::json%","msg":"%msg:::json%","from":"%inputname%"}\\n'
)


class Rsyslog:
    """rsyslogd with three listeners, started by the test; what it got, as data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.udp, self.tcp, self.tls = (
            free(kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM)
        )
        self.got = folder / "got"
        self.authority, *own = certificates(folder)
        work = folder / "work"
        work.mkdir()
        self._configuration = folder / "rsyslog.conf"
        self._configuration.write_text(f"""
global(workDirectory="{work}" maxMessageSize="8k"
       DefaultNetstreamDriverCAFile="{self.authority}" DefaultNetstreamDriverCertFile="{own[0]}"
       DefaultNetstreamDriverKeyFile="{own[1]}")
module(load="imudp") module(load="imtcp") module(load="imptcp")
template(name="data" type="string" string="{TEMPLATE.replace('"', chr(92) + '"').replace(chr(92) * 2, chr(92))}")
ruleset(name="all") {{ action(type="omfile" file="{self.got}" template="data" flushOnTXEnd="on" asyncWriting="off") }}
input(type="imudp" address="{HERE}" port="{self.udp}" ruleset="all" name="udp")
input(type="imptcp" address="{HERE}" port="{self.tcp}" ruleset="all" name="tcp")
input(type="imtcp" address="{HERE}" port="{self.tls}" ruleset="all" name="tls" streamDriver.name="gtls"
      streamDriver.mode="1" streamDriver.authMode="anon")
""")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        command = ["rsyslogd", "-n", "-f", str(self._configuration), "-i", str(self.folder / "pid")]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        assert wait_until(self._listens, PATIENCE, 0.05), (self.folder / "log").read_text()

    def _listens(self) -> bool:
        try:
            for port in (self.tcp, self.tls):
                socket.create_connection((HERE, port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def messages(self, by: str) -> list[dict[str, str]]:
        lines = self.got.read_text().splitlines() if self.got.exists() else []
        return [one for one in map(json.loads, lines) if one["from"] == by]


def free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and the certificate and key of a server at HERE."""
    now = datetime.datetime.now(datetime.UTC)

    def issue(
        name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
    ) -> tuple[x509.Name, Any, Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by, signing = issuer or (subject, key)
        built = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))]), critical=False)
            .sign(signing, hashes.SHA256())
        )  # fmt: skip
        certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return subject, key, certificate, secret

    name, key, authority, _ = issue("authority", None)
    _, _, certificate, secret = issue("server", (name, key))
    return authority, certificate, secret


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    if shutil.which("rsyslogd") is None:
        cannot_run("rsyslogd is not installed")
    (tmp_path / "rsyslog").mkdir()
    rsyslog = Rsyslog(tmp_path / "rsyslog")
    try:
        yield rsyslog
    finally:
        rsyslog.stop()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    try:
        yield shell
    finally:
        shell.end()


def servers(shell: Shell) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(shell.run("--json", "-c", "show syslog").stdout)["rows"]}


def state(shell: Shell, name: str) -> str:
    return str(servers(shell)[name]["state"])


def commit(shell: Shell, *lines: str) -> None:
    done = shell.commands(*lines, "commit")
    assert done.returncode == 0, done.stdout + done.stderr


def test_events_arrive_over_udp_tcp_and_tls_with_their_facts(shell: Shell, rsyslog: Rsyslog) -> None:
    rsyslog.start()
    commit(
        shell, "set system hostname nsh1",
        f"set syslog-server u address {HERE} port {rsyslog.udp} facility local3",
        f"set syslog-server t address {HERE} port {rsyslog.tcp} protocol tcp",
        f"set syslog-server s address {HERE} port {rsyslog.tls} protocol tls certificate {rsyslog.authority}",
    )  # fmt: skip
    commit(shell, 'set enterprise acme description "with ] and \\" in it"')
    for by in ("udp", "tcp", "tls"):
        assert wait_until(lambda by=by: len(rsyslog.messages(by)) >= 2, PATIENCE, 0.05), servers(shell)  # type: ignore[misc]
        told = next(one for one in rsyslog.messages(by) if "revision 3" in one["msg"])
        assert told["pri"] == str((19 if by == "udp" else 16) * 8 + 5), "the facility, and notice"
        assert (told["host"], told["app"], told["msgid"]) == ("nsh1", "nshell", "commit")
        assert '[nshell@32473 severity="notice" number="' in told["sd"] and "[meta sequenceId=" in told["sd"]
        assert told["msg"].strip().startswith("revision 3 by ")
    assert {row["state"] for row in servers(shell).values()} == {"telling"}


def test_a_server_that_is_away_is_told_what_happened_meanwhile_when_it_is_back(shell: Shell, rsyslog: Rsyslog) -> None:
    rsyslog.start()
    commit(shell, f"set syslog-server t address {HERE} port {rsyslog.tcp} protocol tcp")
    assert wait_until(lambda: bool(rsyslog.messages("tcp")), PATIENCE, 0.05)
    rsyslog.stop()
    commit(shell, "set enterprise meanwhile")
    commit(shell, "set enterprise later")
    assert wait_until(lambda: state(shell, "t") == "away", PATIENCE, 0.1)
    rsyslog.start()
    assert wait_until(lambda: state(shell, "t") == "telling", PATIENCE, 0.2), servers(shell)
    assert wait_until(lambda: any("told again" in one["msg"] for one in rsyslog.messages("tcp")), PATIENCE, 0.1)
    assert any("revision 4 by" in one["msg"] for one in rsyslog.messages("tcp"))
    assert any("revision 3 by" in one["msg"] for one in rsyslog.messages("tcp"))


def test_a_server_whose_certificate_is_not_vouched_for_is_told_nothing(
    shell: Shell, rsyslog: Rsyslog, tmp_path: Path
) -> None:
    rsyslog.start()
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other, *_ = certificates(stranger)
    commit(shell, f"set syslog-server s address {HERE} port {rsyslog.tls} protocol tls certificate {other}")
    assert wait_until(lambda: state(shell, "s") == "away", PATIENCE, 0.1)
    assert "TLS: " in servers(shell)["s"]["reason"]
    assert rsyslog.messages("tls") == []
    commit(shell, f"set syslog-server s certificate {rsyslog.authority}")
    assert wait_until(lambda: bool(rsyslog.messages("tls")), PATIENCE, 0.1), servers(shell)


def test_severity_chooses_and_a_deleted_server_is_left_alone(shell: Shell, rsyslog: Rsyslog) -> None:
    rsyslog.start()
    commit(shell, f"set syslog-server t address {HERE} port {rsyslog.tcp} protocol tcp severity warning")
    assert wait_until(lambda: state(shell, "t") == "telling", PATIENCE, 0.1)
    commit(shell, f"set syslog-server gone address {HERE} port 9 protocol tcp")
    assert wait_until(lambda: any("gone is away" in one["msg"] for one in rsyslog.messages("tcp")), PATIENCE, 0.1)
    assert not any("revision" in one["msg"] for one in rsyslog.messages("tcp")), "a commit is a notice"
    commit(shell, "delete syslog-server t", "delete syslog-server gone")
    assert servers(shell) == {}

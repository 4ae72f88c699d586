"""Machines for the doctor's tests: a real one, of which single facts are made up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.host import Ovs, OvsLocation
from data.errors import CommandFailed
from nshell.doctor.machine import Listener, Machine

GOOD_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TERM": "xterm", "PATH": "/usr/bin:/bin"}
TARGETS = json.dumps([["192.0.2.1", 6640, 6653, 6641]])
UPLINK = json.dumps({"nic": "eth7", "tunnel_address": "172.31.0.1/24"})


class MadeUpOvs(Ovs):
    """An Open vSwitch that answers what it is told to, or as none that runs."""

    def __init__(self, root: Mapping[str, Any] | None, tables: Mapping[str, list[dict[str, Any]]]) -> None:
        super().__init__(OvsLocation.choose("/nowhere"))
        self._root, self._tables = root, tables

    def root(self) -> dict[str, Any]:
        if self._root is None:
            raise CommandFailed("Open vSwitch", "it does not run", "start it")
        return dict(self._root)

    def control(self, command: str, *args: str, timeout: float = 10.0) -> str:
        version = self.root()["ovs_version"]
        if not version:
            raise CommandFailed("ovs-vswitchd", "it does not run", "systemctl restart openvswitch-switch")
        return f"ovs-vswitchd (Open vSwitch) {version}\n"

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        return self._tables.get(table, [])


def switch(
    *, version: str = "3.1.0", joined: bool = True, connected: bool = True, certificate: Path | None = None
) -> MadeUpOvs:
    """A hypervisor's switch."""
    ids = {"system-id": "hv1", "nshell-controllers": TARGETS, "nshell-uplink": UPLINK} if joined else {}
    root = {
        "_uuid": "u",
        "external_ids": ids,
        "manager_options": [],
        "ovs_version": version,
        "datapath_types": ["netdev", "system"],
    }
    row = {"target": "tcp:192.0.2.1:6640", "is_connected": connected}
    ssl = [{"certificate": str(certificate), "ca_cert": str(certificate)}] if certificate else []
    return MadeUpOvs(root, {"Manager": [row], "Controller": [row], "SSL": ssl})


class MadeUp(Machine):
    """A machine on which these facts are so, and all others as they are here."""

    def __init__(self, state: str | Path, ovs: Ovs | None = None, **facts: Any) -> None:
        super().__init__(str(state), facts.pop("environ", GOOD_ENVIRONMENT))
        self.facts = facts
        self.ovs = MadeUpOvs(None, {}) if ovs is None else ovs

    @property
    def socket(self) -> str:
        return str(self.facts.get("socket", super().socket))

    def now(self) -> float:
        return float(self.facts.get("now", super().now()))

    def wait(self, seconds: float) -> None:
        """Nothing changes here, however long one waits."""

    def clock_is_kept(self) -> bool:
        return bool(self.facts.get("kept", True))

    def text(self, path: str | Path) -> str:
        texts: dict[str, str] = self.facts.get("texts", {})
        return texts[str(path)] if str(path) in texts else super().text(path)

    def exists(self, path: str | Path) -> bool:
        there: dict[str, bool] = self.facts.get("there", {})
        return there[str(path)] if str(path) in there else super().exists(path)

    def program(self, name: str) -> str | None:
        return None if name in self.facts.get("without", ()) else f"/usr/bin/{name}"

    def run(self, *words: str) -> tuple[int, str]:
        answers: dict[str, tuple[int, str]] = self.facts.get("runs", {})
        return answers[" ".join(words)] if " ".join(words) in answers else super().run(*words)

    def filesystem(self, path: str) -> str:
        return str(self.facts.get("filesystem", super().filesystem(path)))

    def free(self, path: str) -> int:
        return int(self.facts.get("free", super().free(path)))

    def daemon_pid(self) -> int | None:
        found = self.facts.get("pid", super().daemon_pid())
        return None if found is None else int(found)

    def processes(self) -> Iterator[tuple[int, list[str]]]:
        yield from self.facts["processes"] if "processes" in self.facts else super().processes()

    def listeners(self) -> list[Listener]:
        return list(self.facts["listeners"]) if "listeners" in self.facts else super().listeners()


def certificate(file: Path, days: float) -> Path:
    """A certificate that ends so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    end = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=200))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return file

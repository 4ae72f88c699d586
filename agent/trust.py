"""What this host proves itself with: its key, its certificate, and the authority it knows controllers by.

    hypervisor.pem   private key and certificate in one file, so that both are replaced in one instant; mode 0600
    authority.pem    the authority's certificate

in /etc/nshell/trust for the system's own Open vSwitch, else in `trust` of that instance's run directory. Open vSwitch
reads the same files (`ovs-vsctl set-ssl`), and reads them again for its next connection after they were replaced. The
key is made here and never leaves the host. Next: enrolment.py (how a certificate is asked for), keys.py.
"""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent.host import Ovs, OvsLocation
from agent.steps import Step
from data.errors import CommandFailed

if TYPE_CHECKING:
    from agent.keys import Facts

SYSTEM_DIRECTORY = Path("/etc/nshell/trust")
SERVER_NAME = "nshell-controller"  # what a controller's certificate says; controller/trust/door.py has the same
RENEWAL = 2 / 3  # of its lifetime, after which a certificate is renewed


class Granted(NamedTuple):
    """What an authority gives for a signing request: two certificates as PEM."""

    certificate: str
    authority: str


Signer = Callable[[str, str], Granted]
"""Who turns a system-id and a signing request into a certificate; raises CommandFailed."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one Open vSwitch instance."""

    location: OvsLocation

    @property
    def directory(self) -> Path:
        """Where they are."""
        return SYSTEM_DIRECTORY if self.location.is_system_default else self.location.rundir / "trust"

    @property
    def identity(self) -> Path:
        """The key and its certificate."""
        return self.directory / "hypervisor.pem"

    @property
    def authority(self) -> Path:
        """The certificate by which controllers are known."""
        return self.directory / "authority.pem"

    def facts(self) -> "Facts | None":
        """What the installed certificate says; None without one that can be read."""
        from agent import keys

        try:
            return keys.facts(self.identity.read_text())
        except (OSError, ValueError):
            return None

    def renew_at(self) -> float | None:
        """When the installed certificate is to be renewed, in seconds since the epoch."""
        found = self.facts()
        if found is None:
            return None
        since = self.identity.stat().st_mtime
        return since + (found.expires - since) * RENEWAL

    def obtain(self, system_id: str, sign: Signer) -> None:
        """Make a key, have it signed, and install both; what is there stays when that fails. Raises CommandFailed."""
        from agent import keys

        key, request = keys.new_key()
        self.install(system_id, key, sign(system_id, request))

    def install(self, system_id: str, key: str, granted: Granted) -> None:
        """Put a key and its certificate in place of the former. Raises CommandFailed."""
        from agent import keys

        keys.check(key, granted.certificate, granted.authority, system_id)
        self.write(granted.authority.encode(), key.encode() + granted.certificate.encode())

    def read(self) -> tuple[bytes | None, bytes | None]:
        """The authority's and the host's file as they are, for `write` to restore."""
        return _read(self.authority), _read(self.identity)

    def write(self, authority: bytes | None, identity: bytes | None) -> None:
        """Both files, each in one instant; None removes one."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.location.rundir.stat()  # Open vSwitch may run as a user of its own, and reads them
            os.chown(self.directory, owner.st_uid, owner.st_gid)
            for file, data in ((self.authority, authority), (self.identity, identity)):
                _replace(file, data, owner)
        except OSError as problem:
            raise CommandFailed(str(self.directory), str(problem.strerror or problem), "run it as root") from None

    def remove(self) -> bool:
        """Delete the files; whether there were any."""
        found = [file for file in (self.identity, self.authority) if file.exists()]
        for file in (self.identity, self.authority):
            file.unlink(missing_ok=True)
            _beside(file).unlink(missing_ok=True)
        try:
            self.directory.rmdir()
        except OSError:
            return bool(found)  # never made, or something of somebody else is in it
        return bool(found)

    def context(self) -> ssl.SSLContext:
        """TLS with a controller, both sides proved. Raises OSError when the files are not there or no good."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.identity)
        return context

    def steps(self, ovs: Ovs, system_id: str, sign: Signer | None) -> list[Step]:
        """What makes Open vSwitch prove itself as `system_id`. Raises CommandFailed when that cannot be."""
        present = ovs.rows("SSL", "private_key", "certificate", "ca_cert")
        wanted = {"private_key": str(self.identity), "certificate": str(self.identity), "ca_cert": str(self.authority)}
        if present and present[0] != wanted:
            raise CommandFailed(
                "Open vSwitch",
                f"it has keys of somebody else's ({present[0]['private_key']}), and there is room for one set",
                "see 'ovs-vsctl get-ssl'; 'ovs-vsctl del-ssl' removes them, and what uses them stops",
            )
        steps = []
        installed = self.facts()
        if sign is not None:
            former = self.read()
            steps.append(
                Step(
                    f"certificate of {system_id} in {self.directory}",
                    lambda: self.obtain(system_id, sign),
                    lambda: self.write(*former) if any(former) else self.remove(),
                )
            )
        elif installed is None or installed.system_id != system_id:
            has = "none" if installed is None else f"that of {installed.system_id}"
            raise CommandFailed(
                "token",
                f"this host has no certificate of {system_id} (it has {has}), and the controller is elsewhere",
                f"type at the controller 'request dvrs NAME join-token' for {system_id}, and run here what it prints",
            )
        if not present:
            steps.append(
                Step(
                    "Open vSwitch told of its certificate",
                    lambda: ovs.vsctl("set-ssl", *wanted.values()),
                    lambda: ovs.vsctl("del-ssl"),
                )
            )
        return steps

    def undo(self, ovs: Ovs) -> list[str]:
        """Take the steps back; what was done in words."""
        done = []
        if any(row["private_key"] == str(self.identity) for row in ovs.rows("SSL", "private_key")):
            ovs.vsctl("del-ssl")
            done.append("Open vSwitch has no certificate any more")
        if self.remove():
            done.append(f"key and certificate removed from {self.directory}")
        return done


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _beside(file: Path) -> Path:
    return file.with_name(file.name + ".new")


def _replace(file: Path, data: bytes | None, owner: os.stat_result) -> None:
    """Written beside, synced, renamed: whoever reads sees the old file or the new one."""
    if data is None:
        file.unlink(missing_ok=True)
        return
    handle = os.open(_beside(file), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.fchown(handle, owner.st_uid, owner.st_gid)
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    _beside(file).replace(file)

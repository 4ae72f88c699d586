"""The machine as a check sees it: files, programs, sockets, time. Tests put another one in its place."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from agent.host import Ovs, OvsLocation
from data.schema.accounts import Ssh
from data.schema.objects import Controller
from nshell.places import socket_path

TIME_ERROR = 5
"""What adjtimex(2) gives while nobody keeps the clock."""
LISTENING = "0A"
"""A socket's state in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket that takes connections."""

    address: IPv4Address | IPv6Address
    port: int
    inode: str


class Machine:
    """This machine, and the state directory it is asked about."""

    def __init__(self, state: str, environ: Mapping[str, str] = os.environ) -> None:
        self.state = state
        self.environ = environ
        self.uid = os.geteuid()
        self.ovs = Ovs(OvsLocation.choose(environ=environ))

    @property
    def socket(self) -> str:
        """Where the daemon of this state directory listens."""
        return socket_path(self.state)

    @property
    def database(self) -> Path:
        """The store."""
        return Path(self.state, "nshell.db")

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Give the machine time."""
        time.sleep(seconds)

    def clock_is_kept(self) -> bool:
        """Whether something (NTP, PTP) keeps the clock, as the kernel knows it."""
        timex = ctypes.create_string_buffer(512)  # struct timex has 208 bytes; all zero asks and sets nothing
        return int(ctypes.CDLL(None).adjtimex(timex)) != TIME_ERROR

    def text(self, path: str | Path) -> str:
        """A file's contents; "" when there is none that may be read."""
        try:
            return Path(path).read_text(errors="replace")
        except OSError:
            return ""

    def exists(self, path: str | Path) -> bool:
        """Whether there is such a file or directory."""
        return Path(path).exists()

    def program(self, name: str) -> str | None:
        """Where a program is, also outside an ordinary user's PATH."""
        return shutil.which(name, path=self.environ.get("PATH", "") + ":/usr/sbin:/sbin")

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a program; 127 when there is none, 124 when it does not end within 10 s."""
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
            )
        except FileNotFoundError:
            return 127, ""
        except subprocess.TimeoutExpired:
            return 124, ""
        return done.returncode, (done.stdout + done.stderr).strip()

    def filesystem(self, path: str) -> str:
        """The type of the filesystem that holds this path."""
        best, kind = "", ""
        for line in self.text("/proc/mounts").splitlines():
            _, mount, found = line.split()[:3]
            if (path + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
                best, kind = mount, found
        return kind

    def free(self, path: str) -> int:
        """Bytes free for this user there."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    def daemon_pid(self) -> int | None:
        """The daemon of the state directory, while it lives."""
        try:
            pid = int(self.text(Path(self.state, "lock")))
        except ValueError:
            return None
        return pid if self.exists(f"/proc/{pid}") else None

    def processes(self) -> Iterator[tuple[int, list[str]]]:
        """Every process with its command line."""
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal() and (line := self.text(f"/proc/{entry.name}/cmdline")):
                yield int(entry.name), line.rstrip("\0").split("\0")

    def listeners(self) -> list[Listener]:
        """Every TCP socket that takes connections."""
        found = []
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in self.text(name).splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    address, _, port = fields[1].partition(":")
                    found.append(Listener(_address(address), int(port, 16), fields[9]))
        return found

    def holds(self, pid: int, inode: str) -> bool:
        """Whether this process has this socket."""
        try:
            return any(os.readlink(one.path) == f"socket:[{inode}]" for one in os.scandir(f"/proc/{pid}/fd"))
        except OSError:
            return False

    def configured(self) -> tuple[Controller, Ssh]:
        """Where the controller listens: of the running configuration, or as a new store would have it."""
        from nshell.doctor.state import stored

        found = stored(self, "controller"), stored(self, "ssh")
        controller = found[0] if isinstance(found[0], Controller) else Controller(uuid="")
        return controller, found[1] if isinstance(found[1], Ssh) else Ssh(uuid="")


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address of /proc/net/tcp: hexadecimal 32-bit words, each with its bytes reversed."""
    raw = bytes.fromhex(text)
    return ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))

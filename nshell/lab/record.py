"""What is written down of a lab, so that other programs can use it and `down` works after any crash."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent.join import AGENT_PORT, OPENFLOW_PORT, OVSDB_PORT
from data.errors import CommandFailed
from nshell.lab.hypervisor import HypervisorState
from nshell.lab.machines import Machine
from nshell.lab.physical import DIRECTORY, PhysicalState
from nshell.lab.wan import pe
from nshell.lab.wan.wide import WanState

STATE_FILE = "lab.json"
LOCK_FILE = "lab.lock"
CAPTURES = "captures"
STATES = Path("/run/nshell-lab")


class LabState(msgspec.Struct):
    """What is recorded of a lab."""

    prefix: str
    subnet: int  # X in 169.254.X.0/24 of the management network
    ports: tuple[int, int, int] = (OVSDB_PORT, OPENFLOW_PORT, AGENT_PORT)  # of the controller
    agents: bool = True
    controller_state: str = ""  # state directory of the controller whose authority hypervisors trust; "": no TLS
    hypervisors: dict[str, HypervisorState] = {}
    machines: dict[str, Machine] = {}
    unplugged: set[str] = set()
    legs: dict[str, int] = {}  # machine -> live moves since it was plugged in
    physical: PhysicalState = msgspec.field(default_factory=PhysicalState)
    underlay: int = 4  # version of the IP that tunnels go over
    site: int = 1  # 2: the second site of another lab's wide area network
    wan: WanState | None = None

    def machine(self, name: str) -> Machine:
        """One machine; CommandFailed when there is none of that name."""
        found = self.machines.get(name)
        if found is None:
            raise CommandFailed(f"vm {name}", f"the lab has {', '.join(self.machines) or 'none'}", "name one of them")
        return found


class Record:
    """The state file of one lab and the lock that guards it; `remover` is the command that removes that lab."""

    def __init__(self, directory: Path, remover: str) -> None:
        self.directory = directory
        self._remover = remover
        self._file = directory / STATE_FILE

    def load(self) -> LabState | None:
        """The state, None when no lab is recorded; CommandFailed when it cannot be read."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=LabState)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as problem:
            raise CommandFailed(str(self._file), str(problem), self._remover) from None

    def save(self, state: LabState) -> None:
        """Write the state; whoever reads sees the old one or the new one."""
        new = self._file.with_name(STATE_FILE + ".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        new.replace(self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change of a lab at a time, whatever program makes it."""
        file = self.directory / LOCK_FILE
        while True:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(handle), file.stat()):
                    break
            except FileNotFoundError:
                os.close(handle)  # `down` removed the file while we waited for it
                continue
            os.close(handle)
        try:
            yield
        finally:
            os.close(handle)

    def captures(self) -> Path:
        """The directory for packet captures."""
        place = self.directory / CAPTURES
        place.mkdir(parents=True, exist_ok=True)
        return place

    def remove(self) -> None:
        """Delete what the lab wrote, and the directory if nothing else is in it."""
        for entry in list(self.directory.iterdir()):
            if entry.name in (CAPTURES, DIRECTORY, pe.DIRECTORY) or (entry.name.startswith("hv") and entry.is_dir()):
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name.startswith((STATE_FILE, LOCK_FILE)) or entry.suffix == ".nsh":
                entry.unlink(missing_ok=True)
        for directory in (self.directory, STATES):
            try:
                directory.rmdir()
            except OSError:
                break  # something of somebody else is in it

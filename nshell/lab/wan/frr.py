"""FRRouting in a network namespace: its daemons, started one by one with an instance name of their own.

    router = Frr("wl-r1", namespaces.of_name("wl-r1"), ("zebra", "ospfd", "bgpd"))
    router.start(["router bgp 65001", " no bgp ebgp-requires-policy", " neighbor 192.0.2.1 remote-as 65000"])
    router.show("show bgp summary json")
    router.kill("bgpd")       # as kill -9 does
    router.restart("bgpd")    # with the configuration it had
    router.stop()

The instance name (`-N NAME`, FRR's pathspace) keeps configuration in /etc/frr/NAME and sockets, process numbers and
logs in /var/run/frr/NAME, both owned by frr; `vtysh -N NAME` and `frr-reload.py --pathspace NAME` reach it too.
No watchfrr: a daemon that was killed stays dead until it is started again.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import namespaces
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab.processes import Process

PROGRAMS = Path("/usr/lib/frr")
CONFIGURATIONS = Path("/etc/frr")
RUNDIRS = Path("/var/run/frr")
USER = "frr"
DAEMONS = ("zebra", "staticd", "ospfd", "isisd", "bfdd", "bgpd")  # zebra first: the others speak to it
START_TIMEOUT = 60.0  # seconds until a daemon answers, on a machine that does much else
ANSWER_TIMEOUT = 30.0  # seconds for one command
END_OF_ANSWER = b"\0\0\0"  # followed by one byte, the return code (FRR lib/vty.c, vtysh_read)
CMD_SUCCESS = 0  # FRR lib/command.h
CMD_WARNING = 1  # what `show` gives of something that is not there
SIZE_LIMIT = 1 << 28  # bytes of an answer: a table of a million routes as JSON

_ASKED: Mapping[str, tuple[str, ...]] = {
    "ospfd": ("show ip ospf", "clear ip ospf"),
    "isisd": ("show isis", "clear isis"),
    "bfdd": ("show bfd",),
    "bgpd": ("show bgp", "show ip bgp", "clear bgp", "clear ip bgp"),
}
"""Which daemon answers a command, by how it begins; zebra answers every other."""


@dataclass(slots=True)
class Frr:
    """The daemons of one router. `name` is the instance (a file name), `options` further arguments by daemon.

    `wrapper` is the command line that each daemon's own is appended to: one that ends by becoming the daemon.
    """

    name: str
    namespace: Path
    daemons: tuple[str, ...] = ("zebra", "staticd", "bgpd")
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where its configuration is: frr.conf, which a restarted daemon reads again."""
        return CONFIGURATIONS / self.name

    @property
    def rundir(self) -> Path:
        """Where its sockets (DAEMON.vty), process numbers (DAEMON.pid) and logs (DAEMON.log) are."""
        return RUNDIRS / self.name

    def start(self, configuration: Iterable[str] = ()) -> None:
        """Start every daemon that does not run, side by side, and configure them; returns when all answer.

        `configuration` are the lines of an frr.conf, which replace a former one; none: that of the last time.
        Raises CommandFailed, having stopped what it started, when a daemon does not start or a line is refused.
        """
        unknown = [one for one in self.daemons if one not in DAEMONS]
        if unknown or not (PROGRAMS / "zebra").exists():
            raise CommandFailed(f"router {self.name}", f"{unknown or 'FRR'} is not installed", "apt install frr")
        ordered = [one for one in DAEMONS if one in self.daemons]
        fresh = [one for one in ordered if not self.runs(one)]
        lines = list(configuration)
        try:
            self._directories()
            if lines:
                self._write("frr.conf", "\n".join(lines) + "\n")
            first = [one for one in fresh if one == "zebra"]
            for some in (first, [one for one in fresh if one != "zebra"]):
                with ThreadPoolExecutor(max_workers=len(DAEMONS)) as pool:
                    list(pool.map(self._launch, some))
            if lines:
                self._vtysh("-b")
            else:
                for one in fresh:
                    self._vtysh("-b", "-d", one)
        except BaseException:
            self._end(fresh)
            raise

    def show(self, command: str, daemon: str | None = None) -> Any:
        """What a `show … json` command says, decoded; CommandFailed when that is not JSON."""
        text = self.ask(command, daemon)
        try:
            return json.loads(text or "{}")
        except json.JSONDecodeError:
            where = f"router {self.name}: {command}"
            raise CommandFailed(where, f"it is not JSON: {text.strip()[:200]}", "end the command with 'json'") from None

    def ask(self, command: str, daemon: str | None = None) -> str:
        """What a command of the enable mode prints, asked of the daemon itself (0.1 ms; vtysh takes 40 ms)."""
        target = daemon or _daemon_of(command)
        where = f"router {self.name}: {target}: {command}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(ANSWER_TIMEOUT)
                line.connect(str(self.rundir / f"{target}.vty"))
                _exchange(line, "enable")
                text, code = _exchange(line, command)
        except OSError as problem:
            raise CommandFailed(where, f"it does not answer: {problem}", f"see {self.rundir}/{target}.log") from None
        if code not in (CMD_SUCCESS, CMD_WARNING):
            raise CommandFailed(where, text.strip() or f"refused, code {code}", "correct the command")
        return text

    def configure(self, lines: Iterable[str]) -> None:
        """Add these lines of configuration (also `no …`) to the running ones, and keep the outcome for a restart.

        Raises CommandFailed when one is refused; those before it are in force then.
        """
        fragment = self.rundir / "fragment.conf"
        fragment.write_text("\n".join(lines) + "\n")
        self._vtysh("-f", str(fragment))
        self.save()

    def save(self) -> None:
        """Write the running configuration down as frr.conf."""
        self._vtysh("-c", "write memory")

    def running(self) -> str:
        """The running configuration of all daemons, as text."""
        return self._vtysh("-c", "show running-config")

    def runs(self, daemon: str) -> bool:
        """Whether a daemon runs."""
        return self.process(daemon) is not None

    def process(self, daemon: str) -> Process | None:
        """A daemon's process; None when it does not run."""
        try:
            found = processes.look(int((self.rundir / f"{daemon}.pid").read_text()))
        except (FileNotFoundError, ValueError):
            return None
        # the number may be another's by now: the same program of another instance even
        return found if found is not None and found.program.endswith(daemon) and self._is_mine(found) else None

    def kill(self, daemon: str) -> None:
        """kill -9 a daemon; returns when it is gone."""
        processes.end([self.process(daemon)], signal.SIGKILL)

    def restart(self, daemon: str) -> None:
        """Start a daemon again, ending it first if it runs, with the configuration that is written down."""
        processes.end([self.process(daemon)], signal.SIGTERM)
        self._launch(daemon)
        self._vtysh("-b", "-d", daemon)

    def stop(self) -> None:
        """End all daemons and remove the instance's directories; also when it was started only in part."""
        self._end(DAEMONS)
        remove(self.name)

    def _end(self, daemons: Iterable[str]) -> None:
        processes.end([self.process(one) for one in daemons], signal.SIGKILL)

    def _is_mine(self, process: Process) -> bool:
        try:
            return f"-N\0{self.name}\0".encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            return False

    def _directories(self) -> None:
        for place in (self.directory, self.rundir):
            place.mkdir(parents=True, exist_ok=True)
            shutil.chown(place, USER, USER)
        self._write("vtysh.conf", "service integrated-vtysh-config\n")
        if not (self.directory / "frr.conf").exists():
            self._write("frr.conf", "")

    def _write(self, name: str, text: str) -> None:
        file = self.directory / name
        file.write_text(text)
        shutil.chown(file, USER, USER)

    def _launch(self, daemon: str) -> None:
        """Start one daemon; it detaches when it is ready."""
        for stale in ("vty", "pid"):
            (self.rundir / f"{daemon}.{stale}").unlink(missing_ok=True)
        log = self.rundir / f"{daemon}.log"
        # -P 0: no telnet port. -f /dev/null: configuration comes through vtysh, from the one frr.conf
        argv = [str(PROGRAMS / daemon), "-d", "-N", self.name, "-P", "0", "-f", "/dev/null", "--log", f"file:{log}"]
        argv = [*self.wrapper, *argv, "--log-level", "notifications", *self.options.get(daemon, ())]
        done = namespaces.inside(
            self.namespace,
            lambda: subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_TIMEOUT, cwd="/"
            ),
        )
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip() or f"exit code {done.returncode}"
            raise CommandFailed(f"router {self.name}: {daemon}", said, f"see {log}")
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.ask("show version", daemon)
                return
            except CommandFailed:
                if time.monotonic() > deadline or not self.runs(daemon):
                    raise
                time.sleep(0.01)

    def _vtysh(self, *args: str) -> str:
        done = subprocess.run(
            ["vtysh", "-N", self.name, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=START_TIMEOUT, env={**os.environ, "VTYSH_PAGER": "cat"},
        )  # fmt: skip
        said = f"{done.stdout}{done.stderr}"
        if done.returncode != 0 or "% Unknown command" in said or "Command incomplete" in said:
            raise CommandFailed(f"router {self.name}: vtysh {' '.join(args)}", said.strip(), "correct the lines")
        return done.stdout


def remove(name: str) -> None:
    """Delete the directories of an instance."""
    for place in (CONFIGURATIONS / name, RUNDIRS / name):
        shutil.rmtree(place, ignore_errors=True)


def instances(prefix: str) -> list[str]:
    """The instances whose names begin so that have left a directory."""
    found: set[str] = set()
    for place in (CONFIGURATIONS, RUNDIRS):
        if place.exists():
            found |= {one.name for one in place.iterdir() if one.name.startswith(prefix) and one.is_dir()}
    return sorted(found)


def _daemon_of(command: str) -> str:
    for daemon, begins in _ASKED.items():
        if command.startswith(begins):
            return daemon
    return "zebra"


def _exchange(line: socket.socket, command: str) -> tuple[str, int]:
    """Send one command; give the answer's text and its return code."""
    line.sendall(command.encode() + b"\0")
    answer = bytearray()
    while len(answer) < 4 or answer[-4:-1] != END_OF_ANSWER:
        some = line.recv(1 << 16)
        if not some:
            raise ConnectionResetError("it closed the connection")
        answer += some
        if len(answer) > SIZE_LIMIT:
            raise ConnectionAbortedError(f"its answer is longer than {SIZE_LIMIT} bytes")
    return answer[:-4].decode(errors="replace"), answer[-1]

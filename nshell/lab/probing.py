"""Real packet tests between the lab's machines: what the demo and the system tests are written in.

One-shot probes return their result; what runs on (servers, streams, watchers) is a `Running` that starts for
sure before the call returns, and gives its result when stopped:

    with lab.tcp_server("db-1", 5432):
        assert lab.tcp("app-1", "db-1", 5432).result == "connected"
    stream = lab.ping_stream("web-1", "web-2")          # 100 Hz
    lab.restart_switch("hv2")
    print(stream.stop()["lost"])
"""

import abc
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from agent import namespaces
from data.errors import CommandFailed

PROBE, WIRE, METER = (Path(__file__).with_name(name) for name in ("probe.py", "wire.py", "meter.py"))
READY_TIMEOUT = 10.0  # seconds
STOP_TIMEOUT = 10.0  # seconds
SEEN_TIMEOUT = 15.0  # seconds, on a busy machine


class PingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a series of echo requests."""

    sent: int
    received: int
    lost: int
    longest_gap: float  # seconds without an answer
    ttl: tuple[int, ...]  # the TTLs seen in answers
    milliseconds: float | None  # mean round trip
    missing: tuple[int, ...] = ()  # sequence numbers, from 1, that were never answered
    errors: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every request was answered."""
        return self.lost == 0


class TcpReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a connection attempt."""

    result: str  # "connected", "refused", "timeout", "unreachable", or the system's words
    echoed: bool  # data went there and back
    milliseconds: float

    @property
    def ok(self) -> bool:
        """Whether it connected."""
        return self.result == "connected"


class Running:
    """A probe that runs on inside a machine until it is stopped."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self.process = process
        self.report: dict[str, Any] = {}

    def wait_ready(self) -> None:
        """Return when the probe says that it is under way."""
        assert self.process.stdout is not None
        if select.select([self.process.stdout], [], [], READY_TIMEOUT)[0]:
            line = self.process.stdout.readline()
            if line and json.loads(line).get("ready"):
                return
        self.process.kill()
        _, said = self.process.communicate()
        raise CommandFailed(
            self.name, said.strip().splitlines()[-1] if said.strip() else "it did not start", "see above"
        )

    def stop(self) -> dict[str, Any]:
        """End the probe; its result as plain data.  Stopping twice gives the same result."""
        if self.process.returncode is None:
            try:
                said, complaint = self.process.communicate("", timeout=STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                said, complaint = self.process.communicate()
            self.report = _last_line(self.name, said, complaint)
        return self.report

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Watch(Running):
    """A watcher of frames, which says what came before it is stopped, too."""

    def saw(self, enough: Callable[[list[dict[str, Any]]], object], timeout: float = SEEN_TIMEOUT) -> bool:
        """Wait until the frames so far are enough: whether that was within `timeout` seconds."""
        return wait_until(lambda: enough(self.so_far()), timeout, 0.1)

    def so_far(self) -> list[dict[str, Any]]:
        """The frames that came until now."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        frames: list[dict[str, Any]] = json.loads(self.process.stdout.readline())["frames"]
        return frames


class Probing(abc.ABC):
    """The packet tests of a lab, in terms of where a machine lives and what its address is."""

    @abc.abstractmethod
    def namespace(self, name: str) -> str:
        """The network namespace of a machine."""

    @abc.abstractmethod
    def address(self, name: str) -> str:
        """The address of a machine, or the address itself."""

    @abc.abstractmethod
    def address6(self, name: str) -> str:
        """The first IPv6 address of a machine, or the address itself."""

    def ping(
        self, source: str, destination: str, *, count: int = 3, rate: float = 20.0, timeout: float = 1.0
    ) -> PingReport:
        """Ping a machine or an address; `timeout` is how many seconds the last answer may take."""
        report = self._probe(
            source,
            "ping",
            self.address(destination),
            f"--count={count}",
            f"--rate={rate}",
            f"--timeout={timeout}",
        )
        return msgspec.convert(report, PingReport)

    def ping_stream(self, source: str, destination: str, *, rate: float = 100.0) -> Running:
        """Ping until stopped; the result has the fields of PingReport."""
        return self._start(source, "ping", self.address(destination), "--count=0", f"--rate={rate}")

    def tcp(self, source: str, destination: str, port: int, *, timeout: float = 1.0, source_port: int = 0) -> TcpReport:
        """Try to connect, and when connected send a line and expect it back."""
        report = self._probe(
            source,
            "tcp-connect",
            self.address(destination),
            str(port),
            f"--timeout={timeout}",
            f"--source-port={source_port}",
        )
        return msgspec.convert(report, TcpReport)

    def tcp_server(self, name: str, port: int, *, bind: str = "") -> Running:
        """Accept and echo, on one address or on all; the result has `accepted`, `peers`, `bytes`."""
        return self._start(name, "tcp-serve", str(port), f"--bind={bind}")

    def tcp_stream(
        self, source: str, destination: str, port: int, *, rate: float = 100.0, timeout: float = 5.0
    ) -> Running:
        """One long connection to a tcp_server; the result has `sent`, `echoed`, `longest_gap`, `error`."""
        return self._start(
            source,
            "tcp-stream",
            self.address(destination),
            str(port),
            f"--rate={rate}",
            f"--timeout={timeout}",
        )

    def udp(
        self,
        source: str,
        destination: str,
        port: int,
        *,
        source_port: int = 0,
        count: int = 1,
        timeout: float = 0.5,
    ) -> int:
        """Send datagrams to a port; how many were answered."""
        report = self._probe(
            source,
            "udp-send",
            self.address(destination),
            str(port),
            f"--count={count}",
            f"--source-port={source_port}",
            f"--timeout={timeout}",
        )
        return int(report["answers"])

    def udp_server(self, name: str, port: int, *, silent: bool = False, bind: str = "") -> Running:
        """Count datagrams, and answer them unless `silent`; the result has `received`, `peers`.

        It answers from the address that routing chooses: name the one to `bind` to when the machine has several.
        """
        return self._start(name, "udp-serve", str(port), f"--bind={bind}", *(["--silent"] if silent else []))

    def send_frames(self, source: str, frames: Sequence[bytes], *, count: int = 1, interval: float = 0.0) -> int:
        """Put raw frames (packets.py) on the machine's wire `count` times; how many were sent."""
        report = self._probe(
            source,
            "frames",
            *(frame.hex() for frame in frames),
            f"--count={count}",
            f"--interval={interval}",
            tool=WIRE,
        )
        return int(report["sent"])

    def arp(
        self, source: str, address: str, *, timeout: float = 1.0, every: bool = False, sender: str = ""
    ) -> list[str]:
        """Ask on the wire who has an address: the MAC that answered first, or of `every` answer in the time.

        An IPv6 address is asked for by neighbour solicitation.  `sender` is the address to ask as, if not the first
        of that family.
        """
        six = ":" in address
        report = self._probe(
            source,
            "nd" if six else "arp",
            address,
            f"--source={sender or (self.address6(source) if six else self.address(source))}",
            f"--timeout={timeout}",
            *(["--all"] if every else []),
            tool=WIRE,
        )
        return list(report["answers"])

    def watch(self, name: str, interface: str = "eth0") -> Watch:
        """What a machine receives; the result has `count` and `frames` (kind, MACs, addresses, ports, ttl, dscp)."""
        watch = Watch(f"vm {name}: watch", self._popen(name, WIRE, "watch", f"--interface={interface}"))
        watch.wait_ready()
        return watch

    def measure(self, name: str, command: str, *args: str) -> dict[str, Any]:
        """Run a command of meter.py that ends by itself; its result."""
        return self._probe(name, command, *args, tool=METER)

    def measuring(self, name: str, command: str, *args: str) -> Running:
        """Start a command of meter.py that runs until it is stopped."""
        return self._start(name, command, *args, tool=METER)

    def _probe(self, name: str, command: str, *args: str, tool: Path = PROBE) -> dict[str, Any]:
        process = self._popen(name, tool, command, *args)
        said, complaint = process.communicate()
        return _last_line(f"vm {name}: {command}", said, complaint)

    def _start(self, name: str, command: str, *args: str, tool: Path = PROBE) -> Running:
        running = Running(f"vm {name}: {command}", self._popen(name, tool, command, *args))
        running.wait_ready()
        return running

    def _popen(self, name: str, tool: Path, command: str, *args: str) -> "subprocess.Popen[str]":
        space = namespaces.of_name(self.namespace(name))
        argv = [sys.executable, "-I", "-S", str(tool), command, *args]
        return namespaces.inside(
            space,
            lambda: subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ),
        )


def _last_line(name: str, said: str, complaint: str) -> dict[str, Any]:
    """The result a probe printed last; CommandFailed with its complaint when there is none."""
    lines = said.strip().splitlines()
    if not lines:
        raise CommandFailed(
            name,
            complaint.strip().splitlines()[-1] if complaint.strip() else "it gave no result",
            "see whether the machine is plugged in",
        )
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def wait_until(condition: Callable[[], object], timeout: float, interval: float = 0.05) -> bool:
    """Whether a condition (a function without arguments) came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True

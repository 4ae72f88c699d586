"""Traffic that tests measure by: streams that count every loss, many flows, throughput; of either family.

    with Ping100Hz(network.lab, "web-1", "app-2") as ping, TcpStream(network.lab, "web-1", "app-2", 8443) as stream:
        network.lab.move("app-2", "hv3")
    assert ping.lost <= 3 and stream.longest_gap < 1.0

Names are machines or hosts outside; a destination may also be an address of either family.
"""

from __future__ import annotations

import json
import math
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from agent import namespaces
from nshell.lab import Lab
from nshell.lab.probing import Watch

SETTLING = 0.3  # seconds before and after what is measured
FIRST_PORT = 20_000  # of the sources of many flows
MEGA = 1e6


def datagram(
    lab: Lab, source: str, destination: str, address: str, size: int, port: int, *, patience: float = 5.0
) -> tuple[int, int]:
    """Lengths of a datagram to an address of `destination` as that received it, and of its answer; 0 when nothing came
    within `patience` seconds. One that is longer than the MTU goes in fragments.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def at(name: str, bind: int) -> socket.socket:
        made = namespaces.inside(
            namespaces.of_name(lab.namespace(name)), lambda: socket.socket(family, socket.SOCK_DGRAM)
        )
        made.settimeout(patience)
        if bind:
            made.bind(("", bind))
        return made

    with at(destination, port) as server, at(source, 0) as client:
        try:
            client.sendto(b"x" * size, (address, port))
            there, peer = server.recvfrom(0xFFFF)
        except TimeoutError:
            return 0, 0
        try:
            server.sendto(there, peer)
            return len(there), len(client.recv(0xFFFF))
        except TimeoutError:
            return len(there), 0


class Ping100Hz:
    """100 echo requests a second until it ends; then `sent`, `lost` and `longest_gap` (seconds) are known."""

    def __init__(self, lab: Lab, source: str, destination: str, *, rate: float = 100.0) -> None:
        self._lab, self._source, self._destination, self._rate = lab, source, destination, rate
        self.report: dict[str, Any] = {}

    def __enter__(self) -> Ping100Hz:
        self._stream = self._lab.ping_stream(self._source, self._destination, rate=self._rate)
        time.sleep(SETTLING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(SETTLING)
        self.report = self._stream.stop()

    @property
    def sent(self) -> int:
        return int(self.report["sent"])

    @property
    def lost(self) -> int:
        return int(self.report["lost"])

    @property
    def longest_gap(self) -> float:
        """The longest time without an answer, in seconds; 0.01 when all is well."""
        return float(self.report["longest_gap"])

    def __str__(self) -> str:
        return f"{self.lost} of {self.sent} lost, longest gap {self.longest_gap * 1000:.0f} ms"


class TcpStream:
    """A TCP connection that carries data both ways at about 1 Mbit/s until it ends.

    On leaving, AssertionError when it broke, or stood still for more than `stall` seconds. `alive()` asserts that it
    makes progress now. `receiver` is the machine that answers, when the destination is an address; `server=False` when
    one listens there already.
    """

    def __init__(
        self,
        lab: Lab,
        source: str,
        destination: str,
        port: int,
        *,
        stall: float = 3.0,
        receiver: str | None = None,
        server: bool = True,
    ) -> None:
        self._lab, self._source, self._destination, self._port = lab, source, destination, port
        self._stall, self._receiver = stall, (receiver or destination) if server else None
        self._stack = ExitStack()
        self._lines: list[dict[str, Any]] = []
        self.report: dict[str, Any] = {}

    def __enter__(self) -> TcpStream:
        with ExitStack() as stack:
            if self._receiver is not None:
                stack.enter_context(self._lab.tcp_server(self._receiver, self._port))
            address = self._lab.address(self._destination)
            self._stream = self._lab.measuring(
                self._source, "stream", address, str(self._port), "--interval=0.01", "--size=1200"
            )
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            self._stack = stack.pop_all()
        time.sleep(SETTLING)
        return self

    def _read(self) -> None:
        assert self._stream.process.stdout is not None
        for line in self._stream.process.stdout:
            self._lines.append(json.loads(line))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            time.sleep(SETTLING)
            process = self._stream.process
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            process.stdin.close()
            process.wait(10)
            self._reader.join(10)
            said = process.stderr.read()
            process.stdout.close()
            process.stderr.close()
        assert self._lines and "longest_gap" in self._lines[-1], f"the stream died: {said}"
        self.report = self._lines[-1]
        if kind is None:
            assert not self.report["error"], f"the connection broke: {self.report['error']}"
            assert self.longest_gap <= self._stall, f"the connection stood still for {self.longest_gap:.2f} s"

    def alive(self, within: float = 3.0) -> None:
        """Asserts that data comes back now, within so many seconds."""
        before, end = self.received, time.monotonic() + within
        while self.received <= before:
            assert time.monotonic() < end, f"nothing came back for {within:g} s: {self._lines[-1:]}"
            assert self._stream.process.poll() is None, f"the connection broke: {self._lines[-1:]}"
            time.sleep(0.05)

    @property
    def received(self) -> int:
        """Bytes that came back so far."""
        return int(self._lines[-1]["received"]) if self._lines else 0

    @property
    def longest_gap(self) -> float:
        """The longest time without data, in seconds."""
        return float(self.report["longest_gap"])


class UdpFlows:
    """So many flows, told apart by their source port, and by whom each was received.

    `receivers` are watched at their interfaces: backends, routers, service machines. `counts` has the flows of each;
    `sides` the receivers of each flow. Where addresses are rewritten, `received_port` is the port that arrives.
    """

    def __init__(
        self,
        lab: Lab,
        source: str,
        destination: str,
        port: int,
        *,
        receivers: Sequence[str],
        flows: int = 1000,
        packets: int = 1,
        first_port: int = FIRST_PORT,
        received_port: int | None = None,
    ) -> None:
        arriving = received_port or port
        watches: dict[str, Watch] = {}
        with ExitStack() as stack:
            for name in receivers:
                watches[name] = stack.enter_context(lab.watch(name))
            address = lab.address(destination)
            sent = lab.measure(
                source, "udp-flows", address, str(port), f"--flows={flows}", f"--count={packets}",
                f"--first-port={first_port}", "--interval=0.001",
            )  # fmt: skip
            _all_came(watches.values(), arriving, flows)
            time.sleep(SETTLING)
        self.failed = int(sent["failed"])
        self.sides: dict[int, set[str]] = {number: set() for number in range(first_port, first_port + flows)}
        for name, watch in watches.items():
            for frame in watch.report["frames"]:
                if frame["kind"] == "udp" and frame.get("destination_port") == arriving:
                    self.sides.setdefault(frame["source_port"], set()).add(name)
        self.counts = dict.fromkeys(receivers, 0) | Counter(name for names in self.sides.values() for name in names)
        self.unseen = sum(1 for names in self.sides.values() if not names)


def _all_came(watches: Iterable[Watch], port: int, flows: int) -> None:
    """Wait until so many flows came to somebody, or for two seconds no more did."""
    came, last = 0, time.monotonic()
    while came < flows and time.monotonic() < last + 2.0:
        now = {one["source_port"] for watch in watches for one in watch.so_far() if one.get("destination_port") == port}
        if len(now) > came:
            came, last = len(now), time.monotonic()
        time.sleep(0.1)


def tcp_flows(
    lab: Lab, source: str, destination: str, port: int, *, flows: int = 100, timeout: float = 1.0, first_port: int = 0
) -> dict[str, int]:
    """So many connections one after the other; how many were "echoed", "refused", "timeout" or else."""
    words = [f"--flows={flows}", f"--timeout={timeout}", f"--first-port={first_port}"]
    return dict(lab.measure(source, "tcp-flows", lab.address(destination), str(port), *words)["results"])


def chi_square(observed: Mapping[str, int], weights: Mapping[str, float] | None = None) -> float:
    """The probability that counts deviate at least so much by chance, if each side has its weight (all the same).

    Pearson's test with one degree of freedom less than sides; below 0.001 the flows are not spread as they should be.
    """
    shares = {name: (weights or {}).get(name, 1.0) for name in observed}
    total, whole = sum(observed.values()), sum(shares.values())
    if not total or len(observed) < 2:
        raise ValueError(f"nothing to test: {dict(observed)}")
    expected = {name: total * share / whole for name, share in shares.items()}
    statistic = sum((observed[name] - expected[name]) ** 2 / expected[name] for name in observed)
    return _chi_square_tail(statistic, len(observed) - 1)


def _chi_square_tail(statistic: float, degrees: int) -> float:
    """P(X > statistic): the recurrence over degrees of freedom, from the closed forms for one and two."""
    half = statistic / 2
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else math.exp(-half)
    for number in range(degrees % 2 or 2, degrees, 2):
        tail += math.exp(number / 2 * math.log(half) - half - math.lgamma(number / 2 + 1)) if half else 0.0
    return tail


def tcp_throughput(
    lab: Lab,
    source: str,
    destination: str,
    port: int = 5001,
    *,
    seconds: float = 4.0,
    skip: float = 1.0,
    receiver: str | None = None,
    dscp: int = 0,
    congestion: str = "",
) -> float:
    """Mbit/s of payload that one TCP connection carries, without the first `skip` seconds (a burst, slow start).

    `receiver` is where it ends, when the destination is an address of something else. Headers are 3 to 4 % more.
    `congestion` is the algorithm that controls it, if not the kernel's default.
    """
    with lab.measuring(receiver or destination, "tcp-sink", str(port)) as sink:
        words = [f"--seconds={seconds}", f"--dscp={dscp}", "--timeout=5", f"--congestion={congestion}"]
        lab.measure(source, "tcp-source", lab.address(destination), str(port), *words)
        time.sleep(SETTLING)
    return _rate(sink.report, seconds, skip)


def udp_throughput(
    lab: Lab,
    source: str,
    destination: str,
    port: int = 5002,
    *,
    mbits: float,
    seconds: float = 3.0,
    skip: float = 1.0,
    size: int = 1400,
    receiver: str | None = None,
    dscp: int = 0,
) -> float:
    """Mbit/s of IP packets that arrive when `mbits` are sent, without the first `skip` seconds (a burst)."""
    with lab.measuring(receiver or destination, "udp-sink", str(port)) as sink:
        words = [f"--seconds={seconds}", f"--bits={mbits * MEGA}", f"--size={size}", f"--dscp={dscp}"]
        lab.measure(source, "udp-source", lab.address(destination), str(port), *words)
        time.sleep(SETTLING)
    return _rate(sink.report, seconds, skip)


def _rate(report: Mapping[str, Any], seconds: float, skip: float) -> float:
    """Mbit/s between `skip` and the end of sending, of what arrived; 0 when nothing did."""
    first, last = round(skip / report["bin"]), round(seconds / report["bin"])
    return float(sum(report["bins"][first:last]) * 8 / ((last - first) * report["bin"]) / MEGA)


def dscps(frames: Iterable[Mapping[str, Any]], port: int) -> set[int]:
    """The DSCPs of the frames that a watch saw to a destination port."""
    return {frame["dscp"] for frame in frames if frame.get("destination_port") == port}


def outer(lines: Iterable[str]) -> list[str]:
    """The lines of a capture that are VXLAN packets."""
    return [line for line in lines if re.search(r"VXLAN|\.4789", line)]

"""What a large configuration costs an operator: batches, completion, a table of everything, and memory.

A daemon without hypervisors holds 100,000 virtual ports in 100 domains of 20 enterprises, loaded from set lines and
started again. Where the peer is a limit, the ratio says how much of it is used.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from nshell import frames
from tests.bench.fabric import seed
from tests.bench.measure import Processes, Row, median, processes, resident, run, timed, wait_until

NAME = "scale"
ABOUT = "batches, completion, tables and memory with 100,000 objects"
FEW, MANY = 1_000, 50_000  # lines of the two batches
ENTERPRISES, DOMAINS, VPORTS = 20, 5, 1_000  # of each: 100,000 vports
COMPLETIONS = 400
TIMES = 5
COMPLETION_MOST = 50.0  # milliseconds, 95th percentile
TABLE_MOST = 1.0  # seconds
MEMORY_MOST = 500.0  # MB of 10^6 bytes
MIB = 1.048576  # MB


class Daemon:
    """`nshell serve` on a state directory of its own."""

    def __init__(self, started: Processes, name: str) -> None:
        self.started = started
        self.state = started.directory / name
        self.env = dict(os.environ, NSHELL_STATE=str(self.state))
        seed(self.state)
        self.start()

    def start(self) -> float:
        """Start it; seconds until it serves."""
        began = time.perf_counter()
        self.process = self.started.start(sys.executable, "-m", "nshell.main", "serve", env=self.env)
        wait_until(self.listening, "the daemon's socket", timeout=120)
        return time.perf_counter() - began

    def listening(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"nshell serve ended: {self.started.output(self.process).strip()[-1000:]}")
        return (self.state / "nshell.sock").exists()

    def restart(self) -> float:
        """End it and start it again; seconds until it serves."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return self.start()

    def batch(self, file: Path) -> float:
        """Run a file; seconds."""
        return timed(lambda: run(sys.executable, "-m", "nshell.main", "run", str(file), env=self.env))

    def command(self, line: str) -> tuple[float, str]:
        """Run one command; seconds and what it said."""
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "nshell.main", "-c", line], env=self.env, capture_output=True, text=True, check=True
        )
        return time.perf_counter() - began, done.stdout

    def session(self, before: Sequence[str], lines: Sequence[str]) -> list[float]:
        """Run these lines in one session after others; seconds that each took, from answer to answer."""
        hello = b"interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=1\nkeep-going=1\n"
        packed = [frames.pack(frames.COMMAND, line.encode()) for line in (*before, *lines)]
        moments = []
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.state / "nshell.sock"))
            connection.sendall(frames.pack(frames.HELLO, hello) + b"".join(packed) + frames.pack(frames.END, b""))
            stream = connection.makefile("rb")
            while len(head := stream.read(5)) == 5 and head[:1] != frames.EXIT:
                payload = stream.read(int.from_bytes(head[1:], "big"))
                if head[:1] == frames.OUTPUT:
                    moments.append(time.perf_counter())
                elif head[:1] == frames.ERROR:
                    raise RuntimeError(payload.decode())
        if len(moments) < len(lines) + 1:
            raise RuntimeError(f"{len(lines)} lines had {len(moments)} answers")
        moments = moments[-len(lines) - 1 :]
        return [after - before for before, after in itertools.pairwise(moments)]


def domain_lines(enterprise: int, domain: int) -> Iterator[str]:
    """The set lines of one domain with one subnet."""
    place = f"enterprise e{enterprise} domain d{domain}"
    yield f"set {place} zone z subnet s prefix 10.0.0.0/16"


def vport_lines(enterprise: int, domain: int, count: int) -> Iterator[str]:
    """The set lines of so many vports in it, one line each."""
    for number in range(count):
        host = number + 10
        mac = f"02:{enterprise:02x}:{domain:02x}:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        yield (
            f"set enterprise e{enterprise} domain d{domain} vport vm-{number:05} subnet s mac {mac}"
            f" address 10.0.{host >> 8}.{host & 255}"
        )


def write(file: Path, lines: Iterator[str]) -> Path:
    file.write_text("\n".join(["configure", *lines, "commit", ""]))
    return file


def batches(started: Processes) -> Iterator[Row]:
    """Per line, 50,000 beside 1,000: one transaction each."""
    seconds: dict[int, list[float]] = {FEW: [], MANY: []}
    for turn in range(3):
        for count in (FEW, MANY):
            daemon = Daemon(started, f"batch-{count}-{turn}")
            lines = [*domain_lines(1, 1), *vport_lines(1, 1, count - 1)]
            seconds[count].append(daemon.batch(write(started.directory / f"{count}.nsh", iter(lines))))
            daemon.process.terminate()
            daemon.process.wait(60)
    few, many = median(seconds[FEW]) / FEW * 1e6, median(seconds[MANY]) / MANY * 1e6
    yield Row(
        f"batch of {MANY:,} lines, per line, beside {FEW:,}",
        many,
        few,
        1.0,
        "us",
        "nshell run FILE with commit, fork to exit, into an empty daemon; time divided by lines",
        {"ours": seconds[MANY], "peer": seconds[FEW]},
    )


def loaded(started: Processes) -> tuple[Daemon, float]:
    """A daemon with everything in it, started anew; seconds that the start took."""
    daemon = Daemon(started, "loaded")
    lines = (
        line
        for enterprise in range(1, ENTERPRISES + 1)
        for domain in range(1, DOMAINS + 1)
        for part in (domain_lines(enterprise, domain), vport_lines(enterprise, domain, VPORTS))
        for line in part
    )
    daemon.batch(write(started.directory / "all.nsh", lines))
    return daemon, daemon.restart()


def to_complete(choice: random.Random) -> str:
    """A line such as somebody completes: unfinished at any word, with abbreviations."""
    enterprise, domain = f"e{choice.randint(2, ENTERPRISES)}", f"d{choice.randint(1, DOMAINS)}"
    vport = f"vm-{choice.randrange(VPORTS):05}"
    return choice.choice(
        (
            "", "se", "set enterprise ", f"set enterprise {enterprise} ", f"set ent {enterprise} dom {domain} ",
            f"set enterprise {enterprise} domain {domain} vport ",
            f"set enterprise {enterprise} domain {domain} vport {vport[:choice.randint(1, 7)]}",
            f"set enterprise {enterprise} domain {domain} vport {vport} subnet ",
            f"delete enterprise {enterprise} domain {domain} vport {vport} ", "run show vports ",
            f"run show vports enterprise {enterprise} domain ", f"run show vport {vport[:4]}", "show ",
            f"edit enterprise {enterprise} domain ",
        )
    )  # fmt: skip


def quoted(line: str) -> str:
    return 'run complete "' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'


def measure() -> Iterator[Row]:
    with processes() as started:
        yield from batches(started)
        daemon, start = loaded(started)
        count = ENTERPRISES * DOMAINS * VPORTS
        yield Row(f"  info: start with {count:,} vports", start, None, None, "s", "fork to serving")
        time.sleep(2)
        yield Row(
            f"memory of an idle daemon with {count:,} vports",
            resident(daemon.process.pid) * MIB,
            MEMORY_MOST,
            1.0,
            "MB",
            "resident set two seconds after its start; peer: the limit",
        )
        daemon.command("show version")
        tables = []
        for _ in range(TIMES):
            seconds, said = daemon.command("show vports | count")
            if str(count) not in said.replace(",", ""):
                raise RuntimeError(f"show vports | count said {said}")
            tables.append(seconds)
        yield Row(
            f"show vports | count of {count:,}", median(tables), TABLE_MOST, 1.0, "s",
            "nshell -c, fork to exit; peer: the limit", {"ours": tables},
        )  # fmt: skip
        choice = random.Random(3)
        lines = [quoted(to_complete(choice)) for _ in range(COMPLETIONS)]
        times = sorted(daemon.session(["configure", quoted("")], lines))
        yield Row(
            f"completion with {count:,} vports, 95th percentile", times[int(len(times) * 0.95)] * 1000, COMPLETION_MOST,
            1.0, "ms", f"{COMPLETIONS} lines of configure mode in one session, answer to answer; peer: the limit",
            {"ours": times},
        )  # fmt: skip
        yield Row("  info: memory afterwards", resident(daemon.process.pid) * MIB, None, None, "MB", "resident set")

"""What a dashboard costs the process that also speaks OpenFlow and BGP: time of a redraw, and CPU when nothing happens.

Redraws are measured in this process: a screen of 200x60 on a wire that takes all, from an answer with other numbers to
the last byte. CPU is that of a daemon with 10,000 vports while a dashboard is open over its unix socket, without what
the daemon uses anyway. The peers are budgets: 50 ms, 3 % of a core, and 10 ms for others on the loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from nshell import frames
from nshell.terminal.fullscreen import FullScreen
from tests.bench.fabric import seed
from tests.bench.measure import CLOCK_TICKS, Row, median, processes, run, wait_until
from views.models import Column, Lines, Model, Moment, Rate, Table, Trend
from views.render import Screen

NAME = "dashboard"
VPORTS = 10_000
ABOUT = f"a dashboard of {VPORTS} vports: redraws, and CPU when idle"
REDRAWS = 30
BUDGET, SHARE, STALL = 50.0, 3.0, 10.0  # milliseconds, percent of a core, milliseconds
IDLE = 20.0  # seconds of CPU that are compared
BATCH = 1000


class Wire:
    """A terminal that takes everything at once."""

    screen = Screen(200, 60, True, True)
    term = "xterm-256color"

    def __init__(self) -> None:
        self.sent = 0
        self.last = 0.0

    def put(self, data: bytes) -> None:
        self.sent += len(data)
        self.last = time.perf_counter()

    async def drain(self) -> None:
        await asyncio.sleep(0)


class Numbers:
    """A Source with VPORTS vports whose rates are others each time."""

    user, hostname = "bench", "nshell"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.round = 0

    @property
    def screen(self) -> Screen:
        return self._wire.screen

    async def ready(self) -> None:
        await self._wire.drain()

    async def ask(self, line: str) -> Model:
        if line == "show vports":
            return self.vports()
        return Lines(())

    def vports(self) -> Table:
        columns = (
            Column("name", "Name"), Column("place", "Subnet", shrink=True), Column("address", "Address"),
            Column("dvrs", "dVRS"), Column("state", "State"), Column("since", "Since"),
            Column("sends", "Sends", "right"), Column("gets", "Gets", "right"), Column("trend", "Trend"),
        )  # fmt: skip
        self.round += 1
        trend = Trend(tuple(float((at + self.round) % 7) for at in range(20)))
        rows = [
            (f"vm-{number}", "acme/prod/web1", "10.1.1.11", f"hv{number % 20}", "up", Moment(1.79e9),
             Rate(number * self.round), Rate(number), trend)
            for number in range(VPORTS)
        ]  # fmt: skip
        return Table("Virtual ports", columns, rows, "virtual ports", f"up {VPORTS}")

    async def follow(self, line: str) -> AsyncIterator[Model]:
        yield Lines(())

    def prompt(self) -> str:
        return "> "

    def complete(self, text: str) -> tuple[str, Sequence[str]]:
        return "", ()

    def explain(self, text: str) -> Sequence[str] | None:
        return ()

    async def run(self, line: str, write: Callable[[str], None], draw: Callable[[Sequence[str]], None]) -> bool:
        return True


def measure() -> Iterator[Row]:
    took, stalls, sent = asyncio.run(redraws())
    yield Row(
        f"redraw of a screen of {VPORTS} vports", median(took), BUDGET, 1.0, "ms",
        f"200x60, from an answer in which all rates changed to the last of {sent} bytes; the peer is the budget",
        {"ours": took},
    )  # fmt: skip
    yield Row(
        "  longest wait of others on the loop", median(stalls), STALL, 1.0, "ms",
        "how late a timer of 1 ms is while that is filtered, sorted and drawn, median of the worst of each",
        {"ours": stalls},
    )  # fmt: skip
    for name, without, with_it in idle():
        yield Row(
            f"CPU of an idle dashboard, {name}", max(0.0, with_it - without), SHARE, 1.0, "%",
            f"of one core, a daemon with {VPORTS} vports for {IDLE:g} s: {with_it:.1f} % with, {without:.1f} % without",
        )  # fmt: skip


async def redraws() -> tuple[list[float], list[float], int]:
    """Milliseconds of each redraw, milliseconds that others waited at most in each, bytes of the last."""
    wire = Wire()
    source = Numbers(wire)
    full = FullScreen(wire, source, "vports")
    running = asyncio.create_task(full.run())
    while wire.sent < 10_000:
        await asyncio.sleep(0.05)
    board, took, stalls, sent = full.app.board, [], [], 0
    grid = board.grid
    assert grid is not None
    grid.sort_by("sends")
    grid.words = "vm-1"
    late = Late()
    watching = asyncio.create_task(late.watch())
    for _ in range(REDRAWS):
        table = source.vports()
        await asyncio.sleep(0.05)
        late.worst, before, began = 0.0, wire.sent, time.perf_counter()
        await board.take("table", table)
        while wire.sent == before or time.perf_counter() - wire.last < 0.04:
            await asyncio.sleep(0.005)
        took.append((wire.last - began) * 1000)
        stalls.append(late.worst * 1000)
        sent = wire.sent - before
    watching.cancel()
    full.app.exit()
    await running
    return took, stalls, sent


class Late:
    """How late timers are."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.perf_counter() - began - 0.001)


def idle() -> Iterator[tuple[str, float, float]]:
    """Screen, percent of a core that the daemon uses without a dashboard, and with one on this screen."""
    with processes() as started:
        state = started.directory / "state"
        seed(state)
        env = dict(os.environ, NSHELL_STATE=str(state))
        daemon = started.start(sys.executable, "-m", "nshell.main", "serve", env=env)
        wait_until((state / "nshell.sock").exists, "the daemon's socket")
        lines = ["configure", "set enterprise acme domain prod zone web subnet web1 prefix 10.0.0.0/8"]
        lines += [
            f"set enterprise acme domain prod vport vm-{number} subnet web1 "
            f"mac 02:00:00:00:{number >> 8:02x}:{number & 255:02x} address 10.1.{number >> 8}.{number & 255}"
            for number in range(2, VPORTS + 2)
        ]
        run(sys.executable, "-m", "nshell.main", env=env, text="\n".join([*lines, "commit", ""]))
        time.sleep(2)
        without = share(daemon.pid)
        for screen in ("overview", "vports"):
            with Client(state / "nshell.sock", screen):
                yield screen, without, share(daemon.pid)


class Client:
    """Somebody with a dashboard, over the unix socket: takes what is drawn and presses nothing."""

    def __init__(self, path: Path, screen: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        hello = "interactive=1\ncolumns=160\nrows=48\nterm=xterm-256color\nunicode=1\ncolor=1\njson=0\nkeep-going=0\n"
        self._socket.sendall(frames.pack(frames.HELLO, hello.encode()))
        self._socket.sendall(frames.pack(frames.DATA, f"dashboard {screen}\r".encode()))

    def __enter__(self) -> Client:
        self._socket.settimeout(0.2)
        until, seen = time.monotonic() + 60, b""
        while b"vports" not in seen and b"vm-2" not in seen and time.monotonic() < until:
            try:
                seen += self._socket.recv(65536)
            except TimeoutError:
                continue
        time.sleep(3)
        return self

    def __exit__(self, *unused: object) -> None:
        self._socket.close()


def share(pid: int) -> float:
    """Percent of one core that a process uses for IDLE seconds."""

    def used() -> float:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / CLOCK_TICKS

    before, began = used(), time.monotonic()
    time.sleep(IDLE)
    return (used() - before) / (time.monotonic() - began) * 100

"""`make demo`: the lab, the daemon, the example policy, and a real packet test for every line it prints.

    python -m nshell.lab.demo          run it
    python -m nshell.lab.demo down     take the lab and the demo's daemon away

The policy, the machines and what is expected are data in examples/demo/.  The daemon has a state directory of its
own, made anew each time; it and the lab are left running, to be looked at.
"""

import argparse
import errno
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import CommandFailed, NshellError
from nshell.lab import processes
from nshell.lab.demo_tests import KINDS, Scene, Seen
from nshell.lab.lab import Lab
from nshell.lab.machines import read_machines
from nshell.lab.probing import wait_until
from nshell.lab.wan.plan import Wan

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "demo"
PREFIX = "nsh"
HYPERVISORS = 3
NEIGHBORS = ("pe", "vtep")  # nodes of the wide area network that are BGP neighbors
READY_TIMEOUT = 30.0  # seconds until all vports of a commit are up
SESSION_TIMEOUT = 60.0  # seconds until neighbors that were just configured are spoken to
INDENT = 10 * " "  # of what a line is continued with
COLUMNS = 80  # of the terminal for which what the shell shows is laid out


@dataclass(frozen=True, slots=True)
class Demo:
    """Which demo: the prefix of its lab, and the state directory of its daemon."""

    prefix: str = PREFIX

    @property
    def state(self) -> Path:
        return Path("/run/nshell-demo" if self.prefix == PREFIX else f"/run/nshell-demo-{self.prefix}")

    @property
    def lab(self) -> Lab:
        return Lab(self.prefix)


def main(argv: Sequence[str]) -> int:
    """Run the demo; give 0 when every test was as expected."""
    parser = argparse.ArgumentParser("nshell.lab.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "what", nargs="?", choices=("up", "down"), default="up", help="run it (default), or take it away"
    )
    parser.add_argument("--prefix", default=PREFIX, help="prefix of the lab's namespaces, to have two demos at once")
    given = parser.parse_args(argv)
    demo = Demo(given.prefix)
    try:
        if given.what == "down":
            take_down(demo)
            return 0
        return run(demo)
    except NshellError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code


def run(demo: Demo) -> int:
    """Everything, from nothing or from an earlier run."""
    began = time.monotonic()
    stages = tomllib.loads((EXAMPLE / "expectations.toml").read_text())["stage"]
    machines = read_machines(EXAMPLE / "vms.toml")
    stop_daemon(demo)
    shutil.rmtree(demo.state, ignore_errors=True)
    lab = demo.lab
    lab.down()
    lab.up(HYPERVISORS, machines, wan=Wan(), agents=False, controller_state=demo.state)
    there = f"{HYPERVISORS} hypervisors, {len(machines)} machines, {len(lab.wan.wan.nodes)} routers beyond"
    print(f"lab: {there}, up in {time.monotonic() - began:.1f} s")
    nshell(demo, "-c", f"set controller listen-address {lab.controller_address}", "-c", "commit")
    # the candidate keeps them for the batch that makes neighbors of these addresses
    where = [f"set bgp-neighbor {name} address {lab.wan.address(name)}" for name in NEIGHBORS]
    scene = Scene(lab, lambda line: json.loads(nshell(demo, "--json", "-c", line)))
    results: list[bool] = []
    for stage in stages:
        print(f"\n{stage['title']}")
        began_stage = time.monotonic()
        for name in stage.get("keep_flows_of", ()):
            scene.keep_flows(name)
        if stage.get("neighbors"):
            nshell(demo, *(word for line in where for word in ("-c", line)))
        said = nshell(demo, "run", str(EXAMPLE / stage["run"]))
        if not results:
            lab.up(HYPERVISORS, agents=True, controller_state=demo.state)  # now there is something that admits them
        wait_ready(demo, lab)
        if stage.get("neighbors"):
            wait_established(demo)
        taken = time.monotonic() - began_stage
        print(f"{'':<8}nshell run {_short(EXAMPLE / stage['run'])}: applied and up in {taken:.1f} s")
        if stage.get("told"):
            print("\n".join(map(fitting, said.rstrip().splitlines())))
        results += [show(test, KINDS[test["kind"]](scene, test)) for test in stage["test"]]
        for line in stage.get("look", ()):
            shown = on_screen(demo, line).rstrip().splitlines()
            print("\n".join(("", fitting(f"nshell> {line}"), *map(fitting, shown))))
    failed = results.count(False)
    print(
        f"\n{len(results)} packet tests, {failed} failed, {time.monotonic() - began:.0f} s"
        if failed
        else f"\nall {len(results)} packet tests as expected, {time.monotonic() - began:.0f} s"
    )
    program = ROOT / ".venv" / "bin" / "nshell"
    shell = _short(program) if program.exists() else "nshell"
    other = [] if demo.prefix == PREFIX else ["--prefix", demo.prefix]
    print(f"open the shell       {shell} --state {demo.state}")
    print(f"inside a machine     {' '.join([shell, 'lab', *other, 'exec', 'acme-web-1', 'bash'])}")
    print(f"take it all down     {' '.join([_short(Path(sys.executable)), '-m', 'nshell.lab.demo', 'down', *other])}")
    return 1 if failed else 0


def show(test: Mapping[str, Any], seen: Seen) -> bool:
    """Print one test's line; give whether it was as expected."""
    who = f"{test['from']} -> {test['to']}" if "from" in test else test["hypervisor"]
    if "port" in test:
        who += f" {'udp' if test['kind'] == 'udp' else 'tcp'}/{test['port']}"
    expected = "" if seen.ok else f"; expected {_expected(test)}"
    claim = f"{'ok' if seen.ok else 'FAILED':<8}{who:<38}{test['says']}:"
    print(fitting(f"{claim} {seen.words}{expected}", claim), flush=True)
    return seen.ok


def _expected(test: Mapping[str, Any]) -> str:
    """What the test wanted: its own word, or what its kind does."""
    if "expect" in test:
        return str(test["expect"]) + (f" with ttl {test['ttl']}" if "ttl" in test else "")
    return (KINDS[test["kind"]].__doc__ or "").strip().splitlines()[0].rstrip(".")


def nshell(demo: Demo, *args: str) -> str:
    """Run the operator's own command line; CommandFailed with its words when it fails."""
    argv = [sys.executable, "-m", "nshell.main", "--state", str(demo.state), *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=120)
    if done.returncode != 0:
        raise CommandFailed(
            f"nshell {' '.join(args)}", (done.stderr + done.stdout).strip(), f"see {demo.state}/nshell.log"
        )
    return done.stdout


def on_screen(demo: Demo, line: str) -> str:
    """What a command shows on a terminal of COLUMNS, without its colors."""
    shown, terminal = pty.openpty()
    with open(shown, "rb", buffering=0) as screen:
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 0, COLUMNS, 0, 0))
            argv = [sys.executable, "-m", "nshell.main", "--state", str(demo.state), "-c", line]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"}
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.STDOUT, env=environment
            )
        finally:
            os.close(terminal)
        said = b""
        try:
            while part := screen.read(65536):
                said += part
        except OSError as end:
            if end.errno != errno.EIO:  # the other end of a terminal is closed
                raise
        if child.wait() != 0:
            raise CommandFailed(f"nshell -c {line!r}", said.decode().strip(), f"see {demo.state}/nshell.log")
    return said.decode().replace("\r\n", "\n")


def fitting(line: str, claim: str = "") -> str:
    """The line, in several if it is longer than COLUMNS: the first break is after the claim, if there is one."""
    if len(line) <= COLUMNS:
        return line
    parts = (claim, line[len(claim) + 1 :]) if claim else (line,)
    wrapped = [textwrap.wrap(part, COLUMNS - len(INDENT)) for part in parts]
    return f"\n{INDENT}".join(row for rows in wrapped for row in rows)


def wait_established(demo: Demo) -> None:
    """Return when every BGP neighbor is spoken to."""

    def ready() -> bool:
        states = _column(demo, "show bgp summary", "state")
        return len(states) == len(NEIGHBORS) and set(states) == {"established"}

    if not wait_until(ready, SESSION_TIMEOUT, 0.1):
        shown = nshell(demo, "-c", "show bgp summary", "-c", "show events")
        raise CommandFailed(
            "demo",
            f"not every BGP session is established after {SESSION_TIMEOUT:g} s:\n{shown}",
            f"see {demo.state}/nshell.log",
        )


def wait_ready(demo: Demo, lab: Lab) -> None:
    """Return when every vport is up, and every hypervisor's agent has resolved the neighbours it was told of."""

    def ready() -> bool:
        vports = _column(demo, "show vports", "state")
        told = all("br-phy" in lab.ovs(name).control("tnl/neigh/show") for name in lab.hypervisors)
        return told and bool(vports) and set(vports) == {"up"}

    if not wait_until(ready, READY_TIMEOUT, 0.1):
        shown = "".join(nshell(demo, "-c", f"show {what}") for what in ("dvrs", "vports", "agents"))
        raise CommandFailed(
            "demo", f"not everything is up after {READY_TIMEOUT:g} s:\n{shown}", f"see {demo.state}/nshell.log"
        )


def _column(demo: Demo, command: str, key: str) -> list[str]:
    """The values of one column of a command's JSON."""
    return [str(row[key]) for row in _rows(json.loads(nshell(demo, "--json", "-c", command))) if key in row]


def _rows(document: object) -> Iterator[Mapping[str, object]]:
    """Every object of a JSON document, outermost first."""
    if isinstance(document, dict):
        yield document
        for one in document.values():
            yield from _rows(one)
    elif isinstance(document, list):
        for one in document:
            yield from _rows(one)


def stop_daemon(demo: Demo) -> None:
    """End the demo's daemon, if one holds the lock of the demo's state directory."""
    try:
        lock = os.open(demo.state / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # the number in the file is the holder's: nobody else can write it while the lock is held
        processes.end([processes.look(int(os.pread(lock, 20, 0) or b"0"))], signal.SIGTERM)
    finally:
        os.close(lock)


def take_down(demo: Demo) -> None:
    """Remove all that the demo made."""
    stop_daemon(demo)
    demo.lab.down()
    shutil.rmtree(demo.state, ignore_errors=True)
    print("the lab and the demo's daemon are gone")


def _short(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

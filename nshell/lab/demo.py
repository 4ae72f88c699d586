"""`make demo`: the lab, the daemon, the example policy, and a real packet test for every line it prints.

    python -m nshell.lab.demo          run it
    python -m nshell.lab.demo down     take the lab and the demo's daemon away

The policy, the machines and what is expected are data in examples/demo/.  The daemon has a state directory of its
own, made anew each time; it and the lab are left running, to be looked at.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.errors import CommandFailed, NshellError
from nshell.lab import processes
from nshell.lab.demo_tests import KINDS, Scene, Seen
from nshell.lab.lab import Lab
from nshell.lab.machines import read_machines
from nshell.lab.probing import wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "demo"
STATE = Path("/run/nshell-demo")
HYPERVISORS = 3
READY_TIMEOUT = 30.0  # seconds until all vports of a commit are up


def main(argv: Sequence[str]) -> int:
    """Run the demo; give 0 when every test was as expected."""
    try:
        if list(argv) == ["down"]:
            take_down()
            return 0
        if argv:
            print(__doc__, file=sys.stderr)
            return 2
        return run()
    except NshellError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code


def run() -> int:
    """Everything, from nothing or from an earlier run."""
    began = time.monotonic()
    stages = tomllib.loads((EXAMPLE / "expectations.toml").read_text())["stage"]
    machines = read_machines(EXAMPLE / "vms.toml")
    stop_daemon()
    shutil.rmtree(STATE, ignore_errors=True)
    lab = Lab()
    lab.down()
    lab.up(HYPERVISORS, machines, agents=False)
    print(f"lab: {HYPERVISORS} hypervisors, {len(machines)} machines, up in {time.monotonic() - began:.1f} s")
    nshell("-c", f"set controller listen-address {lab.controller_address}", "-c", "commit")
    scene = Scene(lab)
    results: list[bool] = []
    for stage in stages:
        print(f"\n{stage['title']}")
        began_stage = time.monotonic()
        for name in stage.get("keep_flows_of", ()):
            scene.keep_flows(name)
        nshell("run", str(EXAMPLE / stage["run"]))
        if not results:
            lab.up(HYPERVISORS, agents=True)  # now there is something that admits them
        wait_ready(lab)
        taken = time.monotonic() - began_stage
        print(f"{'':<8}nshell run {_short(EXAMPLE / stage['run'])}: applied and up in {taken:.1f} s")
        results += [show(test, KINDS[test["kind"]](scene, test)) for test in stage["test"]]
    failed = results.count(False)
    print(
        f"\n{len(results)} packet tests, {failed} failed, {time.monotonic() - began:.0f} s"
        if failed
        else f"\nall {len(results)} packet tests as expected, {time.monotonic() - began:.0f} s"
    )
    program = (
        _short(ROOT / ".venv" / "bin" / "nshell")
        if (ROOT / ".venv" / "bin" / "nshell").exists()
        else "nshell"
    )
    print(f"open the shell       {program} --state {STATE}")
    print(f"inside a machine     {program} lab exec acme-web-1 bash")
    print(f"take it all down     {_short(Path(sys.executable))} -m nshell.lab.demo down")
    return 1 if failed else 0


def show(test: Mapping[str, Any], seen: Seen) -> bool:
    """Print one test's line; give whether it was as expected."""
    who = f"{test['from']} -> {test['to']}" if "from" in test else test["hypervisor"]
    if "port" in test:
        who += f" {'udp' if test['kind'] == 'udp' else 'tcp'}/{test['port']}"
    expected = "" if seen.ok else f"; expected {_expected(test)}"
    print(f"{'ok' if seen.ok else 'FAILED':<8}{who:<38}{test['says']}: {seen.words}{expected}", flush=True)
    return seen.ok


def _expected(test: Mapping[str, Any]) -> str:
    """What the test wanted: its own word, or what its kind does."""
    if "expect" in test:
        return str(test["expect"]) + (f" with ttl {test['ttl']}" if "ttl" in test else "")
    return (KINDS[test["kind"]].__doc__ or "").strip().splitlines()[0].rstrip(".")


def nshell(*args: str) -> str:
    """Run the operator's own command line; CommandFailed with its words when it fails."""
    argv = [sys.executable, "-m", "nshell.main", "--state", str(STATE), *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=120
    )
    if done.returncode != 0:
        raise CommandFailed(
            f"nshell {' '.join(args)}", (done.stderr + done.stdout).strip(), f"see {STATE}/nshell.log"
        )
    return done.stdout


def wait_ready(lab: Lab) -> None:
    """Return when every vport is up, and every hypervisor's agent has resolved the neighbours it was told of."""

    def ready() -> bool:
        vports = _column("show vports", "state")
        told = all("br-phy" in lab.ovs(name).control("tnl/neigh/show") for name in lab.hypervisors)
        return told and bool(vports) and set(vports) == {"up"}

    if not wait_until(ready, READY_TIMEOUT, 0.1):
        shown = "".join(nshell("-c", f"show {what}") for what in ("dvrs", "vports", "agents"))
        raise CommandFailed(
            "demo", f"not everything is up after {READY_TIMEOUT:g} s:\n{shown}", f"see {STATE}/nshell.log"
        )


def _column(command: str, key: str) -> list[str]:
    """The values of one column of a command's JSON."""
    return [str(row[key]) for row in _rows(json.loads(nshell("--json", "-c", command))) if key in row]


def _rows(document: object) -> Iterator[Mapping[str, object]]:
    """Every object of a JSON document, outermost first."""
    if isinstance(document, dict):
        yield document
        for one in document.values():
            yield from _rows(one)
    elif isinstance(document, list):
        for one in document:
            yield from _rows(one)


def stop_daemon() -> None:
    """End the demo's daemon, if one holds the lock of the demo's state directory."""
    try:
        lock = os.open(STATE / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # the number in the file is the holder's: nobody else can write it while the lock is held
        processes.end([processes.look(int(os.pread(lock, 20, 0) or b"0"))], signal.SIGTERM)
    finally:
        os.close(lock)


def take_down() -> None:
    """Remove all that the demo made."""
    stop_daemon()
    Lab().down()
    shutil.rmtree(STATE, ignore_errors=True)
    print("the lab and the demo's daemon are gone")


def _short(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

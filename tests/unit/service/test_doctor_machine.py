"""The doctor apart from what its checks find: what it leaves out, what it reads of a real machine, how it fails."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from data.store import Store
from nshell.doctor import daemon, fabric, program, state, switch
from nshell.doctor.checks import examine
from nshell.doctor.finding import Check
from nshell.doctor.machine import Machine
from nshell.places import SYSTEM_STATE
from tests.conftest import as_root
from tests.unit.service import broken
from tests.unit.service.broken import GOOD_ENVIRONMENT, MadeUp

ROOT = Path(__file__).parents[3]
SYSTEMD = {daemon.SYSTEMD: True}
ROUTE = "ip -json route show default"


@pytest.mark.parametrize(
    ("check", "machine"),
    [
        (state.space, MadeUp("/nowhere")),
        (state.filesystem, MadeUp("/nowhere")),
        (state.store, MadeUp("/nowhere")),
        (state.group, MadeUp("/nowhere")),
        (daemon.service, MadeUp("/nowhere", there=SYSTEMD)),
        (daemon.service, MadeUp(SYSTEM_STATE, there={daemon.SYSTEMD: False})),
        (daemon.certificates, MadeUp("/nowhere")),
        (switch.running, MadeUp("/nowhere", without={"ovs-vsctl"})),
        (switch.datapath, MadeUp("/nowhere", without={"ovs-vswitchd"})),
        (fabric.underlay, MadeUp("/nowhere", runs={ROUTE: (0, "[]")})),
        (fabric.joined, MadeUp("/nowhere")),
        (fabric.connected, MadeUp("/nowhere", broken.switch(joined=False))),
        (fabric.agent_runs, MadeUp("/nowhere")),
        (fabric.certificates, MadeUp("/nowhere")),
    ],
)
def test_what_does_not_apply_is_not_reported(check: Check, machine: Machine) -> None:
    assert check(machine) is None


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(program.PACKAGES, "no_such_module", "no-such-package")
    found = program.packages(MadeUp("/nowhere"))
    assert (found.state, found.found) == ("missing", "without no-such-package")
    assert "pip install no-such-package" in found.remedy


def test_the_packages_it_looks_for_are_those_the_program_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split("[<>=]", text)[0] for text in project["dependencies"]}
    assert needed <= set(program.PACKAGES.values())


def test_the_group_is_well_when_it_has_members(monkeypatch: pytest.MonkeyPatch) -> None:
    class Group:
        gr_mem = ("anna", "bo")

    monkeypatch.setattr(state.grp, "getgrnam", lambda name: Group)
    found = state.group(MadeUp(SYSTEM_STATE))
    assert found is not None and (found.state, found.found) == ("ok", "nshell: anna, bo")


def test_files_of_another_user_in_the_state_directory_are_found(tmp_path: Path) -> None:
    as_root("gives files to other users")
    place = tmp_path / "state"
    Store.open(place).close()
    os.chown(place / "nshell.db", 65534, 65534)
    found = state.directory(MadeUp(place))
    assert (found.state, "nshell.db is another user's" in found.found) == ("missing", True)
    assert found.remedy == f"chown -R root: {place}"
    os.chown(place, 54321, 54321)
    assert "user number 54321" in state.directory(MadeUp(place)).found


def test_the_real_machine_is_read_right() -> None:
    machine = Machine("/nowhere")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        for one, address in ((server, "127.0.0.1"), (six, "::1")):
            found = [each for each in machine.listeners() if each.port == one.getsockname()[1]]
            assert [str(each.address) for each in found] == [address]
            assert machine.holds(os.getpid(), found[0].inode)
            assert not machine.holds(1, found[0].inode)
    assert (os.getpid(), True) in [(pid, bool(words)) for pid, words in machine.processes()]
    assert machine.run("sh", "-c", "echo out; exit 3") == (3, "out")
    assert machine.run("no-such-program-here") == (127, "")
    assert machine.filesystem("/proc/self") == "proc"
    assert machine.daemon_pid() is None
    assert machine.program("sh") and machine.program("no-such-program-here") is None
    assert isinstance(machine.clock_is_kept(), bool)
    assert machine.text("/nowhere/at/all") == ""


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(machine: Machine) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("nshell.doctor.checks.CHECKS", (("", fails), ("", program.locale)))
    first, second = examine(MadeUp("/nowhere", environ=GOOD_ENVIRONMENT))
    assert (first.state, first.found) == ("missing", "RuntimeError: out of luck")
    assert second.state == "ok"


@pytest.mark.parametrize("arguments", [["--frob"], ["controller", "hypervisor"], ["--state"]])
def test_bad_arguments_are_bad_syntax(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nshell.main", "doctor", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "usage: nshell doctor" in done.stderr) == (2, True)

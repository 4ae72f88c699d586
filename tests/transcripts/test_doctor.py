"""`nshell doctor` beside a real daemon: it sees it, does not disturb it, and says in two forms what is missing."""

from __future__ import annotations

import json
import socket
import time

from nshell.doctor import daemon, state
from nshell.doctor.machine import Machine
from tests.transcripts.shell import Shell

CONFIGURATION = "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24"


def test_a_running_daemon_and_its_store_are_well(shell: Shell) -> None:
    assert shell.commands("configure", CONFIGURATION, "commit").returncode == 0
    machine = Machine(str(shell.state))
    assert (shell.state / "nshell.db-wal").exists()  # the store is read while the daemon has it open
    for check in (daemon.answers, state.store, state.directory, daemon.ports, daemon.descriptors):
        found = check(machine)
        assert found is not None and found.state == "ok", found
    found = state.store(machine)
    assert found is not None and found.found.endswith("revision 2")
    assert shell.commands("show version").returncode == 0
    assert {path.stat().st_uid for path in shell.state.iterdir()} == {shell.state.stat().st_uid}


def test_a_port_that_somebody_else_took_is_named(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", shell.ports[1])):
        found = daemon.ports(Machine(str(shell.state)))
        assert (found.state, found.found) == ("missing", f"{shell.ports[1]} (OVSDB) is taken by another program")


def test_a_store_that_nobody_has_open_is_read_without_leaving_a_file(shell: Shell) -> None:
    shell.commands("show version")
    shell.end()
    before = sorted(path.name for path in shell.state.iterdir())
    found = state.store(Machine(str(shell.state)))
    assert found is not None and found.state == "ok"
    assert sorted(path.name for path in shell.state.iterdir()) == before


def test_a_daemon_that_does_not_answer_is_missing(shell: Shell) -> None:
    shell.state.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(shell.state / "nshell.sock"))
        deaf.listen(1)
        began, daemon.ANSWER = time.monotonic(), 0.2
        try:
            found = daemon.answers(Machine(str(shell.state)))
        finally:
            daemon.ANSWER = 5.0
    assert (found.state, found.remedy) == ("missing", "systemctl restart nshell")
    assert time.monotonic() - began < 2


def test_the_report_is_a_table_with_remedies_or_json_and_the_exit_code_says_it(shell: Shell) -> None:
    shell.commands("show version")
    done = shell.run("doctor", "controller")
    assert done.returncode == 0, done.stdout
    assert "This machine" in done.stdout and "No. of checks: " in done.stdout
    assert "Open vSwitch" not in done.stdout
    (shell.state / "nshell.conf").write_text("log-level = loud\n")
    done = shell.run("doctor", "controller")
    assert done.returncode == 1
    assert "missing: settings: " in done.stdout
    assert "  mend: choose debug, info, warning or error" in done.stdout
    done = shell.run("doctor", "--json", "controller", "--state", str(shell.state))
    said = json.loads(done.stdout)
    assert (done.returncode, said["missing"]) == (1, 1)
    assert {"check": "settings", "state": "missing"}.items() <= next(
        one for one in said["findings"] if one["state"] == "missing"
    ).items()

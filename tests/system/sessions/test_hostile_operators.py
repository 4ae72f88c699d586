"""Operators who get in each other's way, clients and daemons that die at the wrong moment, errors nobody foresaw.

Each test ends with the network as it began.
"""

from __future__ import annotations

import grp
import json
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import Network
from tests.system.operators import GROUP, HOMELESS, as_user, client_process, shared_shell, written
from tests.transcripts.shell import Shell
from tests.transcripts.test_interactive import Person

BASE = "enterprise acme domain prod"
LINES = 100_000
TRIES = 6
WIDE = [f"set {BASE} egress-policy wide entry 1 protocol icmp action allow"] + [
    f"set {BASE} egress-policy wide entry {n} to zone app protocol tcp"
    f" destination-port {2 * n + 1}-{5 * n + 900} action allow stateful"
    for n in range(10, 50)
]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("operators"), "tops", agents=False)
    try:
        yield network
    finally:
        network.close()


@pytest.fixture
def alike(network: Network) -> Iterator[None]:
    """Configuration and flows are afterwards what they were before, and the log has no traceback."""
    network.ready()
    configuration, flows = network.run("show configuration"), network.all_flows()
    yield
    network.ready()
    assert network.run("show configuration") == configuration
    assert network.all_flows() == flows
    assert "no difference" in network.run("configure", "compare")
    assert "Traceback" not in network.shell.log()


@pytest.fixture
def shared() -> Iterator[Shell]:
    """A shell whose daemon lets a group in, and one member of it do everything."""
    with shared_shell() as shell:
        assert shell.commands(f"set user uid{HOMELESS} class super-user", "commit").returncode == 0
        yield shell
        assert "Traceback" not in shell.log()


def database(shell: Shell, statement: str, *values: object) -> None:
    """Meddle with the daemon's database."""
    connection = sqlite3.connect(shell.state / "nshell.db", timeout=5)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_hundred_thousand_lines_with_an_error_in_the_last_change_nothing(network: Network, alike: None) -> None:
    macro = "set enterprise acme network-macro"
    lines = [f"{macro} m{n} prefix 10.{n >> 8 & 255}.{n & 255}.0/24" for n in range(LINES - 1)]
    file = written(network.shell, "batch", "\n".join([*lines, f"{macro} m prefix 10.0.0.0/33"]))
    done = network.shell.run("--json", "run", "batch")
    assert done.returncode == 2
    document = json.loads(done.stdout)["error"]
    assert document["line"] == LINES and document["file"] == "batch" and document["column"] and document["remedy"]
    file.unlink()


def test_another_user_of_the_group_is_let_in_and_a_stranger_is_not(shared: Shell) -> None:
    gid = grp.getgrnam(GROUP).gr_gid
    code, said, error = as_user(shared, ["--json", "-c", "show sessions"], gid=gid)
    assert code == 0 and json.loads(said)["rows"][0]["user"] == "uid4711", error
    code, said, error = as_user(shared, ["--no-start", "-c", "show version"], gid=65534)
    assert code == 6 and "you may not open" in error
    code, said, error = as_user(shared, ["--json", "-c", "show version"], gid=65534)
    assert code == 6 and json.loads(said)["error"]["exit_code"] == 6
    modes = {path.name: path.stat().st_mode & 0o777 for path in shared.state.iterdir()}
    assert {name for name, mode in modes.items() if mode & 0o077} == {"nshell.sock"}
    assert shared.state.stat().st_mode & 0o777 == 0o710


def test_two_operators_have_their_own_candidates_and_conflicts_name_who_was_first(shared: Shell) -> None:
    gid = grp.getgrnam(GROUP).gr_gid

    def other(*lines: str, code: int = 0) -> str:
        done = as_user(shared, [word for line in lines for word in ("-c", line)], gid=gid)
        assert done[0] == code, done
        return done[1] + done[2]

    def mine(*lines: str, code: int = 0) -> str:
        done = shared.commands(*lines)
        assert done.returncode == code, done
        return done.stdout + done.stderr

    mine("set enterprise acme description mine", "set enterprise acme domain prod zone web")
    assert "no difference" in other("configure", "compare")
    assert "zone app" not in mine("configure", "compare")
    other("set enterprise umbrella domain lab zone app", "configure", "commit")
    mine("configure", "commit comment first")
    assert mine("show enterprises | count") == "Count: 2 enterprises\n"
    mine("set enterprise acme description ours", f"set {BASE} zone app")
    other("set enterprise acme description theirs", f"set {BASE} zone db", "commit comment second")
    said = mine("configure", "commit", code=3)
    assert "enterprise acme description" in said and "by uid4711" in said and "is kept" in said
    assert "'set' or 'delete' it once more" in said
    person = Person(shared)
    other(f"set {BASE} zone dmz", "commit comment meanwhile")
    assert "was committed by uid4711: meanwhile" in person.line("show version") + person.line("")
    person.type("exit\r")
    assert person.leave() == 0
    mine("set enterprise acme description ours", "commit comment third")
    assert mine("show zones | count") == "Count: 5 zones\n"
    rows = json.loads(shared.run("--json", "-c", "show system commit").stdout)["rows"]
    assert [(row["author"], row["comment"]) for row in rows[:4]] == [
        ("root", "third"), ("uid4711", "meanwhile"), ("uid4711", "second"), ("root", "first"),
    ]  # fmt: skip


def test_an_error_nobody_foresaw_ends_neither_session_nor_daemon(network: Network, alike: None) -> None:
    shell, pid = network.shell, network.shell.pid
    revision = json.loads(shell.run("--json", "-c", "show version").stdout)["revision"] + 1
    network.run(f"set {BASE} zone extra")
    insert = "INSERT INTO revision(number, author, time, comment, state) VALUES (?, 'nobody', 0, '', 'applied')"
    database(shell, insert, revision)
    before = network.all_flows()
    said = network.run("configure", "commit", code=1)
    assert "error: internal error: IntegrityError" in said and "the daemon's log" in said
    assert shell.log().count("Traceback") == 1
    (shell.state / "nshell.log").write_text("")
    done = shell.run("--json", "--keep-going", "-c", "configure", "-c", "commit", "-c", "run show version")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and [next(iter(one)) for one in documents] == ["done", "error", "nshell"]
    assert "zone extra" in network.run("configure", "compare") and shell.pid == pid
    assert network.all_flows() == before
    database(shell, "DELETE FROM revision WHERE number = ?", revision)
    (shell.state / "nshell.log").write_text("")
    network.run("configure", "commit")
    network.run(f"delete {BASE} zone extra", "commit")


def test_a_client_killed_in_the_middle_of_a_commit_leaves_it_done_or_undone(network: Network, alike: None) -> None:
    dice, outcomes = random.Random(5), []
    without = network.all_flows()
    written(network.shell, "wide", "\n".join([*WIDE, "commit"]))
    for _ in range(TRIES):
        client = client_process(network.shell, "run", "wide")
        time.sleep(dice.uniform(0.03, 0.12))
        client.kill()
        client.communicate()
        assert wait_until(lambda: len(network.rows("show sessions")) == 1, 10)
        time.sleep(0.3)  # a commit that was under way goes on without its session
        network.ready()
        held = "wide" in network.run("show configuration")
        assert held == (network.all_flows() != without)
        if held:
            assert "no difference" in network.run("configure", "compare")
            network.run(f"delete {BASE} egress-policy wide", "commit")
        network.run("configure", "discard")
        outcomes.append(held)
    print("client killed:", ["new" if held else "old" for held in outcomes])


def test_a_daemon_told_to_stop_in_a_commit_sees_it_through_and_says_so(network: Network, alike: None) -> None:
    dice, outcomes = random.Random(6), []
    without = network.all_flows()
    written(network.shell, "wide", "\n".join([*WIDE, "commit"]))
    for _ in range(TRIES // 2):
        client = client_process(network.shell, "run", "wide")
        time.sleep(dice.uniform(0.1, 0.3))
        network.shell.end(signal.SIGTERM)
        said, _ = client.communicate(timeout=20)
        network.ready()
        held = "wide" in network.run("show configuration")
        assert client.returncode in (0, 1, 5), said
        assert (client.returncode == 0) == held, said
        assert held == (network.all_flows() != without)
        if held:
            network.run(f"delete {BASE} egress-policy wide", "commit")
        network.run("configure", "discard")
        outcomes.append((client.returncode, held))
    print("daemon told to stop:", outcomes)


def test_there_is_never_more_than_one_daemon_and_a_killed_one_has_kept_the_candidate(shared: Shell) -> None:
    shared.commands(f"set {BASE} zone later")
    served = shared.run("serve", "--state", str(shared.state))
    assert served.returncode == 1
    assert "another nshell serves" in served.stderr and str(shared.pid) in served.stderr
    started = shared.log().count(" serving")
    shared.end(signal.SIGKILL)
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(shared.commands("show version").returncode)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 8
    assert shared.log().count(" serving") == started + 1
    assert "zone later" in shared.commands("configure", "compare").stdout


def test_an_unconfirmed_commit_returns_when_its_deadline_passed_without_a_daemon(network: Network, alike: None) -> None:
    before = network.all_flows()
    network.run(*WIDE[:3], "commit confirmed 1")
    assert network.all_flows() != before
    network.kill()
    database(network.shell, "UPDATE confirm SET deadline = ?", time.time() - 1)  # a minute later, without the wait
    network.run("show version")
    assert wait_until(lambda: network.all_flows() == before, 10)
    assert network.rows("show system commit")[0]["author"] == "system"


@pytest.mark.soak
def test_an_unconfirmed_commit_returns_by_its_own_timer(network: Network, alike: None) -> None:
    before = network.all_flows()
    network.run(*WIDE[:3], "commit confirmed 1")
    network.kill()
    network.run("show version")
    assert network.all_flows() != before
    assert wait_until(lambda: network.all_flows() == before, 70)

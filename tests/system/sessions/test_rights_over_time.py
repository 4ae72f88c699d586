"""Rights that change while things are under way: sessions, streams, scheduled and confirmed commits, names given out
again. What a class does not allow now is not done and not shown, whenever it was begun.
"""

from __future__ import annotations

import grp
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from nshell import frames
from nshell.serving.service import SESSIONS
from tests.system.operators import GROUP, HOMELESS, as_user, shared_shell
from tests.transcripts.shell import Shell, free_ports

TINA, UMA = f"uid{HOMELESS}", f"uid{HOMELESS + 1}"
POLICY = f"""
set login-class acme-admin permission [ show configure commit ] enterprise acme
set login-class watcher permission [ show ]
set user {TINA} class acme-admin
set enterprise acme domain prod
set enterprise umbrella domain zzsecret
"""
HELLO = "interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=0\nkeep-going=0\n"


@pytest.fixture
def shell() -> Iterator[Shell]:
    with shared_shell() as shell:
        assert shell.run(text=POLICY + "commit\n").returncode == 0
        yield shell


def user(shell: Shell, *lines: str, uid: int = HOMELESS) -> tuple[int, str]:
    words = [word for line in lines for word in ("-c", line)]
    code, out, error = as_user(shell, words, uid=uid, gid=grp.getgrnam(GROUP).gr_gid)
    return code, out + error


def ok(shell: Shell, *lines: str) -> str:
    done = shell.commands(*lines)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def soon() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 2))


def test_a_user_who_is_deactivated_may_nothing_and_not_what_strangers_may(shell: Shell) -> None:
    ok(shell, f"deactivate user {TINA}", "commit")
    code, said = user(shell, "show configuration")
    assert code == 6 and "zzsecret" not in said


def test_a_commit_at_of_somebody_who_is_deactivated_meanwhile_is_not_applied(shell: Shell) -> None:
    code, said = user(shell, "set enterprise acme domain late", f"commit at {soon()}")
    assert code == 0, said
    ok(shell, f"deactivate user {TINA}", "commit")
    time.sleep(3)
    assert "was not applied" in ok(shell, "show events | match scheduled")
    assert "late" not in ok(shell, "show configuration enterprise acme")


def test_a_commit_at_confirms_nobodys_commit(shell: Shell) -> None:
    ok(shell, "set system contact noc", "commit confirmed 5")
    assert user(shell, "set enterprise acme domain late", f"commit at {soon()}")[0] == 0
    time.sleep(3)
    assert "waits to be confirmed" in ok(shell, "show events | match applied")
    assert "unconfirmed" in ok(shell, "show system commit limit 5")


def test_a_commit_at_holds_edits_that_its_user_may_not_make(shell: Shell) -> None:
    ok(shell, f"set user {TINA} class super-user", "commit")
    assert user(shell, "set system contact tina")[0] == 0
    ok(shell, f"set user {TINA} class acme-admin", "commit")
    for line in (f"commit at {soon()}", "commit check", "commit"):
        code, said = user(shell, "configure", line)
        assert code == 6, said


def test_nobody_keeps_the_administrator_out_with_sessions(shell: Shell) -> None:
    gid = grp.getgrnam(GROUP).gr_gid
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(HOMELESS)
        held = []
        for _ in range(SESSIONS + 20):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(str(shell.state / "nshell.sock"))
            held[-1].sendall(frames.pack(frames.HELLO, HELLO.encode()))
        time.sleep(30)
        os._exit(0)
    try:
        time.sleep(2)
        code, said = user(shell, "show version")
        assert code == 1 and "of your sessions are open" in said, said
        assert user(shell, "show version", uid=HOMELESS + 1)[0] == 0
        ok(shell, "show version")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_an_administrator_of_a_tenant_confirms_the_own_commit_and_no_other(shell: Shell) -> None:
    assert user(shell, "set enterprise acme domain own", "commit confirmed 5")[0] == 0
    code, said = user(shell, "configure", "commit")
    assert code == 0 and "confirmed" in said, said
    ok(shell, "set system contact noc", "commit confirmed 5")
    code, said = user(shell, "configure", "commit")
    assert "nothing to commit" in said
    assert "unconfirmed" in ok(shell, "show system commit limit 1")


def test_a_name_that_is_given_out_again_shows_nothing_of_who_had_it_before(shell: Shell) -> None:
    ok(shell, "rename enterprise umbrella to elsewhere", 'commit comment "zzsecret moves"')
    ok(
        shell,
        "set enterprise umbrella domain fresh",
        "set login-class umbrella-admin permission [ show configure commit ] enterprise umbrella",
        f"set user {UMA} class umbrella-admin",
        "commit",
    )
    for lines in (
        ("show configuration revision 2 | display set",),
        ("show configuration compare revision 2",),
        ("show configuration compare revision 3 to 2 | display set",),
        ("configure", "compare revision 2"),
        ("configure", "rollback revision 2", "show", "commit check"),
        ("configure", "load override terminal", "rollback 1", "show"),
        ("show system commit",),
        ("configure", "rollback revision 3", "compare", "commit"),
    ):
        _, said = user(shell, *lines, uid=HOMELESS + 1)
        assert "zzsecret" not in said and "elsewhere" not in said and "internal" not in said, (lines, said)
        user(shell, "configure", "discard", uid=HOMELESS + 1)
    assert "fresh" in user(shell, "show configuration", uid=HOMELESS + 1)[1]
    assert "fresh" in user(shell, "show configuration revision 4", uid=HOMELESS + 1)[1]


@pytest.mark.parametrize("command", ["show configuration | refresh 1 times 5", "monitor events"])
def test_what_goes_on_ends_when_its_user_has_other_rights(shell: Shell, command: str) -> None:
    ok(shell, f"set user {TINA} class watcher", "commit")
    said: list[tuple[int, str]] = []
    watching = threading.Thread(target=lambda: said.append(user(shell, command)))
    watching.start()
    time.sleep(1.5)
    ok(shell, f"set user {TINA} class acme-admin", "commit")
    ok(shell, "set system contact later", 'commit comment "aftermath"')
    watching.join(20)
    assert said and said[0][0] == 6 and "have changed" in said[0][1], said
    assert "aftermath" not in said[0][1] and "later" not in said[0][1]


def test_edits_of_a_client_that_hangs_up_are_in_the_audit(shell: Shell) -> None:
    for number in range(30):
        text = "".join(f"set enterprise e{number} domain d{at}\n" for at in range(80))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(shell.state / "nshell.sock"))
            connection.sendall(frames.pack(frames.HELLO, HELLO.encode()))
            connection.sendall(frames.pack(frames.BATCH, b"x\0" + text.encode()) + frames.pack(frames.END, b""))
            time.sleep(0.001 * number)
    time.sleep(1)
    edited = set(re.findall(r"enterprise (e\d+)", ok(shell, "configure", "show | display set")))
    rows = json.loads(shell.run("--json", "-c", "show audit limit 1000").stdout)["rows"]
    told = {name for row in rows for name in re.findall(r"enterprise (e\d+)", row["command"])}
    assert edited and edited <= told


def test_what_strangers_do_is_not_logged_as_the_doing_of_who_opened_the_port(shell: Shell) -> None:
    port = free_ports(1)[0]
    ok(shell, f"set controller agent-port {port}", "commit")
    with socket.create_connection(("127.0.0.1", port), 5) as stranger:
        stranger.sendall(b"no json\n")
        stranger.settimeout(5)
        while stranger.recv(4096):
            pass
    lines = [line for line in shell.log().splitlines() if "logger=controller.hypervisors.agents" in line]
    assert lines and not any("user=" in line for line in lines), lines

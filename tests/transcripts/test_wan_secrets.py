"""Keys that the other end must be told (BGP, PE routers): in the store as they are, and nowhere else at all."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from controller.bgp.kept import Kept
from tests.transcripts.shell import Shell
from tests.transcripts.test_interactive import Person

KEY, ROUTER_KEY = "tcp-md5-kept-apart", "router-login-kept-apart"
PE = f"set pe pe1 driver eos address 192.0.2.1 neighbor n1 username ops password {ROUTER_KEY}"
BGP = (
    "set bgp autonomous-system 65000 router-id 192.0.2.10",
    "set bgp-neighbor n1 address 192.0.2.2 autonomous-system 65000 port 9",
)


def told(text: str) -> list[str]:
    return [key for key in (KEY, ROUTER_KEY) if key in text]


def files(shell: Shell) -> set[str]:
    """Files of the daemon that hold a key, by their names."""
    keys = (KEY.encode(), ROUTER_KEY.encode())
    every = [path for path in shell.state.rglob("*") if path.is_file()]
    return {path.name for path in every if any(key in path.read_bytes() for key in keys)}


def tables(shell: Shell) -> set[str]:
    """Tables of the store that hold a key."""
    with sqlite3.connect(shell.state / "nshell.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name for name in names if told(repr(database.execute(f'SELECT * FROM "{name}"').fetchall()))}


def children(pid: int) -> list[str]:
    """Command lines and environments of the daemon and its children: what other users of the machine may read."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
            if parent == pid or entry.name == str(pid):
                found += [(entry / "cmdline").read_text(), (entry / "environ").read_text()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_key_typed_on_the_line_is_in_the_store_alone(shell: Shell) -> None:
    done = [
        shell.commands("configure", *BGP, f"set bgp-neighbor n1 password {KEY}", PE, "deactivate pe pe1", "compare",
                       "show", "show | display set", "show | display json", "commit check", "commit"),
        shell.commands(f"set bgp-neighbor n1 pasword {KEY}"),
        shell.commands(f"set bgp-n n1 pass {KEY} nonsense"),
        shell.commands(f"set pe pe1 passwor={ROUTER_KEY}"),
        shell.run("--json", "-c", f"set pe p password {ROUTER_KEY} x"),
        shell.commands("configure", "rename bgp-neighbor n1 to n2", "set pe pe1 neighbor n2", "compare", "commit"),
        shell.commands("configure", "rollback 1", "compare", "commit check", "commit", "save backup"),
        shell.commands("show configuration", "show configuration bgp-neighbor n1 | display json",
                       "show configuration revision 2 | display set", "show configuration compare revision 2 to 3",
                       "show bgp summary", "show bgp neighbors", "show pe", "show audit", "show events",
                       "show system commit", "show sessions"),
        shell.run("--json", "-c", "show bgp neighbors", "-c", "show audit", "-c", "show configuration"),
    ]  # fmt: skip
    assert [one.returncode for one in done] == [0, 2, 2, 2, 2, 0, 0, 0, 0], [one.stdout + one.stderr for one in done]
    said = "".join(one.stdout + one.stderr for one in done)
    assert not told(said) and said.count("********") > 8
    assert shell.pid is not None and not told("".join(children(shell.pid)))
    assert not told((shell.work / "backup").read_text()) and not told(shell.log())
    time.sleep(0.2)  # what is written behind an answer
    shell.end()
    assert files(shell) <= {"nshell.db", "nshell.db-wal"} and tables(shell) <= {"object", "candidate"}
    assert tables(shell), "the other end has to be told it"
    Kept(shell.state).save({"00000000-0000-0000-0000-000000000001 02:00:00:00:00:01": 1})
    for path in shell.state.rglob("*"):
        if path.is_file():
            assert not stat.S_IMODE(os.stat(path).st_mode) & 0o077, path
    assert not stat.S_IMODE(os.stat(shell.state).st_mode) & 0o077


@pytest.mark.parametrize("line", ["set bgp-neighbor n1 password", "set pe pe1 password"])
def test_a_key_that_is_left_out_is_asked_for_without_an_echo(shell: Shell, line: str) -> None:
    person = Person(shell)
    person.line("configure", "#")
    person.type(f"{line}\r")
    person.see("password:")
    person.type(f"{KEY}\r")
    said = person.see("once more:")
    person.type(f"{KEY}\r")
    said += person.prompt("#") + person.line("show", "#")
    assert not told(said) and "********" in said
    person.type("\x1b[A\x1b[A\x03")
    person.prompt("#")
    person.child.close(force=True)
    shell.end()
    assert files(shell) <= {"nshell.db", "nshell.db-wal"} and tables(shell) == {"candidate"}


def test_a_text_that_hides_a_key_keeps_it(shell: Shell) -> None:
    made = shell.commands(*BGP, f"set bgp-neighbor n1 password {KEY}", "commit")
    assert made.returncode == 0, made.stderr
    again = shell.commands("configure", "save backup", "load override backup", "compare", "commit check")
    assert again.returncode == 0 and "bgp-neighbor" not in again.stdout, again.stdout

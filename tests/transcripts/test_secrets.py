"""Passwords: typed without an echo or on the line, and afterwards nowhere to be found."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from data.schema.accounts import User
from data.schema.secret import matches
from data.store import Store
from tests.transcripts.shell import Shell
from tests.transcripts.test_interactive import Person

SECRET = "correct horse battery"


@pytest.fixture
def person(shell: Shell) -> Iterator[Person]:
    made = Person(shell)
    made.line("configure", "#")
    yield made
    made.child.close(force=True)


def everywhere(shell: Shell) -> list[str]:
    """Files of the daemon that hold the secret."""
    return [str(path) for path in shell.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def kept(shell: Shell, user: str) -> str:
    """The hash in the store."""
    store = Store.open(shell.state)
    try:
        item = store.load().get(("user", user))
    finally:
        store.close()
    assert isinstance(item, User) and item.password is not None
    return item.password


def test_a_password_that_is_left_out_is_asked_for_twice_and_not_shown(shell: Shell, person: Person) -> None:
    person.type("set user bob class read-only password\r")
    person.see("new password:")
    person.type(SECRET + "\r")
    assert SECRET not in person.see("once more:")
    person.type(SECRET + "\r")
    assert SECRET not in person.prompt("#")
    person.line("commit", "#")
    assert "********" in person.line("run show configuration user bob", "#")
    person.child.close(force=True)
    shell.end()
    assert matches(SECRET, kept(shell, "bob")) and not matches(SECRET + "x", kept(shell, "bob"))
    assert not everywhere(shell)


def test_two_that_differ_change_nothing(person: Person) -> None:
    person.type("set user bob class read-only password\r")
    person.see("new password:")
    person.type(SECRET + "\r")
    person.see("once more:")
    person.type("something else\r")
    assert "not the same" in person.prompt("#")
    assert "no difference" in person.line("compare", "#")


def test_one_typed_on_the_line_is_in_no_history_audit_log_or_error(shell: Shell, person: Person) -> None:
    assert "error" not in person.line(f'set user bob class read-only password "{SECRET}"', "#")
    person.line(f'set user bob pasword "{SECRET}"', "#")
    person.line(f'set us bob pass "{SECRET}" nonsense', "#")
    said = person.line("show", "#") + person.line("compare | display set", "#") + person.line("run show audit", "#")
    said += person.line("show | display json", "#")
    assert SECRET not in said and "********" in said
    person.line("commit", "#")
    person.type("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A")
    person.type("\x03")
    person.prompt("#")
    person.child.close(force=True)
    for arguments in (
        ("-c", f'set user eve class read-only password "{SECRET}" x'),
        ("--json", "-c", f'set usr e password "{SECRET}"'),
    ):
        done = shell.run(*arguments)
        assert done.returncode == 2 and SECRET not in done.stdout + done.stderr
    time.sleep(0.2)
    shell.end()
    assert not everywhere(shell)


def test_a_text_that_hides_it_keeps_it(shell: Shell) -> None:
    assert shell.commands(f'set user bob class read-only password "{SECRET}"', "commit").returncode == 0
    assert shell.commands("configure", "save backup", "load override backup", "commit").returncode == 0
    shell.end()
    assert matches(SECRET, kept(shell, "bob"))


@pytest.mark.parametrize("waits", ["set user bob class read-only password", "load set terminal"])
def test_who_is_asked_for_something_holds_up_none_of_their_other_sessions(
    shell: Shell, person: Person, waits: str
) -> None:
    person.type(waits + "\r")
    person.see("password:" if "password" in waits else "ctrl-d")
    done = shell.run("-c", "set enterprise meanwhile", "-c", "commit", timeout=5)
    assert done.returncode == 0, done
    person.type("\x03")
    assert "meanwhile" in person.line("run show enterprises", "#")
    assert shell.commands("set enterprise afterwards", "commit").returncode == 0, "nothing is left locked"

"""Two operators at once: private candidates, merges, conflicts named by path, exclusive, and both in the history."""

from __future__ import annotations

import grp
import json
from collections.abc import Iterator

import pytest

from tests.system.operators import GROUP, HOMELESS, as_user, shared_shell
from tests.transcripts.shell import Shell
from tests.transcripts.test_interactive import Person

OTHER = f"uid{HOMELESS}"
BASE = "enterprise acme domain prod"
POLICY = f"""
set user {OTHER} class super-user
set {BASE} zone web subnet web1 prefix 10.1.1.0/24
set {BASE} policy-group a
set {BASE} policy-group b
set {BASE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
commit
"""


@pytest.fixture
def shell() -> Iterator[Shell]:
    with shared_shell() as shell:
        assert shell.run(text=POLICY).returncode == 0
        yield shell


def one(shell: Shell, *lines: str) -> tuple[int, str]:
    done = shell.commands(*lines)
    return done.returncode, done.stdout + done.stderr


def other(shell: Shell, *lines: str) -> tuple[int, str]:
    words = [word for line in lines for word in ("-c", line)]
    code, out, error = as_user(shell, words, gid=grp.getgrnam(GROUP).gr_gid)
    return code, out + error


def test_neither_sees_nor_commits_what_the_other_edits(shell: Shell) -> None:
    assert one(shell, f"set {BASE} vport web-1 description mine")[0] == 0
    assert other(shell, f"set {BASE} vport web-1 policy-group a")[0] == 0
    _, said = other(shell, "configure", "compare")
    assert "policy-group a" in said and "mine" not in said
    assert other(shell, 'commit comment "the other"')[0] == 0
    assert "mine" not in other(shell, "show configuration")[1]
    _, said = one(shell, "configure", "compare")
    assert "description mine" in said and "policy-group" not in said, "what is committed is no difference any more"


def test_edits_of_different_leaves_and_of_one_list_merge(shell: Shell) -> None:
    one(shell, f"set {BASE} vport web-1 description mine policy-group a")
    other(shell, f"set {BASE} vport web-1 policy-group b address 10.1.1.12", "commit")
    assert one(shell, "commit")[0] == 0
    _, said = one(shell, f"show configuration {BASE} vport web-1 | display set")
    assert "description mine" in said and "[ a b ]" in said and "10.1.1.12" in said


def test_a_conflict_is_named_by_its_path_and_by_who_made_it_and_can_be_settled(shell: Shell) -> None:
    one(shell, f"set {BASE} vport web-1 description mine")
    other(shell, f"set {BASE} vport web-1 description theirs", "commit")
    code, said = one(shell, "commit")
    assert code == 3
    assert f"{BASE} vport web-1 description" in said and f"by {OTHER}" in said and "theirs" in said and "mine" in said
    assert "your candidate is kept" in said
    assert "theirs" in one(shell, f"show configuration {BASE} vport web-1")[1]
    assert one(shell, f"set {BASE} vport web-1 description settled", "commit")[0] == 0
    assert "settled" in other(shell, f"show configuration {BASE} vport web-1")[1]


def test_who_configures_exclusively_keeps_others_out_until_the_end(shell: Shell) -> None:
    assert other(shell, f"set {BASE} vport web-1 description waiting")[0] == 0, "a candidate may be there already"
    person = Person(shell)
    try:
        person.line("configure exclusive", "#")
        code, said = other(shell, "configure")
        assert code == 1 and "root" in said and "exclusive" in said, said
        code, said = other(shell, "commit")
        assert code == 1 and "root" in said, said
        person.line("set enterprise mine", "#")
        assert "applied" in person.line("commit", "#")
        person.line("exit")
        assert other(shell, "commit")[0] == 0
        person.line("configure exclusive", "#")
    finally:
        person.child.close(force=True)
    code, said = other(shell, "configure", "set enterprise theirs", "commit")
    assert code == 0, f"a lost connection frees it: {said}"


def test_both_are_in_the_history_and_in_the_audit(shell: Shell) -> None:
    one(shell, "set enterprise mine", 'commit comment "first"')
    other(shell, "set enterprise theirs", 'commit comment "second"')
    rows = json.loads(shell.run("--json", "-c", "show system commit").stdout)["rows"]
    assert [(row["author"], row["comment"]) for row in rows[:2]] == [(OTHER, "second"), ("root", "first")]
    audit = json.loads(shell.run("--json", "-c", "show audit").stdout)["rows"]
    commits = [(row["user"], row["revision"]) for row in audit if row["command"].startswith("commit comment")]
    assert commits == [("root", rows[1]["revision"]), (OTHER, rows[0]["revision"])]


def test_a_person_at_the_prompt_is_told_of_the_others_commit(shell: Shell) -> None:
    person = Person(shell)
    try:
        other(shell, "set enterprise theirs", 'commit comment "while you wait"')
        assert OTHER in person.see("while you wait")
    finally:
        person.child.close(force=True)

"""kill -9 at random moments: the database holds the old or the new revision, whole, and every acknowledged one."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.merge import Edit
from data.path import Path as ObjectPath
from data.store import Store
from tests.unit.data import store_writer
from tests.unit.data.store_writer import DOMAIN, VPORTS

WRITER = Path(store_writer.__file__)


def killed_once(directory: Path, after: float) -> int:
    """Let the writer run for so many seconds, kill it; the last revision it acknowledged, or 0."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(after)
    finally:
        process.kill()
        said = process.stdout.read()
        process.stdout.close()
        process.wait()
    whole = [line for line in said.split("\n")[:-1] if line.startswith("acked ")]
    return int(whole[-1].split()[1]) if whole else 0


def assert_whole(directory: Path, acked: int) -> None:
    store = Store.open(directory)
    try:
        last = store.last_revision()
        assert last >= acked, "an acknowledged revision is never lost"
        assert acked == 0 or last <= acked + 1
        running = store.load()
        assert running.revision == last
        if last:
            assert running.count(DOMAIN, "vport") == VPORTS + 1
            for name in running.children(DOMAIN, "vport"):
                item = running.get((*DOMAIN, "vport", name))
                assert item is not None and item.description == str(last)
            assert running.get((*DOMAIN, "vport", f"only-{last}")) is not None
            assert store.numbers() == {("vni", f"only-{number}"): number for number in range(1, last + 1)}
            assert store.receipts(last)[0].added == VPORTS
            assert store.objects_at(last) == dict(running.walk())
        for rows in store.load_candidates().values():
            assert_saved_whole(rows, last)
        for entry in store.open_journals():
            assert entry.revision == last + 1, "a revision ends its journal row"
            store.close_journal(entry.id, "failed", "killed")
        assert store.rows("PRAGMA quick_check") == [("ok",)]
    finally:
        store.close()


def assert_saved_whole(rows: dict[ObjectPath, Edit], last: int) -> None:
    """What is left of a candidate is one save, whole, of the revision that was not committed: none of it is lost before
    its revision is there, and none of it is left after that."""
    saved = {path[-1]: edit.new.description for path, edit in rows.items() if edit.new and "vport" in path[4:5]}
    assert set(saved.values()) == {str(last + 1)}
    assert sum(not name.startswith("only-") for name in saved) == VPORTS and f"only-{last + 1}" in saved


def survive(directory: Path, rounds: int) -> None:
    moments = random.Random(rounds)
    unacknowledged = 0
    for _ in range(rounds):
        acked = killed_once(directory, moments.uniform(0.0, 0.12))
        assert_whole(directory, acked)
        store = Store.open(directory)
        unacknowledged += bool(acked) and store.last_revision() == acked + 1
        store.close()
    print(f"\n{rounds} kills: {unacknowledged} revisions were committed and not acknowledged")


def test_ten_kills_at_random_moments_leave_old_or_new_and_never_a_mixture(tmp_path: Path) -> None:
    survive(tmp_path, 10)


@pytest.mark.soak
def test_two_hundred_kills_at_random_moments_leave_old_or_new_and_never_a_mixture(tmp_path: Path) -> None:
    survive(tmp_path, 200)

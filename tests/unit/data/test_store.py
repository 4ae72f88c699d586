"""The store: what was committed comes back, former revisions too, and what cannot be written changes nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from data.candidate import Candidate
from data.configuration import Edits, Running
from data.errors import StoreUnavailable
from data.path import Path as ObjectPath
from data.store import Confirm, Receipt, Revision, Store
from tests.conftest import cannot_run
from tests.unit.data.examples import PROD, WEB_1, any_configuration, edited, objects, running

HEADROOM_PAGES = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "state")
    yield opened
    opened.close()


def commit(store: Store, state: Running, *lines: str, author: str = "ops", confirm: Confirm | None = None) -> Edits:
    """Commit these lines to state and store alike."""
    edits = edited(state, *lines).merge()
    number = state.revision + 1
    store.commit(edits, Revision(number, author, float(number), "because"), confirm=confirm)
    state.apply(edits, number)
    return edits


@pytest.fixture
def state(store: Store) -> Running:
    """The example, committed as revision 1."""
    committed = Running()
    example = running()
    store.commit(dict(example.walk()), Revision(1, "ops", 1.0, "first"))
    committed.apply(dict(example.walk()), 1)
    return committed


def test_a_new_store_is_empty_and_private_to_its_user(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    store = Store.open(directory)
    store.commit({}, Revision(1, "ops", 1.0))
    assert objects(store.load()) == {}
    assert store.pending_confirm() is None and store.open_journals() == [] and store.load_candidates() == {}
    assert directory.stat().st_mode & 0o777 == 0o700
    for file in directory.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
    store.close()


def test_what_was_committed_comes_back_after_a_restart(store: Store, state: Running) -> None:
    commit(store, state, "delete dvrs hv2", "set enterprise acme domain prod vport web-1 description hello")
    store.close()
    again = Store.open(store.directory)
    loaded = again.load()
    assert objects(loaded) == objects(state)
    assert loaded.revision == again.last_revision() == 2
    again.close()


def test_every_former_revision_can_be_read_and_compared(store: Store, state: Running) -> None:
    history = {0: {}, 1: objects(state)}
    for line in (
        "set enterprise acme domain prod vport web-1 description two",
        "delete enterprise acme domain prod vport web-2",
        "set enterprise acme domain prod vport web-2 subnet web1",
        "delete enterprise acme",
    ):
        commit(store, state, line)
        history[state.revision] = objects(state)
    for number, wanted in history.items():
        assert store.objects_at(number) == wanted
    for a, at_a in history.items():
        for b, at_b in history.items():
            paths = at_a.keys() | at_b.keys()
            wanted_pairs = {
                path: (at_a.get(path), at_b.get(path)) for path in paths if at_a.get(path) != at_b.get(path)
            }
            assert store.difference(a, b) == wanted_pairs, (a, b)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_configuration(), any_configuration())
def test_a_rollback_to_any_stored_revision_restores_its_objects(tmp_path_factory, one: Running, two: Running) -> None:  # type: ignore[no-untyped-def]
    store = Store.open(tmp_path_factory.mktemp("store"))
    state = Running()
    for number, target in enumerate((objects(one), objects(two)), 1):
        candidate = Candidate(state, "ops")
        candidate.rollback_to(target)
        edits = candidate.merge()
        store.commit(edits, Revision(number, "ops", 0.0))
        state.apply(edits, number)
    candidate = Candidate(state, "ops")
    candidate.rollback_to(store.objects_at(1))
    edits = candidate.merge()
    store.commit(edits, Revision(3, "ops", 0.0))
    assert objects(store.load()) == objects(one)
    store.close()


def test_a_commit_writes_only_what_changed(store: Store, state: Running) -> None:
    before = store.rows("SELECT count(*) FROM object")[0][0]
    commit(store, state, "set enterprise acme domain prod vport web-1 description hello")
    assert store.rows("SELECT count(*) FROM object")[0][0] == before + 1


def test_a_uuid_may_move_to_another_place_in_one_commit(store: Store, state: Running) -> None:
    item = state.get(WEB_1)
    assert item is not None
    store.commit({WEB_1: None, (*PROD, "vport", "renamed"): item}, Revision(2, "ops", 2.0))
    assert store.load().by_uuid(item.uuid) == (*PROD, "vport", "renamed")


def test_who_changed_a_path_last_is_known_even_when_it_was_deleted(store: Store, state: Running) -> None:
    commit(store, state, "set enterprise acme domain prod vport web-1 description x", author="alice")
    commit(store, state, "delete dvrs hv2", author="bob")
    assert store.last_changes([WEB_1, ("dvrs", "hv2"), ("dvrs", "hv1"), ("dvrs", "never")]) == {
        WEB_1: (2, "alice"),
        ("dvrs", "hv2"): (3, "bob"),
        ("dvrs", "hv1"): (1, "ops"),
    }


def test_numbers_and_receipts_are_kept_with_the_commit(store: Store) -> None:
    receipts = [Receipt("hv2", "pending", 0, 0, 0.0, 1.0, "away"), Receipt("hv1", "verified", 3, 1, 4.5, 1.0)]
    store.commit({}, Revision(1, "ops", 1.0), {("vni", "a"): 1, ("vni", "b"): 2, ("port", "a"): 1}, receipts)
    store.commit({}, Revision(2, "ops", 2.0), {("vni", "a"): None, ("vni", "c"): 1})
    assert store.numbers() == {("vni", "b"): 2, ("port", "a"): 1, ("vni", "c"): 1}
    assert store.receipts(1) == [receipts[1], receipts[0]]
    assert store.pending_receipts() == {"hv2": [1]}
    store.add_receipts(1, [Receipt("hv2", "verified", 5, 0, 2.0, 9.0)])
    assert store.pending_receipts() == {}


def test_candidates_of_several_users_are_kept_row_by_row(store: Store, state: Running) -> None:
    mine = edited(state, "delete dvrs hv2", "set enterprise new", "set dvrs hv1 description x")
    store.save_candidate("ops", mine.unsaved())
    mine.saved(mine.unsaved())
    store.save_candidate("eve", edited(state, "set enterprise other").unsaved())
    mine.delete(["enterprise", "new"])
    store.save_candidate("ops", mine.unsaved())
    store.close()
    again = Store.open(store.directory)
    kept = again.load_candidates()
    assert set(kept) == {"ops", "eve"}
    assert Candidate(state, "ops", kept["ops"]).edits() == mine.edits()
    again.save_candidate("ops", dict.fromkeys(kept["ops"]))
    assert set(again.load_candidates()) == {"eve"}
    again.close()


def test_history_tells_revisions_and_failed_commits_newest_first(store: Store) -> None:
    journal = store.begin_journal(Revision(1, "ops", 1.0, "good"), ["hv1"])
    receipts = [Receipt("hv1", "verified", 1, 0, 1.0, 1.0)]
    store.commit({}, Revision(1, "ops", 1.0, "good"), {}, receipts, journal=journal)
    failed = store.begin_journal(Revision(2, "eve", 2.0, "bad"), ["hv1", "hv2"])
    store.close_journal(failed, "failed", "hv2: table full")
    interrupted = store.begin_journal(Revision(2, "eve", 3.0, "again"), ["hv1", "hv2"])
    (entry,) = store.open_journals()
    assert (entry.id, entry.revision, entry.dvrs) == (interrupted, 2, ("hv1", "hv2"))
    history = store.history()
    assert [(one.number, one.author, one.state, one.reason) for one in history] == [
        (2, "eve", "failed", "hv2: table full"),
        (1, "ops", "applied", ""),
    ]
    assert [receipt.part for receipt in history[1].receipts] == ["hv1"]


def test_a_commit_ends_its_journal_row_and_its_authors_candidate_with_the_revision(
    store: Store, state: Running
) -> None:
    mine = edited(state, "set enterprise new", "delete dvrs hv2")
    store.save_candidate("ops", mine.unsaved())
    store.save_candidate("eve", edited(state, "set enterprise new").unsaved())
    journal = store.begin_journal(Revision(2, "ops", 2.0), [])
    store.commit(mine.merge(), Revision(2, "ops", 2.0), journal=journal, candidate_of="ops")
    assert not store.open_journals()
    assert set(store.load_candidates()) == {"eve"}


def test_edits_that_are_not_those_committed_stay_in_the_candidate(store: Store, state: Running) -> None:
    mine = edited(state, "set enterprise new", "set dvrs hv2 description old")
    committed = mine.merge()
    mine.set(["dvrs", "hv2", "description", "newer"])
    mine.set(["enterprise", "later"])
    store.save_candidate("ops", mine.unsaved())
    store.commit(committed, Revision(2, "ops", 2.0), candidate_of="ops")
    assert set(store.load_candidates()["ops"]) == {("dvrs", "hv2"), ("enterprise", "later")}


def test_a_refused_commit_leaves_journal_candidate_and_waiting_commit_as_they_were(
    store: Store, state: Running
) -> None:
    mine = edited(state, "set enterprise new")
    store.save_candidate("ops", mine.unsaved())
    journal = store.begin_journal(Revision(2, "ops", 2.0), [])
    twice = {**mine.merge(), ("enterprise", "other"): mine.view.get(("enterprise", "new"))}
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(twice, Revision(2, "ops", 2.0), confirm=Confirm(2, 60.0, 1), journal=journal, candidate_of="ops")
    assert [entry.id for entry in store.open_journals()] == [journal]
    assert set(store.load_candidates()) == {"ops"}
    assert store.pending_confirm() is None
    assert_unchanged(store, state)


def test_a_commit_waits_for_the_disk_also_after_a_journal_row_that_did_not(store: Store) -> None:
    store.begin_journal(Revision(1, "ops", 1.0), [])
    full = 2
    assert store.rows("PRAGMA synchronous") == [(full,)]


def test_a_confirmed_commit_waits_until_it_is_confirmed(store: Store) -> None:
    store.commit({}, Revision(1, "ops", 1.0))
    assert store.pending_confirm() is None
    store.commit({}, Revision(2, "ops", 2.0), confirm=Confirm(2, 60.0, 1))
    assert store.pending_confirm() == Confirm(2, 60.0, 1, "ops")
    assert store.history()[0].state == "confirmed-pending"
    store.confirm()
    assert store.pending_confirm() is None
    assert store.history()[0].state == "applied"


def test_a_further_commit_confirms_and_one_that_returns_reverts(store: Store, state: Running) -> None:
    commit(store, state, "delete dvrs hv2", confirm=Confirm(2, 60.0, 1))
    commit(store, state, "set enterprise new")
    assert [(one.number, one.state) for one in store.history()] == [(3, "applied"), (2, "applied"), (1, "applied")]
    commit(store, state, "delete dvrs hv1", confirm=Confirm(4, 60.0, 3))
    back: dict[ObjectPath, object] = {path: new for path, (_, new) in store.difference(4, 3).items()}
    store.commit(back, Revision(5, "system", 5.0))  # type: ignore[arg-type]
    assert [(one.number, one.state) for one in store.history(2)] == [(5, "applied"), (4, "reverted")]
    assert store.pending_confirm() is None


def test_a_confirmed_commit_over_another_confirms_that_one_and_waits_itself(store: Store, state: Running) -> None:
    commit(store, state, "delete dvrs hv2", confirm=Confirm(2, 60.0, 1))
    commit(store, state, "set enterprise new", confirm=Confirm(3, 90.0, 2))
    assert store.pending_confirm() == Confirm(3, 90.0, 2, "ops")
    assert [one.state for one in store.history(2)] == ["confirmed-pending", "applied"]


def assert_unchanged(store: Store, state: Running) -> None:
    assert objects(store.load()) == objects(state)
    assert store.last_revision() == state.revision
    assert len(store.history()) == state.revision


def test_a_full_disk_refuses_the_commit_and_changes_nothing(store: Store, state: Running) -> None:
    pages = store.rows("PRAGMA page_count")[0][0]
    store.rows(f"PRAGMA max_page_count = {pages + HEADROOM_PAGES}")
    big = edited(state, *(f"set enterprise e{number} description {'x' * 200}" for number in range(2000))).merge()
    with pytest.raises(StoreUnavailable) as caught:
        store.commit(big, Revision(2, "ops", 2.0), {("vni", "a"): 1})
    assert caught.value.cause == "the disk is full; nothing was changed"
    assert "free space" in caught.value.remedy
    assert caught.value.exit_code == 1
    assert_unchanged(store, state)
    assert store.numbers() == {}
    store.rows("PRAGMA max_page_count = 1000000")
    store.commit(big, Revision(2, "ops", 2.0))
    assert store.last_revision() == 2


def test_a_really_full_file_system_refuses_the_commit_and_changes_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        cannot_run("mounting a small file system needs root")
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True).returncode:
        cannot_run("this machine does not let root mount")
    try:
        store = Store.open(mount / "state")
        state = Running()
        commit(store, state, "set enterprise acme")
        (mount / "filler").write_bytes(b"\0" * (os.statvfs(mount).f_bavail * 4096 - 65536))
        lines = [f"set enterprise e{number} description {'x' * 200}" for number in range(2000)]
        with pytest.raises(StoreUnavailable):
            commit(store, state, *lines)
        assert_unchanged(store, state)
        (mount / "filler").unlink()
        commit(store, state, "set enterprise umbrella")
        assert_unchanged(store, state)
        store.close()
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_a_database_that_became_read_only_refuses_the_commit_and_changes_nothing(store: Store, state: Running) -> None:
    store.rows("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match="read-only") as caught:
        store.commit({}, Revision(2, "ops", 2.0))
    assert "writable" in caught.value.remedy
    store.rows("PRAGMA query_only = OFF")
    assert_unchanged(store, state)


def test_a_place_where_nothing_can_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(tmp_path / "file" / "state")
    assert "file/state" in caught.value.where and caught.value.remedy


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    garbage = b"\x00\xffthis is no database" * 100
    (tmp_path / "nshell.db").write_bytes(garbage)
    with pytest.raises(StoreUnavailable, match="not an nshell database"):
        Store.open(tmp_path)
    assert (tmp_path / "nshell.db").read_bytes() == garbage


def test_a_damaged_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    state = Running()
    commit(store, state, *(f"set enterprise e{number}" for number in range(500)))
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    file = tmp_path / "nshell.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged"):
        Store.open(tmp_path).load()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "nshell.db")
    connection.execute(
        "INSERT INTO _sqlite_migrations(migration_set, name, applied_at) VALUES ('nshell', 'm999_later', '')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailable, match="a newer nshell made the database"):
        Store.open(tmp_path)


def test_a_hundred_thousand_objects_are_committed_and_loaded_in_seconds(store: Store) -> None:
    from data.schema.objects import Vport

    made: dict[ObjectPath, Vport] = {
        (*PROD, "vport", f"vm-{number}"): Vport(
            uuid=f"00000000-0000-4000-8000-{number:012x}",
            subnet="web1",
            mac=f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            address=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",),
        )
        for number in range(100_000)
    }
    began = time.perf_counter()
    store.commit(made, Revision(1, "ops", 1.0))
    committed = time.perf_counter()
    assert len(store.load()) == 100_000
    loaded = time.perf_counter()
    for number in range(2, 22):
        store.commit({(*PROD, "vport", "vm-1"): made[(*PROD, "vport", "vm-1")]}, Revision(number, "ops", 1.0))
    single = (time.perf_counter() - loaded) / 20
    print(
        f"\n100,000 objects: commit {committed - began:.2f} s, load {loaded - committed:.2f} s,"
        f" a commit of one {single * 1e3:.2f} ms"
    )

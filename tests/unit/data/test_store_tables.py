"""What the store keeps beside revisions: the audit, commits that wait for their time, and the rescue configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import data.store.audit
from data.configuration import Running
from data.errors import StoreUnavailable
from data.store import AuditRow, Revision, Scheduled, Store
from tests.unit.data.examples import PROD, edited, running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


def row(number: int, user: str = "ops", **other: object) -> AuditRow:
    return replace(AuditRow(0, float(number), user, "local pid 7", f"command {number}"), **other)  # type: ignore[arg-type]


def test_the_audit_is_read_newest_last_by_user_and_by_time(store: Store) -> None:
    store.add_audit([row(1), row(2, "eve", result="refused", detail="no"), row(3)])
    store.add_audit([row(4)])
    assert [one.command for one in store.audit()] == ["command 1", "command 2", "command 3", "command 4"]
    assert [one.id for one in store.audit(limit=2)] == [3, 4]
    assert [one.detail for one in store.audit(user="eve")] == ["no"]
    assert [one.id for one in store.audit(since=3.0)] == [3, 4]
    assert store.audit(user="eve", since=2.5) == []


def test_the_row_of_a_commit_is_written_with_its_revision_or_not_at_all(store: Store) -> None:
    candidate = edited(Running(), "set enterprise acme")
    store.commit(candidate.edits(), Revision(1, "ops", 5.0), audit=row(5))
    assert [(one.command, one.revision) for one in store.audit()] == [("command 5", 1)]
    with pytest.raises(Exception, match="UNIQUE"):
        store.commit(candidate.edits(), Revision(1, "ops", 6.0), audit=row(6))
    assert len(store.audit()) == 1


def test_the_audit_keeps_the_newest_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.store.audit, "AUDIT_ROWS", 10)
    for number in range(25):
        store.add_audit([row(number)])
    assert [one.time for one in store.audit()] == [float(number) for number in range(15, 25)]


def test_harmless_commands_do_not_push_out_who_committed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.store.audit, "AUDIT_ROWS", 10)
    store.commit(edited(Running(), "set enterprise acme").edits(), Revision(1, "ops", 5.0), audit=row(5))
    for number in range(100, 125):
        store.add_audit([row(number)])
    kept = store.audit()
    assert (kept[0].command, kept[0].revision) == ("command 5", 1) and len(kept) == 11


def test_a_row_is_bounded_and_keeps_beginning_and_end(store: Store) -> None:
    longest = data.store.audit.LONGEST
    huge = "begin" + "x" * 1_000_000 + "end"
    store.add_audit([replace(row(1), command=huge, detail=huge)])
    store.commit({}, Revision(1, "ops", 5.0), audit=replace(row(2), command=huge))
    for one in store.audit():
        assert one.command.startswith("begin") and one.command.endswith("end") and len(one.command) < longest + 100
        assert f"{len(huge) - longest} characters" in one.command and len(one.detail) < longest + 100


def test_whose_place_a_path_was_is_known_by_its_uuids(store: Store) -> None:
    first = edited(Running(), "set enterprise acme").edits()
    store.commit(first, Revision(1, "ops", 1.0))
    store.commit({("enterprise", "acme"): None}, Revision(2, "ops", 2.0))
    again = edited(Running(), "set enterprise acme").edits()
    store.commit(again, Revision(3, "ops", 3.0))
    uuids = [item.uuid for edits in (first, again) if (item := edits[("enterprise", "acme")]) is not None]
    assert store.lives(("enterprise", "acme")) == [(uuids[0], 1, 2), (uuids[1], 3, None)]


def test_a_scheduled_commit_keeps_the_rows_of_the_candidate(store: Store) -> None:
    state = running()
    candidate = edited(
        state, "set enterprise acme domain prod zone db", "delete enterprise acme domain prod vport app-1"
    )
    first = store.schedule(Scheduled(0, "ops", 200.0, "tonight", 100.0, candidate.rows()))
    second = store.schedule(Scheduled(0, "eve", 150.0, "", 100.0, {}))
    assert [(one.id, one.user, one.at) for one in store.scheduled()] == [(second, "eve", 150.0), (first, "ops", 200.0)]
    kept = store.scheduled()[1]
    assert kept == Scheduled(first, "ops", 200.0, "tonight", 100.0, candidate.rows())
    again = type(candidate)(state, "ops", kept.edits)
    assert again.edits() == candidate.edits() and (*PROD, "zone", "db") in again.edits()
    assert store.unschedule(second) and not store.unschedule(second)
    assert [one.id for one in store.scheduled()] == [first]


def test_an_id_is_not_given_twice(store: Store) -> None:
    first = store.schedule(Scheduled(0, "ops", 1.0, "", 0.0, {}))
    store.unschedule(first)
    assert store.schedule(Scheduled(0, "ops", 1.0, "", 0.0, {})) > first


def test_one_revision_is_for_rescue(store: Store) -> None:
    assert store.rescue() is None
    store.set_rescue(3)
    store.set_rescue(4)
    assert store.rescue() == 4
    store.set_rescue(None)
    assert store.rescue() is None


def test_a_store_made_before_these_tables_gets_them(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.transaction() as db:
        for name in ("audit_table", "scheduled_tables"):
            db.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (name,))
        for table in ("audit", "scheduled", "scheduled_edit", "named_revision"):
            db.execute(f"DROP TABLE {table}")
    store.close()
    again = Store.open(tmp_path)
    again.add_audit([row(1)])
    assert again.scheduled() == [] and len(again.audit()) == 1


def test_a_database_that_cannot_be_written_is_said_in_the_houses_words(store: Store) -> None:
    with store.transaction() as db:
        db.execute("DROP TABLE audit")
    with pytest.raises(StoreUnavailable):
        store.add_audit([row(1)])

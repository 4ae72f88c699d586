"""The store's one interface: every method is a transaction, and raises StoreUnavailable with nothing changed.

Only one process may open it for writing; the daemon's lock sees to that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from data.configuration import Edits, Running
from data.merge import Edit
from data.path import Path, path_text
from data.schema.objects import Object
from data.store import rows
from data.store.audit import AuditTable, insert_audit
from data.store.records import (
    APPLIED,
    COMMITTED,
    CONFIRMED_PENDING,
    FAILED,
    REVERTED,
    AuditRow,
    Confirm,
    HistoryEntry,
    JournalEntry,
    Receipt,
    Revision,
    part_of,
)
from data.store.scheduled import ScheduledTable

_OBJECT = "SELECT parent, kind, name, body FROM object WHERE "
_CURRENT = _OBJECT + "to_revision IS NULL"
_AT = _OBJECT + "from_revision <= ?1 AND (to_revision > ?1 OR to_revision IS NULL)"
_ENDED_BETWEEN = _OBJECT + "to_revision > ?1 AND to_revision <= ?2 AND from_revision <= ?1"
_BEGUN_BETWEEN = _OBJECT + "from_revision > ?1 AND from_revision <= ?2 AND (to_revision > ?2 OR to_revision IS NULL)"
_CLOSE = "UPDATE object SET to_revision = ? WHERE parent = ? AND kind = ? AND name = ? AND to_revision IS NULL"
_INSERT = "INSERT INTO object(uuid, kind, parent, name, body, from_revision) VALUES (?, ?, ?, ?, ?, ?)"


class Store(AuditTable, ScheduledTable):
    """The database of one nshell."""

    # Configuration and revisions

    def load(self) -> Running:
        """The committed configuration."""
        return Running(rows.objects_of(self.rows(_CURRENT)), self.last_revision())

    def last_revision(self) -> int:
        """Number of the newest revision; 0 before the first commit."""
        return int(self.rows("SELECT coalesce(max(number), 0) FROM revision")[0][0])

    def commit(
        self,
        edits: Edits,
        revision: Revision,
        numbers: Mapping[tuple[str, str], int | None] | None = None,
        receipts: Iterable[Receipt] = (),
        *,
        confirm: Confirm | None = None,
        journal: int | None = None,
        candidate_of: str | None = None,
        audit: AuditRow | None = None,
    ) -> None:
        """Make the edits revision `revision.number`, with all that goes with it in the same transaction.

        `numbers` are those given out (None frees one), `confirm` says until when the revision waits to be
        confirmed, `journal` is the apply that ends with it. Of the candidate of the user `candidate_of` every
        row that wants what is committed now is dropped; a row that wants something else (that user's other
        session went on) stays. What a dVRS that the edits delete or deactivate has not confirmed, it never
        will. `audit` is the command that committed; its row gets the number.

        The transaction is the decision: once it is written the revision stands, and it is on disk (one fsync)
        before this returns. A confirmed commit that waited is thereby confirmed, or reverted when this
        revision is equal to the one that it would have returned to.
        """
        number = revision.number
        bodies = [(rows.place_of(path), item, rows.optional(item)) for path, item in edits.items()]
        with self.transaction() as db:
            db.execute(
                "INSERT INTO revision(number, author, time, comment, state) VALUES (?, ?, ?, ?, ?)",
                (
                    number,
                    revision.author,
                    revision.time,
                    revision.comment,
                    CONFIRMED_PENDING if confirm is not None else revision.state,
                ),
            )
            # All old rows are closed before the first is added: a UUID may move to another place.
            db.executemany(_CLOSE, ((number, *place) for place, _, _ in bodies))
            db.executemany(
                _INSERT,
                (
                    (item.uuid, kind, parent, name, body, number)
                    for (parent, kind, name), item, body in bodies
                    if item is not None
                ),
            )
            given = numbers or {}
            db.executemany("DELETE FROM number WHERE pool = ? AND key = ?", given.keys())
            db.executemany(
                "INSERT INTO number(pool, key, number) VALUES (?, ?, ?)",
                ((*at, value) for at, value in given.items() if value is not None),
            )
            db.executemany(_ADD_RECEIPT, (_receipt_row(number, receipt) for receipt in receipts))
            for path, item in edits.items():
                part = part_of(path)
                if part is not None and (item is None or item.inactive):
                    what = "deleted" if item is None else "deactivated"
                    db.execute(_GIVE_UP, (f"{what} in revision {number}", part))
            if journal is not None:
                db.execute(_CLOSE_JOURNAL, (COMMITTED, "", journal))
            if candidate_of is not None:
                db.executemany(
                    "DELETE FROM candidate WHERE user = ? AND path = ? AND new IS ?",
                    ((candidate_of, path_text(path), body) for path, (_, _, body) in zip(edits, bodies, strict=True)),
                )
            if audit is not None:
                insert_audit(db, [audit], number)
            self._settle_confirms(db, number)
            if confirm is not None:
                db.execute(
                    "INSERT INTO confirm(revision, deadline, back_to) VALUES (?, ?, ?)",
                    (number, confirm.deadline, confirm.back_to),
                )

    def _settle_confirms(self, db: sqlite3.Connection, number: int) -> None:
        """What waited when revision `number` came is confirmed by it, or reverted when it equals the one
        before."""
        for waited, back_to in db.execute("SELECT revision, back_to FROM confirm").fetchall():
            state = APPLIED if self.difference(back_to, number) else REVERTED
            db.execute("UPDATE revision SET state = ? WHERE number = ?", (state, waited))
        db.execute("DELETE FROM confirm")

    def history(self, limit: int = 50, number: int | None = None) -> list[HistoryEntry]:
        """Revisions and failed commits with their receipts, newest first; of one number alone if it is given."""
        found = self.rows(
            "SELECT number, author, time, comment, state, '' FROM revision WHERE ?1 IS NULL OR number = ?1 UNION ALL"
            " SELECT revision, author, time, comment, outcome, reason FROM journal"
            " WHERE outcome = ?2 AND (?1 IS NULL OR revision = ?1) ORDER BY time DESC, number DESC LIMIT ?3",
            number,
            FAILED,
            limit,
        )
        return [
            HistoryEntry(number, author, time, comment, state, reason, self._receipts_of(number, state))
            for number, author, time, comment, state, reason in found
        ]

    def _receipts_of(self, number: int, state: str) -> tuple[Receipt, ...]:
        # The number of a failed commit goes to the next one that succeeds, and so do its receipts.
        return () if state == FAILED else tuple(self.receipts(number))

    def objects_at(self, number: int) -> dict[Path, Object]:
        """Every object of a former (or the current) revision; nothing for 0."""
        return rows.objects_of(self.rows(_AT, number))

    def difference(self, a: int, b: int) -> dict[Path, tuple[Object | None, Object | None]]:
        """What changed from revision `a` to revision `b` (which may be the older one): path → (at a, at
        b)."""
        low, high = min(a, b), max(a, b)
        before = rows.objects_of(self.rows(_ENDED_BETWEEN, low, high))
        after = rows.objects_of(self.rows(_BEGUN_BETWEEN, low, high))
        if a > b:
            before, after = after, before
        pairs = {path: (before.get(path), after.get(path)) for path in before | after}
        return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}

    def last_changes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Revision and author of the last change (deletion, too) of each path that was ever there."""
        found: dict[Path, tuple[int, str]] = {}
        for path in paths:
            rows_found = self.rows(
                "SELECT number, author FROM revision WHERE number ="
                " (SELECT max(max(from_revision, coalesce(to_revision, 0))) FROM object"
                " WHERE parent = ? AND kind = ? AND name = ?)",
                *rows.place_of(path),
            )
            if rows_found:
                found[path] = (int(rows_found[0][0]), str(rows_found[0][1]))
        return found

    def lives(self, path: Path) -> list[tuple[str, int, int | None]]:
        """Whose place a path was: a UUID, the first revision that had it there, and the first that did not any more.
        An object that changed has several rows."""
        return [
            (str(uuid), int(begin), None if end is None else int(end))
            for uuid, begin, end in self.rows(
                "SELECT uuid, from_revision, to_revision FROM object WHERE parent = ? AND kind = ? AND name = ?",
                *rows.place_of(path),
            )
        ]

    # Numbers and receipts

    def numbers(self) -> dict[tuple[str, str], int]:
        """Every stable number by (pool, key)."""
        return {(pool, key): number for pool, key, number in self.rows("SELECT pool, key, number FROM number")}

    def add_receipts(self, revision: int, receipts: Iterable[Receipt]) -> None:
        """Keep receipts; a later one of the same dVRS takes the place of the earlier."""
        with self.transaction() as db:
            db.executemany(_ADD_RECEIPT, [_receipt_row(revision, receipt) for receipt in receipts])

    def receipts(self, revision: int) -> list[Receipt]:
        """The receipts of a revision, by name of the dVRS."""
        found = self.rows(
            "SELECT part, state, added, removed, milliseconds, time, reason FROM receipt"
            " WHERE revision = ? ORDER BY part",
            revision,
        )
        return [Receipt(*row) for row in found]

    def pending_receipts(self) -> dict[str, list[int]]:
        """Revisions that a dVRS has not confirmed yet, by name of the dVRS."""
        found: dict[str, list[int]] = {}
        for part, revision in self.rows("SELECT part, revision FROM receipt WHERE state = 'pending' ORDER BY revision"):
            found.setdefault(part, []).append(revision)
        return found

    # Candidates

    def save_candidate(self, user: str, changed: Mapping[Path, Edit | None]) -> None:
        """Keep the rows of a candidate that changed; None drops one."""
        with self.transaction() as db:
            gone = [(user, path_text(path)) for path, edit in changed.items() if edit is None]
            kept = [
                (user, path_text(path), rows.optional(edit.base), rows.optional(edit.new))
                for path, edit in changed.items()
                if edit is not None
            ]
            db.executemany("DELETE FROM candidate WHERE user = ? AND path = ?", gone)
            db.executemany("INSERT OR REPLACE INTO candidate(user, path, base, new) VALUES (?, ?, ?, ?)", kept)

    def load_candidates(self) -> dict[str, dict[Path, Edit]]:
        """The edits of every user's candidate."""
        users = [user for (user,) in self.rows("SELECT DISTINCT user FROM candidate")]
        query = "SELECT path, base, new FROM candidate WHERE user = ?"
        return {user: rows.edits_of(self.rows(query, user)) for user in users}

    # Journal

    def begin_journal(self, revision: Revision, dvrs: Iterable[str]) -> int:
        """Write down that an apply on these hypervisors begins; returns the id that closes it.

        Not synced, see `Connection.transaction`: a power cut may forget an apply that had begun. Its revision
        was not decided then, so it never was; the switches are compared with the configuration in any case.
        """
        with self.transaction(synced=False) as db:
            cursor = db.execute(
                "INSERT INTO journal(revision, author, time, comment, dvrs, reason) VALUES (?, ?, ?, ?, ?, '')",
                (revision.number, revision.author, revision.time, revision.comment, " ".join(dvrs)),
            )
            return int(cursor.lastrowid or 0)

    def close_journal(self, journal: int, outcome: str, reason: str = "") -> None:
        """Write down how an apply ended that no revision came of: FAILED with the reason."""
        with self.transaction() as db:
            db.execute(_CLOSE_JOURNAL, (outcome, reason, journal))

    def open_journals(self) -> list[JournalEntry]:
        """Applies that never ended: the process died in the middle. Oldest first."""
        found = self.rows(
            "SELECT id, revision, author, time, comment, dvrs FROM journal WHERE outcome IS NULL ORDER BY id"
        )
        return [
            JournalEntry(id, revision, author, time, comment, tuple(dvrs.split()))
            for id, revision, author, time, comment, dvrs in found
        ]

    # Confirmed commits

    def pending_confirm(self) -> Confirm | None:
        """The wait of the newest revision, if it waits."""
        found = self.rows("SELECT revision, deadline, back_to, author FROM confirm JOIN revision ON number = revision")
        return Confirm(*found[0]) if found else None

    def confirm(self) -> None:
        """What waits stays for good; nothing happens when nothing waits."""
        with self.transaction() as db:
            db.execute("UPDATE revision SET state = ? WHERE number IN (SELECT revision FROM confirm)", (APPLIED,))
            db.execute("DELETE FROM confirm")


_CLOSE_JOURNAL = "UPDATE journal SET outcome = ?, reason = ? WHERE id = ?"
_GIVE_UP = "UPDATE receipt SET state = 'failed', reason = ? WHERE part = ? AND state = 'pending'"
_ADD_RECEIPT = (
    "INSERT OR REPLACE INTO receipt(revision, part, state, added, removed, milliseconds, time, reason)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def _receipt_row(revision: int, receipt: Receipt) -> tuple[object, ...]:
    return (
        revision,
        receipt.part,
        receipt.state,
        receipt.added,
        receipt.removed,
        receipt.milliseconds,
        receipt.time,
        receipt.reason,
    )

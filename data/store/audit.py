"""The audit table: every command, who gave it, from where, and what came of it.

A command that commits is written by `Store.commit` in the transaction of its revision; any other by `add_audit`,
without waiting for the disk. The table keeps the newest AUDIT_ROWS rows, and those of commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from data.store.connection import Connection
from data.store.records import AuditRow

AUDIT_ROWS = 1_000_000
"""About 200 MB on disk."""

LONGEST = 16 * 1024
"""Characters kept of a command, and of why it failed: 100 lines of a batch with 160 each. A line may have 64 KiB, and
100 of them 6 MB: anybody who may log in could fill the disk."""

_COLUMNS = "time, user, origin, command, result, detail, revision"


class AuditTable(Connection):
    """What the store does with audit rows."""

    def add_audit(self, rows: Iterable[AuditRow]) -> None:
        """Keep rows in their order; a power cut may lose the latest (see `Connection.transaction`)."""
        with self.transaction(synced=False) as db:
            insert_audit(db, rows)

    def audit(self, user: str | None = None, since: float | None = None, limit: int = 100) -> list[AuditRow]:
        """The latest `limit` rows, oldest of them first: of one user or of all, and from a time on."""
        found = self.rows(
            f"SELECT id, {_COLUMNS} FROM audit WHERE {'user = ?1' if user is not None else '?1 IS NULL'}"
            " AND time >= ?2 ORDER BY id DESC LIMIT ?3",
            user,
            since if since is not None else 0.0,
            limit,
        )
        return [AuditRow(*row) for row in reversed(found)]


def bounded(row: AuditRow) -> AuditRow:
    """The row with at most LONGEST characters of each text: its beginning and its end."""
    if len(row.command) <= LONGEST and len(row.detail) <= LONGEST:
        return row
    return replace(row, command=_shortened(row.command), detail=_shortened(row.detail))


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ... {len(text) - 2 * half} characters ... {text[-half:]}"


def insert_audit(db: sqlite3.Connection, rows: Iterable[AuditRow], revision: int | None = None) -> None:
    """Add rows inside a transaction; `revision` is the one that they made."""
    if revision is not None:
        rows = [replace(row, revision=revision) for row in rows]
    db.executemany(
        f"INSERT INTO audit({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (row.time, row.user, row.origin, row.command, row.result, row.detail, row.revision)
            for row in map(bounded, rows)
        ),
    )
    # Rows of commits stay: a million harmless commands must not push out who changed what.
    db.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ? AND revision IS NULL", (AUDIT_ROWS,))

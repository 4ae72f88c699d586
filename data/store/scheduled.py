"""Commits that wait for their time, and the revision that `rescue` goes back to.

A scheduled commit keeps the rows of the candidate it was made of, so that when its time comes they follow what was
committed meanwhile, as a candidate does (`data/edits.py`).
"""

from __future__ import annotations

from data.path import path_text
from data.store import rows
from data.store.connection import Connection
from data.store.records import Scheduled

_RESCUE = "rescue"


class ScheduledTable(Connection):
    """What the store does with scheduled commits and named revisions."""

    def schedule(self, commit: Scheduled) -> int:
        """Keep a commit for its time; returns its id."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO scheduled(user, at, comment, created) VALUES (?, ?, ?, ?)",
                (commit.user, commit.at, commit.comment, commit.created),
            )
            number = int(cursor.lastrowid or 0)
            db.executemany(
                "INSERT INTO scheduled_edit(scheduled, path, base, new) VALUES (?, ?, ?, ?)",
                (
                    (number, path_text(path), rows.optional(edit.base), rows.optional(edit.new))
                    for path, edit in commit.edits.items()
                ),
            )
        return number

    def scheduled(self) -> list[Scheduled]:
        """Every commit that waits, the next one first."""
        found = self.rows("SELECT id, user, at, comment, created FROM scheduled ORDER BY at, id")
        return [
            Scheduled(number, user, at, comment, created, rows.edits_of(self.rows(_EDITS, number)))
            for number, user, at, comment, created in found
        ]

    def unschedule(self, number: int) -> bool:
        """Forget a commit that waits; False when there is none with this id."""
        with self.transaction() as db:
            db.execute("DELETE FROM scheduled_edit WHERE scheduled = ?", (number,))
            return db.execute("DELETE FROM scheduled WHERE id = ?", (number,)).rowcount > 0

    def rescue(self) -> int | None:
        """The revision that `rollback rescue` goes back to, if one was chosen."""
        found = self.rows("SELECT revision FROM named_revision WHERE name = ?", _RESCUE)
        return int(found[0][0]) if found else None

    def set_rescue(self, revision: int | None) -> None:
        """Choose that revision, or none."""
        with self.transaction() as db:
            db.execute("DELETE FROM named_revision WHERE name = ?", (_RESCUE,))
            if revision is not None:
                db.execute("INSERT INTO named_revision(name, revision) VALUES (?, ?)", (_RESCUE, revision))


_EDITS = "SELECT path, base, new FROM scheduled_edit WHERE scheduled = ?"

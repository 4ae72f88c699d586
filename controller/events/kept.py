"""The events of months in one SQLite file, events.db beside the store: added in batches, read by selection, bounded.

A file of its own, because nothing that is written here may hold up or endanger the policy. It is synchronous and
belongs to one thread (keeper.py). WAL with synchronous=NORMAL: what was added survives the process at once, and a power
cut but for the last moments (sqlite.org/pragma.html#pragma_synchronous).

    event       number, time, kind, severity (RFC 5424's number), share, text, about, dvrs, tenant, facts (JSON)

What happens often must not push out what happens seldom: each share of the kinds is bounded by itself (ROWS).
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

from controller.events.event import Event, Kind, Severity, Share, share
from controller.events.selection import Selection
from data.path import Path

__all__ = ["DAYS", "FILE", "ROWS", "Kept", "Visible"]

FILE = "events.db"
FILE_MODE = 0o600
ROWS = {Share.NETWORK: 100_000, Share.PACKETS: 50_000, Share.SESSIONS: 50_000}
"""Events kept; 200,000 of 250 bytes are 60 MB."""
DAYS = 90
PRUNED = 500  # events added between two looks at what is too old; a look costs some milliseconds
BUSY_SECONDS = 2.0  # for a backup that holds the file
VERSION = 1  # of the tables, in user_version: a file of another one is set aside like a damaged one

Visible = Callable[[Path | None, str | None], bool]
"""Whether a user sees what is about this, of the tenant with this UUID."""

_BY_CODE = {severity.code: severity for severity in Severity}
_COLUMNS = "number, time, kind, severity, text, about, dvrs, tenant, facts"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, severity INTEGER NOT NULL,
    share INTEGER NOT NULL, text TEXT NOT NULL, about TEXT, dvrs TEXT, tenant TEXT, facts TEXT
);
CREATE INDEX IF NOT EXISTS event_share ON event(share, number);
"""


class Kept:
    """The open file. Its methods block, and raise sqlite3.Error or OSError; nothing is half done then."""

    def __init__(self, directory: FilePath) -> None:
        self.file = directory / FILE
        self._db: sqlite3.Connection | None = None
        self._added = 0
        self._identity: tuple[int, int] | None = None

    def open(self) -> tuple[int, str]:
        """Opens the file, and makes it where there is none: the last number, and '' or what was wrong with it.

        A damaged one is set aside as events.db.damaged, in the place of an earlier one.
        """
        try:
            return self._open(), ""
        except sqlite3.DatabaseError as problem:
            if isinstance(problem, sqlite3.OperationalError):
                raise  # full, read-only, held by another: the file itself is right
            self.close()
            aside = self.file.with_name(FILE + ".damaged")
            os.replace(self.file, aside)
            for beside in ("-wal", "-shm"):
                self.file.with_name(FILE + beside).unlink(missing_ok=True)
            return self._open(), f"{self.file} was damaged ({problem}) and is now {aside.name}; a new one begins"

    def _open(self) -> int:
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        self._identity = self._found()
        self._db = db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, not {VERSION}")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {VERSION}")
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(str(problem))
        return int(db.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0])

    def append(self, events: Sequence[Event], now: float | None = None) -> None:
        """Adds events in one transaction, and removes what is too old or too much."""
        db = self._connected()
        if self._found() != self._identity:
            raise sqlite3.OperationalError("somebody removed the file")
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                f"INSERT OR REPLACE INTO event(share, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_row, events),
            )
            self._added += len(events)
            if self._added >= PRUNED:
                self._prune(db, time.time() if now is None else now)
                self._added = 0
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have ended it already
                db.execute("ROLLBACK")
            raise

    def read(self, selection: Selection, limit: int, visible: Visible | None = None) -> list[Event]:
        """The latest `limit` events of a selection that are visible, oldest of them first."""
        where, values = _condition(selection)
        rows = self._connected().execute(f"SELECT {_COLUMNS} FROM event WHERE {where} ORDER BY number DESC", values)
        found: list[Event] = []
        for row in rows:
            if visible is None or visible(_path(row[5]), row[7]):
                found.append(_event(row))
                if len(found) >= limit:
                    break
        rows.close()
        return found[::-1]

    def close(self) -> None:
        """The write-ahead log goes into the file: one file to back up."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _found(self) -> tuple[int, int] | None:
        """Which file is there by this name: what is written to one that was removed is lost."""
        try:
            found = os.stat(self.file)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            raise sqlite3.OperationalError("it is not open")
        return self._db

    def _prune(self, db: sqlite3.Connection, now: float) -> None:
        # Not all at once: a clock that is years ahead for a moment takes next to nothing of the history.
        db.execute(
            "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE time < ? ORDER BY number LIMIT ?)",
            (now - DAYS * 86_400, 2 * PRUNED),
        )
        for part, rows in ROWS.items():
            db.execute(
                "DELETE FROM event WHERE share = ?1 AND number <="
                " (SELECT number FROM event WHERE share = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
                (part.value, rows),
            )


def _condition(selection: Selection) -> tuple[str, list[object]]:
    """A WHERE that takes what `Selection.takes` does."""
    parts, values = ["1"], list[object]()
    if selection.kinds:
        parts.append(f"kind IN ({', '.join('?' * len(selection.kinds))})")
        values += sorted(selection.kinds)
    if selection.severity is not None:
        parts.append("severity <= ?")
        values.append(selection.severity.code)
    if selection.since is not None:
        parts.append("time >= ?")
        values.append(selection.since)
    if selection.about:
        either = []
        for words in selection.about:
            either.append("instr(about, ?) OR instr(' dvrs ' || dvrs || ' ', ?)")
            values += [_words(words)] * 2
        parts.append(f"({' OR '.join(either)})")
    return " AND ".join(parts), values


def _words(path: Path) -> str:
    """A path as one text in which words can be found whole: no word of a path has a space."""
    return f" {' '.join(path)} "


def _path(words: str | None) -> Path | None:
    return None if words is None else tuple(words.split())


def _row(event: Event) -> tuple[object, ...]:
    return (
        share(event.kind).value, event.number, event.time, event.kind.value, event.severity.code, event.text,
        None if event.about is None else _words(event.about), event.dvrs, event.tenant,
        json.dumps(dict(event.facts)) if event.facts else None,
    )  # fmt: skip


def _event(row: tuple[int, float, str, int, str, str | None, str | None, str | None, str | None]) -> Event:
    number, moment, kind, severity, text, about, dvrs, tenant, facts = row
    return Event(
        number, moment, Kind(kind), _BY_CODE[severity], text, _path(about), dvrs,
        json.loads(facts) if facts else {}, tenant,
    )  # fmt: skip

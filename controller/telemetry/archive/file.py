"""The file of the archive: tables, opening, a damaged one set aside, transactions.

    place     one row: how far the roll-up has come, and the accounting's own memory
    measures  number of a measure
    keys      series: its number is chunk * 128 + slot; when it was last seen
    cells     what was counted from start to end, for one chunk: looks (tier 0), minutes (1), hours (2), and parts of
              them, and gaps
    packs     many minutes or hours of one chunk and one measure; id = chunk, measure, tier, block, so that what one
              series needs lies together

WAL with synchronous=NORMAL: a transaction never waits for the disk. It survives the end of the process; a power cut may
take the last ones, whole (sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import StoreUnavailable
from data.store.failures import explained

__all__ = ["connect", "identity", "is_damage", "set_aside", "transaction"]

FORMAT = 1
FILE_MODE = 0o600
BUSY_SECONDS = 5.0
CACHE_KIBIBYTES = 16_384
LOG_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut down to this after a checkpoint."""

_TABLES = """
CREATE TABLE place(id INTEGER PRIMARY KEY, place TEXT NOT NULL, state BLOB);
CREATE TABLE measures(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE keys(number INTEGER PRIMARY KEY, level TEXT NOT NULL, name TEXT, seen INTEGER NOT NULL);
CREATE TABLE cells(id INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL, chunk INTEGER NOT NULL,
                   start INTEGER NOT NULL, end INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX cells_of ON cells(tier, chunk, end);
CREATE TABLE packs(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""


def connect(file: Path) -> sqlite3.Connection:
    """Open the file, making it as needed. Raises sqlite3.DatabaseError, OSError; StoreUnavailable when a newer nshell
    made it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # auto_vacuum is only taken by a file without tables.
        for pragma in (
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"cache_size = -{CACHE_KIBIBYTES}",
            f"journal_size_limit = {LOG_BYTES}",
        ):
            db.execute(f"PRAGMA {pragma}")
        _make(db, file)
    except BaseException:
        db.close()
        raise
    return db


def _make(db: sqlite3.Connection, file: Path) -> None:
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise StoreUnavailable(str(file), "a newer nshell made the file", "use that version, or move the file away")
    if found < FORMAT:
        with transaction(db):
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {FORMAT}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, with the write lock from the beginning."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already (sqlite.org/lang_transaction.html, section 3).
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def identity(file: Path) -> tuple[int, int] | None:
    """What tells the file that has this name now from another that had it before; None: there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_damage(error: BaseException | None) -> bool:
    """Whether the file is no database, or a broken one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(file: Path) -> str:
    """Rename a damaged file and its log, over one set aside earlier: they cannot fill the disk. Returns the sentence
    that tells of it; raises StoreUnavailable."""
    kept = file.with_name(f"{file.name}.damaged")
    with explained(file):
        for ending in ("", "-wal", "-shm"):
            kept.with_name(kept.name + ending).unlink(missing_ok=True)
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(kept.with_name(kept.name + ending))
    return f"{file} was damaged and is set aside as {kept.name}; statistics begin anew"

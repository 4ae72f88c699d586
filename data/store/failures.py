"""What SQLite's errors mean to an operator."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

from data.errors import StoreUnavailable

_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org/rescode.html)."""

_MEANING: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free space on it, then try again"),
    sqlite3.SQLITE_READONLY: (
        "the database is read-only",
        "make file, directory and file system writable for this user",
    ),
    sqlite3.SQLITE_PERM: (
        "access to the database is denied",
        "make file and directory writable for this user",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened",
        "check that the directory exists and that this user may write there",
    ),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "check the disk and its free space, then try again"),
    sqlite3.SQLITE_CORRUPT: (
        "the database file is damaged",
        "move it away and restore a backup, or load a saved configuration",
    ),
    sqlite3.SQLITE_NOTADB: (
        "the file is not an nshell database",
        "move it away and restore a backup, or choose another --state",
    ),
    sqlite3.SQLITE_BUSY: ("another process holds the database", "stop the other process, then try again"),
    sqlite3.SQLITE_LOCKED: ("another process holds the database", "stop the other process, then try again"),
}


def unavailable(file: FilePath, error: Exception) -> StoreUnavailable:
    """The error to show for a failure of SQLite or of the file system."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and isinstance(error, OSError):
        return StoreUnavailable(str(file), f"{error.strerror or error}", "check that this user may write there")
    cause, remedy = _MEANING.get(
        (code or 0) & _PRIMARY, (f"the database failed: {error}", "see the log, then try again")
    )
    return StoreUnavailable(str(file), f"{cause}; nothing was changed", remedy)


@contextmanager
def explained(file: FilePath) -> Iterator[None]:
    """Turn errors of SQLite and the file system into StoreUnavailable."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.DatabaseError, OSError) as error:
        raise unavailable(file, error) from error

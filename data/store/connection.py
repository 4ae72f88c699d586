"""One connection to the database file: opened safely, migrated, and every change all or nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, Self

from data.errors import StoreUnavailable
from data.store.failures import explained

DATABASE = "nshell.db"
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
BUSY_SECONDS = 5.0
"""How long to wait for another process that holds the database (a backup, for example)."""
CACHE_KIBIBYTES = 65_536


class Connection:
    """The open database. Not thread-safe: one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, file: FilePath) -> None:
        self._db = connection
        self.file = file

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Self:
        """Open the database in `directory`, making and migrating both as needed; raises StoreUnavailable."""
        file = FilePath(directory) / DATABASE
        with explained(file):
            file.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
            connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                for pragma in (
                    "journal_mode = WAL",
                    "synchronous = FULL",
                    f"cache_size = -{CACHE_KIBIBYTES}",
                ):
                    connection.execute(f"PRAGMA {pragma}")
                _migrate(connection, file)
            except BaseException:
                connection.close()
                raise
        return cls(connection, file)

    @property
    def directory(self) -> FilePath:
        """The state directory that the database is in."""
        return self.file.parent

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing; the write lock is taken first, so that what was read stays true.

        Without `synced` the end of the transaction does not wait for the disk: it survives the process (the
        pages are in the kernel) but perhaps not a power cut. In WAL mode that is all that NORMAL gives up
        (sqlite.org/pragma.html#pragma_synchronous): the log is in order, so recovery keeps a prefix of the
        transactions, and the next synced one syncs this one with it. It saves an fsync, 1-10 ms.
        """
        with explained(self.file):
            if not synced:
                # The pragma is this connection's alone, and takes effect only outside a transaction.
                self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    # A full disk may have ended the transaction already (sqlite.org/lang_transaction.html,
                    # section 3).
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            finally:
                if not synced:
                    self._db.execute("PRAGMA synchronous = FULL")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with explained(self.file):
            return self._db.execute(query, values).fetchall()


def _migrate(connection: sqlite3.Connection, file: FilePath) -> None:
    # Importing sqlite_utils costs 100 ms: only who opens a store pays.
    from sqlite_utils import Database

    from data.store.schema import migrations

    database = Database(connection)
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    newer = [migration.name for migration in migrations.applied(database) if migration.name not in known]
    if newer:
        cause = f"a newer nshell made the database (it has {newer[0]})"
        raise StoreUnavailable(str(file), cause, "use that version, or a newer one")
    migrations.apply(database)

"""Certificates of hypervisors and join tokens, as rows: what the controller's authority has issued, and what it will.

A certificate's row is written before the certificate leaves the controller, so a serial without a row was never issued.
A join token is kept as a hash, at most one for each system-id, and is deleted in the same transaction that writes down
the certificate it was given for: it works once, whatever crashes. Next: `controller/trust/office.py`.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import dataclass

from data.store.connection import Connection

VALID_AT_ONCE = 3
"""Certificates of one hypervisor that are good at a time: the one in use, its successor, one whose answer was lost."""

_COLUMNS = "serial, system_id, issued, expires, revoked"


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate. `serial` is hexadecimal in upper case; times are seconds since the epoch."""

    serial: str
    system_id: str
    issued: float
    expires: float
    revoked: float | None = None


class TrustStore:
    """The rows, through a store's connection. Not thread-safe: one thread at a time, as for the store itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def certificates(self) -> list[CertificateRow]:
        """Every certificate that is kept, the oldest first."""
        found = self._connection.rows(f"SELECT {_COLUMNS} FROM certificate ORDER BY issued, serial")
        return [CertificateRow(*row) for row in found]

    def certificate(self, serial: str) -> CertificateRow | None:
        """One certificate."""
        found = self._connection.rows(f"SELECT {_COLUMNS} FROM certificate WHERE serial = ?", serial)
        return CertificateRow(*found[0]) if found else None

    def offer(self, system_id: str, digest: bytes, expires: float) -> None:
        """Keep a join token's hash; an earlier one of that system-id is void."""
        with self._connection.transaction() as db:
            db.execute("DELETE FROM join_token WHERE system_id = ?", (system_id,))
            db.execute(
                "INSERT INTO join_token(system_id, digest, expires) VALUES (?, ?, ?)", (system_id, digest, expires)
            )

    def redeem(self, digest: bytes, certificate: CertificateRow) -> bool:
        """Use a token up for a certificate, both or neither; False when there is no such token for that system-id."""
        with self._connection.transaction() as db:
            name = certificate.system_id
            found = db.execute("SELECT digest, expires FROM join_token WHERE system_id = ?", (name,)).fetchone()
            if found is None or not hmac.compare_digest(found[0], digest) or found[1] < certificate.issued:
                return False
            db.execute("DELETE FROM join_token WHERE system_id = ?", (name,))
            _add(db, certificate)
        return True

    def add(self, certificate: CertificateRow) -> None:
        """Write a certificate down."""
        with self._connection.transaction() as db:
            _add(db, certificate)

    def renew(self, former: str, certificate: CertificateRow) -> bool:
        """Write the successor of a certificate down; False when that one is not good any more."""
        with self._connection.transaction() as db:
            good = db.execute("SELECT 1 FROM certificate WHERE serial = ? AND revoked IS NULL", (former,)).fetchone()
            if good is not None:
                _add(db, certificate)
        return good is not None

    def revoke(self, system_id: str, now: float) -> int:
        """Revoke every certificate of a hypervisor, and its join token; how many were still good."""
        with self._connection.transaction() as db:
            db.execute("DELETE FROM join_token WHERE system_id = ?", (system_id,))
            changed = db.execute(
                "UPDATE certificate SET revoked = ? WHERE system_id = ? AND revoked IS NULL AND expires > ?",
                (now, system_id, now),
            )
            return int(changed.rowcount)

    def forget(self, before: float) -> None:
        """Drop what expired before a time: nobody is let in with it anyway."""
        with self._connection.transaction() as db:
            db.execute("DELETE FROM certificate WHERE expires < ?", (before,))
            db.execute("DELETE FROM join_token WHERE expires < ?", (before,))


def _add(db: sqlite3.Connection, row: CertificateRow) -> None:
    db.execute(
        f"INSERT INTO certificate({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (row.serial, row.system_id, row.issued, row.expires, row.revoked),
    )
    db.execute(
        "UPDATE certificate SET revoked = ?1 WHERE system_id = ?2 AND revoked IS NULL AND serial NOT IN"
        " (SELECT serial FROM certificate WHERE system_id = ?2 ORDER BY issued DESC, rowid DESC LIMIT ?3)",
        (row.issued, row.system_id, VALID_AT_ONCE),
    )

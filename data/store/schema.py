"""The tables, as migrations: each is applied once, in order, and never edited after a release."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("nshell")


@migrations()
def m001_first_tables(db: Database) -> None:
    """Objects with validity intervals; the parent is the text of the path above, "" at the top, so that
    siblings are unique."""
    db.table("revision").create(
        {"number": int, "author": str, "time": float, "comment": str, "state": str},
        pk="number",
        not_null=["author", "time", "comment", "state"],
        strict=True,
    )
    db.table("object").create(
        {
            "uuid": str,
            "kind": str,
            "parent": str,
            "name": str,
            "body": bytes,
            "from_revision": int,
            "to_revision": int,
        },
        not_null=["uuid", "kind", "parent", "name", "body", "from_revision"],
        strict=True,
    )
    db.execute("CREATE UNIQUE INDEX object_current ON object(uuid) WHERE to_revision IS NULL")
    db.execute("CREATE UNIQUE INDEX object_sibling ON object(parent, kind, name) WHERE to_revision IS NULL")
    db.execute("CREATE INDEX object_begun ON object(from_revision)")
    db.execute("CREATE INDEX object_ended ON object(to_revision) WHERE to_revision IS NOT NULL")
    db.table("receipt").create(
        {
            "revision": int,
            "part": str,
            "state": str,
            "added": int,
            "removed": int,
            "milliseconds": float,
            "time": float,
            "reason": str,
        },
        pk=("revision", "part"),
        strict=True,
    )
    db.table("number").create({"pool": str, "key": str, "number": int}, pk=("pool", "key"), strict=True)
    db.table("number").create_index(["pool", "number"], index_name="number_once", unique=True)
    db.table("candidate").create(
        {"user": str, "path": str, "base": bytes, "new": bytes}, pk=("user", "path"), strict=True
    )
    db.table("journal").create(
        {
            "id": int,
            "revision": int,
            "author": str,
            "time": float,
            "comment": str,
            "dvrs": str,
            "outcome": str,
            "reason": str,
        },
        pk="id",
        strict=True,
    )
    db.execute("CREATE INDEX journal_open ON journal(id) WHERE outcome IS NULL")
    db.table("confirm").create({"revision": int, "deadline": float, "back_to": int}, pk="revision", strict=True)


@migrations()
def trust_tables(db: Database) -> None:
    """Certificates that the controller's authority issued, and the join tokens that are open."""
    db.table("certificate").create(
        {"serial": str, "system_id": str, "issued": float, "expires": float, "revoked": float},
        pk="serial",
        not_null=["system_id", "issued", "expires"],
        strict=True,
    )
    db.execute("CREATE INDEX certificate_of ON certificate(system_id, issued)")
    db.table("join_token").create(
        {"system_id": str, "digest": bytes, "expires": float},
        pk="system_id",
        not_null=["digest", "expires"],
        strict=True,
    )


@migrations()
def audit_table(db: Database) -> None:
    """Every command that was given. Rows are read by time, the newest first, often those of one user."""
    db.execute(
        "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, user TEXT NOT NULL,"
        " origin TEXT NOT NULL, command TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, revision INTEGER)"
        " STRICT"
    )
    db.execute("CREATE INDEX audit_of ON audit(user, id)")


@migrations()
def scheduled_tables(db: Database) -> None:
    """Commits that wait for their time, each with the rows of a candidate, and the revisions that have a name."""
    db.execute(
        "CREATE TABLE scheduled(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, at REAL NOT NULL,"
        " comment TEXT NOT NULL, created REAL NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE scheduled_edit(scheduled INTEGER NOT NULL, path TEXT NOT NULL, base BLOB, new BLOB,"
        " PRIMARY KEY (scheduled, path)) STRICT"
    )
    db.execute("CREATE TABLE named_revision(name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT")

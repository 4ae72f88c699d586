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
            "dvrs": str,
            "state": str,
            "added": int,
            "removed": int,
            "milliseconds": float,
            "time": float,
            "reason": str,
        },
        pk=("revision", "dvrs"),
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

"""The store: every revision, candidate, number and receipt in one SQLite file; SQL is nowhere else.

    object     one row per object and validity interval: [from_revision, to_revision), open while current
    revision   number, author, time, comment, state        receipt    what each dVRS confirmed of it
    candidate  the edits of each user's candidate           number     stable numbers by pool and key
    journal    applies in progress and how they ended       confirm    the revision that waits to be confirmed
    audit      every command that was given                 scheduled  commits that wait for their time

A commit closes old rows and adds new ones in one transaction, so it writes only what changed, and any former
revision is a query. Synchronous: callers use one writer thread. Next: `store.py`, then `schema.py` for the
tables and `failures.py`.
"""

from data.store.records import AuditRow, Confirm, HistoryEntry, JournalEntry, Receipt, Revision, Scheduled
from data.store.store import Store

__all__ = ["AuditRow", "Confirm", "HistoryEntry", "JournalEntry", "Receipt", "Revision", "Scheduled", "Store"]

"""What the store keeps besides objects. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

APPLIED = "applied"
CONFIRMED_PENDING = "confirmed-pending"
REVERTED = "reverted"
FAILED = "failed"
COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class Revision:
    """One committed state."""

    number: int
    author: str
    time: float
    comment: str = ""
    state: str = APPLIED


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one dVRS confirmed of a revision: `state` is verified, pending or failed; `added`, `removed` count
    flows."""

    dvrs: str
    state: str
    added: int
    removed: int
    milliseconds: float
    time: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A revision, or a commit that failed (state FAILED, with the `reason`), and its receipts by name of the
    dVRS."""

    number: int
    author: str
    time: float
    comment: str
    state: str
    reason: str = ""
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An apply, written down before the first switch was touched, that has not ended."""

    id: int
    revision: int
    author: str
    time: float
    comment: str
    dvrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """A confirmed commit that waits: when `deadline` passes, revision `back_to` returns."""

    revision: int
    deadline: float
    back_to: int

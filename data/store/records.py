"""What the store keeps besides objects. Times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data.merge import Edit
from data.path import Path

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


_PARTS = ("bgp-neighbor", "pe")


def part_of(path: Path) -> str | None:
    """How receipts name what is configured at a path: a hypervisor by its name, a neighbour or router by its whole
    path; None for what gives no receipts."""
    if len(path) != 2:
        return None
    return path[1] if path[0] == "dvrs" else " ".join(path) if path[0] in _PARTS else None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one part of the network confirmed of a revision: `state` is verified, pending or failed; `added`, `removed`
    count flows, routes or lines."""

    part: str
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
    """A confirmed commit that waits: when `deadline` passes, revision `back_to` returns. The store gives the `author`,
    who is that of the revision."""

    revision: int
    deadline: float
    back_to: int
    author: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A command that somebody gave: `command` is redacted, `result` is ok, failed or refused, `detail` says why it was
    not ok, `revision` is the one that it made, if any. The store gives the `id`; it is 0 before."""

    id: int
    time: float
    user: str
    origin: str
    command: str
    result: str = "ok"
    detail: str = ""
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A commit that waits for its time: the rows of the candidate that it was made of. The store gives the `id`; it is
    0 before."""

    id: int
    user: str
    at: float
    comment: str
    created: float
    edits: Mapping[Path, Edit]

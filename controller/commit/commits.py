"""Commits from beginning to end: the four phases in order, the journal around them, and what was left open by a crash.

    commit ──> [turn] check ─> plan ─> apply ──────────────> running, state, participants
                                        │ journal row        meanwhile bundles are filled
                                        │ bundles            transaction.py
                                        └ store.commit       the decision point: policy, numbers, receipts, the wait
                                                             for confirmation, the end of the journal row and of the
                                                             author's candidate, in one transaction with one fsync

A commit runs as a task of its own: a session that is dropped in the middle does not leave a commit in the middle.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from controller.commit.confirm import RETURNER, Confirmation, Waiting
from controller.commit.plan import Plan, describe, told
from controller.commit.planning import backward, change_of, check, draft, work
from controller.commit.receipts import Kept, Receipt
from controller.commit.sides import Side, Sides
from controller.commit.transaction import Report, apply, silent
from controller.events import Kind, Severity
from controller.hypervisors.channel import Channel
from controller.network import Network
from data.configuration import Edits
from data.errors import CommandFailed, NshellError
from data.path import Path
from data.store import AuditRow, Confirm, Revision, Store
from data.store import Receipt as StoredReceipt
from data.store.records import FAILED, part_of

__all__ = ["Commits", "Outcome", "Participant"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A commit that was applied; `deadline` (seconds since the epoch) when it waits for confirmation.

    `confirmed` is the earlier revision that it confirmed by the way.
    """

    revision: int
    receipts: tuple[Receipt, ...]
    deadline: float | None = None
    confirmed: int | None = None


class Submit(Protocol):
    """Runs a store call in the writer thread, after those submitted before."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class Participant(Protocol):
    """What else changes with a commit (listeners, admission): prepared before, carried out or dropped after.

    The edits are those of what acts: an object that is deactivated is None.
    """

    async def prepare(self, edits: Edits) -> None:
        """Raises ApplyFailed when the commit must not go on."""

    async def drop(self) -> None:
        """The commit failed."""

    async def changed(self, edits: Edits) -> None:
        """The edits are the running configuration now."""


class Commits:
    """The commits of one controller. `store` is touched only through `submit`, in the writer thread."""

    def __init__(
        self,
        network: Network,
        store: Store,
        submit: Submit,
        stranded: Callable[[Channel, str], None],
        participants: tuple[Participant, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._store = store
        self._submit = submit
        self._stranded = stranded
        self._participants = participants
        self._sides: list[Side] = []
        self._clock = clock
        self._open: set[asyncio.Task[object]] = set()
        self._pending: dict[str, set[int]] = {}  # part of the network -> revisions that it has not confirmed yet
        self.confirmation = Confirmation(network.events, self._give_back, clock)
        self.counts = Counter(applied=0, failed=0)
        """How many there were since the start."""

    def add_participant(self, participant: Participant) -> None:
        """Lets somebody take part in the commits from now on."""
        self._participants += (participant,)

    def add_side(self, side: Side) -> None:
        """Lets something beside the switches change with every commit from now on, after those added before."""
        self._sides.append(side)

    # What callers use ---------------------------------------------------------------------------------------

    async def plan(self, edits: Edits) -> Plan:
        """The check and plan phases. Raises CheckFailed."""
        network = self._network
        async with network.turn:
            configured = network.configured
            change = await change_of(network.acting, edits)
            await check(network.running, change)
            made = await draft(network.running, change.acting, network.state, network.topology)
            planned = await asyncio.gather(*(side.plan(made) for side in self._sides))
            beside = [plan for plans in planned for plan in plans]
            return await describe(made, edits, configured, configured.revision + 1, network.topology, beside)

    async def commit(
        self,
        edits: Edits,
        author: str,
        comment: str,
        *,
        confirmed: int | None = None,
        strict: bool = False,
        report: Report = silent,
        candidate_of: str | None = None,
        again: Callable[[], Edits] | None = None,
        returning: Waiting | None = None,
        audit: AuditRow | None = None,
    ) -> Outcome:
        """All four phases; see `Fabric.commit`. `returning` is the commit that this one takes back, if any."""
        task = asyncio.create_task(
            self._commit(
                edits, author, comment, confirmed, strict, report, candidate_of, again, returning, audit,
                self._network.configured.revision,
            )
        )  # fmt: skip
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)

    async def confirm(self, author: str, revision: int) -> int:
        """Confirms this revision, which its author has seen waiting. Raises CommandFailed when it does not wait."""
        task = asyncio.create_task(self._confirm(author, revision))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)  # cut short, the store would have it confirmed and the timer take it back

    async def _confirm(self, author: str, revision: int) -> int:
        async with self._network.turn:
            waiting = self.confirmation.waiting
            if waiting is None or waiting.revision != revision:
                raise CommandFailed(
                    "commit", f"revision {revision} does not wait for confirmation any more", "see 'show system commit'"
                )
            await self._submit(self._store.confirm)
            self.confirmation.end()
        self._network.events.add(
            Kind.CONFIRM, f"revision {waiting.revision} confirmed by {author}",
            facts={"revision": waiting.revision, "user": author, "state": "confirmed"},
        )  # fmt: skip
        return waiting.revision

    async def settled(self, part: str, added: int, removed: int, milliseconds: float) -> None:
        """A hypervisor was reconciled, or a neighbour or router caught up: what it owed is verified."""
        revisions = self._pending.get(part, set())
        for revision in sorted(revisions):
            receipt = StoredReceipt(part, Kept.VERIFIED, added, removed, milliseconds, self._clock())
            await self._submit(self._store.add_receipts, revision, [receipt])
            revisions.discard(revision)
            self._network.events.add(
                Kind.COMMIT, f"revision {revision} verified on {part}", severity=Severity.INFO,
                facts={"revision": revision, "part": part, "state": "verified"},
            )  # fmt: skip

    async def recover(self) -> None:
        """At start: closes what a crash left open, and returns from a commit that nobody confirmed in time."""
        running = self._network.configured.revision
        for entry in await self._submit(self._store.open_journals):
            # A revision closes its row in its own transaction, so whatever is open was not committed.
            reason = f"interrupted, returned to revision {min(running, entry.revision - 1)}"
            await self._submit(self._store.close_journal, entry.id, FAILED, reason)
            self._network.events.add(
                Kind.COMMIT, f"revision {entry.revision} by {entry.author}: {reason}", severity=Severity.WARNING,
                facts={"revision": entry.revision, "user": entry.author, "state": "interrupted", "cause": reason},
            )  # fmt: skip
        owed = await self._submit(self._store.pending_receipts)
        self._pending = {part: set(revisions) for part, revisions in owed.items()}
        pending = await self._submit(self._store.pending_confirm)
        if pending is not None:
            self.confirmation.begin(Waiting(pending.revision, pending.deadline, pending.back_to, pending.author))

    async def stop(self) -> None:
        """Lets commits that are under way end, and stops the timer."""
        self.confirmation.end()
        await asyncio.gather(*self._open, return_exceptions=True)

    # The phases ---------------------------------------------------------------------------------------------

    async def _commit(
        self,
        edits: Edits,
        author: str,
        comment: str,
        confirmed: int | None,
        strict: bool,
        report: Report,
        candidate_of: str | None,
        again: Callable[[], Edits] | None,
        returning: Waiting | None,
        audit: AuditRow | None,
        base: int,
    ) -> Outcome:
        network = self._network
        async with network.turn:
            if returning is not None and self.confirmation.waiting is not returning:
                raise CommandFailed("commit", "it was confirmed meanwhile", "")
            if again is not None and network.configured.revision != base:
                edits = again()
            change = await change_of(network.acting, edits)
            await check(network.running, change)
            made = await draft(network.running, change.acting, network.state, network.topology)
            number = network.configured.revision + 1
            revision = Revision(number=number, author=author, time=self._clock(), comment=comment)
            numbers = {**network.numbers.new, **made.new.numbers.new}
            items = await work(made, network.channels)
            waiting = self.confirmation.waiting
            deadline = None if confirmed is None else revision.time + confirmed * 60
            confirm = None if deadline is None else Confirm(number, deadline, number - 1)
            journal: list[int] = []

            async def write_journal() -> None:
                names = [item.channel.name for item in items]
                journal.append(await self._submit(self._store.begin_journal, revision, names))

            async def decide(receipts: tuple[Receipt, ...]) -> None:
                stored = [_stored(receipt, revision.time) for receipt in receipts]
                await self._submit(
                    self._store.commit, edits, revision, numbers, stored,
                    confirm=confirm, journal=journal[0], candidate_of=candidate_of, audit=audit,
                )  # fmt: skip

            report(f"revision {number}")
            beside = Sides()
            try:
                for participant in self._participants:
                    await participant.prepare(change.acting)
                successor = await network.successor(change, number)
                await beside.prepare(self._sides, made, strict)
                receipts = await apply(
                    items, lambda: backward(made), decide,
                    journal=write_journal, strict=strict, report=report, stranded=self._stranded, beside=beside,
                )  # fmt: skip
            except BaseException as failure:
                await beside.back(report)
                for participant in self._participants:
                    await participant.drop()
                await self._failed(number, author, edits, journal, failure)
                raise
            moves = list(told(made, network.ready))
            network.commit(made, change, number, successor)
            for receipt in receipts:
                if receipt.state is Kept.PENDING:
                    self._pending.setdefault(receipt.part, set()).add(number)
            for path, item in change.acting.items():
                part = part_of(path)
                if part is not None and item is None:
                    self._pending.pop(part, None)  # the store has given them up, too
            await beside.settle()  # first: routers go back by themselves unless they are confirmed
            for participant in self._participants:
                await participant.changed(change.acting)
            self.confirmation.end()
            if deadline is not None:
                self.confirmation.begin(Waiting(number, deadline, number - 1, author))
        self.counts["applied"] += 1
        for news in moves:
            network.events.add(Kind.VPORT, news.text, about=news.about, dvrs=news.dvrs, facts=news.facts)
        network.events.add(
            Kind.COMMIT, f"revision {number} by {author}" + (f": {comment}" if comment else ""), about=_subject(edits),
            facts={"revision": number, "user": author, "state": "applied", "objects": len(edits), "comment": comment},
        )  # fmt: skip
        if waiting is not None and returning is None:
            network.events.add(
                Kind.CONFIRM, f"revision {waiting.revision} confirmed by revision {number}",
                facts={"revision": waiting.revision, "user": author, "state": "confirmed", "by": number},
            )  # fmt: skip
            report(f"revision {waiting.revision} is confirmed by this commit")
        return Outcome(
            number, receipts, deadline, waiting.revision if waiting is not None and returning is None else None
        )

    async def _failed(self, number: int, author: str, edits: Edits, journal: list[int], failure: BaseException) -> None:
        """Notes a commit that failed; the candidate and the running configuration are untouched."""
        cause = failure.cause if isinstance(failure, NshellError) else repr(failure)
        where = failure.where if isinstance(failure, NshellError) else ""
        self.counts["failed"] += 1
        self._network.events.add(
            Kind.COMMIT, f"revision {number} by {author} failed: {cause}", severity=Severity.ERROR,
            about=_subject(edits),
            facts={"revision": number, "user": author, "state": "failed", "where": where, "cause": cause},
        )  # fmt: skip
        if not journal:
            return
        try:
            await self._submit(self._store.close_journal, journal[0], FAILED, cause)
        except NshellError as again:
            self._network.events.add(Kind.FAULT, f"the failure of revision {number} could not be noted: {again.cause}")

    async def _give_back(self, waiting: Waiting) -> None:
        difference = await self._submit(self._store.difference, waiting.revision, waiting.back_to)
        edits = {path: new for path, (_, new) in difference.items()}
        self._network.events.add(
            Kind.CONFIRM, waiting.comment, severity=Severity.WARNING,
            facts={"revision": waiting.revision, "user": waiting.author, "state": "returned", "to": waiting.back_to},
        )  # fmt: skip
        await self.commit(edits, RETURNER, waiting.comment, returning=waiting)


def _subject(edits: Edits) -> Path | None:
    """The object that all edits are at or below, if there is one."""
    paths = iter(edits)
    common = next(paths, ())
    for path in paths:
        shared = 0
        while shared < min(len(common), len(path)) and common[shared] == path[shared]:
            shared += 1
        common = common[: shared - shared % 2]  # a name belongs to its keyword
        if not common:
            return None
    return common or None


def _stored(receipt: Receipt, time: float) -> StoredReceipt:
    return StoredReceipt(receipt.part, receipt.state, receipt.added, receipt.removed, receipt.milliseconds, time)

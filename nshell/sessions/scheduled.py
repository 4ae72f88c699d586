"""Commits that wait for their time: kept in the store, applied by the daemon over what is running then.

    commit at TIME ── rows of the candidate ── store          [at that time]
                                                 └── Candidate over what runs ── merge ── fabric.commit ── forgotten

What was scheduled is a copy: the candidate goes on living, and what of it was committed falls away from it. A daemon
that was not there at the time, or died before it was through, does not catch up: whoever chose a time chose it for a
reason. That, a conflict and any other failure are told as an event and stand in the history; the candidate is kept.
What its user may do is looked up when it is applied. It confirms nobody's commit: nobody is there who has looked.
"""

from __future__ import annotations

import asyncio
import logging
import pwd
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.events import Fact, Kind
from data.access import Access
from data.candidate import Candidate
from data.configuration import Edits
from data.errors import ApplyFailed, CommandFailed, NotPermitted, NshellError, StoreUnavailable
from data.store.records import FAILED, AuditRow, Revision, Scheduled
from nshell.sessions.accounts import access_for, is_trusted
from nshell.sessions.audit import judged
from views.moment import clock

if TYPE_CHECKING:
    from nshell.serving.service import Service

log = logging.getLogger("nshell.scheduled")

LATE = 60.0
"""Seconds after its time until which a commit is still applied: the machine was busy, not away."""
MOST = 20
"""Scheduled commits of one user; each keeps a copy of a candidate."""
LOOK = 30.0
"""Longest sleep in seconds: the wall clock may be set meanwhile."""
ORIGIN = "scheduled"


class ScheduledCommits:
    """The scheduled commits of one daemon."""

    def __init__(self, service: Service, now: Callable[[], float] = time.time) -> None:
        self._service = service
        self._now = now
        self._rows: dict[int, Scheduled] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take up what the store has, and report what was missed. Raises StoreUnavailable."""
        fabric = self._service.fabric
        self._rows = {row.id: row for row in await fabric.submit(fabric.store.scheduled)}
        for row in self.rows():
            if row.at <= self._now():
                del self._rows[row.id]
                if Candidate(fabric.running, row.user, row.edits).differs:
                    await self._missed(row)
                await self._forget(row)  # else it was applied, and the daemon ended before it could say so
        self._task = asyncio.create_task(self._run(), name="scheduled commits")

    async def stop(self) -> None:
        """Stop waiting; a commit that is under way comes to its end."""
        tasks = {*self._under_way, *([self._task] if self._task is not None else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # What sessions use ------------------------------------------------------------------------------------------

    def rows(self) -> Sequence[Scheduled]:
        """Those that wait, the earliest first."""
        return sorted(self._rows.values(), key=lambda row: (row.at, row.id))

    async def add(self, user: str, at: float, comment: str, candidate: Candidate) -> Scheduled:
        """Commit what the candidate has now at this time. Raises StoreUnavailable, CommandFailed when too many wait."""
        fabric = self._service.fabric
        if sum(row.user == user for row in self._rows.values()) >= MOST:
            raise CommandFailed(
                "commit at", f"{MOST} commits of {user} are scheduled already", "'clear system commit' takes one back"
            )
        row = Scheduled(0, user, at, comment, self._now(), candidate.rows())
        row = replace(row, id=await fabric.submit(fabric.store.schedule, row))
        self._rows[row.id] = row
        self._changed.set()
        facts: dict[str, Fact] = {"scheduled": row.id, "user": user, "state": "scheduled"}
        fabric.events.add(Kind.COMMIT, f"commit {row.id} of {user} is scheduled for {clock(at)}", facts=facts)
        return row

    async def cancel(self, number: int) -> Scheduled:
        """Forget one. Raises CommandFailed when there is none with this number."""
        row = self._rows.get(number)
        if row is None:
            raise CommandFailed(
                f"scheduled commit {number}", "there is none with this number", "'show system commit' lists them"
            )
        await self._forget(row)
        self._rows.pop(number, None)
        self._changed.set()
        self._service.fabric.events.add(Kind.COMMIT, f"scheduled commit {number} of {row.user} was cancelled")
        return row

    # The timer --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            first = next(iter(self.rows()), None)
            left = LOOK if first is None else first.at - self._now()
            if first is not None and left <= 0:
                # A task for each: one whose user is in the middle of a command does not hold up the others.
                del self._rows[first.id]
                task = asyncio.create_task(self._due(first, left < -LATE), name=f"scheduled commit {first.id}")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                continue
            try:
                await asyncio.wait_for(self._changed.wait(), min(left, LOOK))
            except TimeoutError:
                continue

    async def _due(self, row: Scheduled, late: bool) -> None:
        """Its time has come. Forgotten last: a daemon that dies now finds it again and reports it."""
        try:
            await (self._missed(row) if late else self._apply(row))
            await self._forget(row)
        except Exception as problem:  # nobody else would see it
            log.error("scheduled commit %d", row.id, exc_info=problem)

    async def _forget(self, row: Scheduled) -> None:
        fabric = self._service.fabric
        await fabric.submit(fabric.store.unschedule, row.id)

    async def _missed(self, row: Scheduled) -> None:
        """Its time passed while nobody was there."""
        await self._failed(row, CommandFailed("", f"missed: nshell was not running at {clock(row.at)}, or ended then"))

    async def _apply(self, row: Scheduled) -> None:
        """Commit it now, after what its user is doing to the candidate, if that does not take too long."""
        turn = self._service.candidates.turn(row.user)
        try:
            try:
                async with asyncio.timeout(LATE):
                    await turn.acquire()
            except TimeoutError:
                raise CommandFailed("", f"another command of {row.user} did not end within {LATE:g} s") from None
            try:
                await self._commit(row)
            finally:
                turn.release()
        except NshellError as problem:
            await self._failed(row, problem)

    async def _commit(self, row: Scheduled) -> None:
        service = self._service
        fabric, user = service.fabric, row.user
        service.exclusive.refuse(None, "commit at")
        candidate = Candidate(fabric.running, user, row.edits)
        edits: Edits = {}

        def permitted() -> Edits:
            nonlocal edits
            if fabric.waiting is not None:
                raise CommandFailed(
                    "commit at", f"revision {fabric.waiting[0]} waits to be confirmed, and this would confirm it"
                )
            edits = candidate.merge()
            self._access(user).refuse_edits(edits, fabric.running)
            return edits

        if not permitted():
            fabric.events.add(Kind.COMMIT, f"scheduled commit {row.id} of {user}: all of it is running already")
            return
        await fabric.commit(
            edits, author=user, comment=row.comment, candidate_of=user, again=permitted, audit=self._audit(row)
        )
        held = service.candidates.find(user)
        if held is not None:
            held.committed(edits)
            await service.candidates.save(user)

    def _access(self, user: str) -> Access:
        """What the user may do now. Raises NotPermitted for somebody who is gone or may not commit any more."""
        try:
            uid = pwd.getpwnam(user).pw_uid
        except KeyError:
            uid = None
        fabric = self._service.fabric
        found = access_for(fabric.acting, fabric.running, user, trusted=is_trusted(uid), local=uid is not None)
        if found is None:
            raise NotPermitted("", f"there is no user {user} any more")
        if not found.permits("commit"):
            raise NotPermitted("", f"class {found.login_class} does not let {user} commit any more")
        return found

    def _audit(self, row: Scheduled) -> AuditRow:
        return AuditRow(0, self._now(), row.user, ORIGIN, f"commit at {clock(row.at)}")

    async def _failed(self, row: Scheduled, problem: NshellError) -> None:
        """Tell everybody, and write it into the history and the audit."""
        service = self._service
        fabric = service.fabric
        reason = f"{problem.where}: {problem.cause}" if problem.where else problem.cause
        fabric.events.add(Kind.FAULT, f"scheduled commit {row.id} of {row.user} was not applied: {reason}")
        service.audit.add(judged(self._audit(row), problem))
        if isinstance(problem, (ApplyFailed, StoreUnavailable)):
            return  # the commit wrote it already, or nothing can be written
        revision = Revision(fabric.running.revision + 1, row.user, row.at, row.comment)
        journal = await fabric.submit(fabric.store.begin_journal, revision, ())
        await fabric.submit(fabric.store.close_journal, journal, FAILED, f"scheduled commit {row.id}: {reason}")

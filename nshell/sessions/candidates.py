"""The private candidates, one per user, shared by that user's sessions and kept in the store at each edit.

A lost session or a restart loses nothing: `load` brings every kept candidate back. `turn` orders a user's own
sessions, so that a commit in one never takes half of a batch in the other. What may take long (`change`) is done on
a copy in steps: the loop goes on, everybody sees the candidate as it was, and an error or a client that hangs up
leaves it so.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from data.candidate import Candidate
from data.configuration import Edits
from data.errors import NshellError
from data.merge import Edit
from data.steps import spread

if TYPE_CHECKING:
    from controller.fabric import Fabric

T = TypeVar("T")


class UserCandidates:
    """All candidates of one daemon."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._held: dict[str, Candidate] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def load(self) -> None:
        """Bring back what the store has kept. Raises StoreUnavailable."""
        kept = await self._fabric.submit(self._fabric.store.load_candidates)
        for user, rows in kept.items():
            self._held[user] = Candidate(self._fabric.running, user, rows)

    def turn(self, user: str) -> asyncio.Lock:
        """The lock under which this user's candidate is changed or committed."""
        return self._turns[user]

    def find(self, user: str) -> Candidate | None:
        """The user's candidate if there is one yet."""
        return self._held.get(user)

    async def of(self, user: str) -> Candidate:
        """The user's candidate, made empty when there is none."""
        found = self._held.get(user)
        if found is None:
            found = self._held[user] = Candidate(self._fabric.running, user)
        return found

    async def save(self, user: str) -> None:
        """Keep what changed since the last save. Raises StoreUnavailable, with the candidate as it was then."""
        candidate = await self.of(user)
        rows = candidate.unsaved()
        if rows:
            try:
                await self._fabric.submit(self._fabric.store.save_candidate, user, rows)
            except NshellError:
                candidate.put_back()
                raise
            candidate.saved(rows)

    async def change(self, user: str, work: Callable[[Candidate], Awaitable[T]]) -> T:
        """Let `work` change a copy of the user's candidate; then the copy is kept and takes its place.

        Needs the user's turn. Raises what `work` raises, and StoreUnavailable, with the candidate as it was.
        """
        copy = await spread((await self.of(user)).copied())
        result = await work(copy)
        # Once the store has begun to keep the copy it must become the candidate, also when the client hangs up now.
        task = asyncio.create_task(self._replace(user, copy))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise
        return result

    async def _replace(self, user: str, copy: Candidate) -> None:
        rows = copy.unsaved()
        if rows:
            await self._fabric.submit(self._fabric.store.save_candidate, user, rows)
            copy.saved(rows)
        self._held[user] = copy

    async def restore(self, user: str, edits: Edits) -> None:
        """Make the user's candidate what it was when `edits` was taken from it, and keep that.

        Raises StoreUnavailable, with the candidate as it is.
        """
        now = (await self.of(user)).edits()
        running = self._fabric.running
        rows = {path: Edit(running.get(path), new) for path, new in edits.items()}
        changed = {
            path: rows.get(path) for path in {*now, *rows} if path not in rows or now.get(path) is not rows[path].new
        }
        await self._fabric.submit(self._fabric.store.save_candidate, user, changed)
        self._held[user] = Candidate(running, user, rows)

    def editors(self) -> Sequence[str]:
        """Users whose candidate differs from the running configuration."""
        return sorted(user for user, candidate in self._held.items() if candidate.differs)

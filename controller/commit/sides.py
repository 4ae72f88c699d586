"""What a commit changes beside switches: the neighbours of BGP, PE routers. Each is a Side with the same phases.

    plan      what `commit check` prints of it; nothing is touched (a PE may be asked for the difference)
    prepare   everything that can be refused is, before any switch changes
    commit    carried out, after the switches
    settle    the revision is in the store: nothing goes back any more
    discard   it was prepared and never carried out
    revert    it was carried out, or begun, and goes back

Sides are carried out in the order in which they were added, and go back the other way round. One that is away does not
fail a commit, as with hypervisors: its receipt is pending, and it catches up when it returns (`strict` makes it fail).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from controller.commit.plan import SidePlan
from controller.commit.planning import Draft
from controller.commit.receipts import Receipt

__all__ = ["PreparedSide", "Side", "Sides"]

log = logging.getLogger(__name__)


class PreparedSide(Protocol):
    """A change that one side has agreed to."""

    async def commit(self) -> Sequence[Receipt]:
        """Carries it out; a receipt for each neighbour or router. Raises ApplyFailed."""

    async def settle(self) -> None:
        """The revision is decided. Raises nothing: what cannot be settled now is told as an event and tried again."""

    async def discard(self) -> None:
        """Gives up what was prepared. Raises nothing."""

    async def revert(self) -> None:
        """Takes back what was carried out, in part or whole. Raises nothing: what cannot is an event, tried again."""


class Side(Protocol):
    """See the module. All of it holds the turn."""

    async def plan(self, made: Draft) -> Sequence[SidePlan]: ...

    async def prepare(self, made: Draft, strict: bool) -> PreparedSide | None:
        """None when the change does not concern this side. Raises ApplyFailed."""


@dataclass(slots=True)
class Sides:
    """All sides in one change. `begun` are those whose commit was called."""

    prepared: list[PreparedSide] = field(default_factory=list)
    begun: list[PreparedSide] = field(default_factory=list)

    async def prepare(self, sides: Sequence[Side], made: Draft, strict: bool) -> None:
        """All at once. Raises the first refusal, after the others have been told to discard."""
        results = await asyncio.gather(*(side.prepare(made, strict) for side in sides), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        self.prepared = [one for one in results if one is not None and not isinstance(one, BaseException)]
        if failures:
            await self.back()
            raise failures[0]

    async def commit(self) -> list[Receipt]:
        """One after the other. Raises ApplyFailed; `back` then takes back what was begun."""
        receipts: list[Receipt] = []
        for side in self.prepared:
            self.begun.append(side)
            receipts += await side.commit()
        return receipts

    async def settle(self) -> None:
        """The revision is decided. A mistake of one side is in the log, and no other's business."""
        for side in self.prepared:
            try:
                await side.settle()
            except Exception:
                log.exception("a side of a commit did not settle")

    async def back(self, report: Callable[[str], None] = lambda _: None) -> None:
        """The commit failed: everything as it was."""
        if self.begun:
            report("revert beside the switches")
        for side in reversed(self.prepared):
            try:
                await (side.revert() if side in self.begun else side.discard())
            except Exception:  # a mistake of ours: the others, and the switches, go back all the same
                log.exception("a side of a commit did not go back")
        self.prepared, self.begun = [], []

"""A tenant administrator's commit while somebody else's waits to be confirmed, or comes to wait while it queues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from controller.commit.commits import Outcome
from controller.commit.receipts import Kept, Receipt
from controller.topology import Interface
from data.access import Access
from data.configuration import Edits
from data.errors import CommandFailed
from data.path import Path
from data.store import HistoryEntry
from nshell.sessions.confined import BEYOND, ConfinedFabric, FormerTenants
from tests.unit.shell.pretend import PretendFabric, running

TINA = Access("tina", "acme-admin", frozenset(("configure", "commit")), frozenset(("acme",)))


class Queue(PretendFabric):
    """A fabric in which another commit is before ours; `before` is what it leaves waiting, and whose."""

    def __init__(self, before: tuple[int, str] | None) -> None:
        super().__init__(running())
        self.topology.restore([Interface("hv1", "tap1", "acme/prod/web-1", 1, 0.0, 1)])
        self.waiting_author: str | None = None
        self.before = before
        self.confirmed: list[int] = []

    async def commit(self, edits: Edits, *, again: Callable[[], Edits], **how: Any) -> Outcome:
        if self.before is not None:
            self.waiting, self.waiting_author = (self.before[0], 0.0), self.before[1]  # type: ignore[assignment]
        again()
        kept = [Receipt(part, Kept.VERIFIED) for part in (*self.topology.hypervisors, "bgp-neighbor pe1", "pe pe1")]
        return Outcome(7, tuple(kept))

    async def confirm(self, author: str, revision: int) -> int:
        self.confirmed.append(revision)
        return revision


def confined(before: tuple[int, str] | None) -> tuple[Queue, ConfinedFabric]:
    fabric = Queue(before)
    return fabric, ConfinedFabric(cast(Any, fabric), TINA)


async def test_a_commit_that_queued_behind_a_confirmed_one_of_somebody_else_does_not_confirm_it() -> None:
    _, mine = confined((7, "root"))
    with pytest.raises(CommandFailed, match="revision 7 waits"):
        await mine.commit({})
    assert not mine.waits_for("tina")
    with pytest.raises(CommandFailed):
        await mine.confirm("tina", 7)


async def test_the_own_commit_is_confirmed() -> None:
    fabric, mine = confined((7, "tina"))
    outcome = await mine.commit({}, again=dict)
    assert [receipt.part for receipt in outcome.receipts] == ["hv1"], "of those that host own vports"
    assert mine.waits_for("tina") and await mine.confirm("tina", 7) == 7 and fabric.confirmed == [7]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("hv1 was lost", "hv1 was lost"),
        ("hv1, hv2 cannot be programmed now", BEYOND),
        ("hv2 was lost", BEYOND),
        ("bgp-neighbor rr1 is away", BEYOND),
        ("rr1 cannot be told now", BEYOND),
        ("hv9 was lost", BEYOND),
        ("", ""),
    ],
)
async def test_why_an_own_commit_failed_is_told_of_own_hypervisors_alone(reason: str, told: str) -> None:
    fabric, mine = confined(None)

    async def history(limit: int, number: int | None = None) -> list[HistoryEntry]:
        return [HistoryEntry(7, "tina", 0.0, "own", "failed", reason, ())]

    async def difference(first: int, second: int) -> dict[Path, Any]:
        return {}

    async def lives(path: Path) -> list[tuple[str, int, int | None]]:
        return []

    fabric.history, fabric.difference, fabric.lives = history, difference, lives  # type: ignore[attr-defined,assignment,method-assign]
    (entry,) = await mine.history(1)
    assert (entry.reason, entry.comment) == (told, "own")


def test_what_another_tenant_had_under_the_name_is_left_out_of_each_side() -> None:
    whose = FormerTenants({"acme": [(2, 5)]})
    path, other = ("enterprise", "acme", "domain", "prod"), ("dvrs", "hv1")
    item = running().get(path)
    assert [whose.had(path, number) for number in (1, 2, 4, 5)] == [False, True, True, False]
    assert not whose.had(other, 3)
    assert whose.without({path: (item, None)}, 4, 5) == {}
    assert whose.without({path: (None, item), other: (None, item)}, 4, 5) == {path: (None, item), other: (None, item)}

"""All or nothing over many switches and the store: the apply and revert phases of a commit.

The four phases have the same names everywhere (store, Open vSwitch, BGP, PE):

    candidate ──check──> valid? ──plan──> Plan ──apply──> receipts ──> revision in the store
    rules, pure          State.changed     │ 1 journal row, bundles filled on every ready hypervisor
                         compile_change    │   what is beside the switches prepared (sides.py)
                                           │ 2 bundles carried out, receivers before senders, behind barriers
                                           │ 3 BGP, then PE routers
                                           │ 4 store.commit: the decision point
                                           └── any refusal ──revert──> discarded, or carried out in reverse

The store's revision row decides: a process that dies before it is written comes back with the old revision and the
reconcile returns every switch to it; one that dies after it makes every switch new. A hypervisor that is away, or is
lost on the way, does not fail a commit (`strict` makes it fail): its receipt is pending, and the reconcile after its
return settles it.

`apply` knows nothing of configurations: it takes the flow-mods there and back, and a function that decides. The check
and plan phases are in `planning.py`; `commits.py` puts the four together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from controller.commit.receipts import Kept, Receipt
from controller.hypervisors.channel import Channel, Prepared
from controller.openflow.errors import OpenFlowError, SwitchGone
from data.errors import ApplyFailed

__all__ = ["Applied", "Beside", "Rank", "Work", "apply", "prepare", "revert"]


class Rank(IntEnum):
    """The order among hypervisors in which a change is carried out: who receives before who sends."""

    RECEIVES = 0  # a vport arrives here
    BETWEEN = 1
    RELEASES = 2  # vports only leave


@dataclass(frozen=True, slots=True)
class Work:
    """One hypervisor's part of a change: ordered flow-mods and meter-mods, and how many add and remove.

    One that the change itself `admits` cannot be ready before it, and is not missed by a strict commit.
    """

    channel: Channel
    messages: Sequence[bytes]
    added: int = 0
    removed: int = 0
    rank: Rank = Rank.BETWEEN
    admits: bool = False


@dataclass(slots=True)
class Applied:
    """How far an apply got: who carried it out, in order, and what is known of everybody."""

    done: list[Work] = field(default_factory=list)
    receipts: dict[str, Receipt] = field(default_factory=dict)

    def note(self, work: Work, state: Kept, milliseconds: float = 0.0, reason: str = "") -> None:
        self.receipts[work.channel.name] = Receipt(
            work.channel.name, state, work.added, work.removed, milliseconds, reason
        )


REMEDY = "nothing was applied and your candidate is kept; 'show dvrs' and 'show events' say more"
Decide = Callable[[tuple[Receipt, ...]], Awaitable[None]]
Report = Callable[[str], None]


class Beside(Protocol):
    """What else changes with the switches (`sides.py`)."""

    async def commit(self) -> Sequence[Receipt]:
        """Raises ApplyFailed."""

    async def back(self, report: Report) -> None:
        """Raises nothing."""


def silent(_: str) -> None:
    """For callers that want no progress lines."""


async def apply(
    work: Sequence[Work],
    backward: Callable[[], Awaitable[Mapping[str, Sequence[bytes]]]],
    decide: Decide,
    *,
    journal: Callable[[], Awaitable[None]],
    strict: bool = False,
    report: Report = silent,
    stranded: Callable[[Channel, str], None],
    beside: Beside | None = None,
) -> tuple[Receipt, ...]:
    """Carries `work` out everywhere or nowhere, and what is `beside` it, which has been prepared, after the switches.

    `backward` gives the flow-mods that undo it, asked for only when they are needed; `journal` writes the row that
    says what is under way, and runs while bundles are filled; `decide` makes the change the truth (the store's
    commit). A hypervisor on which not even the revert can be carried out is handed to `stranded`.

    Raises ApplyFailed naming the hypervisor and the cause, or what `decide` raised, after everything is back.
    """
    state = Applied()
    if strict:
        absent = [item.channel.name for item in work if not item.channel.ready and not item.admits]
        if absent:
            raise ApplyFailed(
                f"dvrs {absent[0]}", f"{', '.join(absent)} cannot be programmed now and the commit is strict",
                "wait until it is ready (show dvrs), or commit without 'strict'",
            )  # fmt: skip
    for item in work:
        if not item.channel.ready:
            state.note(item, Kept.PENDING, reason="it has not connected yet" if item.admits else "not ready")
    prepared = await prepare([item for item in work if item.channel.ready], state, journal, strict)
    report(f"prepared on {len(prepared)} of {len(work)} hypervisors")
    try:
        for rank in Rank:
            await _commit([(item, ready) for item, ready in prepared if item.rank == rank], state, strict)
        receipts = tuple(state.receipts[item.channel.name] for item in work)
        if beside is not None:
            receipts += tuple(await beside.commit())
        await decide(receipts)
        return receipts
    except BaseException:
        if beside is not None:
            await beside.back(report)
        left = [ready for item, ready in prepared if item.channel.name not in state.receipts]
        await asyncio.gather(*(ready.discard() for ready in left))
        if state.done:
            report(f"revert on {len(state.done)} hypervisors")
            await revert(state.done, await backward(), stranded)
        raise


async def prepare(
    work: Sequence[Work], state: Applied, journal: Callable[[], Awaitable[None]], strict: bool
) -> list[tuple[Work, Prepared]]:
    """Fills a bundle on every hypervisor at once, and writes the journal meanwhile.

    Raises ApplyFailed when one of them refuses (or, when strict, is lost), or what `journal` raised, after the others
    have been told to discard theirs. One that is lost is noted as pending.
    """
    journalled, *results = await asyncio.gather(
        journal(), *(item.channel.prepare(item.messages) for item in work), return_exceptions=True
    )
    prepared: list[tuple[Work, Prepared]] = []
    failure: BaseException | None = journalled if isinstance(journalled, BaseException) else None
    for item, result in zip(work, results, strict=True):
        if isinstance(result, Prepared):
            prepared.append((item, result))
        elif isinstance(result, SwitchGone) and not strict:
            state.note(item, Kept.PENDING, reason=str(result))
        elif isinstance(result, BaseException):
            failure = failure or _failure(item, result)
    if failure is not None:
        await asyncio.gather(*(ready.discard() for _, ready in prepared))
        raise failure
    return prepared


async def _commit(prepared: Sequence[tuple[Work, Prepared]], state: Applied, strict: bool) -> None:
    """Carries the bundles of one rank out. Raises ApplyFailed; `state.done` says who has changed."""
    results = await asyncio.gather(*(ready.commit() for _, ready in prepared), return_exceptions=True)
    failure: BaseException | None = None
    for (item, _), result in zip(prepared, results, strict=True):
        if isinstance(result, float):
            state.done.append(item)
            state.note(item, Kept.VERIFIED, result)
        elif isinstance(result, SwitchGone) and not strict:
            state.note(item, Kept.PENDING, reason=str(result))
        elif isinstance(result, BaseException):
            failure = failure or _failure(item, result)
            state.done.append(item)  # what was refused may be the barrier alone; undoing too much does no harm
            state.note(item, Kept.FAILED, reason=str(result))
    if failure is not None:
        raise failure


async def revert(
    done: Sequence[Work], backward: Mapping[str, Sequence[bytes]], stranded: Callable[[Channel, str], None]
) -> None:
    """Takes the change back where it was carried out, senders before receivers.

    Whoever cannot take it back is handed to `stranded`: a reconcile will find what differs.
    """
    for rank in reversed(Rank):
        group = [item for item in done if item.rank == rank and item.channel.switch is not None]
        results = await asyncio.gather(
            *(item.channel.push(backward.get(item.channel.name, ())) for item in group), return_exceptions=True
        )
        for item, result in zip(group, results, strict=True):
            if isinstance(result, BaseException):
                stranded(item.channel, str(result))


def _failure(work: Work, cause: BaseException) -> BaseException:
    if not isinstance(cause, OpenFlowError):
        return cause
    name = work.channel.name
    how = "was lost" if isinstance(cause, SwitchGone) else "refused the change"
    return ApplyFailed(f"dvrs {name}", f"{name} {how}: {cause}", REMEDY)

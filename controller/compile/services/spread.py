"""Several share flows: a hash puts each flow into one of SPREAD_SLOTS slots, and slots are dealt to those who serve.

Everything stays flows: `pick` is the action that hashes into Register.PATH, and the next table has flows that match it
(`flows`), neighbouring slots of one owner under one mask. Used by static routes, redirection targets, load balancers.

Who has a slot depends on the members and on who of them is alive, and on nothing that happened before: every hypervisor
and every restart deals alike. Each slot has an order of preference among the members, and belongs to the first one
alive. So a death moves the slots of the dead alone, and a return only brings back what was the returned one's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple, TypeVar
from zlib import crc32

from controller.openflow import actions, match
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import SPREAD_SLOTS, Register, Table

__all__ = ["Basis", "Way", "deal", "flows", "pick", "pieces", "shares"]

Member = TypeVar("Member", bound=Hashable)


class Basis(IntEnum):
    """Where a hash begins. Each use has its own: who is one of two backends must not thereby be on one of two paths."""

    ROUTE = 0x6E01
    REDIRECT = 0x6E02
    BALANCE = 0x6E03


def deal(members: Sequence[tuple[Member, int]], alive: Collection[Member]) -> list[Member | None]:
    """Who has each of the SPREAD_SLOTS slots, of (member, weight) in this order; None everywhere when nobody is alive.

    While all are alive everybody has the share of his weight, rounded to whole slots by the largest remainder. The
    slots of one that is dead are dealt to the others in the same proportion. Weight 0 gets none.
    """
    weighted = [(member, weight) for member, weight in members if weight > 0]
    dealt: list[Member | None] = [None] * SPREAD_SLOTS
    if all(member not in alive for member, _ in weighted):
        return dealt
    runs = [(0, _quotas([weight for _, weight in weighted]), weighted)]
    while runs:
        first, quotas, among = runs.pop()
        for nth, ((member, _), quota) in enumerate(zip(among, quotas, strict=True)):
            if quota and member in alive:
                dealt[first : first + quota] = [member] * quota
            elif quota:
                # The offset depends on the place alone: rounding would otherwise prefer the same member each time.
                others = [*among[:nth], *among[nth + 1 :]]
                seed = crc32(b"%d %d %d" % (first, len(among), nth))
                runs.append((first, _split(quota, [weight for _, weight in others], seed), others))
            first += quota
    return dealt


def _quotas(weights: Sequence[int]) -> list[int]:
    """Whole slots in proportion to the weights, the largest remainders rounded up, of equal ones the first."""
    total = sum(weights)
    quotas = [SPREAD_SLOTS * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda nth: -(SPREAD_SLOTS * weights[nth] % total))
    for nth in by_remainder[: SPREAD_SLOTS - sum(quotas)]:
        quotas[nth] += 1
    return quotas


def _split(count: int, weights: Sequence[int], seed: int) -> list[int]:
    """`count` whole slots by systematic sampling: each gets its share rounded up or down, in the mean exactly."""
    bounds, total = list(accumulate(weights)), sum(weights)
    quotas = [0] * len(weights)
    for nth in range(count):
        point = ((nth << 32) + seed) * total // (count << 32)
        quotas[bisect_right(bounds, point)] += 1
    return quotas


def shares(dealt: Sequence[Member | None]) -> dict[Member, int]:
    """How many slots each one has; who has none is left out."""
    held: dict[Member, int] = {}
    for member in dealt:
        if member is not None:
            held[member] = held.get(member, 0) + 1
    return held


def pick(basis: Basis, fields: int = actions.SYMMETRIC_L3L4_UDP) -> Action:
    """Hashes the packet's flow (or with NW_SRC its source alone) into a slot, in Register.PATH.

    Both directions of a connection, and every packet of it, get the same slot on every hypervisor.
    """
    return actions.multipath(fields, basis, actions.MODULO_N, SPREAD_SLOTS, Register.PATH)


def pieces(dealt: Sequence[Member | None]) -> Iterator[tuple[int, int, Member | None]]:
    """(value, mask, owner) of the slots: runs of one owner in blocks whose sizes are powers of two."""
    at = 0
    while at < len(dealt):
        size = 1
        while at % (size * 2) == 0 and all(owner == dealt[at] for owner in dealt[at : at + size * 2]):
            if at + size * 2 > len(dealt):
                break
            size *= 2
        yield at, 0xFFFFFFFF ^ (size - 1), dealt[at]
        at += size


class Way(NamedTuple):
    """What happens to the packets of a slot: the flow's cookie, its actions and the table to go on in."""

    cookie: int
    actions: Sequence[Action]
    goto: Table | None


def flows(
    table: Table,
    priority: int,
    matches: Sequence[Match],
    dealt: Sequence[Member | None],
    way: Callable[[Member], Way],
) -> Iterator[bytes]:
    """The flows by which what `pick` chose is done; 1 to SPREAD_SLOTS of them, none for slots that nobody has."""
    for value, mask, owner in pieces(dealt):
        if owner is not None:
            found = way(owner)
            slot = match.reg(Register.PATH, value, mask)
            yield flow(table, priority, found.cookie, [*matches, slot], found.actions, found.goto)

"""BGP in a commit: neighbours are told with the switches, after them, and take it back with them.

A neighbour that is away is told everything when it is back; until then its receipt is pending. What a commit changes
of the neighbours themselves (an address, a password, one more) is the speaker's at once, and its own again when the
commit fails: sessions whose neighbour is as before stay up all the while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from controller.bgp.peers import FOLLOWED, listened, peers
from controller.bgp.rib.outcome import Outcome
from controller.bgp.rib.settings import Settings, settings_of
from controller.bgp.routes import Route
from controller.bgp.service import Bgp
from controller.bgp.speaker.backend import Peer, SpeakerGone
from controller.bgp.words import told_lines
from controller.commit.plan import SidePlan
from controller.commit.planning import Draft
from controller.commit.receipts import Kept, Receipt
from controller.commit.sides import PreparedSide
from data.errors import ApplyFailed, NshellError
from data.steps import spread

__all__ = ["ANSWER", "BgpSide"]

ANSWER = 30.0
"""Seconds in which the speaker must have taken what a commit tells neighbours; 100,000 routes take it about 5."""
_LINES = 200  # of the routes of one neighbour that `commit check` names
_REMEDY = "nothing was applied and your candidate is kept; 'show bgp summary' and 'show events' say more"


class BgpSide:
    """See the module."""

    def __init__(self, bgp: Bgp) -> None:
        self._bgp = bgp

    async def plan(self, made: Draft) -> Sequence[SidePlan]:
        """What each neighbour would be told. A neighbour that comes, goes or changes is named as such."""
        bgp = self._bgp
        if not bgp.rib.settings.neighbours and not _concerns(made):
            return []
        told = await self._preview(made)
        after = {peer.name: peer for peer in peers(made.new.view)}
        plans = []
        for name in sorted({*bgp.sessions.peers, *after}):
            announced, withdrawn = told.get(name, ([], []))
            peer = _of_peer(bgp.sessions.peers.get(name), after.get(name), len(bgp.rib.inbound.tables.get(name, ())))
            lines = [peer, *told_lines(announced, withdrawn, _LINES)]
            state = "" if bgp.established(name) or name not in after else "down: told everything when it is up"
            plans.append(
                SidePlan(
                    f"bgp-neighbor {name}", state, tuple(line for line in lines if line), len(announced), len(withdrawn)
                )
            )
        return plans

    async def prepare(self, made: Draft, strict: bool) -> PreparedSide | None:
        """Refuses when the commit is strict and a neighbour is away."""
        bgp = self._bgp
        after = peers(made.new.view) if _concerns(made) else list(bgp.sessions.peers.values())
        if not after and not bgp.sessions.peers:
            return None
        if strict:
            away = [peer.name for peer in after if peer.name in bgp.sessions.peers and not bgp.established(peer.name)]
            if away:
                raise ApplyFailed(
                    f"bgp-neighbor {away[0]}", f"{', '.join(away)} cannot be told now and the commit is strict",
                    "wait until the session is established (show bgp summary), or commit without 'strict'",
                )  # fmt: skip
        told = await self._preview(made)
        return _Prepared(bgp, made, after, {name for name, routes in told.items() if any(routes)}, strict)

    async def _preview(self, made: Draft) -> dict[str, tuple[list[Route], list[Route]]]:
        """Comes to its end also when who asked is gone (Ctrl-C in a `commit check`): only then is the rib as before."""

        async def look() -> dict[str, tuple[list[Route], list[Route]]]:
            async with self._bgp.deciding:
                await self._bgp.catch_up()
                return await spread(self._bgp.rib.preview(made.old, made.new, made.edits, made.moved.keys()))

        return await asyncio.shield(asyncio.create_task(look(), name="bgp preview"))


@dataclass(slots=True)
class _Told:
    """How far it got: what was configured, and what was decided."""

    configured: bool = False
    decided: bool = False


class _Prepared:
    """One commit's part."""

    def __init__(self, bgp: Bgp, made: Draft, after: Sequence[Peer], concerned: set[str], strict: bool) -> None:
        self._bgp = bgp
        self._made = made
        self._strict = strict
        self._concerned = concerned  # neighbours that are told something, or would be if they were there
        self._before = list(bgp.sessions.peers.values())
        self._after = list(after)
        self._settings: Settings = bgp.rib.settings
        self._port = listened(made.old.view)
        self._got = _Told()

    async def commit(self) -> Sequence[Receipt]:
        """Tells the speaker and, by it, neighbours. Raises ApplyFailed."""
        bgp, started, lost = self._bgp, time.perf_counter(), ""
        known = {name for name in bgp.sessions.peers if bgp.established(name)}
        async with bgp.deciding:
            await bgp.catch_up()
            if self._after != self._before or listened(self._made.new.view) != self._port:
                self._got.configured = True
                lost = await self._speak(self._after, listened(self._made.new.view))
            self._got.decided = True
            outcomes = await self._decide(forward=True)
            waiting = [bgp.carry(outcome) for outcome in outcomes]
        bgp.carried(self._made)
        problem, gone = await _answered([each for each in waiting if each is not None])
        gone = gone or lost
        if gone and self._strict:
            problem = gone
        if problem:
            raise ApplyFailed("bgp", f"the speaker did not take what neighbours are to be told: {problem}", _REMEDY)
        known = set() if gone else known  # its sessions went with the speaker: they are told everything anew
        return list(self._receipts(outcomes, known, (time.perf_counter() - started) * 1000))

    async def _speak(self, some: list[Peer], port: int) -> str:
        """How the speaker went, if it did: it is started again with these neighbours."""
        try:
            await self._bgp.sessions.speak(some, port)
        except NshellError as problem:
            raise ApplyFailed("bgp", problem.cause, _REMEDY) from problem
        except SpeakerGone as gone:
            return str(gone)
        return ""

    async def _decide(self, *, forward: bool) -> list[Outcome]:
        bgp, made = self._bgp, self._made
        settings = settings_of(made.new.view) if forward else self._settings
        first = await spread(bgp.rib.configure(settings))
        if forward:
            steps = bgp.rib.compiled(made.old, made.new, made.edits, made.moved.keys(), made.observed)
        else:
            steps = bgp.rib.compiled(made.new, made.old, made.edits, made.moved.keys(), made.observed)
        return [first, await spread(steps)]

    def _receipts(self, outcomes: Sequence[Outcome], known: set[str], milliseconds: float) -> Sequence[Receipt]:
        found = []
        before = {peer.name: peer for peer in self._before}
        for peer in self._after:
            if peer.listens_only:
                continue
            added = sum(len(said.routes) for each in outcomes for said in each.announce if peer.name in said.peers)
            removed = sum(len(gone.routes) for each in outcomes for gone in each.withdraw if peer.name in gone.peers)
            same = before.get(peer.name) == peer
            if peer.name in known and same:
                if added or removed:
                    name = f"bgp-neighbor {peer.name}"
                    found.append(Receipt(name, Kept.VERIFIED, added, removed, milliseconds))
            elif not same or peer.name in self._concerned:
                reason = "its session is not established; it is told everything when it is"
                found.append(Receipt(f"bgp-neighbor {peer.name}", Kept.PENDING, 0, 0, 0.0, reason))
        return found

    async def settle(self) -> None:
        """Nothing is left open."""

    async def discard(self) -> None:
        """Nothing was prepared anywhere."""

    async def revert(self) -> None:
        """Tells neighbours what they were told before."""
        bgp = self._bgp
        bgp.carried(None)
        async with bgp.deciding:
            if self._got.decided:
                for outcome in await self._decide(forward=False):
                    bgp.carry(outcome)
            if self._got.configured:
                with suppress(NshellError, SpeakerGone):  # the speaker begins with these when it is there again
                    await bgp.sessions.speak(self._before, self._port)


async def _answered(waiting: Sequence[asyncio.Future[None]]) -> tuple[str, str]:
    """What was wrong, and how the speaker went; nothing of both when all of it is with the speaker."""
    try:
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), ANSWER)
    except TimeoutError:
        return f"no answer within {ANSWER:.0f} s", ""
    problems = [str(one) for one in results if isinstance(one, BaseException) and not isinstance(one, SpeakerGone)]
    gone = [str(one) for one in results if isinstance(one, SpeakerGone)]
    return next(iter(problems), ""), next(iter(gone), "")


def _concerns(made: Draft) -> bool:
    return any(path[0] in FOLLOWED for path in made.edits)


def _of_peer(before: Peer | None, after: Peer | None, learned: int) -> str:
    if before == after:
        return ""
    if before is None:
        return f"+ neighbor {after.address}" if after else ""
    if after is None:
        routes = f", and with it {learned} route{'s' * (learned != 1)} that it told" if learned else ""
        return f"- neighbor {before.address}, which keeps nothing of ours{routes}"
    return "~ another configuration: its session begins anew"

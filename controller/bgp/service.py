"""BGP as the controller runs it: joins the speaker, the decisions (rib/), the fabric and the commits.

    speaker ──events──> queue ──┐                       ┌──> upkeep.observe   facts: flows follow
    topology ──drafts─> queue ──┼──> Rib ──> Outcome ───┼──> outbox ──> speaker, in order
    underlay, time ───> queue ──┘     ^                 ├──> underlay, events
    commits ──> side.py ──────────────┘                 └──> receipts

One task takes from the queue, so the rib sees one thing after the other; a commit waits for its turn among them. It
gives way to the loop between pieces, so that keepalives of switches are never late, whatever a peer sends.

Read next: inbox.py (what the speaker said), sessions.py (whom it speaks with), outbox.py (what it is to say),
underlay.py, clock.py, bfd.py and side.py (a commit's part).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from controller.bgp.bfd import Bfd, watched
from controller.bgp.clock import Clock
from controller.bgp.inbox import Inbox
from controller.bgp.kept import Kept
from controller.bgp.outbox import Outbox
from controller.bgp.peers import FOLLOWED, listened, peers
from controller.bgp.rib.outcome import Outcome
from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import settings_of
from controller.bgp.rib.views import Views
from controller.bgp.sessions import Sessions
from controller.bgp.speaker.backend import Down, Event, Fault, Speaker, SpeakerGone, Up
from controller.bgp.underlay import Listened, NextHops
from controller.commit.planning import Draft
from controller.compile import Observed
from controller.compile.remote import RemoteKey
from controller.events import Kind, Severity
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network
from controller.underlay.service import Underlay
from data.addresses import Ip
from data.errors import CommandFailed
from data.steps import spread

__all__ = ["Bgp"]

Submit = Callable[..., Awaitable[object]]


class Bgp:
    """See the module. Life: `start`, `stop`. `clock` never goes back; `submit` runs work in the writer thread."""

    def __init__(
        self,
        network: Network,
        upkeep: Upkeep,
        underlay: Underlay,
        kept: Kept,
        submit: Submit,
        settled: Callable[[str, int, int, float], Awaitable[None]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._network = network
        self._upkeep = upkeep
        self._underlay = underlay
        self._kept = kept
        self._submit = submit
        self._settled = settled
        self._clock = Clock(clock)
        self.rib = Rib(underlay, clock)
        self.views = Views(self.rib, underlay)
        self._outbox = Outbox(lambda problem: network.events.add(Kind.FAULT, f"bgp: {problem}"))
        self.sessions = Sessions(self._heard, lambda: self.rib.inbound, self._outbox, kept.left)
        self.bfd = Bfd(self._path_lost, network.events.add, clock=clock)
        self._next_hops = NextHops(underlay)
        self._listened = Listened(underlay)
        self._inbox = Inbox(self.sessions.hold)
        self._drafts: deque[Draft] = deque()
        self._hops: set[Ip] = set()
        self._answered: dict[RemoteKey, tuple[Ip, ...]] = {}
        self._due = asyncio.Event()
        self.deciding = asyncio.Lock()
        self._carried: Draft | None = None  # of the commit that is under way: its listener must not decide again
        self._unkept = False

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads what was kept, decides what there is to tell, and begins to speak if anybody is configured."""
        numbers = await self._submit(self._kept.load)
        assert isinstance(numbers, dict)
        self.rib = Rib(self._underlay, self._clock.now, numbers)
        self.views = Views(self.rib, self._underlay)
        self._network.on_change.append(self._changed)
        self._underlay.on_change(self._weighed)
        view = self._network.running
        async with self.deciding:
            self.carry(await spread(self.rib.configure(settings_of(view))))
            recalled = dict(self._network.state.placement.all_remote())
            self.rib.recall(recalled)
            # What is told again as it was is no change, and still to be watched.
            self._next_hops.follow(recalled.items(), self.rib.loc.by_next_hop)
            self.carry(await spread(self.rib.whole(self._network.state)))
        self._upkeep.spawn(self._work(), "bgp", lasting=True)
        self._upkeep.spawn(self._outbox.run(), "bgp outbox", lasting=True)
        self._upkeep.spawn(self._time(), "bgp clock", lasting=True)
        self.bfd.configure(watched(view))
        self._upkeep.spawn(self.bfd.run(), "bfd", lasting=True)
        await self._begin()

    async def _begin(self) -> None:
        """Speaks, if anybody is configured. A port that is taken, or a speaker that does not start or dies at once,
        keeps the controller from nothing: the clock tries again."""
        view = self._network.running
        try:
            await self.sessions.speak(peers(view), listened(view))
        except CommandFailed as problem:
            self._network.events.once(Kind.FAULT, "bgp", problem.cause, f"bgp: {problem.cause}")
        except SpeakerGone:
            return  # it is started again by itself, with these neighbours
        else:
            self._network.events.settled("bgp")

    async def stop(self) -> None:
        """Ends the sessions so that neighbours keep our routes while we are away (RFC 4724)."""
        await self.sessions.stop()

    @property
    def speaker(self) -> Speaker:
        """What keeps the sessions now; another one after all neighbours were away."""
        return self.sessions.speaker

    @property
    def speaking(self) -> bool:
        """Whether there is a speaker process, or should be."""
        return self.sessions.running

    def established(self, name: str) -> bool:
        """Whether the session with a neighbour is up."""
        table = self.rib.inbound.tables.get(name)
        return table is not None and table.up

    # What operators ask -------------------------------------------------------------------------------------

    def epoch(self, clock: float) -> float:
        """A time of the views in seconds since 1970."""
        return self._clock.epoch(clock)

    async def reset(self, name: str) -> None:
        """Begins a session anew, also one that was left alone for what it told. Raises CommandFailed."""
        await self.sessions.reset(name)

    async def unfreeze(self) -> int:
        """Lets all duplicate addresses move again; how many they were."""
        async with self.deciding:
            found = [self.rib.unfreeze(key) for key, _ in list(self.rib.mobility.frozen())]
            for outcome in found:
                if outcome is not None:
                    self.carry(outcome)
        return sum(outcome is not None for outcome in found)

    # What happens -------------------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        self._inbox.put(event)
        self._due.set()

    def _changed(self, made: Draft) -> None:
        """A change of the fabric is installed; that of a commit has been decided already, by its side."""
        if any(path[0] in FOLLOWED for path in made.edits):
            self.bfd.configure(watched(made.new.view))
        if made is self._carried:
            self._carried = None
            return
        self._drafts.append(made)
        self._due.set()

    def carried(self, made: Draft | None) -> None:
        """The commit of this draft has been decided by its side; None: it failed."""
        self._carried = made

    def _path_lost(self, name: str, reason: str) -> None:
        """BFD says that packets do not reach a neighbour: its session ends now, and what it told is dropped."""
        self._heard(Down(name, reason, graceful=False))
        self._upkeep.spawn(self.sessions.end(name, reason), f"reset of {name}")

    def _weighed(self, hops: frozenset[Ip]) -> None:
        self._hops |= hops
        self._due.set()

    def answered(self, addresses: Mapping[RemoteKey, tuple[Ip, ...]]) -> None:
        """Machines elsewhere answered for exactly these addresses each (`controller/edge/beyond.py`)."""
        self._answered.update(addresses)
        self._due.set()

    async def _time(self) -> None:
        while True:
            await self._clock.until(lambda: self.rib.deadline)
            async with self.deciding:
                self.carry(await spread(self.rib.tick()))
                if self.sessions.peers and not self.sessions.running:
                    await self._begin()
            if self._unkept:
                await self._save()

    async def _work(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            async with self.deciding:
                await self.catch_up()
            await self._keep()

    async def catch_up(self) -> None:
        """Decides all that has happened until now; the lock is held."""
        while self._drafts or self._inbox or self._hops or self._answered:
            if self._drafts:
                await self._follow(self._drafts.popleft())
            elif self._hops:
                hops, self._hops = self._hops, set()
                self.carry(await spread(self.rib.underlay(hops)))
            elif self._answered:
                addresses, self._answered = self._answered, {}
                self.carry(await spread(self.rib.answered(addresses)))
            else:
                await self._take()
            await asyncio.sleep(0)

    async def _follow(self, made: Draft) -> None:
        if any(path[0] in ("controller", "dvrs") for path in made.edits):
            self.carry(await spread(self.rib.configure(settings_of(made.new.view))))
        self.carry(await spread(self.rib.compiled(made.old, made.new, made.edits, made.moved.keys(), made.observed)))

    async def _take(self) -> None:
        """One piece of what the speaker said."""
        piece = self._inbox.piece()
        outcome = await spread(self.rib.take(piece))
        for event in piece:
            self._listened.tell(event, self.rib.settings.neighbours)
        done = self.carry(outcome)
        for event in piece:
            if isinstance(event, Up) and event.peer in self.sessions.peers:
                self._upkeep.spawn(self._caught_up(event.peer, outcome, done), f"receipts of {event.peer}")
            elif isinstance(event, Fault):
                kind = Kind.BGP if event.alive else Kind.FAULT
                self._network.events.add(kind, f"bgp speaker: {event.reason}")

    async def _caught_up(self, name: str, outcome: Outcome, done: asyncio.Future[None] | None) -> None:
        """A neighbour that was away has been told everything: receipts that wait for it are settled."""
        if done is not None:
            results = await asyncio.gather(done, return_exceptions=True)
            if isinstance(results[0], BaseException):
                return
        told = sum(len(said.routes) for said in outcome.announce if name in said.peers)
        async with self._network.turn:  # a commit that is under way may yet note that it waits for this neighbour
            if self.established(name):
                await self._settled(f"bgp-neighbor {name}", told, 0, 0.0)

    # What follows -------------------------------------------------------------------------------------------

    def carry(self, outcome: Outcome) -> asyncio.Future[None] | None:
        """An outcome to where it belongs; the future is done when neighbours have been told."""
        if outcome.remote:
            self._next_hops.follow(outcome.remote.items(), self.rib.loc.by_next_hop)
            self._upkeep.observe(Observed(remote=outcome.remote))
        for text in outcome.told:
            self._tell(text)
        if outcome.told or outcome.reset:
            self._clock.sooner()
        done = self._outbox.say(self.sessions.speaker, outcome) if self.sessions.running else None
        if outcome.told or outcome.reset or self.sessions.incomplete:
            self.sessions.look_again()
        return done

    def _tell(self, text: str) -> None:
        """One of the sentences of `rib/`, which begin with the neighbour that they are about, if there is one."""
        head, _, what = text.partition(": ")
        keyword, _, name = head.partition(" ")
        about = (keyword, name) if keyword == "bgp-neighbor" else None
        if what.startswith("down "):
            severity, state = Severity.ERROR, "down"
        elif what in ("session established", "may come back"):
            severity, state = Severity.NOTICE, "up" if what.startswith("session") else "calm"
        else:
            severity, state = Severity.WARNING, ""
        facts = {"neighbor": name, "state": state} if about and state else {}
        self._network.events.add(Kind.BGP, text, severity=severity, about=about, facts=facts)

    async def _keep(self) -> None:
        """Sequence numbers that changed, to the file."""
        if self.rib.mobility.changes():
            self._unkept = True
            await self._save()

    async def _save(self) -> None:
        """What could not be written is tried again with the clock: a disk is not full for ever."""
        try:
            await self._submit(self._kept.save, self.rib.mobility.kept())
            self._unkept = False
        except OSError as problem:
            self._network.events.add(Kind.FAULT, f"mobility of addresses is not kept: {problem}")

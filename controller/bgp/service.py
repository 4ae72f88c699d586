"""BGP as the controller runs it: joins the speaker, the decisions (rib/), the fabric and the commits.

    speaker ──events──> queue ──┐                       ┌──> upkeep.observe   facts: flows follow
    topology ──drafts─> queue ──┼──> Rib ──> Outcome ───┼──> outbox ──> speaker, in order
    underlay, time ───> queue ──┘     ^                 ├──> underlay, events
    commits ──> side.py ──────────────┘                 └──> receipts

One task takes from the queue, so the rib sees one thing after the other; a commit waits for its turn among them. It
gives way to the loop between pieces, so that keepalives of switches are never late, whatever a peer sends; with more in
the queue than AHEAD the speaker reads no peer until that is decided.

A neighbour that is left alone (it told too much, its session flaps) is not the speaker's until its time is over: it is
neither dialled nor answered.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic, time

from controller.bgp.bfd import Bfd, watched
from controller.bgp.kept import Kept
from controller.bgp.outbox import Outbox
from controller.bgp.peers import FOLLOWED, listened, peers, waited_for_at
from controller.bgp.rib.outcome import Outcome
from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import UNDERLAY, settings_of
from controller.bgp.rib.views import Views
from controller.bgp.routes import Attributes, Route
from controller.bgp.speaker.backend import BFD_DOWN, Changed, Down, Event, Fault, Peer, SpeakerGone, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from controller.compile import Observed
from controller.compile.remote import Remote, RemoteKey, RemotePrefix
from controller.events import Kind
from controller.network import Network
from controller.pace import spread
from controller.planning import Draft
from controller.underlay.service import Underlay
from controller.upkeep import Upkeep
from data.addresses import Ip
from data.errors import CommandFailed
from data.steps import Steps

__all__ = ["Bgp"]

_ROUTES = 200  # of one piece of events: about 3 ms of decisions
AHEAD = 20_000  # routes that are read and not decided, about 20 MB; half of it lets the speaker read again
_FREEZE = 2_000  # routes that a full collection looks at: 10 ms; 400,000 of them stopped the loop for 0.6 s
_NOTHING = Attributes(next_hop=Ip(4, 0))  # of a route that is withdrawn
_TICK = 30.0  # seconds at most between two looks at what time alone changes

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
        self._clock = clock
        self.rib = Rib(underlay, clock)
        self.views = Views(self.rib, underlay)
        self.speaker = ExabgpSpeaker(self._heard)
        self.bfd = Bfd(self._path_lost, network.events.add, clock=clock)
        self.peers: dict[str, Peer] = {}
        self._outbox = Outbox(lambda problem: network.events.add(Kind.FAULT, f"bgp: {problem}"))
        self._events: deque[Event] = deque()
        self._ahead = 0  # routes in them
        self._taken = 0  # routes since memory was last sorted
        self._drafts: deque[Draft] = deque()
        self._hops: set[Ip] = set()
        self._answered: dict[RemoteKey, tuple[Ip, ...]] = {}
        self._due = asyncio.Event()
        self.deciding = asyncio.Lock()
        self._carried: Draft | None = None  # of the commit that is under way: its listener must not decide again
        self._named: dict[RemoteKey, tuple[Ip, ...]] = {}  # fact -> ends of its tunnels, which the underlay watches
        self._endpoints: Counter[Ip] = Counter()
        self._lost: set[Ip] = set()  # next hops that no fact names because the underlay lost them
        self._running = False
        self._spoken = False  # the speaker was told of neighbours
        self._alone: frozenset[str] = frozenset()  # neighbours that it was not told of
        self._sooner = asyncio.Event()
        self._unkept = False

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads what was kept, decides what there is to tell, and begins to speak if anybody is configured."""
        numbers = await self._submit(self._kept.load)
        assert isinstance(numbers, dict)
        self.rib = Rib(self._underlay, self._clock, numbers)
        self.views = Views(self.rib, self._underlay)
        self._network.on_change.append(self._changed)
        self._underlay.on_change(self._weighed)
        view = self._network.running
        async with self.deciding:
            self.carry(await self._decide(self.rib.configure(settings_of(view))))
            self.rib.recall(dict(self._network.state.placement.all_remote()))
            self.carry(await self._decide(self.rib.whole(self._network.state)))
        self._upkeep.spawn(self._work(), "bgp", lasting=True)
        self._upkeep.spawn(self._outbox.run(), "bgp outbox", lasting=True)
        self._upkeep.spawn(self._time(), "bgp clock", lasting=True)
        self.bfd.configure(watched(view))
        self._upkeep.spawn(self.bfd.run(), "bfd", lasting=True)
        try:
            await self.speak(peers(view), listened(view))
        except CommandFailed as problem:  # a port that is taken does not keep the controller from starting
            self._network.events.add(Kind.FAULT, f"bgp: {problem.cause}")

    async def stop(self) -> None:
        """Ends the speaker so that neighbours keep our routes while we are away (RFC 4724)."""
        if self._running:
            self._running = False
            await self.speaker.stop(graceful=True)

    async def speak(self, some: list[Peer], port: int) -> None:
        """Exactly these neighbours from now on. Starts the speaker with the first, ends it with the last.

        Raises CommandFailed: it cannot be started, or an address cannot be listened on.
        """
        before, self.peers = self.peers, {peer.name: peer for peer in some}
        for name in before.keys() & self.peers.keys():
            if before[name] != self.peers[name]:
                self.rib.inbound.release(name)  # whoever changed it wants to see what it does now
        if not some and not self._spoken:
            return
        if not self._running:
            self.speaker = ExabgpSpeaker(self._heard)
        self.speaker.listen, self.speaker.port = waited_for_at(some), port
        if not self._running:
            await self.speaker.start()
            self._running = True
        self._spoken = True
        try:
            await self._configure()
        except ValueError as problem:
            raise CommandFailed("bgp", str(problem), "see 'show configuration bgp-neighbor'") from problem

    async def _configure(self) -> None:
        """Gives the speaker the neighbours that are not left alone. Raises as `Speaker.configure`."""
        self._alone = self._left_alone()
        await self.speaker.configure([peer for name, peer in self.peers.items() if name not in self._alone])

    def _left_alone(self) -> frozenset[str]:
        tables = self.rib.inbound.tables
        return frozenset(name for name in self.peers if name in tables and tables[name].shut_until is not None)

    @property
    def speaking(self) -> bool:
        """Whether there is a speaker process, or should be."""
        return self._running

    def established(self, name: str) -> bool:
        """Whether the session with a neighbour is up."""
        table = self.rib.inbound.tables.get(name)
        return table is not None and table.up

    # What operators ask -------------------------------------------------------------------------------------

    def epoch(self, clock: float) -> float:
        """A time of the views in seconds since 1970."""
        return time() - self._clock() + clock

    async def reset(self, name: str) -> None:
        """Begins a session anew, also one that was left alone for what it told. Raises CommandFailed."""
        if name not in self.peers:
            raise CommandFailed(f"bgp-neighbor {name}", f"there is no neighbor {name}", "see 'show bgp summary'")
        if self.rib.inbound.release(name):
            self._look_again()
            return
        try:
            await self.speaker.reset(name, "administrative reset")
        except SpeakerGone as gone:
            raise CommandFailed(f"bgp-neighbor {name}", f"{gone}", "it is begun anew by itself") from gone

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
        self._events.append(event)
        self._due.set()
        if isinstance(event, Changed):
            self._ahead += _routes(event)
            if self._ahead > AHEAD:
                self.speaker.hold(True)

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
        self._upkeep.spawn(self._end_session(name, reason), f"reset of {name}")

    async def _end_session(self, name: str, reason: str) -> None:
        with suppress(SpeakerGone, ValueError):  # it has no session then
            await self.speaker.reset(name, reason, BFD_DOWN)

    def _weighed(self, hops: frozenset[Ip]) -> None:
        self._hops |= hops
        self._due.set()

    def answered(self, addresses: Mapping[RemoteKey, tuple[Ip, ...]]) -> None:
        """Machines elsewhere answered for exactly these addresses each (`controller/edge/beyond.py`)."""
        self._answered.update(addresses)
        self._due.set()

    async def _time(self) -> None:
        while True:
            deadline = self.rib.deadline
            wait = _TICK if deadline is None else min(_TICK, max(0.05, deadline - self._clock()))
            self._sooner.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), wait)
                continue
            async with self.deciding:
                self.carry(await self._decide(self.rib.tick()))
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
        while self._drafts or self._events or self._hops or self._answered:
            if self._drafts:
                await self._follow(self._drafts.popleft())
            elif self._hops:
                hops, self._hops = self._hops, set()
                self.carry(await self._decide(self.rib.underlay(hops)))
            elif self._answered:
                addresses, self._answered = self._answered, {}
                self.carry(await self._decide(self.rib.answered(addresses)))
            else:
                await self._take()
            await asyncio.sleep(0)

    async def _follow(self, made: Draft) -> None:
        if any(path[0] in ("controller", "dvrs") for path in made.edits):
            self.carry(await self._decide(self.rib.configure(settings_of(made.new.view))))
        self.carry(
            await self._decide(self.rib.compiled(made.old, made.new, made.edits, made.moved.keys(), made.observed))
        )

    async def _take(self) -> None:
        """One piece of what the speaker said."""
        piece: list[Event] = []
        routes = 0
        while self._events and routes < _ROUTES:
            event = self._events.popleft()
            piece.append(event)
            if isinstance(event, Changed):
                self._ahead -= _routes(event)
                self._taken += len(event.announced)
                routes += _routes(event)
            routes += 1
        if self._ahead <= AHEAD // 2:
            self.speaker.hold(False)
        if self._taken >= _FREEZE:
            self._taken = 0
            gc.collect(1)  # what is garbage already would be kept for ever
            gc.freeze()
        outcome = await self._decide(self.rib.take(piece))
        for event in piece:
            self._tell_underlay(event)
        done = self.carry(outcome)
        for event in piece:
            if isinstance(event, Up) and event.peer in self.peers:
                self._upkeep.spawn(self._caught_up(event.peer, outcome, done), f"receipts of {event.peer}")
            elif isinstance(event, Fault):
                kind = Kind.BGP if event.alive else Kind.FAULT
                self._network.events.add(kind, f"bgp speaker: {event.reason}")

    def _tell_underlay(self, event: Event) -> None:
        """What neighbours of the underlay say is the listener's, too."""
        if isinstance(event, Fault):
            for name, neighbour in self.rib.settings.neighbours.items():
                if neighbour.role == UNDERLAY and not event.alive:
                    self._underlay.session(name, False)
            return
        policy = self.rib.settings.neighbours.get(event.peer)
        if policy is None or policy.role != UNDERLAY:
            return
        if isinstance(event, Up | Down):
            self._underlay.session(event.peer, isinstance(event, Up))
        elif isinstance(event, Changed):
            for nlri in event.withdrawn:
                self._underlay.hear(event.peer, Route(nlri, _NOTHING), withdrawn=True)
            for route in event.announced:
                self._underlay.hear(event.peer, route)

    async def _caught_up(self, name: str, outcome: Outcome, done: asyncio.Future[None] | None) -> None:
        """A neighbour that was away has been told everything: receipts that wait for it are settled."""
        if done is not None:
            results = await asyncio.gather(done, return_exceptions=True)
            if isinstance(results[0], BaseException):
                return
        told = sum(len(said.routes) for said in outcome.announce if name in said.peers)
        await self._settled(f"bgp-neighbor {name}", told, 0, 0.0)

    # What follows -------------------------------------------------------------------------------------------

    async def _decide(self, steps: Steps[Outcome]) -> Outcome:
        return await spread(steps)

    def carry(self, outcome: Outcome) -> asyncio.Future[None] | None:
        """An outcome to where it belongs; the future is done when neighbours have been told."""
        if outcome.remote:
            self._watch(outcome.remote.items())
            self._upkeep.observe(Observed(remote=outcome.remote))
        for text in outcome.told:
            self._network.events.add(Kind.BGP, text)
        if outcome.told or outcome.reset:
            self._sooner.set()
        done = self._outbox.say(self.speaker, outcome) if self._running else None
        if outcome.told or outcome.reset or self._alone:
            self._look_again()
        return done

    def _look_again(self) -> None:
        """After what was said before, the speaker gets neighbours that are left alone no more, and loses others."""
        if self._running and self._left_alone() != self._alone:
            self._alone = self._left_alone()
            self._outbox.put(self._configure)

    def _watch(self, facts: Iterable[tuple[RemoteKey, Remote | None]]) -> None:
        """The underlay watches the ends of the tunnels that the facts name, and those that they would name if it had
        not lost them: it says when they are back."""
        before = {*self._endpoints, *self._lost}
        for key, fact in facts:
            for endpoint in self._named.pop(key, ()):
                self._endpoints[endpoint] -= 1
                if not self._endpoints[endpoint]:
                    del self._endpoints[endpoint]
                    if not self._underlay.usable(endpoint):
                        self._lost.add(endpoint)
            if fact is not None:
                ends = _endpoints(fact)
                self._named[key] = ends
                self._endpoints.update(ends)
        named = self.rib.loc.by_next_hop
        self._lost = {one for one in self._lost if one in named and one not in self._endpoints}
        after = {*self._endpoints, *self._lost}
        if after != before:
            self._underlay.remote(dict.fromkeys(after, "next hop of bgp routes"))

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


def _routes(event: Changed) -> int:
    return len(event.announced) + len(event.withdrawn)


def _endpoints(fact: Remote) -> tuple[Ip, ...]:
    if isinstance(fact, RemotePrefix):
        return tuple(hop.tunnel.endpoint for hop in fact.next_hops)
    return (fact.tunnel.endpoint,)

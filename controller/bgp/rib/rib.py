"""The decisions, driven: events and states in, an `Outcome` out. One object per controller, of the event loop.

    configure(settings)                   the configuration; first of all, and after each commit that changed it
    whole(state), compiled(old, new, …)   the fabric; `whole` once at the start, then each change
    take(events)                          the speaker
    underlay(next hops)                   somebody says otherwise whether they are usable, or at which cost
    answered(addresses)                   machines elsewhere, asked by the gateways
    tick()                                at the latest at `deadline`

Each returns what follows from it and nothing else, so the same calls with the same clock give the same outcomes. Those
that may take long come in steps (data/steps.py); nothing else may be called in between.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

from controller.bgp.rib.announcing import machine_routes
from controller.bgp.rib.best import choose
from controller.bgp.rib.desired import Desired
from controller.bgp.rib.exports import Exports, Touched
from controller.bgp.rib.imports import MAC, Imports, Local
from controller.bgp.rib.inbound import Inbound
from controller.bgp.rib.mobility import MacKey, Mobility
from controller.bgp.rib.outbound import Outbound
from controller.bgp.rib.outcome import Outcome
from controller.bgp.rib.settings import Settings, Underlay
from controller.bgp.rib.table import EVERY, Heard, LocRib
from controller.bgp.routes import Route, Unicast
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Event, Fault, Refresh, Refused, Up
from controller.compile.placement import Observed
from controller.compile.remote import Remote, RemoteKey
from controller.compile.state import State
from data.addresses import Ip
from data.configuration import Edits
from data.steps import Steps, at_once

__all__ = ["Rib"]


class Rib:
    """See the module. `clock` gives seconds and never goes back; `kept` is what `mobility.kept()` once said."""

    def __init__(self, underlay: Underlay, clock: Callable[[], float], kept: Mapping[str, int] | None = None) -> None:
        self._underlay = underlay
        self._clock = clock
        self._told: list[str] = []
        self.settings = Settings()
        self.mobility = Mobility(clock, self._frozen, kept)
        self.loc = LocRib()
        self.desired = Desired()
        self.exports = Exports(self.desired)
        self.imports = Imports(self.loc, Local(self.exports.holds, self.exports.has))
        self.inbound = Inbound(self.loc, clock)
        self.outbound = Outbound(self.desired, self.inbound.tables)
        self.facts: dict[RemoteKey, Remote] = {}
        self._state: State | None = None
        self._recalled: set[RemoteKey] = set()
        self._recalled_until: float | None = None

    # Driving ------------------------------------------------------------------------------------------------

    def configure(self, settings: Settings) -> Steps[Outcome]:
        """The configuration of BGP, of the neighbours and of the hypervisors. O(routes) where it is another."""
        outcome = Outcome()
        if settings == self.settings:
            return outcome
        old, self.settings = self.settings, settings
        yield from self.inbound.configure(settings)
        yield from self.outbound.configure(settings, outcome)
        touched = Touched()
        made_with = (settings.autonomous_system, settings.told)
        if self._state is not None and made_with != (old.autonomous_system, old.told):
            touched = yield from self._whole(self._state)
        yield from self._settle(outcome, touched)
        return outcome

    def recall(self, facts: Mapping[RemoteKey, Remote]) -> None:
        """Facts that are in force from before a restart, once the settings are known: they stay until every neighbour
        has told all that it has, and stale-time at most (RFC 4724 section 4.1)."""
        self.facts.update(facts)
        self._recalled = set(facts)
        self._recalled_until = self._clock() + self.settings.stale_time if facts else None

    def whole(self, state: State) -> Steps[Outcome]:
        """The state of the fabric, of which nothing is known yet, or which may be any."""
        self._state, outcome = state, Outcome()
        touched = yield from self._whole(state)
        yield from self._settle(outcome, touched)
        return outcome

    def _whole(self, state: State) -> Steps[Touched]:
        return (yield from self.exports.whole(state, self.settings.autonomous_system or 0, self.settings.told))

    def compiled(
        self,
        old: State,
        new: State,
        edits: Edits | None = None,
        moved: Iterable[str] = (),
        observed: Observed | None = None,
    ) -> Steps[Outcome]:
        """A change of the fabric, once it is installed: what a `Draft` says of it. Give other settings first."""
        self._state, outcome = new, Outcome()
        touched = yield from self.exports.change(old, new, edits or {}, moved, observed or Observed())
        yield from self._settle(outcome, touched)
        return outcome

    def preview(
        self, old: State, new: State, edits: Edits, moved: Iterable[str] = ()
    ) -> Steps[dict[str, tuple[list[Route], list[Route]]]]:
        """What a change would tell neighbours, who need not be there now: name -> (announced, withdrawn). The rib is as
        before when it is through. Settings that the edits change are not looked at."""
        moved = tuple(moved)
        touched = yield from self.exports.change(old, new, edits, moved, Observed())
        for key in touched.macs:
            at = self.exports.at(key)
            sequence = None if at is None else self.mobility.expected(key, at.endpoint)
            if at is None or sequence is None:
                self.desired.put(("mac", *key), ())
            else:
                self.desired.put(("mac", *key), machine_routes(at, sequence, self.settings.told))
        changed = self.desired.take()
        yield from self.exports.change(new, old, edits, moved, Observed())
        for key in touched.macs:
            self._announce(key)
        self.desired.take()
        return {name: self.outbound.difference(name, changed) for name in self.settings.neighbours}

    def take(self, events: Iterable[Event]) -> Steps[Outcome]:
        """What the speaker said, in order. A few hundred routes at a time: all of it is carried out together."""
        outcome = Outcome()
        for event in events:
            yield from self._event(event, outcome)
        yield from self._settle(outcome, Touched())
        return outcome

    def underlay(self, hops: Iterable[Ip]) -> Steps[Outcome]:
        """Of these next hops it is said otherwise whether they are usable, or what they cost."""
        outcome, keys = Outcome(), set[Hashable]()
        for hop in hops:
            keys |= self.loc.by_next_hop.get(hop, set())
        self.loc.touch(keys)
        yield from self._settle(outcome, Touched(), keys)
        return outcome

    def answered(self, addresses: Mapping[RemoteKey, tuple[Ip, ...]]) -> Steps[Outcome]:
        """For which addresses MAC addresses elsewhere have answered: for all of these each, and no others."""
        outcome = Outcome()
        for key, known in addresses.items():
            self.imports.answer(key, known)
        yield from self._settle(outcome, Touched(facts=set(addresses)))
        return outcome

    def tick(self) -> Steps[Outcome]:
        """What is due by now."""
        outcome = Outcome()
        yield from self.inbound.tick()
        yield from self._settle(outcome, Touched(macs=set(self.mobility.due())))
        return outcome

    @property
    def deadline(self) -> float | None:
        """When `tick` is needed at the latest, by the clock; damped routes are looked at whenever it is called."""
        waits = [*self.inbound.deadlines(), *(until for _, until in self.mobility.frozen())]
        waits += [] if self._recalled_until is None else [self._recalled_until]
        return min(waits, default=None)

    def unfreeze(self, key: MacKey) -> Outcome | None:
        """An operator lets a duplicate address move again; None when it was not frozen."""
        if not self.mobility.clear(key):
            return None
        outcome = Outcome()
        at_once(self._settle(outcome, Touched(macs={key})))
        return outcome

    # Inside -------------------------------------------------------------------------------------------------

    def _event(self, event: Event, outcome: Outcome) -> Steps[None]:
        if isinstance(event, Fault):
            if not event.alive:
                for name, each in self.inbound.tables.items():
                    yield from self.inbound.down(Down(name, event.reason, ours=True), each)
            return
        table = self.inbound.tables.get(event.peer)
        if table is None:
            return  # not configured any more: its last words
        if isinstance(event, Up):
            if (yield from self.inbound.up(event, table)):
                yield from self._flush(outcome)
                yield from self.outbound.everything(event.peer, outcome)
                outcome.end_of_rib.append((event.peer, event.families))
        elif isinstance(event, Down):
            yield from self.inbound.down(event, table)
        elif isinstance(event, Changed):
            yield from self.inbound.changed(event, table)
        elif isinstance(event, Refused):
            self.inbound.refused(event, table)
        elif isinstance(event, EndOfRib):
            self.inbound.end_of_rib(event, table)
        elif isinstance(event, Refresh):
            yield from self.outbound.everything(event.peer, outcome, event.family)

    def _settle(self, outcome: Outcome, touched: Touched, also: Iterable[Hashable] = ()) -> Steps[None]:
        """From what is noted as dirty to what follows from it."""
        facts = set(touched.facts)
        for uuid, owner in touched.owners.items():
            facts |= yield from self.imports.set_owner(uuid, owner)
            yield
        gone = {uuid for uuid, owner in touched.owners.items() if owner is None}
        for uuid in touched.reconsider:
            facts.update(self.imports.of_owner(uuid))
        changed = yield from self.loc.decide(self._choose)
        yield
        for key in changed:
            self._of_underlay(key, outcome)
        facts |= yield from self.imports.routes_changed({*changed, *also})
        yield
        for segment, ip in touched.addresses:
            facts |= self.imports.naming(segment, ip)
        macs = touched.macs | {MacKey(one.owner, one.what) for one in facts if isinstance(one.what, bytes)}
        ours: set[MacKey] = set()
        for count, mac in enumerate(macs):
            if self._announce(mac):
                ours.add(mac)
            if count % EVERY == 0:
                yield
        if gone:
            self.mobility.forget(gone)
        facts |= {RemoteKey(mac.segment, MAC, mac.mac) for mac in macs}
        facts |= self._forgotten()
        for count, fact in enumerate(facts):
            local = isinstance(fact.what, bytes) and MacKey(fact.owner, fact.what) in ours
            self._fact(fact, None if local else self.imports.fact(fact, self._underlay), outcome, local)
            if count % EVERY == 0:
                yield
        yield from self._flush(outcome)
        outcome.told += [*self.inbound.told, *self._told]
        outcome.reset += self.inbound.resets
        self.inbound.told, self.inbound.resets, self._told = [], [], []

    def _announce(self, key: MacKey) -> bool:
        """Whose a MAC address is; whether it is ours."""
        at = self.exports.at(key)
        remote = self.imports.sequence(RemoteKey(key.segment, MAC, key.mac), self._underlay)
        standing = self.mobility.judge(key, None if at is None else at.endpoint, remote)
        if at is None or standing.sequence is None:
            self.desired.put(("mac", *key), ())
            return False
        self.desired.put(("mac", *key), machine_routes(at, standing.sequence, self.settings.told))
        return True

    def _forgotten(self) -> set[RemoteKey]:
        """The facts from before a restart that nobody confirmed, when the time for that is over."""
        if self._recalled_until is None or not (self._clock() >= self._recalled_until or self.inbound.complete()):
            return set()
        left, self._recalled, self._recalled_until = self._recalled, set(), None
        return left

    def _fact(self, key: RemoteKey, after: Remote | None, outcome: Outcome, ours: bool) -> None:
        before = self.facts.get(key)
        if after is None and key in self._recalled and not ours:
            return
        self._recalled.discard(key)
        if before == after:
            return
        outcome.remote[key] = after
        if after is None:
            del self.facts[key]
        else:
            self.facts[key] = after

    def _flush(self, outcome: Outcome) -> Steps[None]:
        yield from self.outbound.changes(self.desired.take(), outcome)

    def _of_underlay(self, key: Hashable, outcome: Outcome) -> None:
        if not isinstance(key, tuple) or key[0] != 0:
            return
        best = self.loc.best(key)
        outcome.underlay[key[1]] = tuple(one.route.attributes.next_hop for one in best)

    def _choose(self, ways: tuple[Heard, ...]) -> tuple[Heard, ...]:
        return choose(ways, self._underlay)

    def _frozen(self, key: MacKey, what: str) -> None:
        self._told.append(what.format(key.mac.hex(":")))

    def unicast(self) -> Iterator[Unicast]:
        """The prefixes of the underlay that somebody told."""
        for at in self.loc.destinations.values():
            nlri = at.ways[0].route.nlri if at.ways else None
            if isinstance(nlri, Unicast):
                yield nlri

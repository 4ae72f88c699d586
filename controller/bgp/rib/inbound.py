"""Sessions and what they bring: events of the speaker into the adj-rib-in and the loc-rib.

Graceful restart (RFC 4724 section 4.2), of a neighbour that offered it: what it told stays in force as stale when its
session is lost, for its restart time and never longer than our stale-time; when it is back, until its end-of-RIB, and
again never longer than our stale-time. When it is our own speaker that died, the same holds for every neighbour, for
it is we who restart (section 4.2): until its end-of-RIB, or, of one that sends none, RELEARN seconds after it is back.
What an end-of-RIB leaves stale is kept LINGER seconds longer than RFC 4724 says: a route reflector that starts ends its
RIB before it has heard anything itself (FRR is 1.2 s early), and by that no packet shall be lost.
A neighbour that says that it restarted and did not keep its forwarding state loses its stale routes at once, but for
those that it reflected, whose packets do not go through it; of one that did not restart, whose session alone was lost,
they stay whatever its forwarding bits say: nothing happened to the packets. Nor when our speaker died, whatever it says
of itself: then we are the one that restarts, and the R bit only says that nobody is to wait for it (section 4.1). FRR
sets it in every OPEN of its first two minutes, and its VTEPs lost a second of packets by that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from controller.bgp.rib.damping import NEIGHBOURS, ROUTES, Damping
from controller.bgp.rib.outcome import Reset
from controller.bgp.rib.policy import Importer
from controller.bgp.rib.settings import FABRIC, NeighbourPolicy, Settings
from controller.bgp.rib.table import EVERY, AdjRibIn, Heard, LocRib, Note, Source
from controller.bgp.routes import Family, IpPrefix, Nlri, Route, VpnPrefix, family_of
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Refused, Up
from data.addresses import Ip, address
from data.steps import Steps

__all__ = ["DAMPED", "IDLE", "LINGER", "RELEARN", "Inbound"]

IDLE = 300.0
"""Seconds for which a neighbour that told too much is left alone: it will not have fewer in a moment."""
RELEARN = 30
"""Seconds that a neighbour without end-of-RIB gets to tell everything again after our speaker died."""
LINGER = 10.0
"""Seconds for which what a neighbour did not tell again is kept after its end-of-RIB."""
DAMPED = "damped: it came and went too often"


class Inbound:
    """All neighbours' tables. What follows for the loc-rib is in it; `resets` and `told` are taken by the rib."""

    def __init__(self, rib: LocRib, clock: Callable[[], float]) -> None:
        self._rib = rib
        self._clock = clock
        self._settings = Settings()
        self._importers: dict[str, Importer] = {}
        self._sessions = Damping(NEIGHBOURS, clock)
        self._flapping = Damping(ROUTES, clock)
        self.tables: dict[str, AdjRibIn] = {}
        self.resets: list[Reset] = []
        self.told: list[str] = []

    # Configuration ------------------------------------------------------------------------------------------

    def configure(self, settings: Settings) -> Steps[None]:
        """Other settings: who is gone takes his routes with him, and what is accepted is asked anew."""
        old, self._settings = self._settings, settings
        for name in [name for name in self.tables if name not in settings.neighbours]:
            gone = self.tables.pop(name)
            if gone.up or len(gone):
                self.told.append(f"bgp neighbor {name}: not configured any more, its {len(gone)} routes are gone")
            yield from self._drop_all(gone)
            self._importers.pop(name, None)
            yield
        ours = (old.autonomous_system, old.router_id, old.gateway_mac) != (
            settings.autonomous_system, settings.router_id, settings.gateway_mac)  # fmt: skip
        for name, neighbour in settings.neighbours.items():
            source = Source(name, neighbour.address, neighbour.address, settings.internal(neighbour))
            table = self.tables.get(name)
            if table is None:
                self.tables[name] = AdjRibIn(source, since=self._clock())
            elif (table.source.address, table.source.internal) != (source.address, source.internal):
                yield from self._drop_all(table)
                table.source = source
            self._importers[name] = Importer(neighbour, settings)
            other = ours or neighbour != old.neighbours.get(name)
            if other and table is not None:
                self.release(name)  # another limit, say: whoever changed it wants to see what it does now
            if table is not None and (other or settings.own != old.own):
                yield from self._again(table, None if other else settings.own ^ old.own)
                yield from self._limit(table, neighbour)

    def _again(self, table: AdjRibIn, hops: frozenset[Ip] | None) -> Steps[None]:
        """What of a neighbour is accepted, asked anew: of all of it, or where the next hop is one of these."""
        importer = self._importers[table.source.name]
        for count, heard in enumerate(list(table.heard())):
            if hops is None or not hops.isdisjoint(_ends(heard.route)):
                self._judge(heard, importer)
            if count % EVERY == 0:
                yield

    def _judge(self, heard: Heard, importer: Importer) -> None:
        refused = importer.refusal(heard.route)
        if not refused and self._flapping.suppressed((heard.source.name, heard.route.nlri.key)):
            refused = DAMPED
        if refused == heard.refused:
            return
        if not refused:
            self._rib.put(heard)
        elif not heard.refused:
            self._rib.drop(heard)
        heard.refused = refused

    # Sessions -----------------------------------------------------------------------------------------------

    def up(self, event: Up, table: AdjRibIn) -> Steps[bool]:
        """A session; False when it must not be."""
        now = self._clock()
        if table.shut_until is not None and table.shut_until > now:
            self.resets.append(Reset(table.source.name, table.reason, table.shut_until - now))
            return False
        table.shut_until, table.reason = None, ""
        table.up, table.since, table.hold_time = True, now, event.hold_time
        table.families, table.restart_time = event.families, event.restart_time
        table.waiting = event.families if event.restart_time is not None else frozenset()
        router_id = address(event.router_id) if event.router_id else table.source.address
        if router_id != table.source.router_id:
            old = table.source
            table.source = Source(old.name, old.address, router_id, old.internal)
        ours, table.ours = table.ours, False
        for family in list(table.routes):
            gone = (event.restart_time is None and not ours) or family not in event.families
            if gone or (event.restarted and not ours and family not in event.forwarding):
                yield from self._sweep(table, _all_of(family) if gone else _forwarded(family))
        stale = any(heard.stale for heard in table.heard())
        wait = self._settings.stale_time if event.restart_time is not None else RELEARN
        table.stale_until = now + min(wait, self._settings.stale_time) if stale else None
        self.told.append(f"bgp-neighbor {table.source.name}: session established")
        return True

    def down(self, event: Down, table: AdjRibIn) -> Steps[None]:
        """A session is gone."""
        if not table.up:
            table.reason = table.reason if table.shut_until else event.reason
            return
        now, name = self._clock(), table.source.name
        table.up, table.since, table.told = False, now, 0
        table.reason = event.reason if table.shut_until is None else table.reason
        table.flaps += not event.ours
        kept = self._settings.stale_time if event.ours else min(self._settings.stale_time, table.restart_time or 0)
        table.ours = event.ours
        if event.graceful and kept and len(table):
            for heard in table.heard():
                heard.stale = True
            table.stale_until = now + kept
            self.told.append(f"bgp-neighbor {name}: down ({event.reason}), its {len(table)} routes kept for {kept} s")
        else:
            yield from self._drop_all(table)
            self.told.append(f"bgp-neighbor {name}: down ({event.reason})")
        if not event.ours and self._sessions.flap(name) and table.shut_until is None:
            self._shut(table, "its session was lost too often (RFC 2439)", self._sessions.remaining(name))

    def _shut(self, table: AdjRibIn, reason: str, seconds: float) -> None:
        name = table.source.name
        table.shut_until, table.reason = self._clock() + seconds, reason
        self.resets.append(Reset(name, reason, seconds))
        self.told.append(f"bgp-neighbor {name}: {reason}; left alone for {seconds:.0f} s")

    # Routes -------------------------------------------------------------------------------------------------

    def changed(self, event: Changed, table: AdjRibIn) -> Steps[None]:
        """Routes of one UPDATE."""
        if not table.up or table.shut_until is not None:
            return
        for nlri in event.withdrawn:
            self._withdraw(table, nlri, flap=True)
        importer = self._importers[table.source.name]
        for count, route in enumerate(event.announced):
            self._announce(table, route, importer)
            if count % EVERY == 0:
                yield
        yield from self._limit(table, self._settings.neighbours[table.source.name])

    def _announce(self, table: AdjRibIn, route: Route, importer: Importer) -> None:
        held, key = table.routes.setdefault(route.family, {}), route.nlri.key
        before = held.get(key)
        if before is not None and before.route == route and before.source is table.source:
            before.stale = False
            return
        heard = Heard(table.source, route, self._clock(), importer.refusal(route))
        if not heard.refused and self._flapping.suppressed((table.source.name, key)):
            heard.refused = DAMPED
        if before is not None and not before.refused:
            self._rib.drop(before)
        held[key] = heard
        if not heard.refused:
            self._rib.put(heard)

    def _withdraw(self, table: AdjRibIn, nlri: Nlri, flap: bool) -> None:
        held = table.routes.get(family_of(nlri), {})
        heard = held.pop(nlri.key, None)
        if heard is None:
            return
        if not heard.refused:
            self._rib.drop(heard)
        if flap and isinstance(nlri, IpPrefix | VpnPrefix):
            self._flapping.flap((table.source.name, nlri.key))

    def refused(self, event: Refused, table: AdjRibIn) -> None:
        """What could not be read is as good as withdrawn (RFC 7606 section 2)."""
        for nlri in event.nlri:
            self._withdraw(table, nlri, flap=False)
        what = ", ".join(str(nlri.key) for nlri in event.nlri[:4])
        table.notes.append(Note(self._clock(), event.reason, what))

    def end_of_rib(self, event: EndOfRib, table: AdjRibIn) -> None:
        """What it did not tell again is gone soon."""
        table.waiting -= {event.family}
        stale = sum(heard.stale for heard in table.heard())
        if not stale:
            table.stale_until = None
        elif not table.waiting and table.stale_until is not None:
            table.stale_until = min(table.stale_until, self._clock() + LINGER)
            self.told.append(f"bgp-neighbor {table.source.name}: {stale} routes are not told again (yet)")

    def _limit(self, table: AdjRibIn, neighbour: NeighbourPolicy) -> Steps[None]:
        count = len(table)
        if count > neighbour.prefix_limit and table.shut_until is None:
            yield from self._drop_all(table)
            self._shut(table, f"{count} routes, more than its prefix-limit {neighbour.prefix_limit}", IDLE)

    def _sweep(self, table: AdjRibIn, which: Callable[[Heard], bool]) -> Steps[None]:
        for count, heard in enumerate([heard for heard in table.heard() if heard.stale and which(heard)]):
            self._withdraw(table, heard.route.nlri, flap=False)
            if count % EVERY == 0:
                yield

    def _drop_all(self, table: AdjRibIn) -> Steps[None]:
        gone = list(table.heard())
        table.routes, table.stale_until = {}, None
        for count, heard in enumerate(gone):
            if not heard.refused:
                self._rib.drop(heard)
            if count % EVERY == 0:
                yield

    # Time ---------------------------------------------------------------------------------------------------

    def tick(self) -> Steps[None]:
        """What is due: stale routes are swept, and what was damped or shut is let go."""
        now = self._clock()
        for table in self.tables.values():
            if table.stale_until is not None and table.stale_until <= now:
                before = len(table)
                yield from self._sweep(table, lambda heard: True)
                table.stale_until = None
                self.told.append(f"bgp-neighbor {table.source.name}: {before - len(table)} stale routes are given up")
            if table.shut_until is not None and table.shut_until <= now:
                table.shut_until = None
                self.told.append(f"bgp-neighbor {table.source.name}: may come back")
        self._sessions.due()
        for item in self._flapping.due():
            self._undamp(item)

    def _undamp(self, item: Hashable) -> None:
        assert isinstance(item, tuple)
        name, key = item
        table = self.tables.get(name)
        for held in () if table is None else table.routes.values():
            if key in held:
                self._judge(held[key], self._importers[name])

    def deadlines(self) -> Iterator[float]:
        """When `tick` is needed next, of everything that waits for a time."""
        for table in self.tables.values():
            yield from (at for at in (table.stale_until, table.shut_until) if at is not None)

    def complete(self) -> bool:
        """Whether every neighbour of the fabric has told all that it has, and said so (RFC 4724 section 2)."""
        told = [self.tables[name] for name, one in self._settings.neighbours.items() if one.role == FABRIC]
        return all(table.up and not table.waiting and table.restart_time is not None for table in told)

    def release(self, name: str) -> bool:
        """A neighbour that was left alone may come back now, as if it had never flapped. Whether it was."""
        table = self.tables.get(name)
        if table is None or table.shut_until is None:
            return False
        table.shut_until = None
        self._sessions.forget(name)
        return True


def _all_of(family: Family) -> Callable[[Heard], bool]:
    return lambda heard: heard.route.family is family


def _forwarded(family: Family) -> Callable[[Heard], bool]:
    """Those whose packets go through the neighbour: it did not only hand them on (RFC 4456 section 8)."""
    return lambda heard: heard.route.family is family and heard.route.attributes.originator_id is None


def _ends(route: Route) -> tuple[Ip, ...]:
    """Where packets go that follow it."""
    pmsi = route.attributes.pmsi
    return (route.attributes.next_hop,) if pmsi is None else (route.attributes.next_hop, pmsi.endpoint)

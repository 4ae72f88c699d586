"""What neighbours told us (adj-rib-in), and of it what is worth looking at, by destination (loc-rib).

A route is kept once, as a `Heard`; the loc-rib holds the same objects. 100,000 routes of one neighbour cost about
50 MB with their NLRIs. What a neighbour told and we did not accept is kept, too, with the reason, as long as its
prefix-limit lasts: a change of the configuration may accept it, and `show bgp received` says why not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from controller.bgp.routes import Family, Nlri, Route
from data.addresses import Ip
from data.steps import Steps

__all__ = ["EVERY", "NOTED", "AdjRibIn", "Destination", "Heard", "LocRib", "Note", "Source", "distinguisher"]

T = TypeVar("T")
EVERY = 200
"""Routes between two looks at the clock: about a millisecond."""
NOTED = 100
"""Routes of a neighbour that could not even be read, and are remembered with the reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who told a route, as best path asks for it."""

    name: str
    address: Ip
    router_id: Ip
    internal: bool


def distinguisher(nlri: Nlri) -> bytes:
    """The packed route distinguisher, empty where there is none."""
    rd = getattr(nlri, "rd", None)
    return b"" if rd is None else bytes(rd.packed)


class Heard:
    """A route as one neighbour told it: since when (clock of the rib), whether it is from before a session was lost,
    and why it was not accepted ("" when it was)."""

    __slots__ = ("refused", "route", "since", "source", "stale")

    def __init__(self, source: Source, route: Route, since: float, refused: str = "") -> None:
        self.source = source
        self.route = route
        self.since = since
        self.refused = refused
        self.stale = False

    @property
    def distinguisher(self) -> bytes:
        return distinguisher(self.route.nlri)


class Note(NamedTuple):
    """Something that a neighbour sent and nobody could take."""

    time: float
    reason: str
    what: str


@dataclass(slots=True)
class AdjRibIn:
    """One neighbour's. `restart_time` is what it said of itself, None when it does not restart gracefully. Stale
    routes are swept at `stale_until`, and family by family when its end-of-RIB comes. `shut_until`: its session was
    ended by us, and nothing is taken from it before. `told`: routes of ours that it has. `waiting`:
    families whose end-of-RIB has not come yet."""

    source: Source
    families: frozenset[Family] = frozenset()
    up: bool = False
    since: float = 0.0
    reason: str = "never up"
    hold_time: int = 0
    restart_time: int | None = None
    stale_until: float | None = None
    shut_until: float | None = None
    ours: bool = False  # it is down because our own speaker died
    flaps: int = 0
    told: int = 0
    routes: dict[Family, dict[Hashable, Heard]] = field(default_factory=dict)
    waiting: frozenset[Family] = frozenset()
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=NOTED))

    def __len__(self) -> int:
        return sum(map(len, self.routes.values()))

    def heard(self, family: Family | None = None) -> Iterator[Heard]:
        """All of it, or of one family."""
        for name, held in self.routes.items():
            if family in (None, name):
                yield from held.values()


class Destination:
    """All usable-looking ways to one destination, and of them those that are taken."""

    __slots__ = ("best", "ways")

    def __init__(self) -> None:
        self.ways: tuple[Heard, ...] = ()
        self.best: tuple[Heard, ...] = ()


class LocRib:
    """Key of an NLRI -> its ways. `put` and `drop` note what must be decided anew; `decide` does it."""

    def __init__(self) -> None:
        self.destinations: dict[Hashable, Destination] = {}
        self.by_next_hop: dict[Ip, set[Hashable]] = {}
        self.by_target: dict[bytes, set[Hashable]] = {}
        self.dirty: dict[Hashable, None] = {}

    def put(self, heard: Heard) -> None:
        """A way that was not there."""
        key = heard.route.nlri.key
        at = self.destinations.get(key)
        if at is None:
            at = self.destinations[key] = Destination()
        at.ways = (*at.ways, heard)
        self.by_next_hop.setdefault(heard.route.attributes.next_hop, set()).add(key)
        for target in _targets(heard):
            self.by_target.setdefault(target, set()).add(key)
        self.dirty[key] = None

    def drop(self, heard: Heard) -> None:
        """A way that is there, and is not any more."""
        key = heard.route.nlri.key
        at = self.destinations[key]
        at.ways = tuple(one for one in at.ways if one is not heard)
        self.dirty[key] = None
        hop = heard.route.attributes.next_hop
        if all(one.route.attributes.next_hop != hop for one in at.ways):
            _forget(self.by_next_hop, hop, key)
        left = {target for one in at.ways for target in _targets(one)}
        for target in _targets(heard):
            if target not in left:
                _forget(self.by_target, target, key)

    def touch(self, keys: Iterable[Hashable]) -> None:
        """These must be decided anew: what they are compared by is another."""
        self.dirty.update(dict.fromkeys(keys))

    def decide(self, choose: Callable[[tuple[Heard, ...]], tuple[Heard, ...]]) -> Steps[list[Hashable]]:
        """Decides what is noted; the keys whose best ways are others, or said otherwise, than before."""
        changed = []
        dirty, self.dirty = self.dirty, {}
        for count, key in enumerate(dirty):
            if count % EVERY == 0:
                yield
            at = self.destinations.get(key)
            if at is None:
                continue
            best = choose(at.ways) if at.ways else ()
            if best != at.best:
                changed.append(key)
            at.best = best
            if not at.ways:
                del self.destinations[key]
        return changed

    def best(self, key: Hashable) -> tuple[Heard, ...]:
        """The ways that are taken to a destination."""
        at = self.destinations.get(key)
        return () if at is None else at.best


def _targets(heard: Heard) -> Iterator[bytes]:
    for one in heard.route.attributes.extended:
        if one.packed[1] == 2 and one.packed[0] < 3:
            yield one.packed


def _forget(index: dict[T, set[Hashable]], name: T, key: Hashable) -> None:
    held = index.get(name)
    if held is not None:
        held.discard(key)
        if not held:
            del index[name]

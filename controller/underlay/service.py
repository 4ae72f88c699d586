"""The underlay as the controller uses it: follows commits, runs the listeners, says which endpoints may be used.

A participant of commits. Best path asks `usable` and `cost` of a route's next hop, and is told by `on_change` whose
answers differ; people see all of it in `show underlay …`. It changes nothing anywhere: the endpoints of our own
hypervisors are watched for people, and only next hops of others are chosen by it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from controller.bgp.routes import Route
from controller.damping import Limits
from controller.events import Events, Kind, Severity
from controller.underlay.endpoints import Endpoint, Endpoints, Reachability
from controller.underlay.heard import Heard
from controller.underlay.listener import NAMES, SETTLE, Listener, Place
from controller.underlay.view import Seen, Source, View
from data.addresses import Ip, address
from data.configuration import Configuration, Edits
from data.schema.objects import Dvrs
from data.schema.wan import Neighbor, Pe, UnderlayListener
from data.schema.wan import Underlay as Settings
from data.steps import spread

__all__ = ["Underlay"]

FOLLOWED = frozenset({"underlay", "underlay-listener", "dvrs", "pe", "bgp-neighbor"})
"""Top keywords of the configuration that concern it."""
BREATH = 0.05  # seconds between two looks at all endpoints: a burst of routes is one


class Underlay:
    """Life: `start`, `stop`. `configured` gives the configuration that acts now; `clock` never goes back."""

    def __init__(
        self,
        events: Events,
        configured: Callable[[], Configuration],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._configured = configured
        self._clock = clock
        self._interval = 1.0
        self._endpoints = Endpoints(self._tell, Limits())
        self._listeners: dict[str, Listener] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sessions: dict[str, tuple[Heard, float]] = {}  # underlay BGP neighbour -> what it tells, up since
        self._sources: dict[str, Source] = {}  # those that were believed at the last look
        self._settling: frozenset[str] = frozenset()
        self._told: dict[str, str] = {}  # listener -> the state that was told last
        self._watchers: list[Callable[[frozenset[Ip]], None]] = []
        self._due = asyncio.Event()  # something was heard since the last look
        self._judge: asyncio.Task[None] | None = None

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to listen, as the configuration says."""
        self.configure(self._configured())
        self._judge = asyncio.create_task(self._judge_for_ever(), name="underlay")

    async def stop(self) -> None:
        """Ends all tasks and connections."""
        tasks = [*self._tasks.values(), *([self._judge] if self._judge is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def prepare(self, edits: Edits) -> None:
        """Listening stands in the way of no commit."""

    async def drop(self) -> None:
        """The commit failed: nothing was done for it."""

    async def changed(self, edits: Edits) -> None:
        """Follows a commit that concerns the underlay or its endpoints."""
        if any(path[0] in FOLLOWED for path in edits):
            self.configure(self._configured())

    def configure(self, view: Configuration) -> None:
        """Listens to these, with these limits, and watches the tunnel endpoints of hypervisors and PE routers."""
        settings = view.settings(Settings)
        self._interval = settings.poll_interval / 1000
        self._endpoints.limits = Limits(
            float(settings.half_life), float(settings.suppress), float(settings.reuse), float(settings.max_suppress)
        )
        wanted = {path[-1]: Place(body.protocol, body.instance or "") for path, body in view.objects(UnderlayListener)}
        for name in [name for name, one in self._listeners.items() if wanted.get(name) != one.place]:
            self._tasks.pop(name).cancel()
            del self._listeners[name]
            self._told.pop(name, None)
        for name, place in wanted.items():
            if name not in self._listeners:
                listener = Listener(name, place, lambda: self._interval, self._heard_of, self._clock)
                self._listeners[name] = listener
                self._tasks[name] = asyncio.create_task(listener.run(), name=f"underlay listener {name}")
        now = self._clock()
        self._endpoints.follow("dvrs", dict(_hypervisors(view)), now)
        self._endpoints.follow("pe", dict(_routers(view)), now)
        self._due.set()

    # What best path uses ------------------------------------------------------------------------------------

    def usable(self, endpoint: Ip) -> bool:
        """Whether a route may have this next hop: it is not lost, and not suppressed for flapping."""
        known = self._endpoints.get(endpoint)
        if known is not None:
            return known.usable
        reach = self.view.find(endpoint)
        return reach is None or reach.cost is not None

    def cost(self, endpoint: Ip, origin: Ip | None = None) -> int | None:
        """The cost of the way there, from the listener or from `origin` (a hypervisor's tunnel address); None: not
        known. The comparison of RFC 4271 section 9.1.2.2 e; who has no cost is not preferred to who has one.
        """
        known = self._endpoints.get(endpoint) if origin is None else None
        if known is not None and known.state is not Reachability.UNKNOWN:
            return known.cost  # a look-up of 0.2 µs where 100,000 routes share some next hops; the view takes 10
        return self.view.cost(endpoint, origin)

    def preferred(self, endpoints: Iterable[Ip], origin: Ip | None = None) -> list[Ip]:
        """Those of several alternates that may be used, the cheapest first."""
        costs = {one: self.cost(one, origin) for one in endpoints if self.usable(one)}
        return sorted(costs, key=lambda one: (costs[one] is None, costs[one] or 0, one))

    def on_change(self, watcher: Callable[[frozenset[Ip]], None]) -> Callable[[], None]:
        """Calls `watcher` with the endpoints whose `usable` or `cost` changed, on the loop; returns what ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def remote(self, next_hops: Mapping[Ip, str]) -> None:
        """The next hops of the routes that were imported, and who they are ('vtep of leaf3'): watched from now on."""
        self._endpoints.follow("remote", next_hops, self._clock())
        self._due.set()

    # What the speaker tells ---------------------------------------------------------------------------------

    def session(self, neighbor: str, up: bool) -> None:
        """A session with a neighbour whose role is underlay came up, or went."""
        self._sessions.pop(neighbor, None)
        if up:
            self._sessions[neighbor] = Heard(f"neighbor {neighbor}"), self._clock()
        self._due.set()

    def hear(self, neighbor: str, route: Route, *, withdrawn: bool = False) -> None:
        """Such a neighbour announced or withdrew a route (ipv4, ipv6 unicast)."""
        known = self._sessions.get(neighbor)
        if known is not None and known[0].hear(route, withdrawn=withdrawn):
            self._due.set()

    # What people see ----------------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """All that is believed now."""
        return View(self._sources)

    @property
    def listeners(self) -> Mapping[str, Listener]:
        """The configured listeners by name."""
        return self._listeners

    @property
    def sessions(self) -> Mapping[str, tuple[Heard, float]]:
        """The BGP neighbours that are listened to, with what they tell, and since when they are up."""
        return self._sessions

    @property
    def endpoints(self) -> list[Endpoint]:
        """All endpoints, by address."""
        return list(self._endpoints)

    @property
    def limits(self) -> Limits:
        """How flaps are damped."""
        return self._endpoints.limits

    def topologies(self) -> list[Seen]:
        """The pictures that the listeners give now, by name."""
        return [source for _, source in sorted(self._sources.items()) if isinstance(source, Seen)]

    def now(self) -> float:
        """The time that `since` of endpoints and listeners is of."""
        return self._clock()

    # Inside -------------------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        good = " again" in text  # reachable again, calm and used again: what else is told of endpoints is not
        self._events.add(Kind.UNDERLAY, text, severity=Severity.NOTICE if good else Severity.WARNING)

    def _heard_of(self, listener: Listener) -> None:
        """A listener has another picture, or another standing: told once for each state and cause."""
        standing = listener.standing
        said = f"{standing.state} {standing.reason}"
        if self._told.get(listener.name) != said:
            self._told[listener.name] = said
            what = f"listener {listener.name} ({NAMES[listener.place.protocol]})"
            reason = f": {standing.reason}" if standing.reason else ""
            text = f"{what} {'is ' if standing.state in ('away', 'isolated') else 'has neighbours and is '}"
            self._events.add(
                Kind.UNDERLAY if standing.state == "listening" else Kind.FAULT, f"{text}{standing.state}{reason}",
                severity=Severity.NOTICE if standing.state == "listening" else Severity.ERROR,
                about=("underlay-listener", listener.name), facts={"state": standing.state},
            )  # fmt: skip
        self._due.set()

    async def _judge_for_ever(self) -> None:
        """Looks at the endpoints when something changed, when a penalty has decayed, when a source has settled."""
        while True:
            changed = await self._look()
            if changed:
                for watcher in tuple(self._watchers):
                    watcher(changed)
            await asyncio.sleep(BREATH)
            try:
                await asyncio.wait_for(self._due.wait(), self._wait())
            except TimeoutError:
                continue  # time alone may have changed something

    async def _look(self) -> frozenset[Ip]:
        now = self._clock()
        believed = {name: seen for name, one in self._listeners.items() if (seen := one.believed()) is not None}
        settling = {name for name, one in self._listeners.items() if one.settling}
        sources: dict[str, Source] = dict(believed)
        for heard, up in self._sessions.values():
            sources[heard.name] = heard
            if now < up + SETTLE:
                settling.add(heard.name)
        calm = self._endpoints.next_change(now)
        if not self._due.is_set() and self._sources == sources and self._settling == settling and calm != 0.0:
            return frozenset()
        self._sources, self._settling = sources, frozenset(settling)
        self._due.clear()
        return await spread(self._endpoints.judge(self.view, now, self._settling))

    def _wait(self) -> float | None:
        """Seconds until something happens by itself; None while nothing is listened to."""
        if not self._listeners and not self._sessions:
            return None
        calm = self._endpoints.next_change(self._clock())
        return self._interval if calm is None else min(self._interval, calm)


def _hypervisors(view: Configuration) -> Iterable[tuple[Ip, str]]:
    for path, body in view.objects(Dvrs):
        if body.tunnel_address:
            yield address(body.tunnel_address), f"dvrs {path[-1]}"


def _routers(view: Configuration) -> Iterable[tuple[Ip, str]]:
    """PE routers by the address where their tunnels end: their own, else that of the BGP neighbour that they are."""
    neighbors = {path[-1]: body.address for path, body in view.objects(Neighbor)}
    for path, body in view.objects(Pe):
        text = body.tunnel_address or neighbors.get(body.neighbor or path[-1])
        if text:
            yield address(text), f"pe {path[-1]}"

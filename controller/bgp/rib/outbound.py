"""What neighbours are told: our routes through the policy of each, as differences or as a whole.

No neighbour's routes are kept: what it has is what its policy makes of what is desired, now and before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.bgp.rib.desired import Desired
from controller.bgp.rib.outcome import Announcement, Outcome, Withdrawal
from controller.bgp.rib.policy import outbound
from controller.bgp.rib.settings import FABRIC, NeighbourPolicy, Settings
from controller.bgp.rib.table import EVERY, AdjRibIn
from controller.bgp.routes import Family, Nlri, Route
from data.addresses import Prefix
from data.steps import Steps

__all__ = ["Outbound"]

_Alike = tuple[frozenset[Family], tuple[Prefix, ...], bool]


class Outbound:
    """See the module. `tables` say who is there and which families its session speaks."""

    def __init__(self, desired: Desired, tables: Mapping[str, AdjRibIn]) -> None:
        self._desired = desired
        self._tables = tables
        self.settings = Settings()

    def changes(self, changed: list[tuple[Route | None, Route | None]], outcome: Outcome) -> Steps[None]:
        """Tells everybody who is there; neighbours with the same policy together."""
        if not changed:
            return
        for peers in self._groups().values():
            neighbour, families = self.settings.neighbours[peers[0]], self._tables[peers[0]].families
            announced: list[Route] = []
            withdrawn: list[Nlri] = []
            for count, (before, after) in enumerate(changed):
                if count % EVERY == 0:
                    yield
                was = None if before is None else outbound(neighbour, self.settings, before, families)
                now = None if after is None else outbound(neighbour, self.settings, after, families)
                if now is not None:
                    announced.append(now)
                elif was is not None:
                    withdrawn.append(was.nlri)
                for name in peers:
                    self._tables[name].told += (now is not None) - (was is not None)
            _add(outcome, tuple(peers), announced, withdrawn)

    def difference(
        self, name: str, changed: Iterable[tuple[Route | None, Route | None]]
    ) -> tuple[list[Route], list[Route]]:
        """What a neighbour would be told of these changes, (announced, withdrawn). While it is away nobody knows which
        families it will speak: all that it may have count.
        """
        neighbour, table = self.settings.neighbours[name], self._tables.get(name)
        families = table.families if table is not None and table.up else neighbour.families
        announced, withdrawn = [], []
        for before, after in changed:
            was, now = (None if one is None else outbound(neighbour, self.settings, one, families)
                        for one in (before, after))  # fmt: skip
            if now is not None:
                announced.append(now)
            elif was is not None:
                withdrawn.append(was)
        return announced, withdrawn

    def _groups(self) -> dict[_Alike, list[str]]:
        found: dict[_Alike, list[str]] = {}
        for name, table in self._tables.items():
            neighbour = self.settings.neighbours.get(name)
            if neighbour is not None and table.up and neighbour.role == FABRIC:
                alike = (neighbour.families & table.families, neighbour.announce, self.settings.internal(neighbour))
                found.setdefault(alike, []).append(name)
        return found

    def told(self, name: str, family: Family | None = None) -> Iterator[Route]:
        """Everything that a neighbour is told; nothing while it is away."""
        neighbour, table = self.settings.neighbours.get(name), self._tables.get(name)
        if neighbour is None or table is None or not table.up:
            return
        yield from self._all(neighbour, self.settings, table.families, family)

    def version(self, name: str, route: Route) -> Route | None:
        """How a neighbour is told one route of ours; None when it is not, or the neighbour is away."""
        neighbour, table = self.settings.neighbours.get(name), self._tables.get(name)
        if neighbour is None or table is None or not table.up:
            return None
        return outbound(neighbour, self.settings, route, table.families)

    def _all(
        self, neighbour: NeighbourPolicy, settings: Settings, families: frozenset[Family], family: Family | None = None
    ) -> Iterator[Route]:
        for route in self._desired:
            if family in (None, route.family):
                told = outbound(neighbour, settings, route, families)
                if told is not None:
                    yield told

    def everything(self, name: str, outcome: Outcome, family: Family | None = None) -> Steps[None]:
        """The whole for one neighbour, or one family of it."""
        routes = []
        for count, route in enumerate(self.told(name, family)):
            routes.append(route)
            if count % EVERY == 0:
                yield
        if family is None:
            self._tables[name].told = len(routes)
        _add(outcome, (name,), routes, [])

    def configure(self, settings: Settings, outcome: Outcome) -> Steps[None]:
        """Other settings: neighbours whose policy is another are told the difference. What is desired has not changed
        yet since they were told last."""
        old, self.settings = self.settings, settings
        for name, neighbour in settings.neighbours.items():
            before, table = old.neighbours.get(name), self._tables.get(name)
            if before is None or table is None or not table.up:
                continue
            if before == neighbour and old.internal(before) == settings.internal(neighbour):
                continue
            yield
            was = {route.nlri.key: route for route in self._all(before, old, table.families)}
            yield
            now = {route.nlri.key: route for route in self._all(neighbour, settings, table.families)}
            table.told = len(now)
            announced = [route for key, route in now.items() if was.get(key) != route]
            withdrawn = [route.nlri for key, route in was.items() if key not in now]
            _add(outcome, (name,), announced, withdrawn)


def _add(outcome: Outcome, peers: tuple[str, ...], announced: Iterable[Route], withdrawn: Iterable[Nlri]) -> None:
    routes, gone = tuple(announced), tuple(withdrawn)
    if routes:
        outcome.announce.append(Announcement(peers, routes))
    if gone:
        outcome.withdraw.append(Withdrawal(peers, gone))

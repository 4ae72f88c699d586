"""Events as somebody sees them who does not see everything: those about what he may read.

    confined to tenants   events about something in the own enterprise, of the tenant that has its name now
    parts hidden          events about nothing that is configured, and about what is not hidden

Of others' commits a tenant is told that there was one: its comment, and why it failed, may speak of what is not theirs.
Of an own one that a neighbor, a router or a hypervisor without own vports did not take, only that it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.events import Event, Kind, Selection
from data.access import Access
from data.path import Path
from data.schema.wan import Bgp, Neighbor, Pe

if TYPE_CHECKING:
    from controller.fabric import Fabric

OF_A_COMMIT = ("revision", "user", "state")
"""Facts about a commit that whoever sees its subject may know."""


def of_provider(part: str) -> bool:
    """Whether a receipt, or the place of a failure, is about a neighbour or a router."""
    return part.partition(" ")[0] in (Bgp.declared.keyword, Neighbor.declared.keyword, Pe.declared.keyword)


class ConfinedEvents:
    """What `Events` is to handlers, for one user."""

    def __init__(self, fabric: Fabric, access: Access, tells_of_others: Callable[[str, str], bool]) -> None:
        """`tells_of_others` says of the place and the cause of a failure whether they are not for this user."""
        self._fabric = fabric
        self._access = access
        self._tells_of_others = tells_of_others

    def __iter__(self) -> Iterator[Event]:
        for event in self._fabric.events:
            if self._visible(event.about, event.tenant):
                yield self._seen(event)

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `watcher` with every later event that is visible; returns what ends it."""

        def visible(event: Event) -> None:
            if self._visible(event.about, event.tenant):
                watcher(self._seen(event))

        return self._fabric.events.watch(visible)

    async def kept(self, selection: Selection, limit: int) -> list[Event]:
        """The latest visible events of a selection, oldest of them first."""
        found = await self._fabric.events.kept(selection, limit, self._visible)
        return [self._seen(event) for event in found]

    def _visible(self, about: Path | None, tenant: str | None) -> bool:
        if about is None:
            return not self._access.confined
        if not self._access.reads(about):
            return False
        return not self._access.confined or (tenant is not None and tenant == self._fabric.network.tenant(about[1]))

    def _seen(self, event: Event) -> Event:
        if not self._access.confined or event.kind not in (Kind.COMMIT, Kind.CONFIRM):
            return event
        facts = {name: value for name, value in event.facts.items() if name in OF_A_COMMIT}
        where, cause = (str(event.facts.get(name, "")) for name in ("where", "cause"))
        if facts.get("user") == self._access.user and not self._tells_of_others(where, cause):
            return event
        words = " ".join(str(facts[name]) for name in ("revision", "state") if name in facts)
        return replace(event, text=f"revision {words} by {facts.get('user', 'somebody')}", facts=facts)

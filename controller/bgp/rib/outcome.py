"""What follows from an event or a change: the whole answer of the rib to the service that drives it.

In this order: `remote` goes to the compiler, `announce` and then `withdraw` to the speaker (what takes the place of
something is there before that goes), then `end_of_rib`, then `reset`; `told` are lines for the events; `underlay` is
for whoever listens to the underlay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.bgp.routes import Family, Nlri, Route
from controller.compile.remote import Remote, RemoteKey
from data.addresses import Ip, Prefix

__all__ = ["Announcement", "Outcome", "Reset", "Withdrawal"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """Routes that all these neighbours are told."""

    peers: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Routes that are taken back from all these neighbours."""

    peers: tuple[str, ...]
    routes: tuple[Nlri, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """A session is to be ended, and not begun again for so many seconds."""

    peer: str
    reason: str
    idle: float = 0.0


@dataclass(slots=True)
class Outcome:
    """See the module. A fact that is None is true no more; an underlay prefix with no next hop is gone."""

    remote: dict[RemoteKey, Remote | None] = field(default_factory=dict)
    announce: list[Announcement] = field(default_factory=list)
    withdraw: list[Withdrawal] = field(default_factory=list)
    end_of_rib: list[tuple[str, frozenset[Family]]] = field(default_factory=list)
    reset: list[Reset] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    underlay: dict[Prefix, tuple[Ip, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.remote or self.announce or self.withdraw or self.end_of_rib or self.reset or self.told or self.underlay
        )

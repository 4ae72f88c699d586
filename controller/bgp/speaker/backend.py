"""What the service asks of a speaker, and what a speaker tells it: the whole interface.

A speaker holds sessions and nothing else that lasts: when it (re)starts or a session comes up, it says `Up`, and the
service announces everything anew, with `end_of_rib` behind it (RFC 4724 section 2). It never announces to a neighbour
of its own accord, and never to one whose role is underlay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.bgp.routes import Family, Nlri, Route

__all__ = ["ADMINISTRATIVE_RESET", "BFD_DOWN", "Changed", "Down", "EndOfRib", "Event", "Fault", "Listener",
           "Peer", "Refresh", "Refused", "Speaker", "SpeakerGone", "Up"]  # fmt: skip

ADMINISTRATIVE_RESET, BFD_DOWN = 4, 10
"""Subcodes of cease (RFC 4486 section 3, RFC 9384 section 3)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A neighbour as the speaker needs it. Times in seconds. `ttl_security`: hops that the peer is away (RFC 5082),
    `multihop` the TTL of what we send; at most one of them. `password` is of TCP MD5 (RFC 2385)."""

    name: str
    address: str
    local_address: str
    local_as: int
    peer_as: int
    router_id: str
    families: tuple[Family, ...]
    port: int = 179
    passive: bool = False
    hold_time: int = 90
    restart_time: int = 120
    multihop: int | None = None
    ttl_security: int | None = None
    password: str | None = None
    listens_only: bool = False

    def __repr__(self) -> str:
        return f"<Peer {self.name} {self.address}>"  # never the password


@dataclass(frozen=True, slots=True)
class Up:
    """The session is established. `families` are those that both ends speak, `restart_time` what the peer's graceful
    restart capability says (None without one), `forwarding` the families whose forwarding state it kept (the F bit),
    `restarted` whether it said that it has restarted (the R bit, RFC 4724 section 3)."""

    peer: str
    families: frozenset[Family]
    hold_time: int
    router_id: str = ""
    restart_time: int | None = None
    forwarding: frozenset[Family] = frozenset()
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class Down:
    """The session is gone; `reason` for people. `graceful`: the peer's routes may be kept as stale (RFC 4724). `ours`:
    our own process died, which says nothing about the peer."""

    peer: str
    reason: str
    graceful: bool = True
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """What one UPDATE said."""

    peer: str
    announced: tuple[Route, ...]
    withdrawn: tuple[Nlri, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """What a peer sent and the speaker or the codec could not take (RFC 7606): treated as withdrawn when `nlri` says
    of what."""

    peer: str
    reason: str
    nlri: tuple[Nlri, ...] = ()


@dataclass(frozen=True, slots=True)
class EndOfRib:
    """The peer has sent all that it had of a family (RFC 4724 section 2)."""

    peer: str
    family: Family


@dataclass(frozen=True, slots=True)
class Refresh:
    """The peer asks for everything of a family once more (RFC 2918)."""

    peer: str
    family: Family


@dataclass(frozen=True, slots=True)
class Fault:
    """The speaker itself died or came back: `alive` False or True. All sessions are down in between."""

    alive: bool
    reason: str


Event = Up | Down | Changed | Refused | EndOfRib | Refresh | Fault
Listener = Callable[[Event], None]


class SpeakerGone(Exception):
    """The speaker died, or is not there, before it answered."""


class Speaker(Protocol):
    """Events go to the listener that the speaker was made with, in the order in which they happened."""

    @property
    def failures(self) -> Mapping[str, str]:
        """Why the last attempt at a session failed, by neighbour."""

    def messages(self, name: str) -> tuple[int, int]:
        """UPDATE messages received from and sent to a neighbour since this run of the process began."""

    async def start(self) -> None:
        """Raises CommandFailed when it cannot be started at all; afterwards it is restarted by itself."""

    async def stop(self, *, graceful: bool = True) -> None:
        """Ends the process. Graceful: without a NOTIFICATION, so that peers keep our routes (RFC 4724)."""

    async def configure(self, peers: Iterable[Peer]) -> None:
        """Exactly these neighbours from now on; sessions whose Peer is as before stay up. Raises SpeakerGone."""

    def hold(self, held: bool) -> None:
        """Whether peers are not listened to for now, since the listener has enough to do: TCP holds them back, their
        sessions live on. What they said before still comes; a process that is started again holds, too."""

    async def announce(self, peers: Sequence[str], routes: Sequence[Route]) -> None:
        """Tells these neighbours, leaving out those without a session and those that are not configured any more.
        Returns when the speaker has them all, in order with everything asked before.

        Raises SpeakerGone, ValueError naming what cannot be said."""

    async def withdraw(self, peers: Sequence[str], routes: Sequence[Nlri]) -> None:
        """Takes routes back from these neighbours. Raises as `announce`."""

    async def end_of_rib(self, peer: str, families: Iterable[Family]) -> None:
        """Tells one neighbour that it has everything. Raises SpeakerGone."""

    async def reset(self, peer: str, reason: str, subcode: int = ADMINISTRATIVE_RESET) -> None:
        """Ends one session with a NOTIFICATION (cease, RFC 4486), to begin anew, if there is one; `Down` says the
        reason. Raises SpeakerGone."""

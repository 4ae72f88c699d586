"""BFD for sessions with neighbours, lent by the bfdd of an FRR on this machine (RFC 5880, RFC 5882).

    configuration ──watched──> Bfd ──vty──> bfdd ══ packets ══ the neighbour
                                ^             │ control socket: up, down
                                └─────────────┘ up, then down: the session ends at once, its routes are gone

A path that is lost is told within three intervals (0.9 s), where the hold time takes 90. What was learned over it is
dropped and not kept as stale: packets do not arrive (RFC 5882 section 4.3.2; bfdd does not say whether the neighbour's
BFD would outlive its control plane, the C bit). Nothing follows

    while bfdd is away, or when it begins anew     the hold time alone counts then, as without BFD
    when either end ended BFD on purpose           RFC 5882 section 4.2: AdminDown says nothing about the path
    from a session that never was up               the other end may not have been told of it

When the controller stops, bfdd goes on: neighbours keep our routes, and packets go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from controller.bgp.bfdd import SUBSCRIBE, BfdSession, Said, added, configured, profile, read, removed, said, shut
from controller.bgp.peers import peers
from controller.events import Kind
from controller.underlay.listener import RUN
from controller.underlay.vty import PATIENCE, Vty, VtyFailed
from data.addresses import address
from data.configuration import Configuration
from data.schema.wan import Bgp as BgpSettings
from data.schema.wan import Neighbor

__all__ = ["Bfd", "BfdStanding", "Watched", "watched"]

RETRY = 1.0  # seconds until a bfdd that is away is tried again
RETRY_MOST = 30.0
_ADMINISTRATIVE = 7  # RFC 5880 section 4.1
_SIGNALED = 3
_DIAGNOSTICS = {
    0: "no reason given", 1: "nothing was heard for the detection time", 2: "echoes do not come back",
    3: "the neighbor ended it", 4: "its forwarding plane was reset", 5: "the path is down",
    6: "a concatenated path is down", 7: "administratively down", 8: "a concatenated path back is down",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """Which sessions, of which FRR instance ("": the one without a name); `interval` in milliseconds."""

    instance: str = ""
    interval: int = 300
    sessions: Mapping[str, BfdSession] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BfdStanding:
    """How the session with a neighbour is: up, down, init, adm-down, `starting`, or `away` when bfdd does not answer;
    since when, by the clock of the service."""

    state: str
    since: float
    reason: str = ""


def watched(view: Configuration) -> Watched:
    """What the acting configuration wants."""
    settings = view.settings(BgpSettings)
    how = {path[-1]: one.bfd for path, one in view.objects(Neighbor) if one.bfd is not None}
    return Watched(
        settings.bfd_instance or "", settings.bfd_interval,
        {one.name: BfdSession(address(one.address), address(one.local_address), how[one.name] == "multihop")
         for one in peers(view) if one.name in how},
    )  # fmt: skip


class Bfd:
    """See the module. `lost(neighbour, reason)` is told of paths that are lost, `tell` is for events. Life: `run`."""

    def __init__(
        self,
        lost: Callable[[str, str], None],
        tell: Callable[[Kind, str], None],
        *,
        clock: Callable[[], float] = monotonic,
        place: Path = RUN,
    ) -> None:
        self._lost = lost
        self._tell = tell
        self._clock = clock
        self._place = place
        self._wanted = Watched()
        self._at: str | None = None  # the instance that has, or may have, sessions of ours
        self._again = asyncio.Event()
        self._retry = RETRY
        self._fault = ""
        self.standing: dict[str, BfdStanding] = {}

    def configure(self, wanted: Watched) -> None:
        """These neighbours from now on."""
        if wanted == self._wanted:
            return
        before, self._wanted = self._wanted, wanted
        for name in [name for name, one in before.sessions.items() if wanted.sessions.get(name) != one]:
            self.standing.pop(name, None)
        for name in wanted.sessions:
            if name not in self.standing or before.instance != wanted.instance:
                self.standing[name] = BfdStanding("starting", self._clock())
        self._retry = RETRY
        self._again.set()

    async def run(self) -> None:
        """Works until it is cancelled; what is in bfdd stays there then."""
        while True:
            if not self._wanted.sessions and self._at is None:
                await self._again.wait()
                self._again.clear()
                continue
            instance = self._wanted.instance if self._at is None else self._at
            try:
                await self._serve(instance)
            except (VtyFailed, OSError, ValueError, asyncio.IncompleteReadError) as problem:
                if not self._wanted.sessions or self._wanted.instance != instance:
                    self._at = None  # what it had of ours went with it, or goes when it is used again
                    continue
                self._away(instance, _words(problem))
                self._again.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), self._retry)
                self._retry = min(self._retry * 2, RETRY_MOST)

    async def _serve(self, instance: str) -> None:
        """Speaks with one bfdd until nothing is wanted of it any more. Raises when it cannot."""
        directory = self._place / instance
        vty = Vty(directory / "bfdd.vty", configures=True)
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(str(directory / "bfdd.sock"))
        hearing: asyncio.Task[None] | None = None
        try:
            while True:
                self._again.clear()
                wanted = self._wanted if self._wanted.instance == instance else Watched(instance)
                await _agree(vty, wanted)
                self._at = instance if wanted.sessions else None
                self._fault, self._retry = "", RETRY
                if not wanted.sessions:
                    return
                writer.write(SUBSCRIBE)  # how all of them stand, also those that somebody else made before
                if hearing is None:
                    hearing = asyncio.create_task(self._hear(reader), name="bfd notifications")
                changed = asyncio.create_task(self._again.wait())
                await asyncio.wait((hearing, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if hearing.done():
                    hearing.result()
        finally:
            if hearing is not None:
                hearing.cancel()
            writer.close()
            vty.close()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while True:
            one = said(*await read(reader))
            if one is not None:
                self._heard(one)

    def _heard(self, one: Said) -> None:
        for name, session in self._wanted.sessions.items():
            if not one.about(session):
                continue
            before = self.standing[name].state
            if before == one.state:
                continue
            on_purpose, reason = _reason(one)
            self.standing[name] = BfdStanding(one.state, self._clock(), reason)
            if one.state == "up":
                self._tell(Kind.BGP, f"bgp-neighbor {name}: BFD up")
            elif before == "up":
                self._tell(Kind.BGP, f"bgp-neighbor {name}: BFD {one.state} ({reason})")
                if one.state == "down" and not on_purpose:
                    self._lost(name, f"BFD: {reason}")

    def _away(self, instance: str, reason: str) -> None:
        now, whose = self._clock(), f"bfdd of the FRR instance {instance}" if instance else "bfdd"
        for name in self._wanted.sessions:
            if self.standing[name].state != "away":
                self.standing[name] = BfdStanding("away", now, f"{whose}: {reason}")
        if self._wanted.sessions and self._fault != reason:
            self._fault = reason
            self._tell(Kind.FAULT, f"bfd: {whose}: {reason}; sessions rely on their hold time until it answers")


async def _agree(vty: Vty, wanted: Watched) -> None:
    """Makes bfdd keep exactly these sessions, but for those of others. Raises VtyFailed."""
    held = configured((await vty.ask(["show running-config"]))[0])
    sessions = set(wanted.sessions.values())
    gone = sorted(one for one, ours in held.items() if ours and one not in sessions)
    if gone:
        await vty.configure(shut(gone))
        await vty.configure(removed(gone))
    if sessions:
        await vty.configure(profile(wanted.interval))
        await vty.configure(added(sorted(sessions - held.keys())))


def _words(problem: Exception) -> str:
    if isinstance(problem, asyncio.IncompleteReadError):
        return "it closed the connection"
    if isinstance(problem, OSError):
        return problem.strerror or "no answer"
    return str(problem)[:200] if isinstance(problem, VtyFailed) else f"it makes no sense: {str(problem)[:200]}"


def _reason(one: Said) -> tuple[bool, str]:
    """Whether an end of a session was on purpose, and why it was. FRR gives no reason when it is told to shut one."""
    if one.diagnostic == _SIGNALED:
        if one.remote_diagnostic in (0, _ADMINISTRATIVE):
            return True, "ended there on purpose"
        return False, f"the neighbor says: {_DIAGNOSTICS.get(one.remote_diagnostic, 'a reason unknown to us')}"
    if one.state == "up":
        return False, ""
    return one.diagnostic == _ADMINISTRATIVE, _DIAGNOSTICS.get(one.diagnostic, f"diagnostic {one.diagnostic}")

"""One routing daemon that listens, read again and again: what it knows, or why it cannot be asked.

    every poll interval   digest (checksums, sequence numbers) ── same ──> nothing to do
                                    │ another
                                    v
                          the whole database, in one piece: read anew when the digest changed meanwhile
                                    │ in a thread: parsed, shortest paths from here
                                    v
                          changed(listener)           `seen` is the last picture with neighbours in it; it counts no
                                                      more when the daemon hears nothing for STALE seconds, and is not
                                                      believed of losses for SETTLE seconds after it came

A daemon that is away is tried again after RETRY seconds, doubling up to RETRY_MOST. Whatever it says, the loop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec

from controller.underlay import isis, ospf
from controller.underlay.view import Seen
from controller.underlay.vty import Vty, VtyFailed

__all__ = ["RUN", "SETTLE", "STALE", "Listener", "Place", "Standing"]

RUN = Path("/var/run/frr")
RETRY = 1.0  # seconds until a daemon that is away is tried again
RETRY_MOST = 30.0
STALE = 60.0  # seconds for which the last picture of a daemon that is away counts: FRR is restarted in 5
SETTLE = 10.0  # seconds in which a daemon that has just come may not know everything: adjacencies come one by one
WHOLE = 3  # attempts to read a database that changes while it is read; the last one counts until the next look
AGAIN = 60.0  # seconds after which the database is read although its digest is the same: checksums may collide

PROTOCOLS: dict[str, tuple[ModuleType, str]] = {"ospf": (ospf, "ospfd"), "isis": (isis, "isisd")}
NAMES = {"ospf": "OSPF", "isis": "IS-IS"}


@dataclass(frozen=True, slots=True)
class Place:
    """Which daemon a listener is: protocol, and the name of the FRR instance ("": the one without a name)."""

    protocol: str
    instance: str = ""

    @property
    def socket(self) -> Path:
        """Its vty socket."""
        return RUN / self.instance / f"{PROTOCOLS[self.protocol][1]}.vty"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a listener does: `listening`, `isolated` (the daemon answers and has no neighbour), `away` or `starting`."""

    state: str
    since: float
    reason: str = ""


class Listener:
    """A daemon that is polled from `run` until that is cancelled. `clock` gives seconds that never go back."""

    def __init__(
        self,
        name: str,
        place: Place,
        interval: Callable[[], float],
        changed: Callable[[Listener], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.place = place
        self.seen: Seen | None = None
        self.read = 0  # times that the whole database was read
        self.standing = Standing("starting", clock(), "it has not answered yet")
        self._interval = interval
        self._changed = changed
        self._clock = clock
        self._came = 0.0  # when it had neighbours, after it had none
        self._deaf: float | None = None  # since when it hears nothing
        self._heard = 0.0
        self._digest: object = None
        self._read_at = 0.0
        self._protocol, _ = PROTOCOLS[place.protocol]
        self._vty = Vty(place.socket)

    @property
    def settling(self) -> bool:
        """Whether what it does not know proves nothing yet, or (it is away) any more."""
        return self.standing.state != "listening" or self._clock() < self._came + SETTLE

    async def run(self) -> None:
        """Polls for ever."""
        retry = RETRY
        try:
            while True:
                if await self._poll():
                    retry = RETRY
                    await asyncio.sleep(self._interval())
                else:
                    await asyncio.sleep(retry)
                    retry = min(retry * 2, RETRY_MOST)
        finally:
            self._vty.close()

    async def _poll(self) -> bool:
        """One look; whether the daemon answered and made sense."""
        try:
            await self._look()
        except VtyFailed as problem:
            self._gone(str(problem))
        except (ValueError, msgspec.MsgspecError) as problem:
            self._vty.close()
            self._gone(f"what it says makes no sense: {str(problem)[:200]}")
        except Exception as problem:  # a hostile daemon must not end the loop: whatever it found out, it is told
            self._vty.close()
            self._gone(f"what it says cannot be read: {type(problem).__name__}: {str(problem)[:200]}")
        else:
            return True
        return False

    async def _look(self) -> None:
        protocol = self._protocol
        digest = protocol.digest(await self._vty.ask(protocol.DIGEST))
        self._heard = self._clock()
        if digest == self._digest and self._heard < self._read_at + AGAIN:
            return
        for _ in range(WHOLE):
            answers = await self._vty.ask(protocol.FULL)
            after = protocol.digest(await self._vty.ask(protocol.DIGEST))
            if after == digest:
                break
            digest = after
        topology = await asyncio.to_thread(protocol.topology, answers)
        self._digest, self._read_at = digest, self._heard
        self.read += 1
        if topology.alone:
            self._deafen("isolated", f"it has no {NAMES[self.place.protocol]} neighbour")
            return
        if self.seen is None or self.seen.topology != topology:
            self.seen = await asyncio.to_thread(Seen, self.name, topology)
        self._deaf = None
        if self.standing.state != "listening":
            self._came = self._clock()
            self.standing = Standing("listening", self._came)
        self._changed(self)

    def _gone(self, reason: str) -> None:
        self._digest = None
        self._deafen("away", reason)

    def _deafen(self, state: str, reason: str) -> None:
        """It hears nothing, for this reason; what it knew counts for STALE seconds from the first such moment."""
        now = self._clock()
        self._deaf = now if self._deaf is None else self._deaf
        if (self.standing.state, self.standing.reason) != (state, reason):
            since = self.standing.since if self.standing.state == state else now
            self.standing = Standing(state, since, reason)
            self._changed(self)

    def believed(self) -> Seen | None:
        """The picture, while it counts: not that of a daemon that has been away or without neighbours for STALE."""
        if self._deaf is not None and self._clock() >= self._deaf + STALE:
            return None
        return self.seen

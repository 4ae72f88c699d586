"""Whom the speaker has sessions with, and its life: it is there while there are neighbours.

A neighbour that is left alone (it told too much, its session flaps) is not the speaker's until its time is over: it is
neither dialled nor answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from controller.bgp.outbox import Outbox
from controller.bgp.peers import waited_for_at
from controller.bgp.rib.inbound import Inbound
from controller.bgp.speaker.backend import BFD_DOWN, Listener, Peer, SpeakerGone
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from controller.bgp.speaker.left import Left
from data.errors import CommandFailed

__all__ = ["Sessions"]


class Sessions:
    """`inbound` knows who is left alone; `outbox` keeps the order of what the speaker is to do; `left` knows what
    speakers an earlier daemon left to us."""

    def __init__(
        self, heard: Listener, inbound: Callable[[], Inbound], outbox: Outbox, left: Left | None = None
    ) -> None:
        self._heard = heard
        self._left = left
        self._inbound = inbound
        self._outbox = outbox
        self.speaker = ExabgpSpeaker(heard, left=left)
        self.peers: dict[str, Peer] = {}
        self.running = False
        self._spoken = False  # the speaker was told of neighbours
        self._alone: frozenset[str] = frozenset()  # neighbours that it was not told of

    async def speak(self, some: list[Peer], port: int) -> None:
        """Exactly these neighbours from now on. Starts the speaker with the first; without any it goes on
        and speaks to nobody.

        Raises CommandFailed: it cannot be started, or an address cannot be listened on.
        """
        before, self.peers = self.peers, {peer.name: peer for peer in some}
        for name in before.keys() & self.peers.keys():
            if before[name] != self.peers[name]:
                self._inbound().release(name)  # whoever changed it wants to see what it does now
        if not some and not self._spoken:
            if self._left is not None:
                await asyncio.to_thread(self._left.end)
            return
        if not self.running:
            self.speaker = ExabgpSpeaker(self._heard, left=self._left)
        self.speaker.listen, self.speaker.port = waited_for_at(some), port
        if not self.running:
            await self.speaker.start()
            self.running = True
        self._spoken = True
        try:
            await self._configure()
        except ValueError as problem:
            raise CommandFailed("bgp", str(problem), "see 'show configuration bgp-neighbor'") from problem

    async def stop(self) -> None:
        """Ends the speaker so that neighbours keep our routes while we are away (RFC 4724)."""
        if self.running:
            self.running = False
            await self.speaker.stop(graceful=True)

    def hold(self, held: bool) -> None:
        """Lets the speaker read no peer, or read again."""
        self.speaker.hold(held)

    async def reset(self, name: str) -> None:
        """Begins a session anew, also one that was left alone for what it told. Raises CommandFailed."""
        if name not in self.peers:
            raise CommandFailed(f"bgp-neighbor {name}", f"there is no neighbor {name}", "see 'show bgp summary'")
        if self._inbound().release(name):
            self.look_again()
            return
        try:
            await self.speaker.reset(name, "administrative reset")
        except SpeakerGone as gone:
            raise CommandFailed(f"bgp-neighbor {name}", f"{gone}", "it is begun anew by itself") from gone

    async def end(self, name: str, reason: str) -> None:
        """Ends the session of a neighbour whom packets do not reach, if there is one."""
        with suppress(SpeakerGone, ValueError):  # it has no session then
            await self.speaker.reset(name, reason, BFD_DOWN)

    @property
    def incomplete(self) -> bool:
        """Whether somebody is left alone."""
        return bool(self._alone)

    def look_again(self) -> None:
        """After what was said before, the speaker gets neighbours that are left alone no more, and loses others."""
        if self.running and self._left_alone() != self._alone:
            self._alone = self._left_alone()
            self._outbox.put(self._configure)

    async def _configure(self) -> None:
        """Gives the speaker the neighbours that are not left alone. Raises as `Speaker.configure`."""
        self._alone = self._left_alone()
        await self.speaker.configure([peer for name, peer in self.peers.items() if name not in self._alone])

    def _left_alone(self) -> frozenset[str]:
        tables = self._inbound().tables
        return frozenset(name for name in self.peers if name in tables and tables[name].shut_until is not None)

"""The service with a pretended speaker: one neighbour, and a domain that goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath
from time import monotonic
from typing import Any, ClassVar

from controller.bgp.kept import Kept as KeptNumbers
from controller.bgp.routes import Attributes, Community, Family, Nlri, Rd, Route, VpnPrefix
from controller.bgp.service import Bgp
from controller.bgp.side import BgpSide
from controller.bgp.speaker.backend import ADMINISTRATIVE_RESET, Event, Listener, Peer, Up
from controller.bgp.speaker.left import Left
from controller.commit.commits import Outcome
from controller.underlay.service import Underlay
from data.addresses import address, prefix
from data.configuration import Edits
from data.schema.objects import Controller, Domain
from data.schema.wan import Bgp as Settings
from data.schema.wan import Neighbor
from tests.unit.controller.model import PROD, uuid, vport, vport_path
from tests.unit.controller.test_commits import Bench

TARGET = "65000:77"
PE1 = ("bgp-neighbor", "pe1")


class PretendSpeaker:
    """Remembers what it is told; `refuses` makes it fail at that, once."""

    made: ClassVar[list[PretendSpeaker]] = []

    def __init__(self, listener: Listener, left: Left | None = None) -> None:
        self.listener = listener
        self.listen: list[str] = []
        self.port = 0
        self.peers: tuple[Peer, ...] = ()
        self.routes: dict[str, dict[object, Route]] = {}
        self.ended: list[str] = []
        self.refuses: Exception | None = None
        self.stopped = False
        self.held = False
        self.made.append(self)

    async def start(self) -> None:
        self.stopped = False

    async def stop(self, *, graceful: bool = True) -> None:
        self.stopped = True

    async def configure(self, some: Iterable[Peer]) -> None:
        self.peers = tuple(some)

    def hold(self, held: bool) -> None:
        self.held = held

    def _fail(self) -> None:
        problem, self.refuses = self.refuses, None
        if problem is not None:
            raise problem

    async def announce(self, names: Sequence[str], routes: Sequence[Route]) -> None:
        self._fail()
        for name in names:
            self.routes.setdefault(name, {}).update({route.nlri.key: route for route in routes})

    async def withdraw(self, names: Sequence[str], routes: Sequence[Nlri]) -> None:
        self._fail()
        for name in names:
            for nlri in routes:
                self.routes.setdefault(name, {}).pop(nlri.key, None)

    async def end_of_rib(self, name: str, families: Iterable[Family]) -> None:
        self.ended.append(name)

    async def reset(self, name: str, reason: str, subcode: int = ADMINISTRATIVE_RESET) -> None:
        self.ended.append(f"reset {name}")


class Wan(Bench):
    """A domain that goes out, one neighbour, and vm-2 on hv1."""

    def __init__(self, directory: FilePath) -> None:
        super().__init__(directory)
        self.passed = 0.0  # seconds that the clock is ahead
        self.underlay = Underlay(self.events, lambda: self.network.running)
        self.bgp = Bgp(
            self.network,
            self.upkeep,
            self.underlay,
            KeptNumbers(directory),
            self.submit,
            self.commits.settled,
            lambda: monotonic() + self.passed,
        )
        self.commits.add_side(BgpSide(self.bgp))

    async def begin(self) -> None:
        await super().begin()
        await self.bgp.start()

    async def change(self, edits: Edits) -> Outcome:
        return await self.commits.commit(edits, "ops", "")

    async def go_out(self) -> Outcome:
        return await self.change({
            ("controller",): Controller(uuid=uuid(300), listen_address="192.0.2.1"),
            ("bgp",): Settings(uuid=uuid(301), autonomous_system=65000),
            PE1: Neighbor(uuid=uuid(302), address="192.0.2.9", autonomous_system=65000),
            PROD: Domain(uuid=uuid(101), route_target=(TARGET,)),
            vport_path(2): vport(2),
        })  # fmt: skip

    @property
    def speaker(self) -> PretendSpeaker:
        return PretendSpeaker.made[-1]

    def hear(self, *events: Event) -> None:
        for event in events:
            self.speaker.listener(event)

    async def settled(self) -> None:
        """Everything that follows has followed."""
        for _ in range(20):
            await asyncio.sleep(0.01)
            await self.upkeep.idle()

    async def up(self) -> None:
        self.hear(Up("pe1", frozenset({Family.EVPN, Family.VPNV4}), 90, "192.0.2.9", 120))
        await self.settled()

    def prefixes(self, name: str = "pe1") -> set[str]:
        held = self.speaker.routes.get(name, {})
        return {str(route.nlri.prefix) for route in held.values() if isinstance(route.nlri, VpnPrefix)}


def theirs(text: str) -> Route:
    attributes = Attributes(next_hop=address("192.0.2.9"), extended=(Community.route_target(TARGET),))
    return Route(VpnPrefix(Rd.of("65000:9"), prefix(text), (300,)), attributes)


def neighbour(**settings: Any) -> Neighbor:
    return Neighbor(uuid=uuid(302), address="192.0.2.9", autonomous_system=65000, **settings)


def spoken_to(wan: Wan) -> list[str]:
    return [peer.name for peer in wan.speaker.peers]

"""A bench with a WAN: two hypervisors, a BGP neighbour and two PE routers, all pretended, and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

import msgspec

from controller.commit.commits import Commits, Outcome
from controller.commit.plan import SidePlan
from controller.commit.planning import Draft
from controller.commit.receipts import Kept, Receipt
from controller.network import Network
from controller.numbers import Numbers
from controller.pe.drivers import Place
from controller.pe.held import HeldFiles
from controller.pe.intent import Wanted
from controller.pe.router import RouterState
from controller.pe.routers import PeRouters
from controller.pe.session import Session
from data.configuration import Edits
from data.errors import ApplyFailed
from data.path import Path
from data.schema.objects import Controller, Domain, Object
from data.schema.wan import Bgp, Neighbor, Pe, PeVpn
from tests.unit.controller.model import PROD, uuid, vport, vport_path
from tests.unit.controller.test_commits import Bench
from tests.unit.pe.devices import Device

SECRET = "opensesame"


def wan() -> dict[Path, Object]:
    """Two PE routers, and a domain that goes out by the first."""
    objects: dict[Path, Object] = {
        ("controller",): Controller(uuid=uuid(300), listen_address="192.0.2.1"),
        ("bgp",): Bgp(uuid=uuid(301), autonomous_system=65000),
        PROD: Domain(uuid=uuid(101), route_target=("65000:1",)),
    }
    for number in (1, 2):
        name = f"r{number}"
        objects[("bgp-neighbor", name)] = Neighbor(
            uuid=uuid(310 + number), address=f"192.0.2.1{number}", autonomous_system=65001, password=SECRET
        )
        objects[("pe", name)] = Pe(uuid=uuid(320 + number), driver="junos", address=name)
    return objects


def vpn(number: int, *prefixes: str) -> PeVpn:
    return PeVpn(uuid=uuid(330 + number), domain="acme/prod", prefix=prefixes)


VPN = ("pe", "r1", "vpn", "prod")
CHANGE: Edits = {vport_path(2): vport(2), vport_path(3): vport(3), VPN: vpn(1, "10.9.0.0/24"),
                 ("pe", "r2", "vpn", "prod"): vpn(2, "10.8.0.0/24")}  # fmt: skip
"""It concerns both hypervisors, the BGP neighbour and both routers."""


class Neighbour:
    """The BGP side, pretended: one neighbour that is told a number of routes. `fail` is the step that raises next."""

    def __init__(self) -> None:
        self.told = 0
        self.fail = ""
        self.before: list[int] = []

    async def plan(self, made: Draft) -> Sequence[SidePlan]:
        return [SidePlan("bgp-neighbor r1", "")]

    async def prepare(self, made: Draft, strict: bool) -> Neighbour:
        self._step("prepare")
        return self

    async def commit(self) -> Sequence[Receipt]:
        self.before.append(self.told)
        self.told += 1
        self._step("commit")
        return [Receipt("bgp-neighbor r1", Kept.VERIFIED, 1)]

    async def settle(self) -> None:
        self.before.clear()

    async def discard(self) -> None:
        """It was told nothing."""

    async def revert(self) -> None:
        self.told = self.before.pop()

    def _step(self, name: str) -> None:
        if self.fail == name:
            self.fail = ""
            raise ApplyFailed("bgp-neighbor r1", f"no, at {name}", "")


class WanBench(Bench):
    """Two hypervisors, a neighbour, two routers."""

    def __init__(self, directory: FilePath, devices: dict[str, Device] | None = None) -> None:
        super().__init__(directory)
        self.directory = directory
        self.devices = devices or {"r1": Device(), "r2": Device()}
        self.neighbour = Neighbour()
        self.network = Network(self.store.load(), Numbers(self.store.numbers()), (), self.events)
        self.upkeep._network = self.network
        self.commits = Commits(self.network, self.store, self.submit, self.upkeep.stranded, ())
        self.commits.add_side(self.neighbour)
        self.pe = PeRouters(self.network, directory, self.commits.settled, session=self.session)
        self.commits.add_side(self.pe)

    def session(self, name: str, wanted: Wanted) -> Session:
        here = msgspec.structs.replace(wanted.pe, instance="none", password="hunter2")  # no TCP connection is tried
        return Session(name, Place(here, self.directory), wanted.key, self.devices[name].driver)

    async def begin(self) -> None:
        await self.commits.recover()
        await self.pe.start()
        await super().begin()
        if self.network.running.revision == 1:
            await self.commits.commit(wan(), "ops", "the WAN")
        await self.quiet()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.01)

    async def quiet(self) -> None:
        """Every router that is there has been looked at and holds what is committed."""
        await self.until(lambda: all(self.in_sync(name) or not self.devices[name].there for name in self.devices))

    def in_sync(self, name: str) -> bool:
        router = next((one for one in self.pe.all() if one.name == name), None)
        return router is not None and router.state is RouterState.IN_SYNC and not router.lock.locked()

    def text(self, name: str) -> str:
        device = self.devices[name]
        return "waits for a confirmation" if device.former is not None else "\n".join(device.lines)

    def all_of(self) -> dict[str, object]:
        """Everything that a commit changes, as it is now."""
        switches = {name: dict(switch.held) for name, switch in self.switches.items()}
        return {**switches, "neighbour": self.neighbour.told, **{name: self.text(name) for name in self.devices}}

    async def commit(self, edits: Edits = CHANGE, **options: bool) -> Outcome:
        return await self.commits.commit(edits, "ops", "", **options)  # type: ignore[arg-type]

    async def kill(self) -> None:
        """As kill -9: what it still does reaches nobody, no router, no file, no database."""
        for device in self.devices.values():
            device.epoch += 1
        self.devices = {name: Device() for name in self.devices}
        self.pe._files = HeldFiles(self.directory / "nowhere")
        self.pe._running = False
        tasks = [one.task for one in self.pe.all() if one.task is not None]
        for task in [*tasks, *self.commits._open]:
            task.cancel()
        self.store.close()
        await asyncio.gather(*tasks, *self.commits._open, return_exceptions=True)

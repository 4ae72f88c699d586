"""A site with a PE router beside it: FRR in a namespace of its own, configured through NAPALM by every commit."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path as FilePath
from uuid import uuid4

import msgspec

from agent import namespaces
from controller.pe.router import RouterState
from data.path import Path
from data.schema.objects import Domain, Object
from data.schema.wan import Bgp, Neighbor, Pe, PeVpn
from nshell.lab import spaces
from nshell.lab.wan.frr import Frr
from tests.system.site import PROD, Site, free_port, network, vport, vport_path

OWN = [
    "frr defaults traditional", "service integrated-vtysh-config", "router bgp 65001", " bgp router-id 192.0.2.11",
    " neighbor 192.0.2.99 remote-as 65099", "exit", "router bgp 65001 vrf ITSOWN", " address-family ipv4 unicast",
    "  rd vpn export 65001:99", " exit-address-family", "exit",
]  # fmt: skip
"""What the router has of its own: it must stay as it is."""
VPN = ("pe", "r1", "vpn", "prod")
PREFIX = "10.9.0.0/24"
REVERT = 30  # seconds, the least there is
STATE = FilePath("/run/napalm-frr")


def change() -> dict[Path, Object | None]:
    """It concerns two hypervisors and the router."""
    return {
        vport_path(1): vport(1), vport_path(2): vport(2),
        VPN: PeVpn(uuid=str(uuid4()), domain="acme/prod", prefix=(PREFIX,)),
    }  # fmt: skip


class PeSite(Site):
    """See the module. Life: `begin`, `end`."""

    def __init__(self, directory: FilePath) -> None:
        super().__init__(directory)
        self.name = f"pr{os.getpid()}"
        self.router = Frr(self.name, namespaces.of_name(self.name), ("zebra", "bgpd"))
        self.running = False

    def wan(self) -> dict[Path, Object | None]:
        return {
            ("bgp",): Bgp(uuid=str(uuid4()), autonomous_system=65000, port=free_port()),
            ("bgp-neighbor", "r1"): Neighbor(
                uuid=str(uuid4()), address="192.0.2.11", local_address="192.0.2.1", autonomous_system=65001,
                port=free_port(), password="opensesame",
            ),
            ("pe", "r1"): Pe(
                uuid=str(uuid4()), driver="frr", address="192.0.2.11", instance=self.name, revert_timer=REVERT
            ),
        }  # fmt: skip

    async def begin(self) -> None:
        """Two hypervisors with a workload each, a router with all but the VPN."""
        spaces.ensure({self.name: (spaces.Ipv6.STATIC, True)})
        await asyncio.to_thread(self.router.start, OWN)
        await asyncio.to_thread(self.router.save)
        self.own = self.text()
        await self.start()
        self.running = True
        domain = msgspec.structs.replace(network(0)[PROD], route_target=("65000:1",))
        assert isinstance(domain, Domain)
        await self.commit({**network(2), PROD: domain})
        for number, name in enumerate(("hv1", "hv2"), 1):
            await self.hypervisor(name)
            await self.ready(name)
            await self.attach(name, number, 10 + number)
        await self.commit(self.wan())
        await self.quiet()

    async def end(self) -> None:
        if self.running:
            await self.stop()
        for ovs in self.switches.values():
            await asyncio.to_thread(ovs.stop)
        await asyncio.to_thread(self.router.stop)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        shutil.rmtree(STATE / f"instance.{self.name}", ignore_errors=True)

    def text(self) -> str:
        """What the router holds, as it shows it."""
        return self.router.running()

    @property
    def pending(self) -> bool:
        """Whether a commit waits there for its confirmation, or is under way."""
        folder = STATE / f"instance.{self.name}"
        return (folder / "pending").exists() or (folder / "changing").exists()

    async def quiet(self) -> None:
        """Waits until every router holds what is committed."""
        await self.eventually(
            lambda: all(one.state is RouterState.IN_SYNC and not one.lock.locked() for one in self.fabric.pe.all())
        )

    async def eventually(self, true, patience: float = 120) -> None:  # type: ignore[no-untyped-def]
        limit = time.monotonic() + patience
        while not true():
            told = "\n".join(event.text for event in self.fabric.events)
            assert time.monotonic() < limit, told
            await asyncio.sleep(0.05)

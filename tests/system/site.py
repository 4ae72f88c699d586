"""A controller in this process and real Open vSwitches that dial into it: what the tests of the fabric stand on."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from uuid import uuid4

from controller.compile import compile_all
from controller.events import Kind
from controller.fabric import Fabric
from controller.openflow.packed import cookie, instructions
from controller.ovsdb.model import BRIDGE
from controller.topology import Standing
from data.path import Path
from data.schema.objects import Controller, Domain, Dvrs, Enterprise, Object, Subnet, Vport, Zone
from data.steps import at_once
from data.store import Revision, Store
from tests.system.ovs import RealOvs

PROD = ("enterprise", "acme", "domain", "prod")
SUBNETS = {"web1": ("web", "10.1.0.0/16"), "app1": ("app", "10.2.0.0/16")}
PATIENCE = 15.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def network(hypervisors: int) -> dict[Path, Object]:
    """Hypervisors and one domain with two subnets, without vports."""
    objects: dict[Path, Object] = {
        ("dvrs", f"hv{n}"): Dvrs(uuid=str(uuid4()), tunnel_address=f"172.31.0.{n}") for n in range(1, hypervisors + 1)
    }
    objects |= {PROD[:2]: Enterprise(uuid=str(uuid4())), PROD: Domain(uuid=str(uuid4()))}
    for name, (zone, prefix) in SUBNETS.items():
        objects[*PROD, "zone", zone] = Zone(uuid=str(uuid4()))
        objects[*PROD, "zone", zone, "subnet", name] = Subnet(uuid=str(uuid4()), prefix=prefix)
    return objects


def vport_path(number: int) -> Path:
    return (*PROD, "vport", f"vm-{number}")


def vport(number: int, subnet: str = "web1") -> Vport:
    net = 1 if subnet == "web1" else 2
    high, low = divmod(number, 250)
    return Vport(
        uuid=str(uuid4()), subnet=subnet, mac=f"02:00:0a:{net:02x}:{high:02x}:{low:02x}",
        address=(f"10.{net}.{high}.{low + 2}",),
    )  # fmt: skip


class Site:
    """One state directory, one fabric at a time, and hypervisors by name."""

    def __init__(self, directory: FilePath) -> None:
        self.directory = directory
        self.settings = Controller(
            uuid=str(uuid4()), openflow_port=free_port(), ovsdb_port=free_port(), agent_port=free_port()
        )
        self.switches: dict[str, RealOvs] = {}
        self.fabric: Fabric
        store = Store.open(directory)
        store.commit({("controller",): self.settings}, Revision(1, "test", time.time()), {}, [])
        store.close()

    async def start(self) -> Fabric:
        """Starts the controller on the state directory."""
        self.store = Store.open(self.directory)
        self.fabric = Fabric(self.store)
        await self.fabric.start()
        return self.fabric

    async def stop(self) -> None:
        await self.fabric.stop()
        self.store.close()

    async def hypervisor(self, name: str) -> RealOvs:
        """Starts a hypervisor that dials in."""
        ovs = self.switches[name] = RealOvs(name)
        await asyncio.to_thread(ovs.start)
        await self.vsctl(name, "set", "Open_vSwitch", ".", "external-ids:nshell-datapath=dummy")
        await self.dial(name)
        return ovs

    async def dial(self, name: str) -> None:
        """Points the hypervisor's OVSDB at the controller."""
        await self.vsctl(
            name, "--id=@manager", "create", "Manager", f'target="tcp:127.0.0.1:{self.settings.ovsdb_port}"',
            "max_backoff=1000", "--", "set", "Open_vSwitch", ".", "manager_options=@manager",
        )  # fmt: skip

    async def vsctl(self, name: str, *words: str) -> str:
        return await asyncio.to_thread(self.switches[name].vsctl, *words)

    async def ready(self, *names: str) -> None:
        """Waits until these hypervisors are ready."""
        for name in names:
            await self.until(lambda name=name: self.state(name) is Standing.READY, f"{name} is ready")  # type: ignore[misc]

    def state(self, name: str) -> Standing:
        return self.fabric.topology.hypervisors[name].state

    async def attach(self, name: str, number: int, port: int) -> None:
        """Plugs a dummy interface in for a vport."""
        await self.vsctl(
            name, "--may-exist", "add-port", BRIDGE, f"tap{number}", "--", "set", "Interface", f"tap{number}",
            "type=dummy", f"ofport_request={port}", f"external_ids:iface-id=acme/prod/vm-{number}",
        )  # fmt: skip

    async def attached(self, number: int, name: str) -> None:
        """Waits until the vport is resolved there and programmed."""
        uuid = self.fabric.running.get(vport_path(number)).uuid  # type: ignore[union-attr]

        def there() -> bool:
            at = self.fabric.network.state.placement.location(uuid)
            return at is not None and at.dvrs == name

        await self.until(there, f"vm-{number} is up on {name}")

    async def commit(self, edits: Mapping[Path, Object | None], **options: object) -> int:
        outcome = await self.fabric.commit(edits, author="test", **options)  # type: ignore[arg-type]
        return outcome.revision

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > limit:
                told = "\n".join(event.text for event in self.fabric.events)
                raise AssertionError(f"not within {PATIENCE:g} s: {what}\n{told}")
            await asyncio.sleep(0.01)

    async def difference(self, name: str) -> list[str]:
        """What the switch holds and should not, or should and does not; empty when it is right."""
        async with self.fabric.network.turn:
            desired = at_once(compile_all(self.fabric.network.state, name))
            held = {entry.key: entry for entry in await self.fabric.flows(name)}
        wrong = [f"missing {key.hex()}" for key in desired.keys() - held.keys()]
        wrong += [f"too many {key.hex()}" for key in held.keys() - desired.keys()]
        for key in desired.keys() & held.keys():
            if (held[key].cookie, held[key].instructions) != (cookie(desired[key]), instructions(desired[key])):
                wrong.append(f"different {key.hex()}")
        return wrong

    def told(self, kind: Kind) -> list[str]:
        return [event.text for event in self.fabric.events if event.kind is kind]

    async def close(self) -> None:
        await self.stop()
        for ovs in self.switches.values():
            await asyncio.to_thread(ovs.stop)

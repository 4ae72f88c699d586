"""A small network for unit tests: two hypervisors, one domain with two subnets, pretended switches."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from controller.compile import Observed
from controller.events import Events, Kind
from controller.hypervisors.reconcile import Reconciled
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network
from controller.numbers import Numbers
from controller.topology import Interface
from data.configuration import Running
from data.path import Path
from data.schema.objects import Domain, Dvrs, Enterprise, Object, Subnet, Vport, Zone
from tests.unit.controller.pretend import PretendSwitch

PROD = ("enterprise", "acme", "domain", "prod")
WEB = (*PROD, "zone", "web", "subnet", "web1")
APP = (*PROD, "zone", "app", "subnet", "app1")


def uuid(number: int) -> str:
    return str(UUID(int=number << 64 | number, version=4))


def vport(number: int, subnet: str = "web1") -> Vport:
    net = 1 if subnet == "web1" else 2
    return Vport(
        uuid=uuid(1000 + number),
        subnet=subnet,
        mac=f"02:00:0a:01:{net:02x}:{number:02x}",
        address=(f"10.1.{net}.{number}",),
    )


def vport_path(number: int) -> Path:
    return (*PROD, "vport", f"vm-{number}")


def configuration(hypervisors: int = 2, vports: int = 0) -> dict[Path, Object]:
    objects: dict[Path, Object] = {
        ("dvrs", f"hv{n}"): Dvrs(uuid=uuid(n), tunnel_address=f"172.31.0.{n}") for n in range(1, hypervisors + 1)
    }
    objects |= {
        ("enterprise", "acme"): Enterprise(uuid=uuid(100)),
        PROD: Domain(uuid=uuid(101)),
        (*PROD, "zone", "web"): Zone(uuid=uuid(102)),
        WEB: Subnet(uuid=uuid(103), prefix="10.1.1.0/24"),
        (*PROD, "zone", "app"): Zone(uuid=uuid(104)),
        APP: Subnet(uuid=uuid(105), prefix="10.1.2.0/24"),
    }
    objects |= {vport_path(n): vport(n) for n in range(2, vports + 2)}
    return objects


class Model:
    """A network whose switches are pretended; `switches` are those that are connected."""

    def __init__(self, hypervisors: int = 2, vports: int = 0, interfaces: tuple[Interface, ...] = ()) -> None:
        self.events = Events()
        running = Running(configuration(hypervisors, vports), 1)
        self.network = Network(running, Numbers(), interfaces, self.events)
        self.upkeep = Upkeep(self.network, self._remember, self._returned)
        self.switches: dict[str, PretendSwitch] = {}
        self.log: list[str] = []
        self.remembered: dict[tuple[str, str], Interface | None] = {}
        self.returned: list[str] = []

    async def _remember(self, changed: Mapping[tuple[str, str], Interface | None], observed: Observed) -> None:
        self.remembered |= changed

    async def _returned(self, dvrs: str, done: Reconciled) -> None:
        self.returned.append(dvrs)

    async def connect(self, *names: str) -> None:
        """Connects hypervisors and reconciles them."""
        for name in names:
            switch = PretendSwitch(name, self.log)
            switch.held = {} if name not in self.switches else self.switches[name].held
            self.switches[name] = switch
            self.network.channels[name].connected(switch)
            self.upkeep.program(name)
        await self.upkeep.idle()

    def attach(self, dvrs: str, number: int, port: int) -> None:
        self.network.topology.appear(dvrs, f"tap{number}", f"acme/prod/vm-{number}", port)
        self.upkeep.settle()

    async def agreed(self) -> bool:
        """Whether every connected switch holds exactly what the committed state says."""
        for name, switch in self.switches.items():
            async with self.network.turn:
                if switch.held != dict(await self.network.compile_all(name)):
                    return False
        return True

    def told(self, kind: Kind) -> list[str]:
        return [event.text for event in self.events if event.kind is kind]

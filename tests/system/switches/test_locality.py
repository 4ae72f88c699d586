"""A thousand tenants: a hypervisor is told of those that it hosts, and the others cost it nothing.

The controller is the real one; the twenty hypervisors are only protocol (`tests/bench/fake_switch.py`), which here
count the flow-mods that they are sent. All tenants have the same prefixes and the same policy.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path as FilePath
from uuid import uuid4

from controller.fabric import Fabric
from controller.topology import Standing
from data.path import Path
from data.schema.objects import (
    Controller,
    Domain,
    Dvrs,
    EgressPolicy,
    Endpoint,
    Enterprise,
    Entry,
    Object,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from data.store import Revision, Store
from tests.bench.fake_ovsdb import Database, elements
from tests.bench.fake_switch import FLOW_MOD, Counters, Switch, dial
from tests.system.site import free_port

HYPERVISORS = 20
TENANTS = 1000
VPORTS = 4  # of each tenant, on as many hypervisors
PATIENCE = 60.0  # seconds
NAMES = [f"f{number}" for number in range(HYPERVISORS)]

Edits = dict[Path, Object | None]


def hosts(tenant: int) -> list[str]:
    """The hypervisors of a tenant's vports: tenants gather on the first ones, so that all host different numbers."""
    first = tenant * tenant % HYPERVISORS
    return [NAMES[(first + nth * (1 + tenant % 3)) % HYPERVISORS] for nth in range(VPORTS)]


def objects(tenants: Iterable[int]) -> Edits:
    """An enterprise for each tenant, with one domain and stateful rules."""
    edits: Edits = {}
    for tenant in tenants:
        enterprise = ("enterprise", f"t{tenant}")
        domain = (*enterprise, "domain", "prod")
        edits[enterprise] = Enterprise(uuid=str(uuid4()))
        edits[domain] = Domain(uuid=str(uuid4()))
        edits[*domain, "zone", "web"] = Zone(uuid=str(uuid4()))
        edits[*domain, "zone", "web", "subnet", "web1"] = Subnet(uuid=str(uuid4()), prefix="10.1.1.0/24")
        edits[*domain, "policy-group", "web"] = PolicyGroup(uuid=str(uuid4()))
        edits[*domain, "egress-policy", "base"] = EgressPolicy(uuid=str(uuid4()))
        for number, port in ((10, "80"), (20, "443")):
            edits[*domain, "egress-policy", "base", "entry", str(number)] = Entry(
                uuid=str(uuid4()), from_=Endpoint("zone", "web"), to=Endpoint("policy-group", "web"), protocol="tcp",
                destination_port=(port,), action="allow", stateful=True,
            )  # fmt: skip
        for nth in range(VPORTS):
            edits[*domain, "vport", f"vm-{nth}"] = Vport(
                uuid=str(uuid4()), subnet="web1", mac=f"02:00:0a:01:01:{nth + 16:02x}", address=(f"10.1.1.{nth + 16}",),
                policy_group=("web",),
            )  # fmt: skip
    return edits


class FakeDatabase(Database):
    """The database of a hypervisor that hosts these iface-ids."""

    def __init__(self, system_id: str, iface_ids: Iterable[str]) -> None:
        super().__init__(system_id, "", 0)
        self.iface_ids = list(iface_ids)

    def plug(self, bridge: str) -> None:
        for number, iface_id in enumerate(self.iface_ids, 1):
            self.appear(iface_id, number, bridge)

    def appear(self, iface_id: str, number: int, bridge: str = "") -> None:
        """An interface for the workload of this iface-id."""
        name, ids = f"tap{number}", ["map", [["iface-id", iface_id]]]
        interface = self.insert("Interface", {"name": name, "ofport": number, "external_ids": ids})
        port = self.insert("Port", {"name": name, "interfaces": ["uuid", interface]})
        row = self.touch("Bridge", bridge or next(iter(self.tables["Bridge"])))
        row["ports"] = ["set", [*elements(row["ports"]), ["uuid", port]]]


class FakeSwitch(Switch):
    """A switch that counts the flow-mods it is sent."""

    received = 0

    def obey(self, message: bytes) -> None:
        self.received += message[1] == FLOW_MOD
        super().obey(message)


class Cloud:
    """The controller, in this process, and its fake hypervisors."""

    def __init__(self, directory: FilePath) -> None:
        self.settings = Controller(
            uuid=str(uuid4()), openflow_port=free_port(), ovsdb_port=free_port(), agent_port=free_port()
        )
        self.store = Store.open(directory)
        self.store.commit({("controller",): self.settings}, Revision(1, "test", time.time()), {}, [])
        self.fabric = Fabric(self.store)
        self.switches: dict[str, FakeSwitch] = {}
        self.databases: dict[str, FakeDatabase] = {}

    async def build(self, tenants: Iterable[int]) -> None:
        """Commit these tenants, then let the hypervisors come with the vports of all of them."""
        await self.fabric.start()
        edits: Edits = {
            ("dvrs", name): Dvrs(uuid=str(uuid4()), tunnel_address=f"172.31.0.{number}")
            for number, name in enumerate(NAMES, 1)
        }
        tenants = list(tenants)
        await self.fabric.commit({**edits, **objects(tenants)}, author="test")
        hosted: dict[str, list[str]] = {name: [] for name in NAMES}
        for tenant in tenants:
            for nth, name in enumerate(hosts(tenant)):
                hosted[name].append(f"t{tenant}/prod/vm-{nth}")
        await asyncio.gather(*(self._dial(name, hosted[name]) for name in NAMES))
        await self.settled()

    async def _dial(self, name: str, iface_ids: Iterable[str]) -> None:
        database = self.databases[name] = FakeDatabase(name, iface_ids)
        await dial(lambda: database, self.settings.ovsdb_port)
        await database.openflow_target.wait()
        switch = self.switches[name] = FakeSwitch(database.datapath_id, Counters())
        await dial(lambda: switch, self.settings.openflow_port)
        database.switch_connected()

    async def settled(self) -> None:
        """Return when all are ready and nothing arrives any more."""
        limit, before = time.monotonic() + PATIENCE, -1
        while True:
            ready = all(known.state is Standing.READY for known in self.fabric.topology.hypervisors.values())
            received = sum(switch.received for switch in self.switches.values())
            if ready and received == before:
                return
            before = received
            assert time.monotonic() < limit, [event.text for event in self.fabric.events][-5:]
            await asyncio.sleep(0.3)

    def flows(self) -> dict[str, int]:
        return {name: len(switch.flows) for name, switch in self.switches.items()}

    def received(self) -> Mapping[str, int]:
        return {name: switch.received for name, switch in self.switches.items()}

    async def close(self) -> None:
        for switch in self.switches.values():
            switch.transport.close()
        await self.fabric.stop()
        self.store.close()


@asynccontextmanager
async def cloud(directory: FilePath, tenants: Iterable[int]) -> AsyncIterator[Cloud]:
    made = Cloud(directory)
    try:
        await made.build(tenants)
        yield made
    finally:
        await made.close()


async def test_flows_depend_only_on_the_tenants_that_a_hypervisor_hosts(tmp_path: FilePath) -> None:
    hosting = Counter(name for tenant in range(TENANTS) for name in hosts(tenant))
    assert len(set(hosting.values())) > 3, "the hypervisors are to be unlike"
    chosen = min(hosting, key=lambda name: hosting[name])
    async with cloud(tmp_path / "all", range(TENANTS)) as everybody:
        among_all = everybody.flows()
        await a_tenant_more(everybody)
    its_own = [tenant for tenant in range(TENANTS) if chosen in hosts(tenant)]
    assert 0 < len(its_own) < TENANTS / 2
    async with cloud(tmp_path / "alone", its_own) as alone:
        assert alone.flows()[chosen] == among_all[chosen], "the same tenants alone give the same flows"
    async with cloud(tmp_path / "nobody", []) as nobody:
        (skeleton,) = set(nobody.flows().values())
    # Tenants are alike: a hypervisor holds what all do, and the same again for each tenant that it hosts.
    each, rest = divmod(among_all[chosen] - skeleton, hosting[chosen])
    assert rest == 0
    assert among_all == {name: skeleton + each * hosting[name] for name in NAMES}
    print(
        f"{TENANTS} tenants on {HYPERVISORS} hypervisors, {min(hosting.values())} to {max(hosting.values())} on each: "
        f"{skeleton} flows and {each} for each tenant hosted"
    )


async def a_tenant_more(clouded: Cloud) -> None:
    """It appears and vanishes again: hypervisors that do not host it are sent nothing at all."""
    newcomer, before, held = TENANTS, clouded.received(), clouded.flows()
    there = set(hosts(newcomer))
    assert len(there) == VPORTS
    await clouded.fabric.commit(objects([newcomer]), author="test")
    assert clouded.received() == before, "unresolved vports cost nobody a flow"
    for nth, name in enumerate(hosts(newcomer)):
        clouded.databases[name].appear(f"t{newcomer}/prod/vm-{nth}", 5000)
        clouded.databases[name].tell()
    await clouded.settled()
    assert {name for name, count in clouded.received().items() if count != before[name]} == there
    assert {name for name, count in clouded.flows().items() if count != held[name]} == there
    await clouded.fabric.commit(dict.fromkeys(objects([newcomer])), author="test")
    assert {name for name, count in clouded.received().items() if count != before[name]} == there
    assert clouded.flows() == held

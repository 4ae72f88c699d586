"""Which OpenFlow connection is a hypervisor's, when several claim to be or one is lost on the way."""

from __future__ import annotations

import asyncio

import pytest

from controller.events import Kind
from controller.hypervisors import bridges
from controller.hypervisors import contact as hypervisors
from controller.hypervisors.bridges import datapath_id
from controller.hypervisors.contact import Hypervisors
from controller.hypervisors.punted import Punted
from controller.openflow.errors import SwitchGone
from controller.ovsdb.model import Change
from controller.trust.door import Credential
from data.schema.objects import Dvrs
from tests.unit.controller.model import Model
from tests.unit.controller.pretend import PretendSwitch


class PretendConnection(PretendSwitch):
    """An OpenFlow connection that says `name`'s datapath id; it answers echoes unless it is `deaf`."""

    def __init__(self, bench: Bench, name: str, *, deaf: bool = False) -> None:
        super().__init__(name)
        body = bench.network.running.get(("dvrs", name))
        assert isinstance(body, Dvrs)
        self.datapath_id = datapath_id(body)
        self.peer = f"{name}:1"
        self.certificate: Credential | None = None
        self.ended: str | None = None
        self.deaf = deaf
        self.lost_at_bind = False
        self.bench = bench

    def close(self, reason: str) -> None:
        if self.ended is None:
            super().close(reason)
            self.ended = reason
            self.bench.hypervisors.switch_closed(self, reason)  # type: ignore[arg-type]

    async def request(self, kind: int) -> bytes:
        await asyncio.sleep(0.01)
        if self.deaf or self.ended:
            raise SwitchGone("no answer")
        return b""

    async def software(self) -> str:
        await asyncio.sleep(0)
        if self.lost_at_bind:
            self.close("closed by the switch")
            raise SwitchGone("closed by the switch")
        return "3.1.0"

    async def monitor(self, callback: object) -> None:
        await asyncio.sleep(0)


class PretendDatabase:
    """An OVSDB connection of a hypervisor that is set up already."""

    def __init__(self, name: str) -> None:
        self.system_id = name
        self.peer = f"{name}:2"
        self.certificate: Credential | None = None
        self.ovs_version = "3.1.0"
        self.tunnel_port = 65000
        self.ended: str | None = None
        self.on_change: object = None

    def misplaced(self) -> dict[str, str]:
        return {}

    def attached(self) -> dict[str, tuple[str, int]]:
        return {}

    def close(self, reason: str) -> None:
        self.ended = reason


class Bench(Model):
    """Hypervisors whose OVSDB connections need no set-up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(vports=2)
        self.hypervisors = Hypervisors(self.network, self.upkeep, Punted(self.network))
        monkeypatch.setattr(bridges, "setup_for", lambda *_, **__: None)
        monkeypatch.setattr(bridges, "ensure", self._ensure)

    async def _ensure(self, *_: object) -> list[Change]:
        return []

    async def admit(self, name: str) -> PretendDatabase:
        database = PretendDatabase(name)
        await self.hypervisors.database_connected(database)  # type: ignore[arg-type]
        return database

    async def dial(self, *switches: PretendConnection) -> None:
        await asyncio.gather(*(self.hypervisors.switch_connected(switch) for switch in switches))  # type: ignore[arg-type]
        await self.upkeep.idle()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_the_connection_with_the_datapath_id_of_an_admitted_hypervisor_is_reconciled(bench: Bench) -> None:
    await bench.admit("hv1")
    switch = PretendConnection(bench, "hv1")
    await bench.dial(switch)
    assert bench.network.channels["hv1"].switch is switch and bench.network.channels["hv1"].ready


async def test_of_two_that_come_for_a_silent_one_at_the_same_time_one_is_taken_and_the_other_refused(
    bench: Bench,
) -> None:
    await bench.admit("hv1")
    await bench.dial(PretendConnection(bench, "hv1", deaf=True))
    first, second = PretendConnection(bench, "hv1"), PretendConnection(bench, "hv1")
    await bench.dial(first, second)
    assert bench.network.channels["hv1"].switch is first and first.ended is None
    assert second.ended == "another connection has this datapath id and answers"
    assert any("second OpenFlow connection" in text for text in bench.told(Kind.IDENTITY))


async def test_a_connection_that_ends_while_the_one_before_is_asked_is_not_taken(bench: Bench) -> None:
    await bench.admit("hv1")
    await bench.dial(PretendConnection(bench, "hv1", deaf=True))
    switch = PretendConnection(bench, "hv1")
    asyncio.get_running_loop().call_later(0.005, switch.close, "closed by the switch")
    await bench.dial(switch)
    assert bench.network.channels["hv1"].switch is None


async def test_a_hypervisor_that_is_deleted_while_its_switch_is_taken_in_ends_that_connection(bench: Bench) -> None:
    await bench.admit("hv1")
    await bench.dial(PretendConnection(bench, "hv1", deaf=True))
    switch = PretendConnection(bench, "hv1")
    dialling = asyncio.create_task(bench.dial(switch))
    await asyncio.sleep(0)
    await bench.hypervisors.changed({("dvrs", "hv1"): None})
    await dialling
    assert switch.ended == "its hypervisor is not configured any more"


async def test_a_switch_that_is_lost_while_it_is_taken_in_does_not_end_the_ovsdb_connection(bench: Bench) -> None:
    switch = PretendConnection(bench, "hv1")
    switch.lost_at_bind = True
    waiting = asyncio.create_task(bench.hypervisors.switch_connected(switch))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    database = await bench.admit("hv1")  # must not raise: the listener would hang up on the database
    waiting.cancel()
    assert database.ended is None and switch.ended == "closed by the switch"
    assert bench.network.channels["hv1"].switch is None


async def test_a_database_whose_certificate_is_another_hypervisors_is_not_taken(bench: Bench) -> None:
    await bench.admit("hv1")
    for _ in range(2):
        database = PretendDatabase("hv2")
        database.certificate = Credential("hv1", "AA")
        await bench.hypervisors.database_connected(database)  # type: ignore[arg-type]
        assert database.ended == "its certificate is another hypervisor's"
    told = [text for text in bench.told(Kind.IDENTITY) if "it says over OVSDB that it is hv2" in text]
    assert len(told) == 1, "once, however often it tries"


@pytest.mark.parametrize(
    ("database", "switch", "taken"),
    [("hv1", "hv1", True), ("hv1", None, False), (None, "hv1", False), ("hv1", "hv2", False), (None, "hv2", False)],
)
async def test_a_switch_is_taken_that_is_proved_as_the_database_is_that_vouches_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, database: str | None, switch: str | None, taken: bool
) -> None:
    monkeypatch.setattr(hypervisors, "STRANGER_PAUSE", 0.01)
    voucher = PretendDatabase("hv1")
    voucher.certificate = None if database is None else Credential(database, "AA")
    first, second = PretendConnection(bench, "hv1"), PretendConnection(bench, "hv1")
    for one in (first, second):
        one.certificate = None if switch is None else Credential(switch, "BB")
    await bench.dial(first)  # before the database, and after it
    await bench.hypervisors.database_connected(voucher)  # type: ignore[arg-type]
    await bench.upkeep.idle()
    assert (bench.network.channels["hv1"].switch is first) is taken
    await bench.dial(second)
    assert bench.network.channels["hv1"].switch is (first if taken else None)

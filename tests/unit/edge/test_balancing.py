"""What hypervisors are made to forget when a backend serves no longer, and what is left alone."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from controller.compile import Observed
from controller.edge.balancing import Balancing
from controller.openflow.conntrack import forget
from controller.openflow.wire import IP_TCP, IP_UDP
from data.addresses import address
from data.path import Path
from data.schema.services import Backend, LoadBalancer
from tests.unit.controller.model import PROD, uuid, vport
from tests.unit.edge.bench import FIRST, Bench

LB = (*PROD, "load-balancer", "web")
VIRTUAL = address("10.1.1.100")
GRACE = 0.05
TO_2 = forget(IP_TCP, VIRTUAL, 80, address("10.1.1.2"), 8080)
TO_3 = forget(IP_TCP, VIRTUAL, 80, address("10.1.1.3"), 80)


class Balanced(Bench):
    """10.1.1.100:80 is served by vm-2 on hv1 (port 8080) and vm-3 on hv2; `sent_to` is what each switch was told."""

    async def serve_web(self) -> None:
        self.balancing = Balancing(self.context, GRACE)
        await self.commit({
            LB: LoadBalancer(uuid=uuid(400), address="10.1.1.100", port=80),
            (*LB, "backend", "vm-2"): Backend(uuid=uuid(401), port=8080),
            (*LB, "backend", "vm-3"): Backend(uuid=uuid(402)),
        })  # fmt: skip
        await self.upkeep.idle()
        self.told_to: dict[str, list[bytes]] = {"hv1": [], "hv2": []}
        for name, switch in self.switches.items():
            switch.send = self._hear(name, switch.send)  # type: ignore[method-assign]

    def _hear(self, name, send):  # type: ignore[no-untyped-def]
        async def heard(messages):  # type: ignore[no-untyped-def]
            self.told_to[name] += messages
            return [None] * len(messages)

        return heard

    async def health(self, number: int, port: int, alive: bool | None) -> None:
        self.upkeep.observe(Observed(health={f"{vport(number).uuid} 10.1.1.{number} tcp {port}": alive}))
        await self.upkeep.idle()

    async def change(self, path: Path, **leaves: object) -> None:
        body = self.network.running.get(path)
        assert body is not None
        await self.commit({path: msgspec.structs.replace(body, **leaves)})  # type: ignore[arg-type]
        await self.upkeep.idle()


@pytest.fixture
async def bench() -> Balanced:
    bench = Balanced()
    await bench.begin()
    await bench.serve_web()
    return bench


async def test_a_dead_backends_connections_are_ended_everywhere_and_those_of_the_other_are_not(bench: Balanced) -> None:
    await bench.health(2, 8080, True)
    await bench.health(3, 80, True)
    assert bench.told_to == {"hv1": [], "hv2": []}
    await bench.health(2, 8080, False)
    assert bench.told_to == {"hv1": [TO_2], "hv2": [TO_2]}
    await bench.health(2, 8080, True)
    assert bench.told_to == {"hv1": [TO_2], "hv2": [TO_2]}


async def test_a_backend_that_is_taken_away_or_serves_elsewhere_ends_and_one_of_weight_0_drains(
    bench: Balanced,
) -> None:
    await bench.change((*LB, "backend", "vm-2"), weight=0)
    assert not bench.told_to["hv1"]
    await bench.change((*LB, "backend", "vm-2"), port=8081)
    assert bench.told_to["hv1"] == [TO_2]
    await bench.commit({(*LB, "backend", "vm-3"): None})
    await bench.upkeep.idle()
    assert bench.told_to["hv1"] == [TO_2, TO_3]
    await bench.commit({path: None for path, _ in bench.network.running.walk(LB)})
    await bench.upkeep.idle()
    assert bench.told_to["hv2"][2:] == [forget(IP_TCP, VIRTUAL, 80, address("10.1.1.2"), 8081)]


async def test_one_that_moves_keeps_its_connections_and_one_that_stays_away_does_not(bench: Balanced) -> None:
    bench.network.topology.vanish("hv1", "tap2")
    bench.upkeep.settle()
    await bench.upkeep.idle()
    bench.attach("hv2", 2, 9)
    await bench.upkeep.idle()
    await asyncio.sleep(3 * GRACE)
    assert bench.told_to == {"hv1": [], "hv2": []}
    bench.network.topology.vanish("hv2", "tap2")
    bench.upkeep.settle()
    await bench.upkeep.idle()
    assert not bench.told_to["hv2"]
    await asyncio.sleep(3 * GRACE)
    assert bench.told_to["hv2"] == [TO_2]


async def test_another_edit_tells_nobody_anything(bench: Balanced) -> None:
    await bench.change(FIRST, policy_group=())
    await bench.change(LB, affinity="source")
    assert bench.told_to == {"hv1": [], "hv2": []}


def test_the_message_is_what_ovs_ofctl_sends() -> None:
    """Bytes from `ovs-ofctl ct-flush` of Open vSwitch 3.1."""
    assert forget(IP_TCP, VIRTUAL, 83, address("10.1.2.22"), 8083)[8:].hex() == (
        "0000232000000020" "0600000000000000"
        "0000002800000000" "0001001400000000000000000000ffff0a01016400000000" "0003000800530000"
        "0001002800000000" "0000001400000000000000000000ffff0a01021600000000" "000200081f930000"
    )  # fmt: skip
    assert forget(IP_UDP, address("fd00::1"), 83, address("fd00::2"), 8083)[8:].hex() == (
        "0000232000000020" "1100000000000000"
        "0000002800000000" "00010014fd00000000000000000000000000000100000000" "0003000800530000"
        "0001002800000000" "00000014fd00000000000000000000000000000200000000" "000200081f930000"
    )  # fmt: skip

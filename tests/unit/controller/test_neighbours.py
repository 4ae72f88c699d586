"""Which tunnel addresses the agents are told to keep resolved."""

from __future__ import annotations

from collections.abc import Iterable

from controller.commit.planning import Change, draft
from controller.hypervisors.neighbours import Neighbours
from data.configuration import Edits
from data.schema.objects import Dvrs
from tests.unit.controller.model import Model, uuid


class Bench(Model):
    """Two hypervisors that share a domain; `peers` is what their agents were told, by system-id."""

    def __init__(self) -> None:
        super().__init__(vports=2)
        self.peers: dict[str, list[str]] = {}
        self.neighbours = Neighbours(self.network, self._tell)

    def _tell(self, system_id: str, addresses: Iterable[str]) -> None:
        self.peers[system_id] = sorted(addresses)

    async def begin(self) -> None:
        self.attach("hv1", 2, 4)
        self.attach("hv2", 3, 4)
        await self.upkeep.idle()

    async def commit(self, edits: Edits) -> None:
        network = self.network
        made = await draft(network.running, edits, network.state, network.topology)
        network.commit(made, Change(edits, edits), network.running.revision + 1)


async def test_hypervisors_that_share_a_domain_are_neighbours() -> None:
    bench = Bench()
    await bench.begin()
    assert bench.peers == {"hv1": ["172.31.0.2"], "hv2": ["172.31.0.1"]}


async def test_a_new_tunnel_address_is_told_by_the_commit_that_sets_it() -> None:
    bench = Bench()
    await bench.begin()
    await bench.commit({("dvrs", "hv2"): Dvrs(uuid=uuid(2), tunnel_address="172.31.0.99")})
    assert bench.peers == {"hv1": ["172.31.0.99"], "hv2": ["172.31.0.1"]}


async def test_another_system_id_takes_the_neighbours_over_and_a_deleted_hypervisor_has_none() -> None:
    bench = Bench()
    await bench.begin()
    await bench.commit({("dvrs", "hv2"): Dvrs(uuid=uuid(2), system_id="chassis-2", tunnel_address="172.31.0.2")})
    assert bench.peers == {"hv1": ["172.31.0.2"], "hv2": [], "chassis-2": ["172.31.0.1"]}
    await bench.commit({("dvrs", "hv1"): None})
    assert bench.peers["hv1"] == [] and bench.peers["chassis-2"] == []

"""Who has a virtual IP: whose claims count, how often, who is told, and what is forgotten."""

from __future__ import annotations

from controller.compile import Observed
from controller.edge.claims import CHANGES, GRACE, IGNORED, SPAN, Claims
from controller.openflow.packets import PacketIn
from controller.packets.neighbour import arp, gratuitous_arp
from controller.pipeline import Feature, Owner, Register, Table, cookie
from data.addresses import address
from data.path import Path
from data.schema.services import VirtualIp
from tests.unit.controller.model import PROD, uuid, vport_path
from tests.unit.edge.bench import EdgeModel

VIP = (*PROD, "virtual-ip", "10.1.1.100")
SHARED = VirtualIp(uuid=uuid(500), vport=("vm-2", "vm-3"))
A, B, OTHER = 4, 5, 6  # slots of vm-2 on hv1, vm-3 on hv2 and vm-4 on hv2


class Bench(EdgeModel):
    """vm-2 on hv1, vm-3 and vm-4 on hv2; the first two share an address. A clock, and what was sent."""

    def __init__(self) -> None:
        super().__init__(3)
        self.claims = Claims(self.context)

    async def begin(self) -> None:
        await self.listen()
        self.attach("hv1", 2, A)
        self.attach("hv2", 3, B)
        self.attach("hv2", 4, OTHER)
        await self.upkeep.idle()
        await self.commit({VIP: SHARED})
        self.sent.clear()

    async def claim(self, dvrs: str, slot: int) -> None:
        number = self.network.state.number(VIP)
        frame = gratuitous_arp("02:00:00:00:00:01", address(VIP[-1]))
        mark, fields = cookie(Owner.SERVICE, Feature.CLAIM, number), {f"reg{int(Register.FROM_PORT)}": slot}
        packet = PacketIn(mark, Table.SPOOF_GUARD, frame, len(frame), fields=fields)
        self.punted.packet(dvrs, packet)
        await self.upkeep.idle()

    def said(self) -> list[str]:
        return [event.text for event in self.events if "virtual-ip" in event.text]

    @property
    def holder(self) -> Path | None:
        return self.claims.held(VIP).vport


async def test_the_last_of_its_vports_that_claims_it_has_it_and_the_subnet_is_told_twice() -> None:
    bench = Bench()
    await bench.begin()
    assert bench.holder == vport_path(2)
    bench.time += 1
    await bench.claim("hv2", B)
    assert bench.holder == vport_path(3)
    assert bench.claims.held(VIP).since == bench.time
    assert bench.claims.held(VIP).claims == {vport_path(3): 1}
    told = [(name, arp(frame)) for name, frame in bench.sent]
    assert sorted(name for name, _ in told) == ["hv1", "hv2"]
    assert {(said.sender_mac, str(said.sender), str(said.target)) for _, said in told if said is not None} == {
        ("02:00:0a:01:01:03", "10.1.1.100", "10.1.1.100")
    }
    bench.claims.sweep()
    assert len(bench.sent) == 4
    bench.claims.sweep()
    await bench.claim("hv2", B)
    assert len(bench.sent) == 4, "who has it already need not be told again"
    assert bench.said()[-1].endswith("is held by acme/prod/vm-3, before by acme/prod/vm-2")


async def test_a_claim_from_another_slot_or_hypervisor_counts_for_nothing() -> None:
    bench = Bench()
    await bench.begin()
    for dvrs, slot in (("hv2", OTHER), ("hv1", B), ("hv9", B), ("hv2", 77)):
        await bench.claim(dvrs, slot)
    assert bench.holder == vport_path(2)
    assert not bench.network.state.placement.holders.get(SHARED.uuid)


async def test_a_fight_is_stopped_for_some_seconds_and_told_once() -> None:
    bench = Bench()
    await bench.begin()
    for _ in range(CHANGES):
        for dvrs, slot in (("hv2", B), ("hv1", A)):
            await bench.claim(dvrs, slot)
    assert len([text for text in bench.said() if "fight" in text]) == 1
    before = bench.holder
    assert before == vport_path(3), "the fifth change was the last one"
    bench.time += IGNORED - 1
    await bench.claim("hv1", A)
    assert bench.holder == before
    bench.time += SPAN
    await bench.claim("hv1", A)
    assert bench.holder == vport_path(2)


async def test_another_has_it_while_the_holder_is_away_and_for_good_after_a_while() -> None:
    bench = Bench()
    await bench.begin()
    await bench.claim("hv2", B)
    bench.network.topology.vanish("hv2", "tap3")
    bench.upkeep.settle()
    await bench.upkeep.idle()
    assert bench.holder == vport_path(2)
    bench.claims.sweep()
    bench.time += GRACE - 1
    bench.claims.sweep()
    bench.attach("hv2", 3, B)
    await bench.upkeep.idle()
    assert bench.holder == vport_path(3), "it was away for a moment only"
    bench.network.topology.vanish("hv2", "tap3")
    bench.upkeep.settle()
    await bench.upkeep.idle()
    bench.claims.sweep()
    bench.time += GRACE
    bench.claims.sweep()
    await bench.upkeep.idle()
    bench.attach("hv2", 3, B)
    await bench.upkeep.idle()
    assert bench.holder == vport_path(2)


async def test_what_is_known_of_a_virtual_ip_goes_with_it() -> None:
    bench = Bench()
    await bench.begin()
    await bench.claim("hv2", B)
    await bench.commit({VIP: None})
    bench.claims.sweep()
    await bench.upkeep.idle()
    assert bench.network.state.placement.holders.get(SHARED.uuid) is None
    assert not bench.claims._known
    bench.upkeep.observe(Observed(holders={"gone": vport_path(3)[-1]}))
    await bench.upkeep.idle()
    bench.claims.sweep()
    await bench.upkeep.idle()
    assert bench.network.state.placement.holders.get("gone") is None

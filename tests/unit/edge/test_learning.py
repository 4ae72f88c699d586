"""Learning behind bridge vports: who is learned, who is not, who moves, and who is forgotten."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from controller.edge import gleaning as asking
from controller.edge import learning as subject
from controller.edge.gleaning import Gleaning
from controller.edge.learning import AGE, MOVES, PAUSE, PROBES, SWEEP, Learning
from controller.events import Kind
from controller.openflow.packets import PacketIn
from controller.packets.frame import parse
from controller.packets.headers import ethernet
from controller.packets.neighbour import arp, arp_reply, gratuitous_arp, neighbour_advertisement
from controller.pipeline import Feature, Owner, Table, cookie
from data.addresses import Ip, address
from data.path import Path
from data.schema.objects import Controller, Vport
from data.schema.services import StaticRoute, VirtualIp
from tests.unit.controller.model import PROD, WEB, uuid, vport_path
from tests.unit.edge.bench import EdgeModel

ROUTER = "00:00:5e:00:01:01"
NOBODY = Ip(6, 0)
DOOR, OTHER = (*PROD, "vport", "door"), (*PROD, "vport", "gate")


def mac(number: int) -> str:
    return f"02:0e:00:00:00:{number:02x}"


class Bench(EdgeModel):
    """Two bridge vports of one subnet, on hv1 and hv2, vm-2 beside them, and a clock that tests set."""

    def __init__(self) -> None:
        super().__init__(1)
        self.learning = Learning(self.context)

    async def begin(self) -> None:
        await self.listen()
        await self.commit({
            DOOR: Vport(uuid=uuid(501), type="bridge", subnet="web1", uplink="wan", mac_limit=4),
            OTHER: Vport(uuid=uuid(502), type="bridge", subnet="web1", uplink="lan"),
        })  # fmt: skip
        self.network.topology.appear("hv1", "up-wan", "uplink:wan", 9)
        self.network.topology.appear("hv2", "up-lan", "uplink:lan", 8)
        self.attach("hv1", 2, 4)
        await self.upkeep.idle()

    def hear(self, frame: bytes, path: Path = DOOR, dvrs: str = "") -> None:
        """A packet from behind a bridge vport comes up."""
        mark = cookie(Owner.VPORT, Feature.LEARN, self.network.state.number(path))
        dvrs = dvrs or ("hv1" if path == DOOR else "hv2")
        self.punted.packet(dvrs, PacketIn(mark, Table.SPOOF_GUARD, frame, len(frame)))

    def says(self, number: int, ip: str, path: Path = DOOR) -> None:
        self.hear(gratuitous_arp(mac(number), address(ip)), path)

    async def settled(self) -> None:
        await asyncio.sleep(PAUSE + 0.02)
        await self.upkeep.idle()

    async def known(self, path: Path = DOOR) -> dict[str, tuple[str, ...]]:
        """What flows are made from."""
        await self.settled()
        body = self.network.running.get(path)
        assert body is not None
        return dict(self.network.state.placement.learned.get(body.uuid) or {})


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.begin()
    return bench


async def test_mac_and_addresses_are_learned_together_and_flows_follow(bench: Bench) -> None:
    bench.hear(ethernet("ff:ff:ff:ff:ff:ff", mac(1), 0x88B5, bytes(50)))
    assert await bench.known() == {mac(1): ()}
    bench.says(1, "10.1.1.50")
    bench.hear(arp_reply(mac(2), address("10.1.1.51"), ROUTER, address("10.1.1.1")))
    assert await bench.known() == {mac(1): ("10.1.1.50",), mac(2): ("10.1.1.51",)}
    assert await bench.agreed()
    assert any(bytes.fromhex(mac(1).replace(":", "")) in flow for flow in bench.switches["hv1"].held.values())


@pytest.mark.parametrize("ip", ["10.1.1.1", "10.1.1.2", "10.1.1.255", "10.1.1.0", "10.1.2.50", "10.1.1.99", "fe80::1"])
async def test_addresses_of_others_and_of_other_subnets_are_not_learned(bench: Bench, ip: str) -> None:
    await bench.commit({(*PROD, "virtual-ip", "10.1.1.99"): VirtualIp(uuid=uuid(600), vport=("vm-2",))})
    if ":" in ip:
        bench.hear(neighbour_advertisement(mac(1), address(ip), address(ip), "", NOBODY))
    else:
        bench.says(1, ip)
    assert await bench.known() == {mac(1): ()}


@pytest.mark.parametrize("sender", [ROUTER, "02:00:0a:01:01:02", "01:00:5e:00:00:01", "00:00:00:00:00:00"])
async def test_a_mac_address_of_a_vport_or_of_the_gateway_is_not_learned(bench: Bench, sender: str) -> None:
    bench.hear(ethernet("ff:ff:ff:ff:ff:ff", sender, 0x88B5, bytes(50)))
    assert await bench.known() == {}


async def test_a_packet_from_where_the_uplink_was_or_of_no_bridge_vport_teaches_nothing(bench: Bench) -> None:
    bench.hear(gratuitous_arp(mac(1), address("10.1.1.50")), DOOR, "hv2")
    bench.hear(gratuitous_arp(mac(1), address("10.1.1.50")), vport_path(2), "hv1")
    bench.hear(b"short")
    assert await bench.known() == {}


async def test_there_are_at_most_mac_limit_of_them_and_one_event_says_so(bench: Bench) -> None:
    for number in range(1, 40):
        bench.says(number, f"10.1.1.{50 + number}")
    assert list(await bench.known()) == [mac(number) for number in range(1, 5)]
    assert sum("mac-limit" in text for text in bench.told(Kind.VPORT)) == 1


async def test_one_mac_address_has_at_most_eight_addresses(bench: Bench) -> None:
    for number in range(50, 90):
        bench.says(1, f"10.1.1.{number}")
    assert (await bench.known())[mac(1)] == tuple(f"10.1.1.{number}" for number in range(50, 58))


async def test_an_address_that_another_claims_moves_to_it_and_one_event_says_so(bench: Bench) -> None:
    bench.says(1, "10.1.1.50")
    bench.says(2, "10.1.1.50")
    bench.says(1, "10.1.1.50")
    assert await bench.known() == {mac(1): ("10.1.1.50",), mac(2): ()}
    assert len(bench.told(Kind.IDENTITY)) == 1


async def test_a_host_that_moves_between_bridges_is_believed_a_few_times(bench: Bench) -> None:
    bench.says(1, "10.1.1.50")
    for turn in range(MOVES + 5):
        bench.says(1, "10.1.1.50", OTHER if turn % 2 == 0 else DOOR)
    assert await bench.known() == {} and mac(1) in await bench.known(OTHER), "after five moves it stays"
    assert sum("too often" in text for text in bench.told(Kind.VPORT)) == 1
    bench.time += 60
    bench.says(1, "10.1.1.50")
    assert mac(1) in await bench.known() and await bench.known(OTHER) == {}
    assert await bench.agreed()


async def test_what_moves_all_the_time_in_one_subnet_leaves_moves_of_another_believed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "_WATCHED", 2)
    for what in ("one", "two"):
        assert bench.learning._believed("a subnet of somebody else", what, what, "there")
    assert not bench.learning._believed("a subnet of somebody else", "three", "three", "there"), "it is full"
    bench.says(1, "10.1.1.50")
    bench.says(1, "10.1.1.50", OTHER)
    assert await bench.known() == {} and mac(1) in await bench.known(OTHER)
    bench.time += SWEEP + 1
    await bench.learning.second()
    assert not bench.learning._moves, "what stands still is forgotten"


async def test_who_is_silent_is_asked_and_forgotten_unless_he_answers(bench: Bench) -> None:
    bench.says(1, "10.1.1.50")
    bench.says(2, "10.1.1.51")
    await bench.settled()
    bench.time += AGE + 1
    await bench.learning.second()
    asked = [found for name, frame in bench.sent if name == "hv1" and (found := arp(frame))]
    assert {(one.sender_mac, str(one.sender), str(one.target)) for one in asked} == {
        (ROUTER, "10.1.1.1", "10.1.1.50"), (ROUTER, "10.1.1.1", "10.1.1.51"),
    }  # fmt: skip
    bench.hear(arp_reply(mac(1), address("10.1.1.50"), ROUTER, address("10.1.1.1")))
    for _ in range(PROBES + 1):
        bench.time += 1
        await bench.learning.second()
    assert list(await bench.known()) == [mac(1)]
    assert sum(1 for _, frame in bench.sent if parse(frame)) == 1 + PROBES


async def test_whose_flows_count_packets_is_not_asked(bench: Bench) -> None:
    bench.says(1, "10.1.1.50")
    await bench.settled()
    switch, real, packets = bench.switches["hv1"], bench.switches["hv1"].flows, 0

    async def flows(table: int = 255):  # type: ignore[no-untyped-def]
        return [msgspec.structs.replace(flow, packets=packets) for flow in await real(table)]

    switch.flows = flows  # type: ignore[method-assign]
    for _ in range(int(2 * AGE / SWEEP)):
        bench.time += SWEEP
        packets += 1
        await bench.learning.second()
    assert not bench.sent
    for _ in range(int(AGE / SWEEP) + PROBES + 1):
        bench.time += SWEEP
        await bench.learning.second()
    assert await bench.known() == {}


async def test_what_is_learned_goes_with_its_vport_and_with_what_takes_its_place(bench: Bench) -> None:
    for number in range(1, 5):
        bench.says(number, f"10.1.1.{50 + number}")
    await bench.settled()
    door = bench.network.running.get(DOOR)
    assert isinstance(door, Vport)
    taken = Vport(uuid=uuid(700), subnet="web1", mac=mac(2), address=("10.1.1.51",))
    await bench.commit({DOOR: msgspec.structs.replace(door, mac_limit=2), (*PROD, "vport", "new"): taken})
    await bench.learning.second()
    assert await bench.known() == {mac(1): (), mac(3): ("10.1.1.53",)}
    await bench.commit({DOOR: msgspec.structs.replace(door, subnet="app1")})
    await bench.learning.second()
    assert await bench.known() == {}
    bench.says(5, "10.1.2.60")
    assert await bench.known() == {mac(5): ("10.1.2.60",)}
    await bench.commit({DOOR: None})
    await bench.learning.second()
    await bench.settled()
    assert bench.network.state.placement.learned.get(door.uuid) is None
    assert await bench.agreed()


async def test_a_new_controller_knows_what_the_last_one_learned_and_forgets_what_is_gone(bench: Bench) -> None:
    bench.says(1, "10.1.1.50")
    before = await bench.known()
    later = Learning(bench.context)
    later.recall()
    assert list(later.entries(uuid(501))) == [mac(1)]
    await later.second()
    assert await bench.known() == before
    assert bench.learning.clear(uuid(501)) == 1
    assert await bench.known() == {}


async def test_an_unresolved_address_is_asked_for_once_a_second_behind_every_bridge(bench: Bench) -> None:
    Gleaning(bench.context)
    mark = cookie(Owner.SUBNET, Feature.GLEAN, bench.network.state.number(WEB))

    def wanted(ip: str) -> None:
        packet = ethernet(ROUTER, "02:00:0a:01:01:02", 0x0800, _ipv4("10.1.2.9", ip))
        bench.punted.packet("hv2", PacketIn(mark, Table.ROUTE, packet, len(packet)))

    for ip in ("10.1.1.77", "10.1.1.77", "10.1.1.1", "10.1.1.2", "10.1.2.77", "10.1.1.255"):
        wanted(ip)
    asked = [(name, str(found.target), str(found.sender)) for name, frame in bench.sent if (found := arp(frame))]
    assert sorted(asked) == [("hv1", "10.1.1.77", "10.1.1.1"), ("hv2", "10.1.1.77", "10.1.1.1")]
    bench.time += 1.1
    wanted("10.1.1.77")
    assert len(bench.sent) == 4
    for number in range(2, 5000):
        wanted(f"10.1.1.{number % 250 + 3}")
    assert len(bench.sent) < 4 + 2 * 256


async def test_who_scans_a_subnet_keeps_no_other_enterprise_and_no_next_hop_from_being_resolved(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RATE", 5)
    gleaning = Gleaning(bench.context)
    mark = cookie(Owner.SUBNET, Feature.GLEAN, bench.network.state.number(WEB))
    for number in range(50, 100):
        packet = ethernet(ROUTER, "02:00:0a:01:01:02", 0x0800, _ipv4("10.1.2.9", f"10.1.1.{number}"))
        bench.punted.packet("hv2", PacketIn(mark, Table.ROUTE, packet, len(packet)))
    assert len(bench.sent) == 5 * 2, "behind two bridges"
    gleaning._ask(WEB, address("10.1.1.99"))
    assert len(bench.sent) == 6 * 2 and gleaning._allowance.take("beta")


async def test_next_hops_are_asked_for_and_an_uplink_that_moves_is_announced(bench: Bench) -> None:
    gleaning = Gleaning(bench.context)
    task = asyncio.create_task(gleaning.run())
    try:
        await bench.commit({
            (*PROD, "static-route", "0.0.0.0/0"): StaticRoute(uuid=uuid(800), next_hop=("10.1.1.254",), health="none")
        })  # fmt: skip
        await asyncio.sleep(0.02)
        assert {(name, str(found.target)) for name, frame in bench.sent if (found := arp(frame))} == {
            ("hv1", "10.1.1.254"), ("hv2", "10.1.1.254"),
        }  # fmt: skip
        bench.sent.clear()
        bench.network.topology.appear("hv2", "up-wan", "uplink:wan", 7)
        bench.network.topology.vanish("hv1", "up-wan")
        bench.upkeep.settle()
        await bench.upkeep.idle()
        await asyncio.sleep(0.02)
        told = {(name, found.sender_mac, str(found.sender)) for name, frame in bench.sent if (found := arp(frame))}
        assert {("hv2", ROUTER, "10.1.1.1"), ("hv2", "02:00:0a:01:01:02", "10.1.1.2")} <= told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_vport_is_told_when_the_gateways_have_another_mac_address(bench: Bench) -> None:
    other = "02:00:00:00:ff:01"
    task = asyncio.create_task(Gleaning(bench.context).run())
    try:
        await asyncio.sleep(0.02)
        bench.sent.clear()
        await bench.commit({("controller",): Controller(uuid=uuid(900), anycast_gateway_mac=other)})
        await asyncio.sleep(0.05)
        told = {(name, found.sender_mac, str(found.sender)) for name, frame in bench.sent if (found := arp(frame))}
        assert told == {("hv1", other, "10.1.1.1"), ("hv2", other, "10.1.1.1")}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _ipv4(source: str, destination: str) -> bytes:
    head = bytes.fromhex("45000014000000004011") + bytes(2)
    return head + address(source).packed + address(destination).packed

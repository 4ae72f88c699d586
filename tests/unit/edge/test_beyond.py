"""Machines behind VTEPs whose addresses no route names: who is asked, who is believed, and who is forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from controller.compile import Observed
from controller.compile.remote import VXLAN, RemoteFlood, RemoteKey, RemoteMac, Tunnel
from controller.edge.beyond import AGE, OF_ONE, PROBES, ROUTE_WITHIN, Beyond
from controller.edge.gleaning import Gleaning
from controller.openflow.packets import PacketIn
from controller.packets.headers import UDP, ip_frame, udp
from controller.packets.neighbour import arp, arp_reply, gratuitous_arp, neighbour_advertisement
from controller.pipeline import Feature, Owner, Table, cookie
from data.addresses import Ip, address
from tests.unit.controller.model import WEB
from tests.unit.edge.bench import ROUTER, EdgeModel

VTEP = Tunnel(address("192.0.2.2"), VXLAN, 7700)
GATEWAY = address("10.1.1.1")


def mac(number: int) -> str:
    return f"02:0e:00:00:00:{number:02x}"


def packed(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


class Bench(EdgeModel):
    """vm-2 on hv1 in a subnet that a VTEP shares, and what BGP is told."""

    def __init__(self) -> None:
        super().__init__(2)
        self.beyond = Beyond(self.context)
        self.beyond.tell = self._tell
        self.gleaning = Gleaning(self.context)
        self.told: dict[str, tuple[str, ...]] = {}

    async def begin(self) -> None:
        await self.listen()
        self.attach("hv1", 2, 4)
        await self.upkeep.idle()
        await self.elsewhere({RemoteKey(self.web, "flood", VTEP.endpoint): RemoteFlood(VTEP)})

    @property
    def web(self) -> str:
        body = self.network.running.get(WEB)
        assert body is not None
        return body.uuid

    def _tell(self, addresses: Mapping[RemoteKey, tuple[Ip, ...]]) -> None:
        for key, known in addresses.items():
            assert isinstance(key.what, bytes) and key.owner == self.web
            self.told[key.what.hex(":")] = tuple(map(str, known))

    async def elsewhere(self, facts: Mapping[RemoteKey, RemoteMac | RemoteFlood | None]) -> None:
        self.upkeep.observe(Observed(remote=facts))
        await self.upkeep.idle()

    async def routed(self, number: int, *addresses: str) -> None:
        fact = RemoteMac(VTEP, tuple(map(address, addresses)))
        await self.elsewhere({RemoteKey(self.web, "mac", packed(mac(number))): fact})

    def punt(self, feature: Feature, frame: bytes) -> None:
        mark = cookie(Owner.SUBNET, feature, self.network.state.number(WEB))
        self.punted.packet("hv1", PacketIn(mark, Table.CLASSIFY, frame, len(frame)))

    def answers(self, number: int, ip: str) -> None:
        self.punt(Feature.ANSWER, arp_reply(mac(number), address(ip), ROUTER, GATEWAY))

    def questions(self) -> list[str]:
        """The addresses that were asked for since the last time."""
        sent, self.sent = [arp(frame) for _, frame in self.sent], []
        return [str(one.target) for one in sent if one is not None]


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.begin()
    return made


async def test_a_packet_to_an_address_that_nobody_has_asks_the_vteps_once_a_second(bench: Bench) -> None:
    source, target = address("10.1.2.9"), address("10.1.1.50")
    frame = ip_frame(ROUTER, mac(9), source, target, UDP, udp(source, target, 1, 2, b""))
    for _ in range(3):
        bench.punt(Feature.GLEAN, frame)
    assert bench.questions() == ["10.1.1.50"]
    bench.time += 1.5
    bench.punt(Feature.GLEAN, frame)
    assert bench.questions() == ["10.1.1.50"]


async def test_who_answers_is_told_with_all_his_addresses_and_who_has_one_after_him_instead(bench: Bench) -> None:
    bench.answers(1, "10.1.1.50")
    bench.answers(1, "10.1.1.51")
    assert bench.told == {mac(1): ("10.1.1.50", "10.1.1.51")}
    bench.answers(2, "10.1.1.50")
    assert bench.told == {mac(1): ("10.1.1.51",), mac(2): ("10.1.1.50",)}


@pytest.mark.parametrize("ip", ["10.1.1.1", "10.1.1.2", "10.1.1.255", "10.1.2.50", "fe80::1"])
async def test_addresses_of_ours_and_of_other_subnets_are_nobodys(bench: Bench, ip: str) -> None:
    if ":" in ip:
        bench.punt(Feature.ANSWER, neighbour_advertisement(mac(1), address(ip), address(ip), "", Ip(6, 0)))
    else:
        bench.answers(1, ip)
    assert bench.told == {}


@pytest.mark.parametrize("sender", [ROUTER, "02:00:0a:01:01:02", "01:00:5e:00:00:01", "00:00:00:00:00:00"])
async def test_mac_addresses_of_ours_and_of_many_are_nobodys(bench: Bench, sender: str) -> None:
    bench.punt(Feature.ANSWER, gratuitous_arp(sender, address("10.1.1.50")))
    bench.punt(Feature.ANSWER, b"short")
    assert bench.told == {}


async def test_one_mac_address_answers_for_a_few_addresses(bench: Bench) -> None:
    for number in range(50, 90):
        bench.answers(1, f"10.1.1.{number}")
    assert len(bench.told[mac(1)]) == OF_ONE


async def test_an_answer_whose_route_does_not_come_is_forgotten(bench: Bench) -> None:
    bench.answers(1, "10.1.1.50")
    bench.answers(2, "10.1.1.51")
    await bench.routed(1)
    bench.time += ROUTE_WITHIN + 1
    bench.beyond.second()
    assert bench.told == {mac(1): ("10.1.1.50",), mac(2): ()}


async def test_who_is_silent_is_asked_and_forgotten_when_he_does_not_answer(bench: Bench) -> None:
    for number in (1, 2):
        await bench.routed(number)
        bench.answers(number, f"10.1.1.{50 + number}")
    bench.time += AGE
    for turn in range(PROBES + 1):
        bench.beyond.second()
        assert sorted(bench.questions()) == (["10.1.1.51", "10.1.1.52"] if turn == 0 else ["10.1.1.51"])[: 2 - (
            turn == PROBES) * 2]  # fmt: skip
        bench.answers(2, "10.1.1.52")
    assert bench.told == {mac(1): (), mac(2): ("10.1.1.52",)}


async def test_after_a_restart_everything_that_is_known_is_kept_and_asked_for(bench: Bench) -> None:
    await bench.routed(1, "10.1.1.50")
    again = Beyond(bench.context)
    again.tell = bench._tell
    again.recall()
    assert bench.told == {mac(1): ("10.1.1.50",)}
    again.second()
    assert bench.questions() == ["10.1.1.50"]


async def test_a_subnet_that_is_gone_is_forgotten(bench: Bench) -> None:
    await bench.routed(1)
    bench.answers(1, "10.1.1.50")
    await bench.elsewhere({RemoteKey(bench.web, "mac", packed(mac(1))): None})
    bench.time += ROUTE_WITHIN + 1
    bench.beyond.second()
    assert bench.told == {mac(1): ()}
    bench.time += AGE
    bench.beyond.second()
    assert bench.questions() == []

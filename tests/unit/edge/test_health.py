"""The prober: who is asked when, whose answer counts, and when somebody is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from controller.commit.planning import Change, draft
from controller.edge.context import EdgeContext
from controller.edge.health import TICK, Health
from controller.events import Kind
from controller.hypervisors.punted import Punted
from controller.openflow.actions import Action
from controller.openflow.errors import SwitchGone
from controller.openflow.packets import PacketIn
from controller.packets.frame import parse
from controller.packets.headers import ICMP, TCP, icmp, ip_frame, tcp
from controller.packets.neighbour import arp_reply
from controller.pipeline import Feature, Owner, Register, Table, cookie
from data.addresses import Ip, address
from data.configuration import Edits
from data.path import Path
from data.schema.objects import Controller, Object
from data.schema.services import RedirectionTarget, StaticRoute
from tests.unit.controller.model import PROD, Model, uuid, vport, vport_path

ROUTER = "00:00:5e:00:01:01"
FIRST, SECOND = "02:00:0a:01:01:02", "02:00:0a:01:01:03"  # vm-2 and vm-3
GATEWAY = address("10.1.1.1")
ROUTE = (*PROD, "static-route", "192.168.0.0/16")
ARP = "10.1.1.2 arp 0"


class Bench(Model):
    """vm-2 on hv1 and vm-3 on hv2, a prober whose clock stands still unless a test moves it, and what it sent."""

    def __init__(self, vports: int = 2) -> None:
        super().__init__(vports=vports)
        self.time = 1000.0
        self.sent: list[tuple[str, bytes]] = []
        self.punted = Punted(self.network)
        self.health = Health(EdgeContext(self.network, self.upkeep, self.punted, lambda: 5.0), lambda: self.time)

    async def begin(self) -> None:
        await self.connect("hv1", "hv2")
        for name, switch in self.switches.items():
            switch.packet_out = self._hear(name)  # type: ignore[method-assign, assignment]
        self.attach("hv1", 2, 4)
        self.attach("hv2", 3, 4)
        await self.upkeep.idle()

    def _hear(self, name: str) -> Callable[[bytes, Sequence[Action]], bool]:
        def packet_out(frame: bytes, actions: Sequence[Action]) -> bool:
            self.sent.append((name, frame))
            return not self.switches[name].gone

        return packet_out

    async def commit(self, edits: Edits) -> None:
        network = self.network
        made = await draft(network.running, edits, network.state, network.topology)
        network.commit(made, Change(edits, edits), network.running.revision + 1)
        await self.upkeep.idle()

    async def route(self, health: str = "arp", interval: int = 1000) -> None:
        route = StaticRoute(uuid=uuid(300), next_hop=("10.1.1.2",), health=health, health_interval=interval)
        await self.commit({ROUTE: route})

    async def target(self, port: int = 8080) -> None:
        body = RedirectionTarget(uuid=uuid(301), vport=("vm-2",), health="tcp", health_port=port)
        await self.commit({(*PROD, "redirection-target", "fw"): body})

    async def wait(self, seconds: float) -> list[tuple[str, bytes]]:
        """What is sent in so much time that passes evenly."""
        self.sent.clear()
        for _ in range(round(seconds / TICK)):
            self.time += TICK
            self.health.advance()
            await asyncio.sleep(0)
        await self.upkeep.idle()
        return list(self.sent)

    def punt(self, frame: bytes, dvrs: str = "hv1", slot: int = 4) -> None:
        """A packet comes up from a vport."""
        mark = cookie(Owner.SUBNET, Feature.PROBED, 1)
        fields = {f"reg{Register.FROM_PORT}": slot}
        self.punted.packet(dvrs, PacketIn(mark, Table.RESPONDER, frame, len(frame), fields=fields))

    def reply(self, mac: str = FIRST, ip: str = "10.1.1.2", dvrs: str = "hv1", slot: int = 4) -> None:
        self.punt(arp_reply(mac, address(ip), ROUTER, GATEWAY), dvrs, slot)

    def known(self, about: str = ARP) -> bool | None:
        return self.network.state.placement.health.get(f"{vport(2).uuid} {about}")


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.begin()
    return bench


async def test_a_next_hop_is_asked_by_its_gateway_every_interval_and_nobody_else_is(bench: Bench) -> None:
    assert not await bench.wait(2.0)
    await bench.route()
    sent = await bench.wait(3.0)
    assert [name for name, _ in sent] == ["hv1"] * 3
    asked = parse(sent[0][1])
    assert asked is not None
    assert (asked.source_mac, asked.destination_mac, asked.arp_operation) == (ROUTER, FIRST, 1)
    assert (asked.source, asked.destination) == (GATEWAY, address("10.1.1.2"))


async def test_the_first_answer_makes_it_alive_and_two_silent_questions_dead(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    await bench.upkeep.idle()
    assert bench.known() is True
    await bench.wait(1.4)
    assert bench.known() is True, "one question without an answer is none"
    await bench.wait(1.1)
    assert bench.known() is False
    assert bench.told(Kind.HEALTH) == ["acme/prod/vm-2 10.1.1.2, probed by arp, is dead: 2 probes unanswered"]
    await bench.wait(1.0)
    bench.reply()
    await bench.upkeep.idle()
    assert bench.known() is True
    assert bench.told(Kind.HEALTH)[-1] == "acme/prod/vm-2 10.1.1.2, probed by arp, is alive again"


async def test_it_is_dead_two_and_a_half_intervals_after_its_last_answer_at_most(bench: Bench) -> None:
    await bench.route(interval=400)
    for _ in range(20):
        await bench.wait(0.1)
        bench.reply()
    await bench.upkeep.idle()
    began = bench.time
    while bench.known():
        await bench.wait(TICK)
        assert bench.time - began <= 1.0 + 3 * TICK
    assert bench.time - began >= 0.6


async def test_nobody_answers_for_another(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply(slot=5)
    bench.reply(dvrs="hv2")
    bench.reply(mac=SECOND)
    bench.reply(ip="10.1.1.3")
    bench.punt(b"")
    bench.punt(bytes(60))
    await bench.upkeep.idle()
    assert bench.known() is None
    bench.reply()
    await bench.upkeep.idle()
    assert bench.known() is True


async def test_ping_counts_with_the_identifier_of_the_question_alone(bench: Bench) -> None:
    await bench.route("icmp")
    ((_, frame),) = await bench.wait(0.1)
    asked = parse(frame)
    assert asked is not None and asked.payload is not None and (asked.protocol, asked.icmp_type) == (ICMP, 8)
    own, target = address("10.1.1.2"), GATEWAY

    def answered(identifier: bytes) -> bytes:
        data = identifier + asked.payload[6:]  # type: ignore[index, union-attr]
        return ip_frame(FIRST, ROUTER, own, target, ICMP, icmp(own, target, 0, 0, data))

    wrong = bytes((asked.payload[4] ^ 1, asked.payload[5]))
    bench.punt(answered(wrong))
    assert bench.known("10.1.1.2 icmp 0") is None
    bench.punt(answered(asked.payload[4:6]))
    await bench.upkeep.idle()
    assert bench.known("10.1.1.2 icmp 0") is True


async def test_tcp_counts_when_the_port_is_open_and_what_was_asked_is_acknowledged(bench: Bench) -> None:
    await bench.target()
    ((_, frame),) = await bench.wait(0.1)
    asked = parse(frame)
    assert asked is not None and asked.payload is not None and asked.protocol == TCP
    assert asked.destination_port == 8080 and asked.source_port is not None and 0xE000 <= asked.source_port < 0xF000
    number = int.from_bytes(asked.payload[4:8], "big")

    def answered(flags: int, acknowledged: int) -> bytes:
        own: Ip = address("10.1.1.2")
        segment = tcp(own, GATEWAY, 8080, asked.source_port or 0, 7, acknowledged & 0xFFFFFFFF, flags)
        return ip_frame(FIRST, ROUTER, own, GATEWAY, TCP, segment)

    bench.sent.clear()
    bench.punt(answered(0x14, number + 1))
    bench.punt(answered(0x12, number + 2))
    await bench.upkeep.idle()
    assert bench.known("10.1.1.2 tcp 8080") is None and not bench.sent
    bench.punt(answered(0x12, number + 1))
    await bench.upkeep.idle()
    assert bench.known("10.1.1.2 tcp 8080") is True
    ((dvrs, ending),) = bench.sent
    assert dvrs == "hv1" and (said := parse(ending)) is not None and said.payload is not None
    assert said.payload[13] == 0x04, "a reset, so that the server keeps nothing"


async def test_a_refusing_port_is_as_dead_as_a_silent_one(bench: Bench) -> None:
    await bench.target()
    for _ in range(3):
        ((_, frame),) = await bench.wait(1.0)
        asked = parse(frame)
        assert asked is not None and asked.payload is not None
        number = int.from_bytes(asked.payload[4:8], "big") + 1 & 0xFFFFFFFF
        own = address("10.1.1.2")
        segment = tcp(own, GATEWAY, 8080, asked.source_port or 0, 0, number, 0x14)
        bench.punt(ip_frame(FIRST, ROUTER, own, GATEWAY, TCP, segment))
    assert bench.known("10.1.1.2 tcp 8080") is False


async def test_who_cannot_be_asked_stays_what_he_was(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    await bench.upkeep.idle()
    bench.network.channels["hv1"].lost()
    assert not await bench.wait(5.0)
    assert bench.known() is True
    bench.network.topology.vanish("hv1", "tap2")
    bench.upkeep.settle()
    await bench.upkeep.idle()
    await bench.wait(5.0)
    assert bench.known() is True, "a vport that is nowhere"


async def test_a_hypervisor_that_does_not_answer_itself_makes_nobody_dead(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    await bench.upkeep.idle()

    async def silent(messages: Sequence[bytes]) -> list[None]:
        raise SwitchGone("it hangs")

    monkeypatch.setattr(bench.switches["hv1"], "send", silent)
    await bench.wait(5.0)
    assert bench.known() is True
    monkeypatch.undo()
    await bench.wait(1.0)
    assert bench.known() is False


async def test_a_controller_that_was_busy_for_long_kills_nobody(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    await bench.upkeep.idle()
    bench.time += 30.0
    bench.health.advance()
    bench.reply()
    await bench.upkeep.idle()
    assert bench.known() is True
    assert len(bench.sent) <= 2, "and does not ask for all the time that is gone"


async def test_a_vport_that_moves_is_asked_at_its_new_place_at_once(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    bench.attach("hv2", 2, 9)
    await bench.upkeep.idle()
    ((dvrs, _),) = await bench.wait(0.2)
    assert dvrs == "hv2"
    bench.reply(dvrs="hv1")
    await bench.wait(2.5)
    assert bench.known() is False, "the old place does not answer for the new"
    bench.reply(dvrs="hv2", slot=9)
    await bench.upkeep.idle()
    assert bench.known() is True


async def test_what_nobody_asks_for_any_more_is_forgotten(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    bench.reply()
    await bench.upkeep.idle()
    await bench.commit({ROUTE: None})
    assert bench.known() is None and not bench.health.targets
    assert not await bench.wait(3.0)
    bench.reply()
    await bench.upkeep.idle()
    assert bench.known() is None


async def test_two_that_ask_the_same_share_one_probe_at_the_shorter_interval(bench: Bench) -> None:
    await bench.route()
    other = StaticRoute(uuid=uuid(302), next_hop=("10.1.1.2",), health_interval=500)
    await bench.commit({(*PROD, "static-route", "10.9.0.0/16"): other})
    assert len(bench.health.targets) == 1
    assert len(await bench.wait(5.0)) == 10


async def test_after_a_restart_the_dead_stay_dead_and_the_living_alive_until_they_were_asked(bench: Bench) -> None:
    await bench.route()
    await bench.wait(3.0)
    assert bench.known() is False
    again = Health(bench.health._context, lambda: bench.time)
    task = asyncio.create_task(again.run())
    await asyncio.sleep(0.01)
    task.cancel()
    (target,) = again.targets.values()
    assert target.alive is False
    assert bench.known() is False


async def test_a_thousand_routes_to_two_next_hops_cost_a_probe_for_each_of_them_and_kind(bench: Bench) -> None:
    edits: dict[Path, Object | None] = {}
    for number in range(1000):
        prefix = f"172.{16 + number // 250}.{number % 250}.0/24"
        hop = "10.1.1.2" if number % 2 else "10.1.1.3"
        edits[(*PROD, "static-route", prefix)] = StaticRoute(
            uuid=uuid(5000 + number), next_hop=(hop,), health="icmp" if number % 3 else "arp"
        )
    await bench.commit(edits)
    assert len(bench.health.targets) == 4
    assert len(await bench.wait(1.0)) == 4


async def test_first_questions_of_many_at_once_are_spread() -> None:
    bench = Bench(vports=200)
    await bench.begin()
    for number in range(4, 202):
        bench.attach("hv1", number, number + 100)
    hops = tuple(f"10.1.1.{number}" for number in range(2, 202))
    await bench.commit({ROUTE: StaticRoute(uuid=uuid(300), next_hop=hops)})
    each = [len(await bench.wait(TICK)) for _ in range(round(1.0 / TICK))]
    assert sum(each) == 200
    assert 0 < max(each) <= 15


async def test_another_mac_of_the_gateways_asks_from_then_on(bench: Bench) -> None:
    await bench.route()
    await bench.wait(0.1)
    await bench.commit({("controller",): Controller(uuid=uuid(900), anycast_gateway_mac="02:00:00:00:00:fe")})
    ((_, frame),) = await bench.wait(1.0)
    assert frame[6:12] == bytes.fromhex("0200000000fe")
    assert vport_path(2)[-1] == "vm-2"

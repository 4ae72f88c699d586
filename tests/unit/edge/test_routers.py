"""Router advertisements: to whom, when, and what they say."""

from __future__ import annotations

import asyncio

import msgspec

from controller.edge.routers import INTERVAL, RATE, Routers
from controller.edge.told import ROUTER_LIFETIME
from controller.packets.frame import parse
from controller.packets.headers import ICMPV6, icmp, ip_frame
from controller.packets.neighbour import ALL_NODES, ALL_ROUTERS, link_local
from controller.pipeline import Feature
from data.addresses import Ip, address
from data.schema.objects import Controller
from tests.unit.controller.model import uuid, vport_path
from tests.unit.edge.bench import FOUR, MAC, ROUTER, Bench


class Scene(Bench):
    """The bench with its routers, whose clock stands still unless a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.routers = Routers(self.context, lambda: self.now)

    def due(self, seconds: float = 0.0) -> list[tuple[str, bytes]]:
        """What is sent when so much time has passed."""
        self.now += seconds
        self.sent.clear()
        self.routers.advertise_due()
        return list(self.sent)


def solicitation(source: Ip) -> bytes:
    message = icmp(source, ALL_ROUTERS, 133, 0, bytes(4))
    return ip_frame(MAC, "33:33:00:00:00:02", source, ALL_ROUTERS, ICMPV6, message, 255)


def said(frame: bytes) -> tuple[int, int, dict[int, bytes]]:
    """Flags, router lifetime and options of an advertisement."""
    outer = parse(frame)
    assert outer is not None and outer.icmp_type == 134 and outer.payload is not None
    assert outer.source == link_local(ROUTER) and outer.hop_limit == 255 and outer.source_mac == ROUTER
    body = outer.payload
    options: dict[int, bytes] = {}
    rest = body[16:]
    while rest:
        options.setdefault(rest[0], rest[2 : rest[1] * 8])
        rest = rest[rest[1] * 8 :]
    return body[5], int.from_bytes(body[6:8], "big"), options


def test_who_asks_is_told_the_prefix_the_mtu_and_the_name_servers() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin(mtu=1400, dns_server=("2001:db8::53",), domain_name="web.example")
        source = link_local(MAC)
        (frame,) = bench.hear(Feature.SOLICITED, solicitation(source))
        outer = parse(frame)
        assert outer is not None and outer.destination == source and outer.destination_mac == MAC
        flags, lifetime, options = said(frame)
        assert (flags, lifetime) == (0, ROUTER_LIFETIME)
        assert options[3][:2] == bytes((64, 0xC0)) and options[3].endswith(address("2001:db8:1::").packed)
        assert int.from_bytes(options[5][2:6], "big") == 1400 and options[1] == bytes.fromhex("00005e000101")
        assert options[25].endswith(address("2001:db8::53").packed) and b"\x03web\x07example\x00" in options[31]
        (frame,) = bench.hear(Feature.SOLICITED, solicitation(Ip(6, 0)))
        outer = parse(frame)
        assert outer is not None and outer.destination == ALL_NODES
        await bench.serve(ipv6_addressing="dhcpv6")
        flags, _, options = said(bench.hear(Feature.SOLICITED, solicitation(source))[0])
        assert flags == 0xC0 and options[3][:2] == bytes((64, 0x80)), "managed, and not autonomous"

    asyncio.run(scene())


def test_a_flood_of_solicitations_is_answered_at_the_rate() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        frames = [bench.hear(Feature.SOLICITED, solicitation(link_local(MAC))) for _ in range(100)]
        assert RATE <= sum(map(len, frames)) <= 2 * RATE

    asyncio.run(scene())


def test_every_subnet_is_advertised_at_once_and_then_every_few_minutes_to_all_its_hypervisors() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        first = bench.due()
        assert {name for name, _ in first} == {"hv1", "hv2"}
        assert not bench.due(INTERVAL[0] - 1)
        second = bench.due(INTERVAL[1] - INTERVAL[0] + 1)
        assert sorted(name for name, _ in second) == ["hv1", "hv2"], "once each"
        assert said(second[0][1])[1] == ROUTER_LIFETIME > 10 * INTERVAL[1]

    asyncio.run(scene())


def test_another_prefix_withdraws_the_one_before_and_no_router_says_so() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        bench.due()
        await bench.serve(ipv6_prefix="2001:db8:9::/64")
        (_, frame), *_ = bench.due()
        new, old = (address(text).packed for text in ("2001:db8:9::", "2001:db8:1::"))
        assert new in frame and bytes(12) + old in frame, "valid and preferred for 0 s"
        await bench.serve(ipv6_addressing="none")
        (_, frame), *_ = bench.due()
        assert said(frame)[1] == 0 and bytes(12) + new in frame
        assert not bench.due(10 * INTERVAL[1]) and not bench.routers._said

    asyncio.run(scene())


def test_another_mac_of_the_gateways_is_told_within_half_a_minute() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        bench.due()
        mac = "02:00:00:00:00:fe"
        await bench.commit({("controller",): Controller(uuid=uuid(800), anycast_gateway_mac=mac)})
        sent = bench.due(30)
        outers = [parse(frame) for _, frame in sent]
        assert len(outers) == 2 and all(one is not None and one.source == link_local(mac) for one in outers)

    asyncio.run(scene())


def test_a_vport_that_moves_is_told_at_its_new_place_alone_and_one_without_ipv6_nowhere() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        bench.due()
        bench.network.topology.vanish("hv1", "tap2")
        bench.attach("hv2", 2, 9)
        await bench.upkeep.idle()
        assert [name for name, _ in bench.due()] == ["hv2"]
        await bench.commit({vport_path(2): msgspec.structs.replace(bench.vport(), address=(FOUR,))})
        assert bench.hear(Feature.SOLICITED, solicitation(link_local(MAC))) == []
        assert bench.due() == []

    asyncio.run(scene())


def test_nothing_is_kept_of_a_subnet_whose_vports_are_gone() -> None:
    async def scene() -> None:
        bench = Scene()
        await bench.begin()
        bench.due()
        await bench.commit({vport_path(2): None, vport_path(3): None})
        assert bench.due(INTERVAL[1]) == []
        assert not bench.routers._due and not bench.routers._said and not bench.routers._heap

    asyncio.run(scene())

"""The DHCP server: who is answered with what, who is not, and what is remembered."""

from __future__ import annotations

import asyncio
import struct

import msgspec
import pytest

from controller.edge.dhcp import RATE, Dhcp
from controller.edge.told import lease
from controller.events import Kind
from controller.packets import dhcp, dhcp6
from controller.packets.headers import UDP, ip_frame, udp
from controller.packets.neighbour import link_local
from controller.pipeline import Feature
from data.addresses import address
from data.schema.objects import Controller
from data.schema.services import DhcpOption
from tests.unit.controller.model import WEB, uuid, vport_path
from tests.unit.edge.bench import FOUR, MAC, OTHER_MAC, ROUTER, SIX, Bench, dhcp_message

WANTED = (50, address(FOUR).packed)


async def served(**leaves: object) -> tuple[Bench, Dhcp]:
    bench = Bench()
    service = Dhcp(bench.context)
    await bench.begin(dhcp=True, **leaves)
    return bench, service


def solicit(kind: int = dhcp6.SOLICIT, server: bool = False) -> bytes:
    """A DHCPv6 message with one association."""
    identity = bytes(10)
    data = bytes((kind,)) + b"abc" + struct.pack("!HH", 1, 10) + identity + struct.pack("!HH12x", 3, 12)
    if server:
        data += struct.pack("!HH", 2, 10) + dhcp6.server_duid(ROUTER)
    source = link_local(MAC)
    segment = udp(source, dhcp6.ALL_SERVERS, 546, 547, data)
    return ip_frame(MAC, "33:33:00:01:00:02", source, dhcp6.ALL_SERVERS, UDP, segment)


def test_a_vport_is_offered_and_leased_its_own_address_and_that_is_remembered() -> None:
    async def scene() -> None:
        bench, service = await served(dhcp_lease=3600)
        (offer,) = bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER))
        assert dhcp.kind_of(offer) == dhcp.OFFER and address(FOUR).packed in offer
        assert [record.state for record in service.leases()] == ["offered"]
        bench.time = 2000.0
        (ack,) = bench.hear(Feature.DHCP, dhcp_message(dhcp.REQUEST, WANTED))
        assert dhcp.kind_of(ack) == dhcp.ACK
        (record,) = service.leases()
        assert (record.path, record.addresses, record.state) == (vport_path(2), (FOUR,), "leased")
        assert (record.asked, record.until) == (2000.0, 5600.0)
        (nak,) = bench.hear(Feature.DHCP, dhcp_message(dhcp.REQUEST, (50, address("10.1.1.3").packed)))
        assert dhcp.kind_of(nak) == dhcp.NAK
        assert [(one.state, one.until) for one in service.leases()] == [("refused", None)]

    asyncio.run(scene())


def test_what_is_told_is_the_configuration_of_the_subnet() -> None:
    async def scene() -> None:
        bench, _ = await served(
            gateway="10.1.1.254", mtu=1400, dns_server=("2001:db8::53", "9.9.9.9"), domain_name="web.example"
        )
        await bench.commit({(*WEB, "dhcp-option", "42"): DhcpOption(uuid=uuid(900), value="10.1.1.7")})
        told = lease(bench.network.running, vport_path(2))
        assert told is not None
        assert (str(told.server), str(told.router), told.prefix_length, told.mtu) == (*["10.1.1.254"] * 2, 24, 1400)
        assert (told.dns_servers, told.domain_name) == ((address("9.9.9.9"),), "web.example")
        assert (told.host_name, told.options) == ("vm-2", {42: address("10.1.1.7").packed})
        await bench.serve(dns_proxy=True)
        told = lease(bench.network.running, vport_path(2))
        assert told is not None and told.dns_servers == (address("10.1.1.254"),)

    asyncio.run(scene())


@pytest.mark.parametrize("frame", [dhcp_message(dhcp.DISCOVER, mac=OTHER_MAC), b"", b"\xff" * 60, dhcp_message(99)])
def test_others_and_nonsense_are_not_answered_nor_remembered(frame: bytes) -> None:
    async def scene() -> None:
        bench, service = await served()
        assert bench.hear(Feature.DHCP, frame) == []
        assert list(service.leases()) == []

    asyncio.run(scene())


def test_nobody_is_answered_without_an_address_or_after_dhcp_was_switched_off() -> None:
    async def scene() -> None:
        bench, _ = await served()
        await bench.commit({vport_path(2): msgspec.structs.replace(bench.vport(), address=(SIX,))})
        assert bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER)) == []
        assert bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER, mac=OTHER_MAC), vport_path(3), "hv2")
        await bench.serve(dhcp=False)
        assert bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER, mac=OTHER_MAC), vport_path(3), "hv2") == []

    asyncio.run(scene())


def test_a_flood_is_answered_at_the_rate_and_costs_others_nothing() -> None:
    async def scene() -> None:
        bench, _ = await served()
        answered = sum(len(bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER))) for _ in range(100))
        assert RATE <= answered <= 2 * RATE, "two seconds at the most"
        assert bench.hear(Feature.DHCP, dhcp_message(dhcp.DISCOVER, mac=OTHER_MAC), vport_path(3), "hv2")

    asyncio.run(scene())


def test_a_deleted_vport_is_forgotten_and_a_declined_address_is_told() -> None:
    async def scene() -> None:
        bench, service = await served()
        assert bench.hear(Feature.DHCP, dhcp_message(dhcp.DECLINE, WANTED, (54, address("10.1.1.1").packed))) == []
        assert [record.state for record in service.leases()] == ["declined"]
        assert [text for text in bench.told(Kind.VPORT) if "in use" in text] == [
            f"acme/prod/vm-2 says that its address {FOUR} is in use by somebody else"
        ]
        await bench.commit({("controller",): Controller(uuid=uuid(800), probe_interval=7)})
        assert len(list(service.leases())) == 1
        await bench.commit({vport_path(2): None})
        assert list(service.leases()) == [] and not service._records

    asyncio.run(scene())


def test_dhcpv6_gives_the_ipv6_addresses_and_only_where_it_is_the_way() -> None:
    async def scene() -> None:
        bench, service = await served()
        assert bench.hear(Feature.DHCP, solicit()) == [], "slaac"
        await bench.serve(ipv6_addressing="dhcpv6", dns_server=("2001:db8::53",))
        (advertised,) = bench.hear(Feature.DHCP, solicit())
        assert dhcp6.given(advertised) == (address(SIX),) and address("2001:db8::53").packed in advertised
        assert [(one.version, one.state) for one in service.leases()] == [(6, "offered")]
        (reply,) = bench.hear(Feature.DHCP, solicit(dhcp6.REQUEST, server=True))
        assert dhcp6.given(reply) == (address(SIX),)
        assert [(one.version, one.state, one.addresses) for one in service.leases()] == [(6, "leased", (SIX,))]
        bench.hear(Feature.DHCP, solicit(dhcp6.RELEASE, server=True))
        assert [one.state for one in service.leases()] == ["released"]

    asyncio.run(scene())

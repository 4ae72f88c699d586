"""Whatever a workload sends to the services at the gateway, nothing is raised, and answers are frames."""

from __future__ import annotations

import asyncio
import random

import dns.message
import pytest

from controller.edge.allowance import Allowance
from controller.edge.dhcp import Dhcp
from controller.edge.names import Names
from controller.edge.routers import Routers
from controller.packets import dhcp
from controller.packets.frame import parse
from controller.packets.headers import ICMPV6, icmp, ip_frame
from controller.packets.neighbour import ALL_ROUTERS, link_local
from controller.pipeline import Feature
from data.addresses import address
from tests.unit.controller.model import WEB, vport_path
from tests.unit.edge.bench import FOUR, MAC, Bench, dhcp_message, dns_query
from tests.unit.edge.test_dhcp import solicit

_SOLICITATION = ip_frame(
    MAC, "33:33:00:00:00:02", link_local(MAC), ALL_ROUTERS, ICMPV6,
    icmp(link_local(MAC), ALL_ROUTERS, 133, 0, bytes(4)), 255,
)  # fmt: skip
_QUERY = dns_query(dns.message.make_query("vm-2.web.example", "A").to_wire(), address(FOUR), address("10.1.1.1"))
SENT = (
    (Feature.DHCP, dhcp_message(dhcp.DISCOVER), vport_path(2)),
    (Feature.DHCP, solicit(), vport_path(2)),
    (Feature.SOLICITED, _SOLICITATION, vport_path(2)),
    (Feature.DNS, _QUERY, WEB),
)


def spoilt(frame: bytes, dice: random.Random) -> bytes:
    """The frame with some bytes changed, cut off, or more of them."""
    data = bytearray(frame)
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(len(data))] = dice.choice((0, 255, dice.randrange(256)))
    if dice.random() < 0.3:
        del data[dice.randrange(len(data)) :]
    return bytes(data) + dice.randbytes(dice.choice((0, 0, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_packets_raise_nothing(seed: int) -> None:
    async def scene() -> None:
        bench, dice = Bench(), random.Random(seed)
        for service in (Dhcp(bench.context), Routers(bench.context), Names(bench.context)):
            service._allowance = Allowance(1 << 30)
        await bench.begin(dhcp=True, dns_proxy=True, ipv6_addressing="dhcpv6", domain_name="web.example")
        for feature, frame, path in SENT:
            assert bench.hear(feature, frame, path), "whole, it is answered"
            for _ in range(500):
                for answer in bench.hear(feature, spoilt(frame, dice), path):
                    assert parse(answer) is not None

    asyncio.run(scene())

"""The speaker beside FRR, GoBGP and BIRD: routes of every kind, both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.bgp.routes import (
    Attributes,
    AutoDiscovery,
    Community,
    EthernetSegment,
    Family,
    IpPrefix,
    MacIp,
    Multicast,
    Pmsi,
    Rd,
    Route,
    VpnPrefix,
)
from controller.bgp.speaker.backend import Refresh
from data.addresses import address, prefix
from tests.system.wan.bgp_speaking import (
    ENCAPSULATED,
    OURS,
    Heard,
    frr_lines,
    neighbour,
    own_prefix,
    speaking,
    until,
    vpn,
    vpn_routes,
)
from tests.system.wan.peers import PeerNetwork

ESI = bytes.fromhex("00112233445566778899")


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("spi")) as made:
        yield made


def evpn_routes(network: PeerNetwork) -> list[Route]:
    """One of each type, VXLAN."""
    here = address(network.here)
    rd, target = Rd.of(f"{network.here}:100"), Community.route_target(f"{OURS}:100")
    plain = Attributes(here, extended=tuple(sorted((target, ENCAPSULATED))))
    flood = Attributes(here, extended=plain.extended, pmsi=Pmsi(here, 100))
    moved = Attributes(
        here,
        extended=tuple(sorted((target, ENCAPSULATED, Community.mobility(3), Community.router_mac(b"\2\0\0\0\0\1")))),
    )
    return [
        Route(AutoDiscovery(rd, ESI, 0, 100), plain),
        Route(MacIp(rd, bytes.fromhex("020000006431"), address("192.168.100.31"), 100, 5000), moved),
        Route(Multicast(rd, here), flood),
        Route(EthernetSegment(rd, ESI, here), plain),
        Route(IpPrefix(rd, prefix("10.7.0.0/24"), 5000), moved),
    ]


async def test_frr_holds_our_vpn_routes_with_labels_and_targets_and_gives_us_its_own(network: PeerNetwork) -> None:
    network.add("frr")
    frr = network.frr(
        "frr", *frr_lines(network, 11), " address-family ipv4 vpn", "  network 10.9.0.0/24 rd 65000:9 label 300"
    )
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr")])
        up = await heard.up("frr")
        assert up.families == {Family.VPNV4, Family.EVPN}
        assert up.restart_time is not None and up.router_id == "10.255.0.11" and up.hold_time == 30
        await speaker.announce(["frr"], vpn_routes(50, next_hop=network.here))
        await speaker.end_of_rib("frr", up.families)
        await until(lambda: len(vpn(frr)) == 51, "50 routes at FRR")
        detail = frr.show(f"show bgp ipv4 vpn rd {OURS}:2 40.0.1.0/24 json")
        told = str(detail)
        assert f"RT:{OURS}:2" in told and "101" in told and network.here in told
        await until(lambda: heard.routes.get("frr"), "FRR's route")
        (theirs,) = heard.routes["frr"].values()
        assert theirs.nlri == VpnPrefix(Rd.of("65000:9"), prefix("10.9.0.0/24"), (300,))
        await heard.end_of_rib("frr", Family.VPNV4)
        await heard.end_of_rib("frr", Family.EVPN)
        await speaker.withdraw(["frr"], [one.nlri for one in vpn_routes(40, next_hop=network.here)])
        await until(lambda: len(vpn(frr)) == 11, "40 routes taken back")
        frr.ask(f"clear bgp {network.here} soft in")
        await until(lambda: Refresh("frr", Family.VPNV4) in heard.events, "a route refresh")


async def test_frr_programs_the_kernel_from_our_evpn_routes_and_announces_its_macs(network: PeerNetwork) -> None:
    network.add("frr")
    for line in (
        "ip link add br100 type bridge stp_state 0",
        "ip link set br100 up",
        f"ip link add vx100 type vxlan id 100 local {network.address('frr')} dstport 4789 nolearning",
        "ip link set vx100 master br100 up",
        "bridge link set dev vx100 neigh_suppress on learning off",
        "ip link add d0 type veth peer name d1",
        "ip link set d0 master br100 up",
        "bridge fdb add 02:00:00:00:99:01 dev d0 master static",
    ):
        network.run("frr", *line.split())
    frr = network.frr("frr", *frr_lines(network, 11, " address-family l2vpn evpn", "  vni 100",
                                        f"   route-target both {OURS}:100"))  # fmt: skip
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr")])
        await heard.up("frr")
        await speaker.announce(["frr"], evpn_routes(network))

        def types() -> set[int]:
            said = frr.show("show bgp l2vpn evpn json")
            tables = [one for one in said.values() if isinstance(one, dict)]
            return {int(where[1]) for one in tables for where in one if where.startswith("[")}

        await until(lambda: types() == {1, 2, 3, 4, 5}, "all five types at FRR")
        await until(
            lambda: (
                f"02:00:00:00:64:31 dst {network.here}" in network.run("frr", "bridge", "fdb", "show", "dev", "vx100")
            ),
            "the kernel's forwarding entry",
        )
        await until(
            lambda: {type(one.nlri) for one in heard.routes.get("frr", {}).values()} >= {MacIp, Multicast}, "FRR's own"
        )
        macs = [one.nlri for one in heard.routes["frr"].values() if isinstance(one.nlri, MacIp)]
        assert [(one.mac.hex(), one.label) for one in macs] == [("020000009901", 100)]
        assert all(one.attributes.next_hop == address(network.address("frr")) for one in heard.routes["frr"].values())
        moved = Route(MacIp(Rd.of(f"{network.here}:100"), bytes.fromhex("020000006431"), address("192.168.100.31"), 101,
                            esi=ESI), evpn_routes(network)[0].attributes)  # fmt: skip
        await speaker.announce(["frr"], [moved])  # another label and segment, the same route
        await speaker.withdraw(["frr"], [moved.nlri])
        await until(lambda: 2 not in types() or "02:00:00:00:64:31" not in str(frr.show("show bgp l2vpn evpn json")),
                    "withdrawn by its key")  # fmt: skip


def gobgp_configuration(network: PeerNetwork, *families: str) -> str:
    network.add("gobgp")
    some = "".join(
        f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{one}"\n' for one in families
    )
    return (
        f'[global.config]\nas = {OURS}\nrouter-id = "10.255.0.12"\nport = 179\n'
        f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{network.here}"\npeer-as = {OURS}\n'
        f"[neighbors.timers.config]\nconnect-retry = 1\nhold-time = 30\n{some}"
    )


async def test_gobgp_holds_our_routes_of_all_kinds_and_gives_us_its_own(network: PeerNetwork) -> None:
    gobgp = network.gobgp("gobgp", gobgp_configuration(network, "l3vpn-ipv4-unicast", "l2vpn-evpn"))
    rd = ("rd", "65000:9", "rt", f"{OURS}:9")
    gobgp.ask("global", "rib", "add", "-a", "vpnv4", "10.9.0.0/24", "label", "300", *rd)
    evpn = ("global", "rib", "add", "-a", "evpn")
    gobgp.ask(*evpn, "macadv", "02:00:00:00:99:02", "192.168.9.2", "etag", "0", "label", "77", *rd, "encap", "vxlan")
    gobgp.ask(*evpn, "multicast", network.address("gobgp"), "etag", "0", *rd, "encap", "vxlan")
    gobgp.ask(*evpn, "prefix", "10.8.0.0/24", "gw", "0.0.0.0", "etag", "0", "label", "88", *rd, "encap", "vxlan")
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "gobgp")])
        await heard.up("gobgp")
        await speaker.announce(["gobgp"], [*vpn_routes(50, next_hop=network.here), *evpn_routes(network)])
        await until(lambda: len(gobgp.show("global", "rib", "-a", "vpnv4") or {}) == 51, "VPN routes at GoBGP")
        await until(lambda: len(gobgp.show("global", "rib", "-a", "evpn") or {}) == 8, "EVPN routes at GoBGP")
        text = gobgp.ask("global", "rib", "-a", "vpnv4")
        assert f"{OURS}:2:40.0.1.0/24" in text and "[101]" in text and f"[{OURS}:2]" in text
        await until(lambda: len(heard.routes.get("gobgp", {})) == 4, "GoBGP's routes")
        theirs = {type(one.nlri): one.nlri for one in heard.routes["gobgp"].values()}
        assert theirs[VpnPrefix] == VpnPrefix(Rd.of("65000:9"), prefix("10.9.0.0/24"), (300,))
        assert isinstance(mac := theirs[MacIp], MacIp) and (mac.label, mac.mac.hex()) == (77, "020000009902")
        assert isinstance(five := theirs[IpPrefix], IpPrefix) and five.label == 88
        assert Multicast in theirs


async def test_bird_holds_our_vpn_routes_and_gives_us_its_own(network: PeerNetwork) -> None:
    network.add("bird")
    bird = network.bird(
        "bird",
        f"""
        router id 10.255.0.13;
        vpn4 table vpns;
        protocol device {{}}
        protocol static {{ vpn4 {{ table vpns; }};
          route 65000:9 10.9.0.0/24 via {network.here} mpls 300 {{ bgp_ext_community.add((rt, {OURS}, 9)); }}; }}
        protocol bgp speaker {{
          local {network.address("bird")} port 179 as {OURS}; neighbor {network.here} as {OURS};
          strict bind on; hold time 30; connect retry time 1; connect delay time 0; error wait time 1, 1;
          vpn4 mpls {{ table vpns; import all; export all; next hop self; }};
        }}
        """,
    )
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "bird", families=(Family.VPNV4,))])
        up = await heard.up("bird")
        assert up.families == {Family.VPNV4}
        await speaker.announce(["bird"], vpn_routes(50, next_hop=network.here))
        await until(lambda: "51 of 51 routes" in bird.ask("show route table vpns count"), "routes at BIRD")
        detail = bird.ask("show route table vpns all")
        assert f"{OURS}:2 40.0.1.0/24" in detail and "101" in detail and f"(rt, {OURS}, 2)" in detail
        await until(lambda: heard.routes.get("bird"), "BIRD's route")
        (theirs,) = heard.routes["bird"].values()
        assert isinstance(theirs.nlri, VpnPrefix) and theirs.nlri.prefix == prefix("10.9.0.0/24")
        assert theirs.attributes.targets == (f"{OURS}:9",)


async def test_an_external_peer_sees_our_autonomous_system_and_no_local_preference(network: PeerNetwork) -> None:
    network.add("frr")
    frr = network.frr("frr", *frr_lines(network, 11, asn=4200000001))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr", 4200000001)])
        await heard.up("frr")
        await speaker.announce(["frr"], vpn_routes(1, next_hop=network.here))
        await until(lambda: vpn(frr), "the route")
        ((way,),) = vpn(frr).values()
        assert str(way["path"]) == str(OURS) and "locPrf" not in way

"""A whole controller beside FRR, GoBGP and BIRD, each with a policy of its own, and a router of the underlay.

Each holds our routes with label and targets, and what it gives us becomes flows of our hypervisors. No packet is sent:
`test_wan.py` and `test_wan_routing.py` do that. Lines that begin with `wan:` are what was measured.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nshell.lab import Machine
from nshell.lab.probing import wait_until
from nshell.lab.wan.frr import Frr
from tests.system.network import PATIENCE, Network, dual_stack, machine
from tests.system.wan.peers import Bird, GoBgp, PeerNetwork
from tests.system.wan.peers.raw_peer import UPDATE, RawPeer
from tests.system.wan.wan_rows import established

E = "enterprise acme domain"
HERE = f"{E} prod"
OURS = 65000
VIP, FLOATING = "10.1.1.100", "198.51.100.7"
POLICY = f"""
set {HERE} route-target 65000:77
set {HERE} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64
set {HERE} zone app subnet app1 prefix 10.1.2.0/24
set {HERE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 2001:db8:1::11 ]
set {HERE} vport web-2 subnet web1 mac 02:00:0a:01:01:0c address [ 10.1.1.12 2001:db8:1::12 ]
set {HERE} vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set {HERE} static-route 10.70.0.0/16 next-hop 10.1.2.11 health none
set {HERE} static-route 10.71.0.0/16 blackhole
set {HERE} virtual-ip {VIP} vport [ web-1 web-2 ]
set {HERE} floating-ip {FLOATING} vport web-2
set {E} hub import-target 65000:100 export-target 65000:200
set {E} hub zone z subnet s prefix 10.2.1.0/24
set {E} hub vport hub-1 subnet s mac 02:00:0a:02:01:0b address 10.2.1.11
set {E} spoke import-target 65000:200 export-target 65000:100
set {E} spoke zone z subnet s prefix 10.2.2.0/24
set {E} spoke vport spoke-1 subnet s mac 02:00:0a:02:02:0b address 10.2.2.11
set enterprise quiet domain prod zone z subnet s prefix 10.1.1.0/24
set enterprise quiet domain prod vport quiet-1 subnet s mac 02:00:0a:03:01:0b address 10.1.1.11
"""


def lonely(name: str, hypervisor: str, vport: str, mac: str, address: str) -> Machine:
    return Machine(name=name, hypervisor=hypervisor, vport=vport, mac=mac, address=(f"{address}/24",),
                   gateway=f"{address.rpartition('.')[0]}.1")  # fmt: skip


MACHINES = (
    dual_stack("web-1", "hv1", 11), dual_stack("web-2", "hv2", 12), machine("app-1", "hv1", 2, 11),
    lonely("hub-1", "hv1", "acme/hub/hub-1", "02:00:0a:02:01:0b", "10.2.1.11"),
    lonely("spoke-1", "hv2", "acme/spoke/spoke-1", "02:00:0a:02:02:0b", "10.2.2.11"),
    lonely("quiet-1", "hv2", "quiet/prod/quiet-1", "02:00:0a:03:01:0b", "10.1.1.11"),
)  # fmt: skip
TUNNELS = {"hv1": "172.31.0.1", "hv2": "172.31.0.2"}
VPN = ("ipv4", "ipv6")


class Listening:
    """A router of the underlay that speaks BGP with us: what it was told, from the first byte on."""

    def __init__(self, peers: PeerNetwork) -> None:
        self._peers, self._loop = peers, asyncio.new_event_loop()
        self.router = RawPeer(peers.space("u1"), peers.address("u1"), asn=OURS, hold=9)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        self.router.listen(179)
        self._waiting = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        await self.router.accepted()
        await self.router.establish([(1, 1), (2, 1)])

    def told(self) -> list[bytes]:
        """The UPDATEs that say something: all but the markers that end a table (RFC 4724 section 2)."""
        bodies = [body for kind, body in self.router.messages if kind == UPDATE]
        return [body for body in bodies if body not in (bytes(4), bytes.fromhex("00000006800f03000201"))]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.router.close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Around:
    """The controller, and its peers."""

    def __init__(self, folder: Any, peers: PeerNetwork) -> None:
        self.peers = peers
        for name in ("f1", "g1", "g2", "b1", "x1", "u1"):
            peers.add(name)
        self.frr: Frr = peers.frr("f1", *frr_lines(peers))
        self.gobgp: list[GoBgp] = [peers.gobgp(name, gobgp_text(peers, nth)) for nth, name in enumerate(("g1", "g2"))]
        self.external: GoBgp = peers.gobgp("x1", gobgp_text(peers, 5, asn=65009))
        self.bird: Bird = peers.bird("b1", bird_text(peers))
        self.underlay = Listening(peers)
        self.network = Network(folder, "rb", machines=MACHINES, policy=POLICY, hypervisors=2)

    def begin(self) -> None:
        name_of = {"f1": OURS, "g1": OURS, "g2": OURS, "b1": OURS, "x1": 65009}
        self.network.commit(
            f"set bgp autonomous-system {OURS} hold-time 9",
            *(self.line(name, system) for name, system in name_of.items()),
            "set bgp-neighbor b1 family [ vpnv4 vpnv6 ]",
            "set bgp-neighbor x1 multihop 4 accept 10.60.0.0/16 announce 10.1.2.0/24",
            f"{self.line('u1', OURS)} role underlay",
        )
        everybody = {*name_of, "u1"}
        assert wait_until(lambda: self.established() == everybody, PATIENCE * 2, 0.2), self.network.run(
            "show bgp summary", "show events"
        )

    def line(self, name: str, system: int) -> str:
        far = f"address {self.peers.address(name)} autonomous-system {system} local-address {self.peers.here}"
        return f"set bgp-neighbor {name} {far}"

    def established(self) -> set[str]:
        return established(self.network)

    def close(self) -> None:
        try:
            self.network.close()
        finally:
            self.underlay.close()
            for one in (*self.gobgp, self.external, self.bird):
                one.stop()

    def gives(self, gobgp: GoBgp, verb: str, text: str, label: int, target: str, hop: str, *more: str) -> None:
        """GoBGP announces or withdraws a VPN route."""
        family = "vpnv6" if ":" in text.partition("/")[0] else "vpnv4"
        where = ("global", "rib", verb, "-a", family, text, "label", str(label))
        gobgp.ask(*where, "rd", f"65000:{label}", "rt", target, "nexthop", hop, *more)

    def leaving(self, hypervisor: str, text: str) -> set[tuple[int, str]]:
        """(label, next hop) of the ways out to a prefix, as the switch's flows have them."""
        flows = self.network.flows(hypervisor)
        kind = "ipv6_dst" if ":" in text else "nw_dst"
        its = [one for one in flows if f"{kind}={text}," in one or f"{kind}={text} " in one]
        ways = re.compile(r"push_mpls:0x8847,set_field:(\d+)->mpls_label,set_field:([0-9.]+)->tun_dst")
        return {(int(label), hop) for one in its for label, hop in ways.findall(one)}

    def received(self, name: str) -> dict[str, str]:
        return {row["destination"]: row["standing"] for row in self.network.rows(f"show bgp received {name}")}


def frr_lines(peers: PeerNetwork) -> list[str]:
    here = peers.here
    activated = [line for family in VPN for line in (
        f" address-family {family} vpn", f"  neighbor {here} activate", f"  neighbor {here} route-map mapped out",
        f"  network {'10.50.0.0/24' if family == 'ipv4' else '2001:db8:50::/64'} rd 65000:50 "
        f"label {500 if family == 'ipv4' else 506} route-map mark", " exit-address-family")]  # fmt: skip
    return [
        "route-map mark permit 10", " set extcommunity rt 65000:77", "exit",
        "route-map mapped permit 10", f" set ipv6 next-hop global ::ffff:{peers.address('f1')}", "exit",
        f"router bgp {OURS}", " bgp router-id 10.255.0.1", " no bgp default ipv4-unicast",
        f" neighbor {here} remote-as {OURS}", f" neighbor {here} timers 3 9", f" neighbor {here} timers connect 1",
        *activated, " address-family l2vpn evpn", f"  neighbor {here} activate", " exit-address-family",
    ]  # fmt: skip


def gobgp_text(peers: PeerNetwork, nth: int, asn: int = OURS) -> str:
    families = "".join(
        f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{one}"\n'
        for one in ("l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "l2vpn-evpn")
    )
    multihop = "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 4\n" if asn != OURS else ""
    return (
        f'[global.config]\nas = {asn}\nrouter-id = "10.255.0.{10 + nth}"\nport = 179\n'
        f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{peers.here}"\npeer-as = {OURS}\n'
        f"[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = 1\nhold-time = 9\n"
        f"{multihop}{families}"
    )


def bird_text(peers: PeerNetwork) -> str:
    # A static route through another router: for itself BIRD says implicit null, which has no place under GRE.
    here = peers.here
    mark = "{ bgp_ext_community.add((rt, 65000, 77)); }"
    return f"""
        router id 10.255.0.20;
        vpn4 table vpn4s; vpn6 table vpn6s;
        protocol device {{}}
        protocol static {{ vpn4 {{ table vpn4s; }};
          route 65000:51 10.51.0.0/24 via {peers.address("f1")} mpls 510 {mark}; }}
        protocol static {{ vpn6 {{ table vpn6s; }};
          route 65000:51 2001:db8:51::/64 via {peers.address6("f1")} mpls 516 {mark}; }}
        protocol bgp speaker {{
          local {peers.address("b1")} port 179 as {OURS}; neighbor {here} as {OURS};
          strict bind on; hold time 9; connect retry time 1; connect delay time 0; error wait time 1, 1;
          vpn4 mpls {{ table vpn4s; import all; export all; }};
          vpn6 mpls {{ table vpn6s; import all; export all; extended next hop on; }};
        }}
    """


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    with PeerNetwork("rbp") as peers:
        made = Around(tmp_path_factory.mktemp("peers"), peers)
        try:
            made.begin()
            yield made
        finally:
            made.close()


def test_frr_holds_our_routes_with_label_and_targets_and_its_own_become_flows(around: Around) -> None:
    def held(family: str) -> dict[str, Any]:
        said = around.frr.show(f"show bgp {family} vpn json")["routes"]["routeDistinguishers"]
        return {where: ways[0] for table in said.values() for where, ways in table.items()}

    assert wait_until(lambda: {"10.1.1.11/32", "10.1.1.12/32"} <= held("ipv4").keys(), PATIENCE)
    assert wait_until(lambda: {"2001:db8:1::11/128", "2001:db8:1::12/128"} <= held("ipv6").keys(), PATIENCE)
    detail = around.frr.ask("show bgp ipv4 vpn 10.1.1.12/32")
    assert "RT:65000:77" in detail and "172.31.0.2" in detail
    assert re.search(rf"label.*\b{label(around, '10.1.1.12/32')}\b", detail), detail
    for name in TUNNELS:
        assert wait_until(lambda one=name: around.leaving(one, "10.50.0.0/24"), PATIENCE)  # type: ignore[misc]
        assert around.leaving(name, "10.50.0.0/24") == {(500, around.peers.address("f1"))}
        assert {label for label, _ in around.leaving(name, "2001:db8:50::/64")} == {506}


def ours(around: Around) -> list[dict[str, Any]]:
    return [dict(row) for row in around.network.rows("show bgp routes") if row["neighbor"] == "ours"]


def label(around: Around, destination: str) -> str:
    """The label that we gave a VPN route."""
    return str(next(one["label"] for one in ours(around) if one["destination"] == destination and one["type"] == "vpn"))


def test_gobgp_holds_our_routes_with_label_and_targets_and_its_own_become_flows(around: Around) -> None:
    first = around.gobgp[0]

    def held(family: str) -> str:
        return first.ask("global", "rib", "-a", family)

    assert wait_until(lambda: "10.1.1.12/32" in held("vpnv4"), PATIENCE)
    line = next(one for one in held("vpnv4").splitlines() if "10.1.1.12/32" in one)
    assert "172.31.0.2" in line and "65000:77" in line and f"[{label(around, '10.1.1.12/32')}]" in line
    assert "2001:db8:1::12/128" in held("vpnv6") and "65000:77" in held("vpnv6")
    around.gives(first, "add", "10.52.0.0/24", 520, "65000:77", "192.0.2.1")
    around.gives(first, "add", "10.53.0.0/24", 530, "65000:78", "192.0.2.1")
    assert wait_until(lambda: around.leaving("hv2", "10.52.0.0/24") == {(520, "192.0.2.1")}, PATIENCE)
    assert not around.leaving("hv1", "10.53.0.0/24"), "a target that nobody imports"
    assert "no route target that we import" in around.received("g1")["10.53.0.0/24"]
    around.gives(first, "del", "10.52.0.0/24", 520, "65000:77", "192.0.2.1")
    assert wait_until(lambda: not around.leaving("hv2", "10.52.0.0/24"), PATIENCE)


def test_bird_holds_our_routes_with_label_and_targets_and_its_own_become_flows(around: Around) -> None:
    bird = around.bird
    assert wait_until(lambda: "10.1.1.12/32" in bird.ask("show route table vpn4s"), PATIENCE)
    said = bird.ask("show route table vpn4s all")
    ours_there = said[said.index("10.1.1.12/32") :][:600]
    assert "(rt, 65000, 77)" in ours_there and "172.31.0.2" in ours_there
    assert f"BGP.mpls_label_stack: {label(around, '10.1.1.12/32')}" in ours_there
    assert "2001:db8:1::12/128" in bird.ask("show route table vpn6s")
    for name in TUNNELS:
        assert wait_until(lambda one=name: around.leaving(one, "10.51.0.0/24"), PATIENCE), around.received("b1")  # type: ignore[misc]
        assert around.leaving(name, "10.51.0.0/24") == {(510, around.peers.address("f1"))}
    assert around.received("b1")["2001:db8:51::/64"] == "best"


def test_two_ways_to_a_prefix_share_its_flows_and_one_that_is_lost_leaves_all_to_the_other(around: Around) -> None:
    hops = ((600, "192.0.2.1"), (601, "192.0.2.2"))
    for gobgp, (number, hop) in zip(around.gobgp, hops, strict=True):
        around.gives(gobgp, "add", "10.60.0.0/24", number, "65000:77", hop)
    assert wait_until(lambda: around.leaving("hv1", "10.60.0.0/24") == set(hops), PATIENCE)
    around.peers.cut("g1")
    began = time.monotonic()
    assert wait_until(lambda: around.leaving("hv1", "10.60.0.0/24") == {hops[1]}, PATIENCE, 0.05)
    print(f"wan: one of two PEs silent: the other takes all after {time.monotonic() - began:.2f} s (hold time 9 s)")
    around.peers.mend("g1")
    assert wait_until(lambda: around.leaving("hv1", "10.60.0.0/24") == set(hops), PATIENCE * 2, 0.1)
    around.gobgp[0].kill()
    began = time.monotonic()
    assert wait_until(lambda: around.leaving("hv1", "10.60.0.0/24") == {hops[1]}, PATIENCE, 0.05)
    print(f"wan: one of two PEs killed: the other takes all after {time.monotonic() - began:.2f} s")
    around.gobgp[0].restart()
    assert wait_until(lambda: "g1" in around.established(), PATIENCE * 2, 0.2)
    around.gives(around.gobgp[1], "del", "10.60.0.0/24", 601, "65000:77", "192.0.2.2")


def test_a_hub_and_its_spokes_have_targets_of_their_own(around: Around) -> None:
    told = {one["destination"]: one for one in ours(around)}
    assert {"10.2.1.11/32", "10.2.2.11/32"} <= told.keys()
    held = around.gobgp[1].ask("global", "rib", "-a", "vpnv4").splitlines()
    of = {text: next(one for one in held if text in one) for text in ("10.2.1.11/32", "10.2.2.11/32")}
    assert "[65000:200]" in of["10.2.1.11/32"] and "[65000:100]" in of["10.2.2.11/32"]
    around.gives(around.gobgp[1], "add", "10.80.0.0/24", 700, "65000:100", "192.0.2.2")
    around.gives(around.gobgp[1], "add", "10.81.0.0/24", 701, "65000:200", "192.0.2.2")
    assert wait_until(lambda: around.leaving("hv1", "10.80.0.0/24") == {(700, "192.0.2.2")}, PATIENCE)
    assert wait_until(lambda: around.leaving("hv2", "10.81.0.0/24") == {(701, "192.0.2.2")}, PATIENCE)
    assert not around.leaving("hv2", "10.80.0.0/24") and not around.leaving("hv1", "10.81.0.0/24")


def test_prefix_lists_and_loops_refuse_routes_and_say_so(around: Around) -> None:
    external = around.external
    around.gives(external, "add", "10.60.9.0/24", 900, "65000:77", "192.0.2.9")
    around.gives(external, "add", "10.61.0.0/24", 901, "65000:77", "192.0.2.9")
    around.gives(external, "add", "10.60.8.0/24", 902, "65000:77", "192.0.2.9", "aspath", f"64999 {OURS}")
    around.gives(external, "add", "10.60.7.0/24", 903, "65000:77", "172.31.0.1")
    assert wait_until(lambda: len(around.received("x1")) == 4, PATIENCE, 0.1), around.received("x1")
    received = around.received("x1")
    assert received["10.60.9.0/24"] == "best" and "outside the prefixes" in received["10.61.0.0/24"]
    assert "AS loop" in received["10.60.8.0/24"] and "hypervisor of ours" in received["10.60.7.0/24"]
    assert wait_until(lambda: around.leaving("hv1", "10.60.9.0/24"), PATIENCE)
    for text in ("10.61.0.0/24", "10.60.8.0/24", "10.60.7.0/24"):
        assert not around.leaving("hv1", text)
    held = external.ask("global", "rib", "-a", "vpnv4")
    assert "10.1.2.11/32" in held and "10.1.1.11/32" not in held, "it is announced what lies in 10.1.2.0/24"
    line = next(one for one in held.splitlines() if "10.1.2.11/32" in one)
    assert f"{OURS}" in line.split() and "172.31.0.1" in line


def at(around: Around, text: str) -> set[str]:
    """The hypervisors' tunnel addresses by which a peer is told a prefix."""
    held = around.gobgp[1].ask("global", "rib", "-a", "vpnv4").splitlines()
    return {hop for one in held if f":{text}" in one for hop in TUNNELS.values() if hop in one}


def test_static_routes_and_virtual_addresses_are_told_from_where_they_lead_floating_ones_not(
    around: Around,
) -> None:
    assert wait_until(lambda: at(around, "10.70.0.0/16") == {TUNNELS["hv1"]}, PATIENCE)
    assert not at(around, f"{FLOATING}/32"), "answers would not come from it"
    assert not at(around, "10.71.0.0/16"), "a black hole leads nowhere"
    lab = around.network.lab
    for name, hypervisor in (("web-1", "hv1"), ("web-2", "hv2"), ("web-1", "hv1")):
        lab.add_address(name, f"{VIP}/24")
        lab.announce(name, VIP)
        began = time.monotonic()
        assert wait_until(lambda one=hypervisor: at(around, f"{VIP}/32") == {TUNNELS[one]}, PATIENCE, 0.02)  # type: ignore[misc]
        print(f"wan: the virtual address is told from {hypervisor} after {time.monotonic() - began:.2f} s")
        lab.exec(name, ["ip", "address", "del", f"{VIP}/24", "dev", "eth0"])


def test_a_tenant_without_targets_is_told_to_nobody_and_reached_by_nobody(around: Around) -> None:
    quiet = "02:00:0a:03:01:0b"
    evpn = around.gobgp[1].ask("global", "rib", "-a", "evpn")
    assert quiet not in evpn and quiet not in around.network.run("show bgp routes")
    assert len([one for one in ours(around) if one["destination"] == "10.1.1.11/32"]) == 1


def test_a_router_of_the_underlay_is_told_nothing_whatever_happens(around: Around) -> None:
    network, lab = around.network, around.network.lab
    network.commit(
        f"set {HERE} vport late subnet app1 mac 02:00:0a:01:02:77 address 10.1.2.77", "set bgp stale-time 200"
    )
    network.commit("rollback 1")
    lab.move("app-1", "hv2")
    network.ready()
    assert wait_until(lambda: at(around, "10.1.2.11/32") == {TUNNELS["hv2"]}, PATIENCE)
    lab.move("app-1", "hv1")
    network.ready()
    assert "u1" in around.established()
    assert around.underlay.told() == []

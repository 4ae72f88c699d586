"""Packets to and from places outside the fabric: MPLS over GRE, VXLAN with other VNIs, symmetric routing.

The facts are told to the controller as BGP would tell them; `far_end.py` is the other end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
    router_mac,
)
from controller.pipeline import Feature
from data.addresses import address, prefix
from nshell.lab import Machine
from tests.system.site import PROD
from tests.system.wan.far_end import CE_MAC, FAR, PE_MAC, Behind, Wan

WEB = (*PROD, "zone", "web", "subnet", "web1")
GLOBEX = ("enterprise", "globex", "domain", "prod")
POLICY = """
set enterprise acme domain prod route-target 65000:1
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix fd00:1::/64
set enterprise acme domain prod zone web subnet web1 route-target 65000:11
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 address fd00:1::11
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12 address fd00:1::12
set enterprise acme domain prod vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set enterprise globex domain prod route-target 65000:2
set enterprise globex domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise globex domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise acme network-macro branch prefix 10.9.0.0/24
"""
GATEWAYS = ("10.1.1.1", "fd00:1::1")
MACHINES = (
    Machine(name="web-1", hypervisor="hv1", vport="acme/prod/web-1", mac="02:00:0a:01:01:0b",
            address=("10.1.1.11/24", "fd00:1::11/64"), gateway=GATEWAYS),
    Machine(name="web-2", hypervisor="hv2", vport="acme/prod/web-2", mac="02:00:0a:01:01:0c",
            address=("10.1.1.12/24", "fd00:1::12/64"), gateway=GATEWAYS),
    Machine(name="app-1", hypervisor="hv2", vport="acme/prod/app-1", mac="02:00:0a:01:02:0b",
            address=("10.1.2.11/24",), gateway="10.1.2.1"),
    Machine(name="other", hypervisor="hv1", vport="globex/prod/web-1", mac="02:00:0a:01:01:0b",
            address=("10.1.1.11/24",), gateway="10.1.1.1"),
)  # fmt: skip
HOSTS = {"10.1.1.11": "hv1", "fd00:1::11": "hv1", "10.1.1.12": "hv2", "fd00:1::12": "hv2", "10.1.2.11": "hv2"}
LABELS = {4: 300, 6: 316}  # what the PE chose
FAR_VNI, FAR_L3_VNI = 7700, 900  # what the VTEP chose
DELIVER = f"table=1,actions=set_field:{PE_MAC}->eth_src,set_field:{CE_MAC}->eth_dst,output:1"


@pytest.fixture(scope="module")
def open_wan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wan]:
    made = Wan(tmp_path_factory.mktemp("wan"), "cwf", MACHINES, POLICY)
    yield made
    made.close_all()


@pytest.fixture
def wan(open_wan: Wan) -> Iterator[Wan]:
    yield open_wan
    open_wan.forget()
    if open_wan.state_now.view.get((*PROD, "egress-policy", "base")) is not None:
        open_wan.configure("delete enterprise acme domain prod egress-policy base")


def family(text: str) -> tuple[int, str, str]:
    """IP version, and how flows call packets and their destination."""
    return (6, "ipv6", "ipv6_dst") if ":" in text else (4, "ip", "nw_dst")


def prefix_key(wan: Wan, text: str, *owner: str) -> RemoteKey:
    return RemoteKey(wan.uuid(*(owner or PROD)), "prefix", prefix(text))


def behind_pe(wan: Wan, labels: dict[int, int] = LABELS) -> None:
    """Two prefixes behind a PE, and what it sends by MPLS."""
    facts = {}
    for text, version in (("10.9.0.0/24", 4), ("fd00:9::/64", 6)):
        hop = NextHop(Tunnel(wan.far_address, MPLS, labels[version]), None)
        facts[prefix_key(wan, text)] = RemotePrefix((hop,))
    wan.observe(facts)
    wan.far_routed("10.9.0.9/24", "fd00:9::9/64")
    wan.far_flows(
        DELIVER,
        f"in_port=3,mpls,mpls_label={labels[4]},mpls_bos=1,actions=pop_mpls:0x0800,resubmit(,1)",
        f"in_port=3,mpls,mpls_label={labels[6]},mpls_bos=1,actions=pop_mpls:0x86dd,resubmit(,1)",
        *(by_label(wan, to, wan.state_now.label(PROD, family(to)[0])) for to in HOSTS),
    )


def by_label(wan: Wan, to: str, label: int, then: str = "") -> str:
    _, kind, field = family(to)
    return (
        f"in_port=1,{kind},{field}={to},actions=dec_ttl,push_mpls:0x8847,set_field:{label}->mpls_label,{then}"
        f"{wan.to(HOSTS[to])},output:3"
    )


def behind_vtep(wan: Wan) -> None:
    """Two prefixes behind a VTEP that routes symmetrically, and what it sends on the VNI of the domain."""
    hop = NextHop(Tunnel(wan.far_address, VXLAN, FAR_L3_VNI), bytes.fromhex(PE_MAC.replace(":", "")))
    wan.observe({prefix_key(wan, text): RemotePrefix((hop,)) for text in ("10.9.0.0/24", "fd00:9::/64")})
    wan.far_routed("10.9.0.9/24", "fd00:9::9/64")
    sources = {router_mac(address(wan.lab.tunnel_address(name))).hex(":") for name in ("hv1", "hv2")}
    wan.far_flows(
        DELIVER,
        *(f"in_port=2,tun_id={FAR_L3_VNI},dl_dst={PE_MAC},dl_src={source},actions=resubmit(,1)" for source in sources),
        *(by_vni(wan, to, wan.state_now.l3_vni(PROD)) for to in HOSTS),
    )


def by_vni(wan: Wan, to: str, vni: int) -> str:
    _, kind, field = family(to)
    tunnel = wan.lab.tunnel_address(HOSTS[to])
    router = router_mac(address(tunnel)).hex(":")
    return (
        f"in_port=1,{kind},{field}={to},actions=dec_ttl,set_field:{router}->eth_dst,set_field:{vni}->tun_id,"
        f"{wan.to(HOSTS[to])},output:2"
    )


def both_ways(wan: Wan, here: str, own: str, there: str) -> None:
    """Echoes and TCP between a machine here and the one behind the far server, begun by either."""
    far = Behind()
    assert wan.lab.ping(here, there, count=5, timeout=5).ok
    assert wan.far_pings(own) == 3
    with far.tcp_server(wan.space, 8080), wan.lab.tcp_server(here, 8081):
        assert wan.lab.tcp(here, there, 8080, timeout=5).echoed
        assert far.tcp(wan.space, own, 8081, timeout=5).echoed


@pytest.mark.parametrize(("own", "there"), [("10.1.1.11", "10.9.0.9"), ("fd00:1::11", "fd00:9::9")])
def test_a_prefix_behind_a_pe_is_reached_by_mpls_over_gre_with_its_label(wan: Wan, own: str, there: str) -> None:
    behind_pe(wan)
    version = family(own)[0]
    with wan.lab.capture("hv1", "proto gre") as seen:
        both_ways(wan, "web-1", own, there)
    out = [one for one in seen.lines if f"{wan.lab.tunnel_address('hv1')} > " in one]
    back = [one for one in seen.lines if f" > {wan.lab.tunnel_address('hv1')}" in one]
    assert out and all(f"MPLS (label {LABELS[version]}," in one and "[S]" in one for one in out)
    assert back and all(f"MPLS (label {wan.state_now.label(PROD, version)}," in one for one in back)
    assert wan.lab.ping("web-1", there).ttl == (62,), "the PE's router and ours take one each"


@pytest.mark.parametrize(("own", "there"), [("10.1.1.11", "10.9.0.9"), ("fd00:1::11", "fd00:9::9")])
def test_a_prefix_behind_a_vtep_is_routed_symmetrically_on_the_vni_that_each_chose(
    wan: Wan, own: str, there: str
) -> None:
    behind_vtep(wan)
    with wan.lab.capture("hv1", "udp port 4789") as seen:
        both_ways(wan, "web-1", own, there)
    assert any(f"vni {FAR_L3_VNI}" in one for one in seen.lines)
    assert any(f"vni {wan.state_now.l3_vni(PROD)}" in one for one in seen.lines)


@pytest.mark.parametrize("told", [True, False])
def test_a_machine_behind_a_vtep_is_in_the_subnet_with_a_vni_of_its_own_each_way(wan: Wan, told: bool) -> None:
    """Told with its address, ARP is answered for it; without, it is asked itself."""
    segment = wan.uuid(*WEB)
    tunnel, vni = Tunnel(wan.far_address, VXLAN, FAR_VNI), wan.state_now.vni(WEB)
    addresses = (address("10.1.1.50"), address("fd00:1::50")) if told else ()
    wan.observe({
        RemoteKey(segment, "mac", bytes.fromhex(CE_MAC.replace(":", ""))): RemoteMac(tunnel, addresses),
        RemoteKey(segment, "flood", wan.far_address): RemoteFlood(tunnel),
    })  # fmt: skip
    to = {name: wan.to(name) for name in ("hv1", "hv2")}
    wan.far_flows(
        f"in_port=2,tun_id={FAR_VNI},actions=output:1",
        *(f"in_port=1,dl_dst={one.mac},actions=set_field:{vni}->tun_id,{to[one.hypervisor]},output:2"
          for one in MACHINES[:2]),
        f"priority=1,in_port=1,actions=set_field:{vni}->tun_id,{to['hv1']},output:2,{to['hv2']},output:2",
    )  # fmt: skip
    wan.inside("ip", "address", "flush", "dev", "eth0", "scope", "global")
    wan.inside("ip", "neigh", "flush", "all")
    wan.inside("ip", "address", "replace", "10.1.1.50/24", "dev", "eth0")
    wan.inside("ip", "address", "replace", "fd00:1::50/64", "dev", "eth0", "nodad")
    for name in ("web-1", "web-2"):
        wan.lab.exec(name, ["ip", "neigh", "flush", "all"])
    with wan.lab.capture(FAR, "udp port 4789") as seen:
        both_ways(wan, "web-1", "10.1.1.11", "10.1.1.50")
        both_ways(wan, "web-2", "fd00:1::12", "fd00:1::50")
    asked = [one for one in seen.lines if "who-has 10.1.1.50" in one]
    assert bool(asked) is not told
    if told:
        wan.inside("ip", "route", "replace", "10.1.2.0/24", "via", "10.1.1.11", "dev", "eth0")
        with wan.lab.capture(FAR, "udp port 4789") as seen:
            wan.lab.ping("app-1", "10.1.1.50", count=2)
        routed = [one for one in seen.lines if "10.1.2.11 > 10.1.1.50" in one]
        assert len(routed) == 2 and all(f"vni {FAR_VNI}" in one and "ttl 63" in one for one in routed)


def test_stateful_rules_hold_for_connections_whose_other_end_is_behind_a_pe(wan: Wan) -> None:
    behind_pe(wan)
    base = "set enterprise acme domain prod egress-policy base entry"
    wan.configure(f"{base} 10 from network-macro branch protocol tcp destination-port 8081 action allow stateful")
    far = Behind()
    with far.tcp_server(wan.space, 8080), wan.lab.tcp_server("web-1", 8081), wan.lab.tcp_server("web-1", 8082):
        assert far.tcp(wan.space, "10.1.1.11", 8081, timeout=5).echoed
        assert not far.tcp(wan.space, "10.1.1.11", 8082).ok
        assert wan.far_pings("10.1.1.11", 2) == 0
    ingress = "set enterprise acme domain prod ingress-policy base entry"
    wan.configure(f"{ingress} 10 to network-macro branch protocol tcp destination-port 8080 action allow stateful")
    try:
        with far.tcp_server(wan.space, 8080):
            assert wan.lab.tcp("web-1", "10.9.0.9", 8080, timeout=5).echoed
            assert not wan.lab.ping("web-1", "10.9.0.9").received
    finally:
        wan.configure("delete enterprise acme domain prod ingress-policy base")


def test_labels_and_vnis_that_are_not_of_the_domain_lead_nowhere(wan: Wan) -> None:
    behind_pe(wan)
    state, to = wan.state_now, "10.1.1.11"
    assert wan.far_pings(to, 1) == 1
    inner = f"push_mpls:0x8847,set_field:{state.label(PROD, 4)}->mpls_label,"
    with wan.lab.capture("web-1", "icmp") as seen, wan.lab.capture("other", "icmp") as other:
        for line in (
            by_label(wan, to, state.label(PROD, 6)),
            by_label(wan, to, 999_999),
            by_label(wan, to, state.label(PROD, 4), inner),
            by_vni(wan, to, 999_999),
        ):
            wan.far_flows(line)
            assert wan.far_pings(to, 2) == 0
    assert not [line for line in (*seen.lines, *other.lines) if "10.9.0.9" in line]


def test_each_tenant_is_entered_by_its_own_labels_alone(wan: Wan) -> None:
    behind_pe(wan)
    wan.far_flows(by_label(wan, "10.1.1.11", wan.state_now.label(GLOBEX, 4)))
    with wan.lab.capture("web-1", "icmp") as seen, wan.lab.capture("other", "icmp") as other:
        wan.far_pings("10.1.1.11", 2)
    assert not [line for line in seen.lines if "10.9.0.9" in line]
    assert len([line for line in other.lines if "10.9.0.9 > 10.1.1.11" in line]) == 2


def test_a_domain_is_no_transit_network(wan: Wan) -> None:
    behind_pe(wan)
    hop = NextHop(Tunnel(wan.far_address, VXLAN, FAR_L3_VNI), bytes.fromhex(PE_MAC.replace(":", "")))
    wan.observe({prefix_key(wan, "10.8.0.0/24"): RemotePrefix((hop,))})
    label = wan.state_now.label(PROD, 4)
    wan.far_flows(
        f"in_port=1,ip,actions=dec_ttl,push_mpls:0x8847,set_field:{label}->mpls_label,{wan.to('hv1')},output:3"
    )
    before = wan.counted("hv1", Feature.TRANSIT)
    with wan.lab.capture("hv1", "udp port 4789") as seen:
        assert wan.far_pings("10.8.0.8", 3) == 0
        wan.until_true(lambda: wan.counted("hv1", Feature.TRANSIT) == before + 3, "three packets are dropped")
    assert not [line for line in seen.lines if "10.8.0.8" in line]


def test_several_next_hops_share_the_flows_and_the_longest_prefix_wins(wan: Wan) -> None:
    behind_pe(wan)
    hops = tuple(NextHop(Tunnel(wan.far_address, MPLS, label), None) for label in (300, 301))
    wan.observe({prefix_key(wan, "10.9.0.0/24"): RemotePrefix(hops)})
    wan.lab.ofctl(FAR, "add-flow", "in_port=3,mpls,mpls_label=301,mpls_bos=1,actions=pop_mpls:0x0800,resubmit(,1)",
                  bridge="br-far")  # fmt: skip
    with wan.lab.capture("hv1", "proto gre") as seen, Behind().udp_server(wan.space, 5000):
        for port in range(20000, 20020):
            assert wan.lab.udp("web-1", "10.9.0.9", 5000, source_port=port, timeout=5) == 1
    assert all(any(f"MPLS (label {label}," in line for line in seen.lines) for label in (300, 301))
    longer = NextHop(Tunnel(wan.far_address, MPLS, 302), None)
    wan.observe({prefix_key(wan, "10.9.0.9/32"): RemotePrefix((longer,))})
    with wan.lab.capture("hv1", "proto gre") as seen:
        assert not wan.lab.ping("web-1", "10.9.0.9").received
    assert len([line for line in seen.lines if "MPLS (label 302," in line]) == 3


def test_the_last_hop_is_not_given_to_the_wan(wan: Wan) -> None:
    behind_pe(wan)
    assert wan.lab.ping("web-1", "10.9.0.9").ok
    with wan.lab.capture("hv1", "proto gre") as seen:
        wan.lab.exec("web-1", ["ping", "-c", "1", "-t", "1", "-W", "1", "10.9.0.9"])
        wan.lab.exec("web-1", ["ping", "-c", "1", "-t", "9", "-W", "5", "10.9.0.9"])
    assert len([line for line in seen.lines if "echo request" in line]) == 1


def test_a_hypervisor_without_a_vport_of_the_domain_holds_nothing_of_its_routes(wan: Wan) -> None:
    hop = NextHop(Tunnel(wan.far_address, MPLS, 400), None)
    before = {name: len(wan.flows(name)) for name in ("hv1", "hv2")}
    wan.observe({prefix_key(wan, "10.7.0.0/24", *GLOBEX): RemotePrefix((hop,))})
    assert {name: len(wan.flows(name)) - count for name, count in before.items()} == {"hv1": 1, "hv2": 0}


def test_packets_of_a_pe_come_in_also_after_the_switch_was_started_anew(wan: Wan) -> None:
    """It adds its ports in another order then, and gives all of GRE to the first."""
    behind_pe(wan)
    wan.lab.restart_switch("hv1")
    wan.until_true(lambda: wan.lab.ping("web-1", "10.9.0.9", count=1, timeout=1).ok, "MPLS both ways")
    wan.do(wan.ready("hv1"))
    assert wan.far_pings("10.1.1.11") == 3


def test_an_underlay_of_ipv6_carries_mpls_and_vxlan_as_well(tmp_path: Path) -> None:
    wan = Wan(tmp_path, "cwg", MACHINES, POLICY, "ipv6")
    try:
        for behind in (behind_pe, behind_vtep):
            behind(wan)
            both_ways(wan, "web-1", "10.1.1.11", "10.9.0.9")
            both_ways(wan, "web-2", "fd00:1::12", "fd00:9::9")
            wan.forget()
    finally:
        wan.close_all()

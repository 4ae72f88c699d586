"""What neighbours are told of the fabric."""

from __future__ import annotations

import msgspec

from controller.bgp.routes import Community, Family, IpPrefix, MacIp, Multicast, VpnPrefix
from controller.compile import Location, Observed
from controller.compile.remote import router_mac
from data.addresses import address, prefix
from data.schema.objects import Controller, Domain, Dvrs, L2Domain, Subnet, Vport
from data.schema.services import StaticRoute, VirtualIp
from data.steps import at_once
from tests.unit.bgp.rib_model import ACME, APP, FAMILIES, PROD, WEB, Fabric, neighbour, settings, site, uuid_of, vport

HV1 = address("172.31.0.1")
HV2 = address("172.31.0.2")
ROUTER = "00:00:5e:00:01:01"


def test_a_resolved_vport_is_announced_with_the_tunnel_address_of_its_hypervisor() -> None:
    fabric = site()
    fabric.up("pe")
    state = fabric.state
    routes = list(fabric.told["pe"].values())
    assert {route.attributes.next_hop for route in routes} == {HV1}
    bridged = next(r for r in routes if isinstance(r.nlri, MacIp) and r.nlri.ip is None)
    assert isinstance(bridged.nlri, MacIp)
    assert (bridged.nlri.mac.hex(), bridged.nlri.label) == ("02000a01010b", state.vni(WEB))
    assert bridged.attributes.targets == ("65000:1001",)
    routed = next(r for r in routes if isinstance(r.nlri, MacIp) and r.nlri.label2 is not None)
    assert isinstance(routed.nlri, MacIp)
    assert (str(routed.nlri.ip), routed.nlri.label2) == ("10.1.1.11", state.l3_vni(PROD))
    assert set(routed.attributes.targets) == {"65000:1", "65000:1001"}
    assert routed.attributes.router_mac == router_mac(HV1)
    flooding = next(r for r in routes if isinstance(r.nlri, Multicast))
    assert flooding.attributes.pmsi is not None
    assert (flooding.attributes.pmsi.endpoint, flooding.attributes.pmsi.label) == (HV1, state.vni(WEB))
    host = next(r for r in routes if isinstance(r.nlri, VpnPrefix))
    assert isinstance(host.nlri, VpnPrefix)
    assert (str(host.nlri.prefix), host.nlri.labels) == ("10.1.1.11/32", (state.label(PROD, 4),))
    prefixes = {str(r.nlri.prefix) for r in routes if isinstance(r.nlri, IpPrefix)}
    assert prefixes == {"10.1.1.0/24", "10.1.2.0/24"}


def test_a_segment_with_an_automatic_number_is_not_joined_with_anything() -> None:
    fabric = site(joined=False)
    fabric.up("pe")
    assert fabric.kinds("pe") == [
        "2 02:00:0a:01:01:0b 10.1.1.11", "5 10.1.1.0/24", "5 10.1.2.0/24", "vpn 10.1.1.11/32"
    ]  # fmt: skip


def test_a_domain_without_route_targets_is_told_to_nobody() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.commit({PROD: Domain(uuid=fabric.running.get(PROD).uuid)})  # type: ignore[union-attr]
    own = ["2 02:00:0a:01:01:0b", "2 02:00:0a:01:01:0b 10.1.1.11", "3 172.31.0.1"]
    assert fabric.kinds("pe") == [f"2 {ROUTER} 10.1.1.1", *own]
    web = fabric.running.get(WEB)
    assert web is not None
    fabric.commit({WEB: Subnet(uuid=web.uuid, prefix="10.1.1.0/24")})
    assert fabric.told["pe"] == {}


def test_a_vport_that_moves_is_announced_from_its_new_place_before_the_old_one_is_withdrawn() -> None:
    fabric = site()
    fabric.up("pe")
    old = fabric.state
    moved = {uuid_of(fabric, "v1"): Location("hv2", fabric.port())}
    super(Fabric, fabric).move(moved)
    outcome = at_once(fabric.rib.compiled(old, fabric.state, {}, moved))
    announced = [route for one in outcome.announce for route in one.routes]
    assert {route.attributes.next_hop for route in announced} == {HV2}
    machine = [one for one in announced if isinstance(one.nlri, MacIp) and one.nlri.mac != fabric.state.gateway_mac()]
    sequences = {route.attributes.mobility for route in machine}
    assert sequences == {(1, False)}, "who sees both places for a moment must know which is newer"
    fabric.hear(outcome)
    assert {route.attributes.next_hop for route in fabric.told["pe"].values()} == {HV2}


def test_a_vport_that_is_gone_takes_its_routes_along() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.move({uuid_of(fabric, "v1"): None})
    assert fabric.told["pe"] == {}


def test_only_families_of_the_session_are_told_and_nothing_at_all_to_the_underlay() -> None:
    made = settings(
        neighbour("evpn", "192.0.2.2", families=frozenset({Family.EVPN})),
        neighbour("both", "192.0.2.3"),
        neighbour("spine", "192.0.2.4", role="underlay", families=frozenset({Family.IPV4})),
    )
    fabric = site(made)
    fabric.up("evpn")
    fabric.up("both", families=frozenset({Family.VPNV4}))
    fabric.up("spine", families=FAMILIES | {Family.IPV4})
    assert {route.family for route in fabric.told["evpn"].values()} == {Family.EVPN}
    assert {route.family for route in fabric.told["both"].values()} == {Family.VPNV4}
    assert fabric.told["spine"] == {}
    assert list(fabric.rib.outbound.told("spine")) == []


def test_local_preference_is_told_inside_our_own_system_alone() -> None:
    made = settings(neighbour("inside", "192.0.2.2", 65000), neighbour("outside", "192.0.2.3"))
    fabric = site(made)
    fabric.up("inside", "outside")
    assert {route.attributes.local_preference for route in fabric.told["inside"].values()} == {100}
    assert {route.attributes.local_preference for route in fabric.told["outside"].values()} == {None}


def test_prefixes_that_a_neighbour_may_not_be_told_are_withdrawn_when_that_is_committed() -> None:
    fabric = site()
    fabric.up("pe")
    before = dict(fabric.told["pe"])
    fabric.configure(settings(neighbour("pe", "192.0.2.1", announce=(prefix("10.1.2.0/24"),))))
    assert fabric.kinds("pe") == ["2 02:00:0a:01:01:0b", "3 172.31.0.1", "5 10.1.2.0/24"]
    assert len(fabric.told["pe"]) == 3
    fabric.configure(settings(neighbour("pe", "192.0.2.1")))
    assert fabric.told["pe"] == before


def test_what_we_learned_is_told_to_nobody() -> None:
    from tests.unit.bgp.rib_model import vpn

    made = settings(neighbour("one", "192.0.2.1"), neighbour("two", "192.0.2.2", 65002))
    fabric = site(made)
    fabric.up("one", "two")
    outcome = fabric.hears("one", vpn("10.9.0.0/16"))
    assert outcome.remote and not outcome.announce


def test_a_static_route_is_announced_where_its_next_hop_is() -> None:
    fabric = site(vports=2)
    fabric.up("pe")
    fabric.commit({
        (*PROD, "static-route", "10.99.0.0/16"):
            StaticRoute(uuid=fabric.uuid(), next_hop=("10.1.1.12",), health="none"),
        (*PROD, "static-route", "10.98.0.0/16"): StaticRoute(uuid=fabric.uuid(), blackhole=True),
    })  # fmt: skip
    assert "5 10.99.0.0/16" not in fabric.kinds("pe"), "its next hop is nowhere yet"
    fabric.move({uuid_of(fabric, "v2"): Location("hv2", fabric.port())})
    where = [route.attributes.next_hop for route in fabric.told["pe"].values()
             if str(getattr(route.nlri, "prefix", "")) == "10.99.0.0/16"]  # fmt: skip
    assert where == [HV2, HV2], "by EVPN and by VPNv4"
    assert "5 10.98.0.0/16" not in fabric.kinds("pe")


def test_a_virtual_ip_is_announced_where_its_holder_is() -> None:
    fabric = site(vports=2)
    fabric.up("pe")
    path = (*PROD, "virtual-ip", "10.1.1.200")
    fabric.move({uuid_of(fabric, "v2"): Location("hv2", fabric.port())})
    fabric.commit({path: VirtualIp(uuid=fabric.uuid(), vport=("v1", "v2"))})

    def hops() -> set[object]:
        return {one.attributes.next_hop for one in fabric.told["pe"].values()
                if str(getattr(one.nlri, "prefix", "")) == "10.1.1.200/32"}  # fmt: skip

    assert hops() == {HV1}
    body = fabric.running.get(path)
    assert body is not None
    fabric.move({}, Observed(holders={body.uuid: uuid_of(fabric, "v2")}))
    assert hops() == {HV2}


def test_with_a_configured_distinguisher_a_prefix_is_told_once() -> None:
    fabric = site(vports=2)
    fabric.up("pe")
    fabric.move({uuid_of(fabric, "v2"): Location("hv2", fabric.port())})
    assert fabric.kinds("pe").count("5 10.1.1.0/24") == 2, "one route for each hypervisor"
    body = fabric.running.get(PROD)
    assert body is not None
    fabric.commit({PROD: Domain(uuid=body.uuid, route_target=("65000:1",), route_distinguisher="65000:77")})
    told = [one for one in fabric.told["pe"].values() if str(getattr(one.nlri, "prefix", "")) == "10.1.1.0/24"]
    assert [str(one.nlri.rd) for one in told] == ["65000:77"]  # type: ignore[union-attr]
    assert told[0].attributes.next_hop == HV1
    fabric.move({uuid_of(fabric, "v1"): None})
    told = [one for one in fabric.told["pe"].values() if str(getattr(one.nlri, "prefix", "")) == "10.1.1.0/24"]
    assert [one.attributes.next_hop for one in told] == [HV2]


def test_a_hypervisor_with_another_tunnel_address_is_announced_anew() -> None:
    fabric = site()
    fabric.up("pe")
    body = fabric.running.get(("dvrs", "hv1"))
    assert body is not None
    fabric.commit({("dvrs", "hv1"): Dvrs(uuid=body.uuid, tunnel_address="172.31.0.9")})
    assert {route.attributes.next_hop for route in fabric.told["pe"].values()} == {address("172.31.0.9")}
    originators = [one.nlri.originator for one in fabric.told["pe"].values() if isinstance(one.nlri, Multicast)]
    assert originators == [address("172.31.0.9")]


def test_machines_behind_a_bridge_vport_are_announced_as_they_are_learned() -> None:
    fabric = site()
    fabric.up("pe")
    path = (*PROD, "vport", "out")
    fabric.commit({path: Vport(uuid=fabric.uuid(), subnet="web1", type="bridge", uplink="u", vlan=7)})
    fabric.move({uuid_of(fabric, "out"): Location("hv2", fabric.port())})
    fabric.move({}, Observed(learned={uuid_of(fabric, "out"): {"02:00:00:00:00:77": ("10.1.1.77",)}}))
    assert "2 02:00:00:00:00:77 10.1.1.77" in fabric.kinds("pe")
    fabric.move({}, Observed(learned={uuid_of(fabric, "out"): None}))
    assert "2 02:00:00:00:00:77 10.1.1.77" not in fabric.kinds("pe")


def test_an_l2_domain_with_a_target_is_announced_without_prefixes() -> None:
    fabric = site(vports=0)
    fabric.up("pe")
    wire = (*ACME, "l2-domain", "wire")
    fabric.commit({
        wire: L2Domain(uuid=fabric.uuid(), route_target=("65000:55",)),
        (*wire, "vport", "a"): Vport(uuid=fabric.uuid(), mac="02:00:00:00:00:05"),
    })  # fmt: skip
    body = fabric.running.get((*wire, "vport", "a"))
    assert body is not None
    fabric.move({body.uuid: Location("hv3", fabric.port())})
    assert fabric.kinds("pe") == ["2 02:00:00:00:00:05", "3 172.31.0.3"]
    fabric.commit({wire: None, (*wire, "vport", "a"): None})
    assert fabric.told["pe"] == {}


def test_a_refresh_says_one_family_again() -> None:
    from controller.bgp.speaker.backend import Refresh

    fabric = site()
    fabric.up("pe")
    outcome = fabric.events(Refresh("pe", Family.VPNV4))
    assert [str(r.nlri.prefix) for a in outcome.announce for r in a.routes] == ["10.1.1.11/32"]  # type: ignore[union-attr]


def test_a_preview_says_what_a_commit_would_announce_and_changes_nothing() -> None:
    from controller.compile import changed
    from data.configuration import Overlay

    fabric = site()
    fabric.up("pe")
    before = dict(fabric.told["pe"])
    edits = {APP: None, (*PROD, "vport", "v9"): vport(fabric, 99)}
    new, _ = at_once(changed(fabric.state, view=Overlay(fabric.running, edits), edits=edits,
                             vports={edits[(*PROD, "vport", "v9")].uuid: Location("hv2", 5)}))  # type: ignore[union-attr]  # fmt: skip
    moved = [edits[(*PROD, "vport", "v9")].uuid]  # type: ignore[union-attr]
    told = at_once(fabric.rib.preview(fabric.state, new, edits, moved))
    announced, withdrawn = told["pe"]
    assert "10.1.1.99/32" in {str(getattr(one.nlri, "prefix", "")) for one in announced}
    assert [str(one.nlri.prefix) for one in withdrawn] == ["10.1.2.0/24"]  # type: ignore[union-attr]
    assert {one.nlri.key: one for one in fabric.rib.outbound.told("pe")} == before
    assert not at_once(fabric.rib.tick())


def gateways(fabric: Fabric) -> dict[str, set[str]]:
    """Hypervisor's tunnel address -> gateways that are told from there, with the community that says so."""
    found: dict[str, set[str]] = {}
    for route in fabric.told["pe"].values():
        if isinstance(route.nlri, MacIp) and route.nlri.mac.hex(":") == ROUTER:
            assert Community.default_gateway() in route.attributes.extended and route.nlri.label2 is None
            assert route.attributes.targets == ("65000:1001",), "into the segment alone"
            found.setdefault(str(route.attributes.next_hop), set()).add(str(route.nlri.ip))
    return found


def test_gateways_of_a_segment_that_goes_on_elsewhere_are_told_from_where_its_vports_are() -> None:
    fabric = site(vports=2)
    fabric.up("pe")
    assert gateways(fabric) == {"172.31.0.1": {"10.1.1.1"}}
    fabric.move({uuid_of(fabric, "v2"): Location("hv2", fabric.port())})
    assert gateways(fabric) == {"172.31.0.1": {"10.1.1.1"}, "172.31.0.2": {"10.1.1.1"}}
    web = fabric.running.get(WEB)
    assert isinstance(web, Subnet)
    both = {"gateway": "10.1.1.254", "ipv6_prefix": "2001:db8:1::/64"}
    fabric.commit({WEB: msgspec.structs.replace(web, **both)})
    assert set(map(frozenset, gateways(fabric).values())) == {frozenset({"10.1.1.254", "2001:db8:1::1"})}
    fabric.move({uuid_of(fabric, "v1"): None})
    assert gateways(fabric).keys() == {"172.31.0.2"}
    fabric.commit({WEB: Subnet(uuid=web.uuid, prefix="10.1.1.0/24")})
    assert gateways(fabric) == {}


def test_gateways_of_a_segment_without_vports_are_told_from_where_its_domain_is() -> None:
    fabric = site(vports=0)
    app = vport(fabric, 31, subnet="app1")
    fabric.commit({(*PROD, "vport", "a1"): app})
    fabric.up("pe")
    assert gateways(fabric) == {}
    fabric.move({app.uuid: Location("hv3", fabric.port())})
    assert gateways(fabric) == {"172.31.0.3": {"10.1.1.1"}}
    fabric.move({app.uuid: None})
    assert gateways(fabric) == {}


def test_gateways_with_another_mac_address_are_told_with_that() -> None:
    fabric = site()
    fabric.up("pe")
    before = fabric.running.get(("controller",))
    body = before if isinstance(before, Controller) else Controller(uuid=fabric.uuid())
    fabric.commit({("controller",): msgspec.structs.replace(body, anycast_gateway_mac="02:00:00:00:00:99")})
    assert gateways(fabric) == {}
    assert "2 02:00:00:00:00:99 10.1.1.1" in fabric.kinds("pe")

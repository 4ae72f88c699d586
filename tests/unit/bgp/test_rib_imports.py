"""What routes of others become for the compiler."""

from __future__ import annotations

from controller.bgp.routes import Community
from controller.compile import Location
from controller.compile.remote import MPLS, VXLAN, NextHop, RemoteFlood, RemoteKey, RemoteMac, RemotePrefix, Tunnel
from data.addresses import address
from data.schema.objects import Domain, Subnet
from data.steps import at_once
from tests.unit.bgp.rib_model import (
    PROD,
    WEB,
    Fabric,
    flood,
    mac,
    neighbour,
    prefix5,
    settings,
    site,
    uuid_of,
    vpn,
)

FAR = "02:00:00:00:00:42"
VTEP = address("192.0.2.9")


def test_a_mac_address_elsewhere_becomes_a_machine_with_its_addresses() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", mac(FAR), mac(FAR, "10.1.1.42"), mac(FAR, "10.1.1.43"), flood())
    assert fabric.facts("mac") == {
        FAR: RemoteMac(Tunnel(VTEP, VXLAN, 77), (address("10.1.1.42"), address("10.1.1.43")))
    }
    assert fabric.facts("flood") == {"192.0.2.9": RemoteFlood(Tunnel(VTEP, VXLAN, 77))}
    fabric.hears("pe", without=[mac(FAR, "10.1.1.43").nlri])
    assert fabric.facts("mac")[FAR] == RemoteMac(Tunnel(VTEP, VXLAN, 77), (address("10.1.1.42"),))
    fabric.hears("pe", without=[mac(FAR).nlri, mac(FAR, "10.1.1.42").nlri, flood().nlri])
    assert fabric.remote == {}


def test_our_gateways_and_machines_have_their_addresses_for_themselves() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", mac(FAR, "10.1.1.1"), mac(FAR, "10.1.1.11"), mac(FAR, "10.7.7.7"), mac(FAR, "10.1.1.42"))
    assert fabric.facts("mac")[FAR] == RemoteMac(Tunnel(VTEP, VXLAN, 77), (address("10.1.1.42"),))
    fabric.move({uuid_of(fabric, "v1"): None})
    told = RemoteMac(Tunnel(VTEP, VXLAN, 77), (address("10.1.1.11"), address("10.1.1.42")))
    assert fabric.facts("mac")[FAR] == told, "nobody here has it any more"


def test_a_vpn_prefix_becomes_a_route_over_mpls_to_all_that_are_equally_good() -> None:
    fabric = site(settings(neighbour("pe", "192.0.2.1"), neighbour("pe2", "192.0.2.2")))
    fabric.up("pe", "pe2")
    fabric.hears("pe", vpn("10.9.0.0/16", rd="65001:7"))
    fabric.hears("pe2", vpn("10.9.0.0/16", "192.0.2.2", rd="65001:8", label=400))
    hops = (
        NextHop(Tunnel(address("192.0.2.1"), MPLS, 300), None),
        NextHop(Tunnel(address("192.0.2.2"), MPLS, 400), None),
    )
    assert fabric.facts("prefix") == {"10.9.0.0/16": RemotePrefix(hops)}, "of two distinguishers"
    fabric.hears("pe2", vpn("10.9.0.0/16", "192.0.2.2", rd="65001:8", label=400, path=(65001, 65002)))
    assert fabric.facts("prefix") == {"10.9.0.0/16": RemotePrefix(hops[:1])}, "one is farther away"


def test_a_prefix_over_vxlan_goes_before_the_same_over_mpls() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16"), prefix5("10.9.0.0/16"))
    hop = NextHop(Tunnel(VTEP, VXLAN, 99), bytes.fromhex("02bfc0000209"))
    assert fabric.facts("prefix") == {"10.9.0.0/16": RemotePrefix((hop,))}


def test_a_machine_elsewhere_is_routed_to_where_its_segment_is_not_here() -> None:
    fabric = site(joined=False)
    fabric.up("pe")
    fabric.hears("pe", mac(FAR, "10.5.5.5", "192.0.2.9", "65000:1", "65009:4", l3=99, router="02bfc0000209"))
    hop = NextHop(Tunnel(VTEP, VXLAN, 99), bytes.fromhex("02bfc0000209"))
    assert fabric.facts("prefix") == {"10.5.5.5/32": RemotePrefix((hop,))}
    assert fabric.facts("mac") == {}


def test_a_machine_elsewhere_in_a_joined_segment_is_switched_to() -> None:
    fabric = site()
    fabric.up("pe")
    both = ("65000:1", "65000:1001")
    fabric.hears("pe", mac(FAR, "10.1.1.42", "192.0.2.9", *both, l3=99, router="02bfc0000209"), vpn("10.1.1.42/32"))
    assert list(fabric.facts("mac")) == [FAR]
    assert fabric.facts("prefix") == {}


def test_our_own_prefixes_and_addresses_are_not_led_elsewhere() -> None:
    fabric = site(joined=False)
    fabric.up("pe")
    fabric.hears("pe", prefix5("10.1.2.0/24"), vpn("10.1.1.11/32"), vpn("10.1.1.12/32"))
    assert list(fabric.facts("prefix")) == ["10.1.1.12/32"]
    fabric.move({uuid_of(fabric, "v1"): None})
    assert sorted(fabric.facts("prefix")) == ["10.1.1.11/32", "10.1.1.12/32"], "nobody here has it any more"
    fabric.commit({(*PROD, "zone", "app", "subnet", "app1"): None})
    assert "10.1.2.0/24" in fabric.facts("prefix")


def test_a_subnet_that_is_joined_no_more_takes_host_routes_again() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", vpn("10.1.1.42/32"))
    assert fabric.remote == {}
    body = fabric.running.get(WEB)
    assert body is not None
    fabric.commit({WEB: Subnet(uuid=body.uuid, prefix="10.1.1.0/24")})
    assert list(fabric.facts("prefix")) == ["10.1.1.42/32"]
    fabric.commit({WEB: Subnet(uuid=body.uuid, prefix="10.1.1.0/24", route_target=("65000:1001",))})
    assert fabric.remote == {}


def test_routes_are_kept_for_a_domain_that_imports_them_later() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16", "192.0.2.1", "65009:9"))
    assert fabric.remote == {}
    assert fabric.why("pe") == {"10.9.0.0/16": "best, but not taken: no route target that we import"}
    body = fabric.running.get(PROD)
    assert body is not None
    fabric.commit({PROD: Domain(uuid=body.uuid, route_target=("65000:1",), import_target=("65009:9",))})
    assert list(fabric.facts("prefix")) == ["10.9.0.0/16"]
    assert fabric.why("pe") == {"10.9.0.0/16": "best"}
    fabric.commit({PROD: Domain(uuid=body.uuid, route_target=("65000:1",))})
    assert fabric.remote == {}


def test_a_fixed_number_joins_segments_by_the_automatic_target_of_any_system() -> None:
    fabric = site(joined=False, vports=0)
    body = fabric.running.get(WEB)
    assert body is not None
    fabric.numbers.put("wan", body.uuid, 900)
    fabric.commit({WEB: Subnet(uuid=body.uuid, prefix="10.1.1.0/24", vni=4711)})
    fabric.up("pe")
    fabric.hears("pe", mac(FAR, None, "192.0.2.9", "64999:4711", vni=4711))
    assert list(fabric.facts("mac")) == [FAR]
    typed = Community(b"\0\2\xfd\xe9" + (0x10000000 | 4711).to_bytes(4, "big")).target
    assert typed is not None
    other = "02:00:00:00:00:43"
    fabric.hears(
        "pe",
        mac(other, None, "192.0.2.9", typed, vni=4711),
        mac("02:00:00:00:00:44", None, "192.0.2.9", "64999:4712", vni=4711),
    )
    assert sorted(fabric.facts("mac")) == [FAR, other]


def test_a_target_of_another_tenant_that_looks_automatic_leads_nobody_into_its_segments() -> None:
    fabric = site(joined=False, vports=0)
    body = fabric.running.get(WEB)
    assert body is not None
    fabric.numbers.put("wan", body.uuid, 900)
    fabric.commit({WEB: Subnet(uuid=body.uuid, prefix="10.1.1.0/24", vni=4711)})
    fabric.up("pe")
    fabric.hears(  # a machine in VNI 77, of a domain with the target 65000:4711
        "pe", mac(FAR, "10.1.1.42", "192.0.2.9", "65000:4711"), flood("192.0.2.9", "65000:4711")
    )
    assert fabric.facts("mac") == {} and fabric.facts("flood") == {}


def test_two_tenants_with_the_same_prefix_and_other_targets_stay_apart() -> None:
    fabric = site()
    other = ("enterprise", "acme", "domain", "other")
    fabric.commit({other: Domain(uuid=fabric.uuid(), route_target=("65000:2",))})
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16"), vpn("10.9.0.0/16", "192.0.2.1", "65000:2", rd="65001:8", label=301))
    prod, second = (fabric.running.get(path) for path in (PROD, other))
    assert prod is not None and second is not None
    labels = {key.owner: fact.next_hops[0].tunnel.number for key, fact in fabric.remote.items()}  # type: ignore[union-attr]
    assert labels == {prod.uuid: 300, second.uuid: 301}


def test_a_next_hop_that_the_underlay_lost_is_not_used_until_it_is_back() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16"), mac(FAR), flood())
    before = dict(fabric.remote)
    fabric.beneath.down = {address("192.0.2.1"), VTEP}
    fabric.hear(at_once(fabric.rib.underlay(fabric.beneath.down)))
    assert fabric.remote == {}
    assert set(fabric.why("pe").values()) == {"its next hop is not reachable"}
    back, fabric.beneath.down = fabric.beneath.down, set()
    fabric.hear(at_once(fabric.rib.underlay(back)))
    assert fabric.remote == before


def test_the_cheaper_way_through_the_underlay_is_taken_also_across_distinguishers() -> None:
    fabric = site(settings(neighbour("pe", "192.0.2.1"), neighbour("pe2", "192.0.2.2")))
    fabric.up("pe", "pe2")
    fabric.hears("pe", vpn("10.9.0.0/16", rd="65001:7"))
    fabric.hears("pe2", vpn("10.9.0.0/16", "192.0.2.2", rd="65001:8"))
    fabric.beneath.costs = {address("192.0.2.1"): 20, address("192.0.2.2"): 10}
    fabric.hear(at_once(fabric.rib.underlay(fabric.beneath.costs)))
    fact = fabric.facts("prefix")["10.9.0.0/16"]
    assert isinstance(fact, RemotePrefix)
    assert [str(hop.tunnel.endpoint) for hop in fact.next_hops] == ["192.0.2.2"]


def test_a_tunnel_address_that_becomes_ours_is_no_next_hop_any_more() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", mac(FAR), vpn("10.9.0.0/16"))
    fabric.configure(settings(neighbour("pe", "192.0.2.1"), own=fabric.made.own | {VTEP}))
    assert [key.kind for key in fabric.remote] == ["prefix"]
    assert fabric.why("pe")[FAR] == "refused: its next hop is a hypervisor of ours"
    fabric.configure(settings(neighbour("pe", "192.0.2.1")))
    assert sorted(key.kind for key in fabric.remote) == ["mac", "prefix"]


def test_facts_from_before_a_restart_stay_until_every_neighbour_has_told_everything() -> None:
    first = site()
    first.up("pe")
    first.hears("pe", mac(FAR), vpn("10.9.0.0/16"))
    kept = dict(first.remote)
    again = Fabric()
    again.rib.recall(kept)
    again.remote.update(kept)
    again.running, again.numbers, again.state = first.running, first.numbers, first.state
    again.hear(at_once(again.rib.whole(first.state)))
    assert again.remote == kept
    again.up("pe")
    again.hears("pe", mac(FAR))
    assert again.remote == kept
    again.ends("pe")
    assert [key.kind for key in again.remote] == ["mac"], "the prefix was not told again"


def test_facts_from_before_a_restart_age_out_when_nobody_comes_back() -> None:
    first = site()
    first.up("pe")
    first.hears("pe", mac(FAR))
    again = Fabric()
    again.rib.recall(first.remote)
    again.remote.update(first.remote)
    assert again.rib.deadline == again.now + 300
    again.later(299)
    assert again.remote
    again.later(2)
    assert again.remote == {} and again.rib.deadline is None


def test_a_location_of_a_vport_elsewhere_in_our_fabric_is_no_fact() -> None:
    fabric = site(vports=2)
    fabric.up("pe")
    fabric.move({uuid_of(fabric, "v2"): Location("hv2", fabric.port())})
    reflected = list(fabric.rib.outbound.told("pe"))
    fabric.hears("pe", *reflected)
    assert fabric.remote == {}
    assert set(fabric.why("pe").values()) == {"refused: its next hop is a hypervisor of ours"}


def test_addresses_that_a_machine_elsewhere_answered_for_are_its_as_long_as_no_route_says_otherwise() -> None:
    fabric = site()
    fabric.up("pe")
    web = fabric.running.get(WEB)
    assert web is not None
    first, second = "02:00:00:00:00:51", "02:00:00:00:00:52"

    def answered(hardware: str, *texts: str) -> None:
        key = RemoteKey(web.uuid, "mac", bytes.fromhex(hardware.replace(":", "")))
        fabric.hear(at_once(fabric.rib.answered({key: tuple(map(address, texts))})))

    def addresses(hardware: str) -> tuple[str, ...]:
        fact = fabric.facts("mac")[hardware]
        assert isinstance(fact, RemoteMac)
        return tuple(map(str, fact.addresses))

    answered(first, "10.1.1.51", "10.1.1.11", "10.1.1.1", "10.1.2.51")
    assert not fabric.facts("mac"), "the answer was here before the route"
    fabric.hears("pe", mac(first))
    assert addresses(first) == ("10.1.1.51",), "not a vport's, a gateway's, or of another subnet"
    fabric.hears("pe", mac(second), mac(second, "10.1.1.51"))
    assert (addresses(first), addresses(second)) == ((), ("10.1.1.51",))
    fabric.hears("pe", without=[mac(second, "10.1.1.51").nlri])
    assert (addresses(first), addresses(second)) == (("10.1.1.51",), ())
    answered(first)
    assert addresses(first) == ()

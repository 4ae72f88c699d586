"""Flows towards places outside our hypervisors, and into domains from there."""

from __future__ import annotations

import msgspec
import pytest

from controller.compile import Location, Observed
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
    router_mac,
)
from controller.compile.wan.circuits import Standing, circuits
from controller.openflow.text import describe
from data.addresses import address, prefix
from data.errors import CommandFailed
from data.path import Path
from data.schema.objects import Domain, IngressPolicy, Object, PolicyGroup, Subnet, Vport
from data.steps import at_once
from tests.unit.compile.committed import Committed
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model, base, entry, vport
from tests.unit.compile.test_incremental import agree

PE, VTEP = address("192.0.2.1"), address("192.0.2.2")
OURS = address("172.31.0.2")  # of hv2
MAC = bytes.fromhex("020000000050")


def fabric(*, wan: bool = True) -> Model:
    """web-1 on hv1, web-2 on hv2, nobody on hv3; the domain is in the WAN."""
    model = Model()
    edits = base(model)
    domain = edits[PROD]
    assert isinstance(domain, Domain)
    if wan:
        edits[PROD] = msgspec.structs.replace(domain, route_target=("65000:1",))
    places: dict[str, Location | None] = {}
    for nth in (1, 2):
        edits[(*PROD, "vport", f"web-{nth}")] = body = vport(model, 10 + nth)
        places[body.uuid] = Location(f"hv{nth}", nth)
    model.commit(edits, places)
    return model


def uuid(model: Model, path: Path) -> str:
    body = model.running.get(path)
    assert body is not None
    return body.uuid


def tell(model: Model, owner: Path, kind: str, what: object, fact: Remote | None) -> None:
    model.move({}, Observed(remote={RemoteKey(uuid(model, owner), kind, what): fact}))  # type: ignore[arg-type]
    agree(model)


def added(model: Model) -> dict[str, list[str]]:
    return {name: [describe(flow) for flow in flows] for name, flows in model.touched.items()}


def test_a_machine_elsewhere_is_switched_to_on_the_vni_that_its_vtep_chose_and_answered_for() -> None:
    model = fabric()
    fact = RemoteMac(Tunnel(VTEP, VXLAN, 7700), (address("10.1.1.50"),))
    tell(model, WEB, "mac", MAC, fact)
    told = added(model)
    assert told.keys() == {"hv1", "hv2"} and sorted(told["hv1"]) == sorted(told["hv2"])
    assert len(told["hv1"]) == 3, "switch, route, ARP"
    switch = next(line for line in told["hv1"] if "table=20" in line)
    assert "dl_dst=02:00:00:00:00:50" in switch and "set_field:0x1e14->tun_id,set_field:192.0.2.2->tun_dst" in switch
    tell(model, WEB, "mac", MAC, None)
    assert all(line.startswith("delete") for lines in added(model).values() for line in lines)


@pytest.mark.parametrize(
    ("tunnel", "hardware", "text", "flows"),
    [
        (Tunnel(OURS, VXLAN, 7700), MAC, "10.1.1.50", 0),  # the endpoint is ours
        (Tunnel(address("2001:db8::1"), VXLAN, 7700), MAC, "10.1.1.50", 0),  # of a family that tunnels do not have
        (Tunnel(VTEP, MPLS, 7700), MAC, "10.1.1.50", 0),  # frames do not go by MPLS
        (Tunnel(VTEP, VXLAN, 7700), bytes.fromhex("00005e000101"), "10.1.1.1", 0),  # the gateway is here
        (Tunnel(VTEP, VXLAN, 7700), MAC, "10.1.1.1", 1),  # its address is
        (Tunnel(VTEP, VXLAN, 7700), MAC, "10.1.2.50", 1),  # of another subnet
        (Tunnel(VTEP, VXLAN, 7700), MAC, "10.1.1.11", 1),  # of a vport that is resolved here
    ],
)
def test_what_a_fact_cannot_say_of_a_machine_has_no_flows(
    tunnel: Tunnel, hardware: bytes, text: str, flows: int
) -> None:
    model = fabric()
    tell(model, WEB, "mac", hardware, RemoteMac(tunnel, (address(text),)))
    assert len(model.touched.get("hv1", ())) == flows


def test_a_machine_that_left_for_another_site_goes_before_what_is_resolved_here() -> None:
    model = fabric()
    own = bytes.fromhex("02000a01010b")
    tell(model, WEB, "mac", own, RemoteMac(Tunnel(VTEP, VXLAN, 7700), (address("10.1.1.11"),)))
    lines = [line for line in (describe(flow) for flow in model.held["hv2"].values()) if "02:00:0a:01:01:0b" in line]
    ways = [line for line in lines if "table=20" in line]
    assert len(ways) == 2 and "priority=101" in next(line for line in ways if "192.0.2.2" in line)


def test_a_vport_at_another_site_is_known_by_its_groups() -> None:
    model = fabric()
    group, policy = (*PROD, "policy-group", "web"), (*PROD, "ingress-policy", "base")
    body = msgspec.structs.replace(vport(model, 30, groups=("web",)))
    edits: dict[Path, Object | None] = {
        group: PolicyGroup(uuid=model.uuid()), policy: IngressPolicy(uuid=model.uuid()),
        (*policy, "entry", "10"): entry(model, "policy-group web", "any"), (*PROD, "vport", "web-30"): body,
    }  # fmt: skip
    model.commit(edits)

    def identities() -> list[str]:
        lines = (describe(flow) for flow in model.held["hv1"].values())
        return [line for line in lines if ("table=5" in line or "table=6" in line) and "10.1.1.30 " in line]

    assert not identities()
    hardware = bytes.fromhex("02000a01011e")
    tell(model, WEB, "mac", MAC, RemoteMac(Tunnel(VTEP, VXLAN, 7700), (address("10.1.1.30"),)))
    assert not identities(), "another MAC address has its address"
    tell(model, WEB, "mac", hardware, RemoteMac(Tunnel(VTEP, VXLAN, 7700), (address("10.1.1.30"),)))
    assert len(identities()) == 2
    model.commit({(*PROD, "vport", "web-30"): msgspec.structs.replace(body, policy_group=())})
    agree(model)
    assert not identities()


def test_copies_go_to_who_wants_them_with_its_own_vni_and_what_came_by_a_tunnel_to_nobody() -> None:
    model = fabric()
    tell(model, WEB, "flood", VTEP, RemoteFlood(Tunnel(VTEP, VXLAN, 7700)))
    tell(model, WEB, "flood", OURS, RemoteFlood(Tunnel(OURS, VXLAN, 7701)))
    lines = [describe(flow) for flow in model.held["hv1"].values()]
    (onward,) = [line for line in lines if "table=21" in line and "in_port" not in line]
    (arrived,) = [line for line in lines if "table=21" in line and "in_port" in line]
    assert "set_field:0x1e14->tun_id,set_field:192.0.2.2->tun_dst" in onward and "0x1e15" not in onward
    assert "tun_dst" not in arrived


def test_a_prefix_is_routed_where_the_domain_is_and_nowhere_else() -> None:
    model = fabric()
    label, vni = NextHop(Tunnel(PE, MPLS, 300), None), NextHop(Tunnel(VTEP, VXLAN, 900), MAC)
    tell(model, PROD, "prefix", prefix("10.9.0.0/24"), RemotePrefix((label,)))
    told = added(model)
    assert told.keys() == {"hv1", "hv2"}
    (line,) = told["hv1"]
    assert "dec_ttl,push_mpls:0x8847,set_field:300->mpls_label,set_field:192.0.2.1->tun_dst" in line
    tell(model, PROD, "prefix", prefix("2001:db8:9::/48"), RemotePrefix((vni,)))
    (line,) = added(model)["hv1"]
    assert "set_field:02:00:00:00:00:50->eth_dst,set_field:0x384->tun_id,set_field:192.0.2.2->tun_dst" in line
    tell(model, PROD, "prefix", prefix("10.9.0.0/24"), RemotePrefix((label, label, vni)))
    lines = added(model)["hv1"]
    assert len([one for one in lines if "table=18" in one]) == 2, "half of the slots each"
    gone = NextHop(Tunnel(VTEP, VXLAN, 900), None)  # without a router's MAC address
    tell(model, PROD, "prefix", prefix("10.9.0.0/24"), RemotePrefix((gone,)))
    assert all(one.startswith("delete") for one in added(model)["hv1"])


def test_routed_packets_leave_from_the_router_of_their_hypervisor() -> None:
    model = fabric()
    for name in ("hv1", "hv2"):
        router = router_mac(model.state.tunnel_address(name))
        assert router[:2] == b"\x02\xbf" and len(router) == 6
        assert [flow for flow in model.held[name].values() if router in flow], "in depart"
    assert router_mac(address("fd00::1")) != router_mac(address("fd00::2"))


def test_a_domain_is_entered_by_its_vni_and_a_label_for_each_family_while_it_has_targets() -> None:
    model = fabric(wan=False)
    body = model.running.get(PROD)
    assert isinstance(body, Domain)
    model.commit({PROD: msgspec.structs.replace(body, import_target=("65000:1",))})
    agree(model)
    state = model.state
    assert len({state.label(PROD, 4), state.label(PROD, 6)}) == 2 and 0 < state.allocated("wan", PROD) <= 0xFFFF
    assert {len(flows) for flows in model.touched.values()} == {3} and model.touched.keys() == {"hv1", "hv2"}
    labels = (state.label(PROD, 4), state.label(PROD, 6), state.l3_vni(PROD))
    model.commit({PROD: body})
    agree(model)
    assert all(line.startswith("delete") for line in added(model)["hv1"])
    model.commit({PROD: msgspec.structs.replace(body, route_target=("65000:2",))})
    assert labels == (model.state.label(PROD, 4), model.state.label(PROD, 6), model.state.l3_vni(PROD))


def test_a_fixed_vni_is_used_and_never_given_to_another() -> None:
    model = fabric()
    web, app = model.running.get(WEB), model.running.get(APP)
    assert isinstance(web, Subnet) and isinstance(app, Subnet)
    model.commit({WEB: msgspec.structs.replace(web, vni=77)})
    agree(model)
    assert model.state.vni(WEB) == 77 and {"hv1", "hv2"} == model.touched.keys()
    with pytest.raises(CommandFailed, match="another object"):
        model.commit({APP: msgspec.structs.replace(app, vni=77)})
    model.commit({WEB: msgspec.structs.replace(web, vni=78), APP: msgspec.structs.replace(app, vni=77)})
    agree(model)
    assert (model.state.vni(WEB), model.state.vni(APP)) == (78, 77)
    model.commit({APP: app})
    agree(model)
    assert model.state.vni(APP) == 77, "it stays as it is"


def test_one_changed_route_of_many_costs_one_flow() -> None:
    model = fabric()
    owner, hop = uuid(model, PROD), NextHop(Tunnel(PE, MPLS, 300), None)
    many = {
        RemoteKey(owner, "prefix", prefix(f"10.{nth >> 8}.{nth & 255}.0/24")): RemotePrefix((hop,))
        for nth in range(2 << 8, 12 << 8)
    }
    model.move({}, Observed(remote=many))  # type: ignore[arg-type]
    assert len(model.touched["hv1"]) == len(many)
    model.move({}, Observed(remote={next(iter(many)): RemotePrefix((hop._replace(tunnel=Tunnel(PE, MPLS, 301)),))}))
    assert {name: len(flows) for name, flows in model.touched.items()} == {"hv1": 1, "hv2": 1}
    agree(model)


def test_a_circuit_is_what_labels_and_a_session_make_it() -> None:
    model = fabric()
    hop = NextHop(Tunnel(PE, MPLS, 300), None)

    def standing(sessions: dict[str, bool]) -> list[tuple[str, tuple[int, ...], int, Standing]]:
        known = {address(text): up for text, up in sessions.items()}
        return [(str(one.endpoint), one.out, one.prefixes, one.standing)
                for one in at_once(circuits(model.state, known))]  # fmt: skip

    assert standing({}) == []
    assert standing({"192.0.2.1": True}) == [("192.0.2.1", (), 0, Standing.NO_LABEL)]
    assert standing({"192.0.2.1": False}) == [("192.0.2.1", (), 0, Standing.DOWN)]
    tell(model, PROD, "prefix", prefix("10.9.0.0/24"), RemotePrefix((hop,)))
    tell(model, PROD, "prefix", prefix("10.8.0.0/24"), RemotePrefix((NextHop(Tunnel(PE, MPLS, 301), None),)))
    assert standing({"192.0.2.1": True}) == standing({}) == [("192.0.2.1", (300, 301), 2, Standing.UP)]
    assert standing({"192.0.2.1": False}) == [("192.0.2.1", (300, 301), 2, Standing.STALE)]
    (one,) = at_once(circuits(model.state, {}))
    assert one.hypervisors == ("hv1", "hv2") and one.labels[4] == model.state.label(PROD, 4)
    vports = [body for _, body in model.running.objects(Vport)]
    model.move({body.uuid: None for body in vports})
    assert standing({"192.0.2.1": True}) == [("192.0.2.1", (300, 301), 2, Standing.IDLE)]


def test_what_comes_into_a_shared_domain_from_the_wan_reaches_no_user_of_it() -> None:
    model = Committed()
    model.commit(
        "set dvrs hv1 tunnel-address 172.31.0.1",
        "set enterprise infra domain svc shared access-prefix 100.64.0.0/24 route-target 65000:9",
        "set enterprise infra domain svc zone pub subnet pub prefix 172.16.0.0/24",
        "set enterprise infra domain svc vport s0 subnet pub mac 02:00:00:00:00:01 address 172.16.0.10",
        "set enterprise acme domain prod use infra/svc",
        "set enterprise acme domain prod zone web subnet web prefix 10.1.1.0/24",
        "set enterprise acme domain prod vport v0 subnet web mac 02:00:00:00:00:02 address 10.1.1.10",
    )
    model.place("infra/svc/s0", "hv1", 1)
    model.place("acme/prod/v0", "hv1", 2)
    model.agree()
    users = [line for line in model.flows("hv1") if "table=17" in line and "nw_dst=100.64.0.0/24" in line]
    entrance = [line for line in users if "reg0=0,reg1=0" in line or "reg0=0x0,reg1=0x0" in line]
    (dropped,) = entrance
    known = [line for line in model.flows("hv1") if "table=17" in line and "nw_dst=100.64.0.1 " in line]
    assert dropped.endswith("actions=drop") and len(known) == 1

    def priority(line: str) -> int:
        return int(line.partition("priority=")[2].partition(",")[0])

    assert priority(dropped) > priority(known[0])


def entering(model: Model, name: str) -> list[str]:
    """What a hypervisor does with packets from tunnels to the gateways of web1."""
    lines = [describe(flow) for flow in model.held[name].values()]
    vni = model.state.vni(WEB)
    return [line for line in lines if "table=0" in line and f"tun_id=0x{vni:x}" in line and "priority=20" in line]


def test_machines_behind_a_vtep_are_routed_for_where_their_subnet_is_and_nowhere_else() -> None:
    model = fabric()
    assert not entering(model, "hv1")
    tell(model, WEB, "flood", VTEP, RemoteFlood(Tunnel(VTEP, VXLAN, 7700)))
    for name in ("hv1", "hv2"):
        (routed,) = [line for line in entering(model, name) if "priority=200" in line]
        assert "dl_dst=00:00:5e:00:01:01" in routed and "goto_table:4" in routed
        lines = [describe(flow) for flow in model.held[name].values()]
        (back,) = [line for line in lines if "table=30" in line and "tun_src=192.0.2.2" in line]
        assert "0x1e14" in back, "with the VNI of the VTEP"
        assert any("table=17" in line and "CONTROLLER" in line.upper() for line in lines), "it asks for who is there"
    assert not entering(model, "hv3")
    tell(model, WEB, "flood", VTEP, None)
    assert not entering(model, "hv1")


def test_where_a_subnet_has_no_vport_the_hypervisors_of_its_domain_route_for_it() -> None:
    model = fabric()
    tell(model, APP, "flood", VTEP, RemoteFlood(Tunnel(VTEP, VXLAN, 7700)))

    def held() -> set[str]:
        vni = f"tun_id=0x{model.state.vni(APP):x}"
        return {name for name in model.held for flow in model.held[name].values()
                if "priority=200" in describe(flow) and vni in describe(flow)}  # fmt: skip

    assert held() == {"hv1", "hv2"}
    body = vport(model, 31, subnet="app1")
    model.commit({(*PROD, "vport", "app-1"): body}, {body.uuid: Location("hv3", 4)})
    agree(model)
    assert held() == {"hv3"}
    model.move({body.uuid: None})
    agree(model)
    assert held() == {"hv1", "hv2"}


def test_what_enters_for_the_domain_may_go_on_by_the_port_that_it_came_by() -> None:
    model = fabric()
    lines = [describe(flow) for flow in model.held["hv1"].values()]
    vni = f"tun_id=0x{model.state.l3_vni(PROD):x}"
    (entered,) = [line for line in lines if "table=0" in line and vni in line]
    assert "load:0->OXM_OF_IN_PORT" in entered, "Open vSwitch sends nothing back to where it came from"

"""Static routes and redirects as flows, and that every change touches what it should."""

from __future__ import annotations

import random

import pytest

from controller.compile import Location, Observed
from controller.compile.catalogue import SERVICES
from controller.compile.services.probed import probes_in
from controller.openflow.text import describe
from controller.pipeline import Table
from data.path import Path
from data.schema.objects import Endpoint, Object, Subnet, Vport
from data.schema.services import ForwardingPolicy, Redirect, RedirectionTarget, StaticRoute, VirtualIp
from tests.unit.compile import model_bridging, model_chaining
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model, base, vport
from tests.unit.compile.test_incremental import agree, random_edit

ROUTE = (*PROD, "static-route", "192.168.0.0/16")
FW = (*PROD, "redirection-target", "fw")
CHAIN = (*PROD, "forwarding-policy", "chain")


def network(**more: Object) -> Model:
    """web-11 on hv1, web-12 on hv2, app-21 on hv3, and objects of the domain by 'kind name'."""
    model = Model()
    edits = base(model)
    places: dict[str, Location | None] = {}
    for name, nth, subnet, dvrs in (("web-11", 11, "web1", "hv1"), ("web-12", 12, "web1", "hv2"),
                                    ("app-21", 21, "app1", "hv3")):  # fmt: skip
        body = vport(model, nth, subnet)
        edits[(*PROD, "vport", name)] = body
        places[body.uuid] = Location(dvrs, nth)
    model.commit(edits, places)
    return model


def flows(model: Model, dvrs: str, table: Table) -> list[str]:
    """The flows of a table as text, without cookies."""
    found = [describe(one) for one in model.held[dvrs].values() if describe(one).find(f"table={int(table)},") >= 0]
    return sorted(found)


def about(model: Model, dvrs: str, table: Table, word: str) -> list[str]:
    return [one for one in flows(model, dvrs, table) if word in one]


def health(model: Model, name: str, kind: str, alive: bool | None, port: int = 0) -> None:
    body = model.running.get((*PROD, "vport", name))
    assert isinstance(body, Vport)
    model.move({}, Observed(health={f"{body.uuid} {body.address[0]} {kind} {port}": alive}))
    agree(model)


def keys(model: Model) -> list[str]:
    return [" ".join(one.key(model.state).split()[1:]) for one in probes_in(SERVICES, model.state, PROD)]


def test_a_route_leads_to_the_vport_that_has_the_next_hop_on_every_hypervisor_of_the_domain() -> None:
    model = network()
    model.commit({ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21",))})
    for dvrs in ("hv1", "hv2", "hv3"):
        (one,) = about(model, dvrs, Table.ROUTE, "192.168.0.0/16")
        assert "02:00:0a:01:02:15" in one and "dec_ttl" in one
    assert keys(model) == ["10.1.2.21 arp 0"]
    assert not flows(model, "hv1", Table.SPREAD)


def test_a_next_hop_that_was_never_probed_counts_and_a_dead_one_does_not() -> None:
    model = network()
    model.commit({ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21", "10.1.1.12"))})
    assert len(flows(model, "hv1", Table.SPREAD)) == 2
    health(model, "app-21", "arp", False)
    (one,) = about(model, "hv1", Table.ROUTE, "192.168.0.0/16")
    assert "02:00:0a:01:01:0c" in one and not flows(model, "hv1", Table.SPREAD)
    health(model, "web-12", "arp", False)
    (one,) = about(model, "hv1", Table.ROUTE, "192.168.0.0/16")
    assert one.endswith("actions=drop")
    health(model, "app-21", "arp", True)
    (one,) = about(model, "hv1", Table.ROUTE, "192.168.0.0/16")
    assert "02:00:0a:01:02:15" in one


def test_a_next_hop_that_leaves_takes_its_route_along_and_brings_it_back() -> None:
    model = network()
    model.commit({ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21",))})
    body = model.running.get((*PROD, "vport", "app-21"))
    assert body is not None
    model.move({body.uuid: None})
    agree(model)
    (one,) = about(model, "hv1", Table.ROUTE, "192.168.0.0/16")
    assert one.endswith("actions=drop")
    assert keys(model) == ["10.1.2.21 arp 0"], "its health is not forgotten meanwhile"
    model.move({body.uuid: Location("hv2", 77)})
    agree(model)
    assert "02:00:0a:01:02:15" in about(model, "hv1", Table.ROUTE, "192.168.0.0/16")[0]


def test_a_black_hole_drops_and_the_longest_prefix_decides() -> None:
    model = network()
    inner = (*PROD, "static-route", "192.168.7.0/24")
    model.commit({
        ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21",)),
        inner: StaticRoute(uuid=model.uuid(), blackhole=True),
    })  # fmt: skip
    agree(model)
    (wide,), (narrow,) = (about(model, "hv1", Table.ROUTE, word) for word in ("192.168.0.0/16", "192.168.7.0/24"))
    assert narrow.endswith("actions=drop")
    assert _priority(narrow) > _priority(wide)


def _priority(text: str) -> int:
    return int(text.partition("priority=")[2].partition(",")[0].split()[0])


def test_a_next_hop_behind_a_bridge_vport_goes_by_way_of_translation() -> None:
    model = network()
    outside = Vport(uuid=model.uuid(), type="bridge", subnet="app1", uplink="up1")
    model.commit({(*PROD, "vport", "out"): outside, ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.9",))},
                 {outside.uuid: Location("hv2", 50)})  # fmt: skip
    assert about(model, "hv1", Table.ROUTE, "192.168.0.0/16")[0].endswith("actions=drop")
    model.move({}, Observed(learned={outside.uuid: {"02:99:00:00:00:01": ("10.1.2.9",)}}))
    agree(model)
    (one,) = about(model, "hv1", Table.ROUTE, "192.168.0.0/16")
    assert "02:99:00:00:00:01" in one and f"goto_table:{int(Table.TRANSLATE)}" in one
    assert "reg11" in one.partition("actions=")[2]
    assert keys(model) == ["10.1.2.9 arp 0"]


def test_a_next_hop_that_is_a_virtual_ip_follows_its_holder() -> None:
    model = network()
    virtual = VirtualIp(uuid=model.uuid(), vport=("web-11", "web-12"))
    model.commit(
        {(*PROD, "virtual-ip", "10.1.1.5"): virtual, ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.1.5",))}
    )
    for name, mac in (("web-11", "02:00:0a:01:01:0b"), ("web-12", "02:00:0a:01:01:0c")):
        body = model.running.get((*PROD, "vport", name))
        assert body is not None
        model.move({}, Observed(holders={virtual.uuid: body.uuid}))
        agree(model)
        assert mac in about(model, "hv3", Table.ROUTE, "192.168.0.0/16")[0]


def redirected(fail: str = "closed", **way: str) -> Model:
    model = network()
    web, app = Endpoint("zone", "web"), Endpoint("zone", "app")
    model.commit({
        FW: RedirectionTarget(uuid=model.uuid(), vport=("app-21",), fail=fail),
        CHAIN: ForwardingPolicy(uuid=model.uuid()),
        (*CHAIN, "redirect", "10"): Redirect(
            uuid=model.uuid(), from_=web, to=app, protocol="tcp", destination_port=("443",),
            target=way.get("target"), next_hop=way.get("next_hop"),
        ),
    })  # fmt: skip
    agree(model)
    return model


def test_a_redirect_leads_through_the_target_and_never_what_the_target_sends() -> None:
    model = redirected(target="fw")
    assert len(about(model, "hv1", Table.ROUTE, "priority=60000")) == 2, "one per family"
    assert all("02:00:0a:01:02:15" in one for one in flows(model, "hv1", Table.SPREAD))
    assert len(flows(model, "hv1", Table.SPREAD)) == 2
    for dvrs, count in (("hv1", 0), ("hv3", 1)):
        assert len(about(model, dvrs, Table.FORWARD, "priority=65001")) == count
    assert keys(model) == ["10.1.2.21 arp 0"]


def test_a_dead_target_drops_or_lets_pass() -> None:
    closed = redirected(target="fw")
    health(closed, "app-21", "arp", False)
    (one,) = flows(closed, "hv1", Table.SPREAD)
    assert one.endswith("actions=drop")
    opened = redirected(fail="open", target="fw")
    health(opened, "app-21", "arp", False)
    assert not about(opened, "hv1", Table.ROUTE, "priority=60000")
    health(opened, "app-21", "arp", None)
    assert len(about(opened, "hv1", Table.ROUTE, "priority=60000")) == 2


def test_a_redirect_by_next_hop_drops_while_nobody_has_it() -> None:
    model = redirected(next_hop="10.1.1.12")
    (one,) = about(model, "hv1", Table.ROUTE, "priority=60000")
    assert "02:00:0a:01:01:0c" in one
    assert len(about(model, "hv2", Table.FORWARD, "priority=65001")) == 1, "what it forwards is not redirected again"
    body = model.running.get((*PROD, "vport", "web-12"))
    assert body is not None
    model.move({body.uuid: None})
    agree(model)
    (one,) = about(model, "hv1", Table.ROUTE, "priority=60000")
    assert one.endswith("actions=drop")


def test_answers_to_probes_come_up_only_where_something_is_probed_and_from_hosts_of_the_subnet() -> None:
    model = network()
    assert not [one for dvrs in ("hv1", "hv2", "hv3") for one in about(model, dvrs, Table.RESPONDER, "0x6e031600")]
    model.commit({ROUTE: StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21",), health="none")})
    assert not about(model, "hv3", Table.RESPONDER, "0x6e031600")
    model.commit({(*PROD, "static-route", "10.9.0.0/16"): StaticRoute(uuid=model.uuid(), next_hop=("10.1.2.21",))})
    agree(model)
    assert len(about(model, "hv3", Table.RESPONDER, "0x6e031600")) == 3
    subnet = model.running.get(WEB)
    assert isinstance(subnet, Subnet)
    both = Subnet(uuid=subnet.uuid, prefix=subnet.prefix, ipv6_prefix="2001:db8:1::/64")
    model.commit({WEB: both})
    agree(model)
    assert len(about(model, "hv1", Table.RESPONDER, "0x6e031600")) == 6
    model.commit({(*PROD, "static-route", "10.9.0.0/16"): None})
    agree(model)
    assert not about(model, "hv1", Table.RESPONDER, "0x6e031600")
    assert APP != WEB


@pytest.mark.parametrize("seed", range(40))
def test_random_changes_of_routes_and_redirects_leave_what_a_compilation_from_nothing_makes(seed: int) -> None:
    model = Model(seed)
    dice = random.Random(seed)
    model.commit(base(model))
    for _ in range(80):
        observed = Observed()
        chance = dice.random()
        edits: dict[Path, Object | None]
        places: dict[str, Location | None]
        if chance < 0.3:
            edits, places = random_edit(model, dice)
        else:
            step = model_bridging.random_step if chance < 0.4 else model_chaining.random_step
            edits, places, observed = step(model, dice)
        if edits:
            model.commit(edits, places)
        if observed or (places and not edits):
            model.move({} if edits else places, observed)
        agree(model)

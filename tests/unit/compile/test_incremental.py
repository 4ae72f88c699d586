"""An incremental change must leave exactly what a compilation from nothing would make."""

from __future__ import annotations

import random

import msgspec
import pytest

from controller.compile import Location, Observed
from data.path import Path
from data.schema.objects import (
    Controller,
    Domain,
    Dvrs,
    EgressPolicy,
    Endpoint,
    Entry,
    IngressPolicy,
    NetworkMacro,
    Object,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from tests.unit.compile import model_bridging, model_chaining, model_punts, model_wan
from tests.unit.compile.fabric_model import ACME, APP, PROD, WEB, Model, base, entry, vport

SERVICES = (
    model_bridging.random_step,
    model_chaining.random_step,
    model_punts.random_step,
    model_wan.random_step,
)
"""Each makes one change of what its service is about: edits, where vports go with them, and what is observed then."""


def agree(model: Model) -> None:
    for dvrs in model.running.children((), "dvrs"):
        held, fresh = model.held.get(dvrs, {}), model.fresh(dvrs)
        assert held.keys() == fresh.keys()
        assert held == fresh


def resolved(model: Model, path: Path, dvrs: str, port: int) -> None:
    body = model.running.get(path)
    assert body is not None
    model.move({body.uuid: Location(dvrs, port)})


def test_a_hypervisor_without_a_vport_of_a_domain_holds_the_skeleton_alone() -> None:
    model = Model()
    model.commit(base(model))
    skeleton = len(model.held["hv3"])
    model.commit({(*PROD, "vport", "web-1"): vport(model, 11)})
    resolved(model, (*PROD, "vport", "web-1"), "hv1", 5)
    assert len(model.held["hv1"]) > skeleton + 10
    assert len(model.held["hv3"]) == skeleton
    resolved(model, (*PROD, "vport", "web-1"), "hv2", 7)
    assert len(model.held["hv1"]) == skeleton
    agree(model)


def test_a_new_vport_in_a_known_set_changes_no_rule() -> None:
    model = Model()
    edits = base(model)
    edits[(*PROD, "policy-group", "web")] = PolicyGroup(uuid=model.uuid())
    edits[(*PROD, "ingress-policy", "base")] = IngressPolicy(uuid=model.uuid())
    for number in range(10, 60, 10):
        edits[(*PROD, "ingress-policy", "base", "entry", str(number))] = entry(
            model, "policy-group web", "zone app", protocol="tcp", destination_port=(str(8000 + number),), stateful=True
        )
    model.commit(edits)
    places: dict[str, Location | None] = {}
    vports: dict[Path, Object | None] = {}
    for nth in range(2, 12):
        body = vport(model, nth, groups=("web",))
        vports[(*PROD, "vport", f"web-{nth}")] = body
        places[body.uuid] = Location(f"hv{1 + nth % 3}", nth)
    model.commit(vports, places)
    agree(model)
    body = vport(model, 50, groups=("web",))
    model.commit({(*PROD, "vport", "web-50"): body}, {body.uuid: Location("hv1", 50)})
    agree(model)
    assert len(model.touched["hv2"]) == len(model.touched["hv3"])
    assert len(model.touched["hv2"]) <= 5  # two identities, route, switch, ARP


def random_edit(model: Model, dice: random.Random) -> tuple[dict[Path, Object | None], dict[str, Location | None]]:
    """One edit that leaves the configuration valid, and where vports go with it."""
    view = model.running
    groups, vports = view.children(PROD, "policy-group"), view.children(PROD, "vport")
    macros = view.children(ACME, "network-macro")
    named = {
        name
        for path, body in view.walk()
        for name in (getattr(body, "from_", None), getattr(body, "to", None))
        if isinstance(name, Endpoint)
    }
    kind = dice.randrange(9)
    if kind <= 1:
        subnet = dice.choice(("web1", "app1"))
        nth = dice.randrange(2, 250)
        path = (*PROD, "vport", f"{subnet}-{nth}")
        body = vport(model, nth, subnet, tuple(sorted(dice.sample(groups, min(len(groups), dice.randrange(3))))))
        place = {body.uuid: Location(f"hv{dice.randrange(1, 4)}", model.port())} if dice.random() < 0.8 else {}
        held = view.get(path)
        if held is not None:
            return {}, {}
        return {path: body}, place
    if kind == 2 and vports:
        path = (*PROD, "vport", dice.choice(vports))
        if any(end.kind == "vport" and end.name == path[-1] for end in named):
            return {}, {}
        gone = view.get(path)
        assert gone is not None
        return {path: None}, {gone.uuid: None}
    if kind == 3 and vports:
        path = (*PROD, "vport", dice.choice(vports))
        before = view.get(path)
        assert isinstance(before, Vport)
        return {
            path: Vport(
                uuid=before.uuid,
                subnet=before.subnet,
                mac=before.mac,
                address=before.address,
                policy_group=tuple(sorted(dice.sample(groups, min(len(groups), dice.randrange(3))))),
            )
        }, {}
    if kind in (4, 5):
        side = dice.choice(("ingress", "egress"))
        ends = ["any", "zone web", "zone app", "subnet web1", "subnet app1"]
        ends += [f"policy-group {name}" for name in groups] + [f"vport {name}" for name in vports[:3]]
        ends += [f"network-macro {name}" for name in macros]
        policy = (*PROD, f"{side}-policy", dice.choice(("first", "second")))
        edits: dict[Path, Object | None] = {}
        if view.get(policy) is None:
            kinds = {"ingress": IngressPolicy, "egress": EgressPolicy}
            edits[policy] = kinds[side](uuid=model.uuid(), priority=dice.randrange(3))
        leaves: dict[str, object] = {"action": dice.choice(("allow", "deny")), "log": dice.random() < 0.2}
        if leaves["action"] == "allow":
            leaves["stateful"] = dice.random() < 0.4
        if dice.random() < 0.7:
            leaves["protocol"] = dice.choice(("tcp", "udp", "icmp", "47"))
            if leaves["protocol"] in ("tcp", "udp"):
                leaves["destination_port"] = dice.choice(((), ("80",), ("8000-8010", "443"), ("0-65535",)))
                leaves["source_port"] = dice.choice(((), (), ("1024-65535",)))
            if leaves["protocol"] == "icmp":
                leaves["icmp_type"] = dice.choice((None, 8, 3))
        if dice.random() < 0.2:
            leaves["dscp"] = 46
        edits[(*policy, "entry", str(dice.randrange(1, 40)))] = entry(
            model, dice.choice(ends), dice.choice(ends), **leaves
        )
        return edits, {}
    if kind == 6:
        entries = [path for path, _ in view.walk(PROD) if path[-2] == "entry"]
        return ({dice.choice(entries): None} if entries else {}), {}
    if kind == 7:
        if dice.random() < 0.5:
            name = f"g{dice.randrange(4)}"
            path = (*PROD, "policy-group", name)
            return ({} if view.get(path) else {path: PolicyGroup(uuid=model.uuid())}), {}
        path = (*ACME, "network-macro", f"m{dice.randrange(3)}")
        before = view.get(path)
        prefix = dice.choice(("10.0.0.0/8", "10.1.1.128/25", "0.0.0.0/0", "10.1.2.9/32", "192.0.2.0/24"))
        return {path: NetworkMacro(uuid=before.uuid if before else model.uuid(), prefix=prefix)}, {}
    return {}, {
        body.uuid: dice.choice((None, Location(f"hv{dice.randrange(1, 4)}", model.port())))
        for name in dice.sample(vports, min(len(vports), 3))
        if (body := view.get((*PROD, "vport", name))) is not None
    }


@pytest.mark.parametrize("seed", range(25))
def test_random_changes_leave_what_a_compilation_from_nothing_makes(seed: int) -> None:
    model = Model(seed)
    dice = random.Random(seed)
    model.commit(base(model))
    for _ in range(60):
        edits, places = random_edit(model, dice)
        observed = Observed()
        if dice.random() < 0.4:
            edits, places, observed = dice.choice(SERVICES)(model, dice)
        if edits:
            model.commit(edits, places)
        if observed or (places and not edits):
            model.move({} if edits else places, observed)
        agree(model)


def test_moving_a_tunnel_address_rewrites_what_leads_there() -> None:
    model = Model()
    model.commit(base(model))
    for nth, dvrs in ((11, "hv1"), (12, "hv2"), (13, "hv3")):
        body = vport(model, nth)
        model.commit({(*PROD, "vport", f"web-{nth}"): body}, {body.uuid: Location(dvrs, nth)})
    before = model.running.get(("dvrs", "hv2"))
    assert before is not None
    model.commit({("dvrs", "hv2"): type(before)(uuid=before.uuid, tunnel_address="172.31.0.99")})
    agree(model)
    assert model.touched.keys() == {"hv1", "hv2", "hv3"}
    assert len(model.touched["hv2"]) == 1, "the MAC address of its router follows from its tunnel address"
    model.commit({("dvrs", "hv2"): None})
    assert not model.held["hv2"]
    agree(model)


def test_deleting_a_domain_leaves_nothing_of_it() -> None:
    model = Model()
    model.commit(base(model))
    skeleton = dict(model.held["hv1"])
    body = vport(model, 11)
    model.commit({(*PROD, "vport", "web-11"): body}, {body.uuid: Location("hv1", 11)})
    model.commit({path: None for path, _ in model.running.walk(PROD)}, {body.uuid: None})
    assert model.held["hv1"] == skeleton
    agree(model)


def test_another_mac_for_the_gateways_reaches_every_flow_that_names_it() -> None:
    model = Model()
    model.commit(base(model))
    for nth, dvrs in ((11, "hv1"), (12, "hv2")):
        body = vport(model, nth)
        model.commit({(*PROD, "vport", f"web-{nth}"): body}, {body.uuid: Location(dvrs, nth)})
    model.commit({("controller",): Controller(uuid=model.uuid(), anycast_gateway_mac="02:00:00:00:00:fe")})
    agree(model)
    assert model.touched.keys() == {"hv1", "hv2", "hv3"}
    assert not [flow for flow in model.held["hv1"].values() if bytes.fromhex("00005e000101") in flow]


def test_a_changed_gateway_is_answered_at_the_new_address() -> None:
    model = Model()
    model.commit(base(model))
    body = vport(model, 11)
    model.commit({(*PROD, "vport", "web-11"): body}, {body.uuid: Location("hv1", 11)})
    before = model.running.get(WEB)
    assert isinstance(before, Subnet)
    model.commit({WEB: Subnet(uuid=before.uuid, prefix=before.prefix, gateway="10.1.1.254")})
    agree(model)
    assert len(model.touched["hv1"]) == 4  # ARP and ping, each one away and one there
    assert APP != WEB


@pytest.mark.parametrize("kind", [Object, Domain, Zone, Subnet, PolicyGroup, Vport, IngressPolicy, Entry, Dvrs])
def test_another_object_of_the_same_name_leaves_nothing_of_the_one_before(kind: type[Object]) -> None:
    model = Model()
    edits = base(model)
    edits[(*PROD, "policy-group", "web")] = PolicyGroup(uuid=model.uuid())
    edits[(*PROD, "ingress-policy", "base")] = IngressPolicy(uuid=model.uuid())
    rules = (*PROD, "ingress-policy", "base", "entry")
    edits[(*rules, "10")] = entry(model, "policy-group web", "zone app", protocol="tcp", stateful=True)
    edits[(*rules, "20")] = entry(model, "subnet web1", "vport web-2", action="deny")
    places: dict[str, Location | None] = {}
    for nth in (2, 3, 4):
        edits[(*PROD, "vport", f"web-{nth}")] = body = vport(model, nth, groups=("web",) if nth != 3 else ())
        places[body.uuid] = Location(f"hv{nth - 1}", nth)
    model.commit(edits, places)
    agree(model)
    others: dict[Path, Object | None] = {}  # as a rollback over a deletion brings them
    places = {}
    for path, item in model.running.walk():
        if isinstance(item, kind) and (kind is Dvrs or path[0] != "dvrs"):
            others[path] = other = msgspec.structs.replace(item, uuid=model.uuid())
            places[other.uuid] = model.state.placement.location(item.uuid)
    model.commit(others, places)
    agree(model)
    body = vport(model, 77)
    added = {(*PROD, "vport", "web-77"): body, (*rules, "30"): entry(model, "vport web-77", action="deny")}
    model.commit(added, {body.uuid: Location("hv1", 77)})
    agree(model)
    numbers = model.state.policy(PROD).numbers
    assert len(set(numbers.values())) == len(numbers), "two sets have one identity"


def test_a_domain_that_returns_takes_the_places_of_the_entries_that_went_with_it() -> None:
    model = Model()
    model.commit(base(model))
    policy = (*PROD, "ingress-policy", "base")
    model.commit({policy: IngressPolicy(uuid=model.uuid()), (*policy, "entry", "10"): entry(model, action="deny")})
    former = dict(model.running.walk(PROD))
    model.commit({(*policy, "entry", "10"): None})
    model.commit({(*policy, "entry", "20"): entry(model, action="deny")})
    model.commit({path: None for path, _ in model.running.walk(PROD)})
    model.commit(former)
    agree(model)

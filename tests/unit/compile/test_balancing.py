"""Load balancers as flows: who gets which part, what is held for whom, and that every change finds its flows."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from controller.compile import Location, Observed
from controller.compile.catalogue import SERVICES
from controller.compile.services.probed import probes_in
from controller.compile.services.serving import dealt, servings
from controller.openflow.text import describe
from controller.pipeline import SPREAD_SLOTS, Table
from data.path import Path
from data.schema.objects import Domain, Object, Subnet, Vport
from data.schema.services import Backend, LoadBalancer
from tests.unit.compile import model_balancing
from tests.unit.compile.fabric_model import PROD, WEB, Model, base, vport
from tests.unit.compile.test_incremental import agree
from tests.unit.compile.test_translation import INFRA, OUT, TENANTS, built, tenant, workload

LB = (*PROD, "load-balancer", "web")
PORT = 80


def network(health: str = "none", **more: object) -> Model:
    """app-2 on hv1, web-2 on hv2 and web-3 on hv3; 10.1.1.100:80 is served by web-2 and web-3."""
    model = Model()
    edits = base(model)
    places: dict[str, Location | None] = {}
    for nth, (name, subnet) in enumerate((("app-2", "app1"), ("web-2", "web1"), ("web-3", "web1")), 1):
        edits[(*PROD, "vport", name)] = body = vport(model, int(name[-1]), subnet)
        places[body.uuid] = Location(f"hv{nth}", 10 + nth)
    leaves: dict[str, object] = {"address": "10.1.1.100", "port": PORT, "health": health, **more}
    edits[LB] = LoadBalancer(uuid=model.uuid(), **leaves)  # type: ignore[arg-type]
    for name in ("web-2", "web-3"):
        edits[(*LB, "backend", name)] = Backend(uuid=model.uuid())
    model.commit(edits, places)
    agree(model)
    return model


def flows(model: Model, dvrs: str, table: Table, word: str = "") -> list[str]:
    """The flows of a table that have this word, as text."""
    found = [describe(one) for one in model.held[dvrs].values()]
    return sorted(one for one in found if one.startswith(f"table={int(table)},") and word in one)


def health(model: Model, name: str, alive: bool | None, kind: str = "tcp", port: int = PORT) -> None:
    body = model.running.get((*PROD, "vport", name))
    assert isinstance(body, Vport)
    model.move({}, Observed(health={f"{body.uuid} {body.address[0]} {kind} {port}": alive}))
    agree(model)


def shares(model: Model, path: Path = LB) -> dict[str, int]:
    """The slots of each backend."""
    return dict(Counter(one.path[-1] for one in dealt(model.state, servings(model.state, path)) if one))


def replace(model: Model, path: Path, **leaves: object) -> None:
    body = model.running.get(path)
    assert body is not None
    model.commit({path: msgspec.structs.replace(body, **leaves)})  # type: ignore[arg-type]
    agree(model)


def test_a_connection_is_looked_up_spread_and_translated_where_its_client_is() -> None:
    model = network()
    (found,) = flows(model, "hv1", Table.SERVICE, "nw_dst=10.1.1.100,tp_dst=80")
    assert "move:NXM_NX_REG1[]->NXM_NX_REG12[]" in found and "ct(table=15,zone=NXM_NX_REG12[0..15],nat)" in found
    (new,) = flows(model, "hv1", Table.BALANCE, "10.1.1.100")
    assert "ct_state=+new+trk" in new and "multipath(symmetric_l3l4+udp" in new
    for dvrs in ("hv1", "hv2", "hv3"):
        for own in ("10.1.1.2", "10.1.1.3"):
            assert flows(model, dvrs, Table.BALANCED, f"nat(dst={own}:80)")
            (back,) = flows(model, dvrs, Table.RETURN, f"nw_src={own},tp_src=80")
            assert "ct(table=23,zone=NXM_NX_REG12[0..15],nat)" in back


def test_weights_are_shares_of_slots_and_weight_0_gets_no_new_connections() -> None:
    model = network()
    assert shares(model) == {"web-2": SPREAD_SLOTS // 2, "web-3": SPREAD_SLOTS // 2}
    replace(model, (*LB, "backend", "web-2"), weight=3)
    assert shares(model) == {"web-2": 48, "web-3": 16}
    replace(model, (*LB, "backend", "web-2"), weight=0)
    assert shares(model) == {"web-3": 64}
    assert flows(model, "hv1", Table.RETURN, "10.1.1.2"), "what it has goes on"


def test_a_backend_gets_connections_from_its_first_answered_probe_on() -> None:
    model = network("tcp")
    assert shares(model) == {}
    assert not flows(model, "hv1", Table.BALANCED, "nat(")
    health(model, "web-2", True)
    assert shares(model) == {"web-2": 64}
    health(model, "web-3", True)
    assert shares(model) == {"web-2": 32, "web-3": 32}


def test_a_death_moves_the_parts_of_the_dead_alone() -> None:
    model = network("tcp")
    for name in ("web-2", "web-3"):
        health(model, name, True)
    body = vport(model, 4)
    new: dict[Path, Object | None] = {
        (*PROD, "vport", "web-4"): body,
        (*LB, "backend", "web-4"): Backend(uuid=model.uuid()),
    }
    model.commit(new, {body.uuid: Location("hv1", 33)})
    health(model, "web-4", True)
    before = [one and one.path[-1] for one in dealt(model.state, servings(model.state, LB))]
    health(model, "web-3", False)
    after = [one and one.path[-1] for one in dealt(model.state, servings(model.state, LB))]
    assert all(now == was for was, now in zip(before, after, strict=True) if was != "web-3")
    assert set(after) == {"web-2", "web-4"}


def test_an_unresolved_backend_gets_nothing_whatever_was_known_of_it() -> None:
    model = network("tcp")
    health(model, "web-2", True)
    health(model, "web-3", True)
    body = model.running.get((*PROD, "vport", "web-3"))
    assert body is not None
    model.move({body.uuid: None})
    agree(model)
    assert shares(model) == {"web-2": 64}


def test_a_backend_is_not_its_own_server_and_alone_it_is_served_by_nobody() -> None:
    model = network()
    own = flows(model, "hv2", Table.BALANCED, "nw_src=10.1.1.2")
    assert own and all("nat(dst=10.1.1.3:80)" in one for one in own)
    replace(model, (*LB, "backend", "web-3"), weight=0)
    (none,) = flows(model, "hv2", Table.BALANCED, "nw_src=10.1.1.2")
    assert none.endswith("actions=drop")


def test_source_affinity_hashes_the_source_alone() -> None:
    model = network(affinity="source")
    (new,) = flows(model, "hv1", Table.BALANCE, "10.1.1.100")
    assert "multipath(nw_src" in new


def test_two_balancers_share_an_address_and_one_of_them_answers_for_it() -> None:
    model = network()
    other = (*PROD, "load-balancer", "zzz")
    model.commit({other: LoadBalancer(uuid=model.uuid(), address="10.1.1.100", port=443, health="none"),
                  (*other, "backend", "web-2"): Backend(uuid=model.uuid())})  # fmt: skip
    agree(model)
    assert len(flows(model, "hv2", Table.RESPONDER, "arp_tpa=10.1.1.100")) == 1
    assert len(flows(model, "hv2", Table.SERVICE, "nw_dst=10.1.1.100")) == 3  # two ports, and ICMP errors
    model.commit({path: None for path, _ in model.running.walk(LB)})
    agree(model)
    assert len(flows(model, "hv2", Table.RESPONDER, "arp_tpa=10.1.1.100")) == 1
    assert len(flows(model, "hv2", Table.SERVICE, "nw_dst=10.1.1.100")) == 2


def test_backends_are_probed_at_their_own_port_or_the_one_that_is_named() -> None:
    model = network("tcp")

    def keys() -> set[str]:
        return {" ".join(one.key(model.state).split()[1:]) for one in probes_in(SERVICES, model.state, PROD)}

    assert keys() == {"10.1.1.2 tcp 80", "10.1.1.3 tcp 80"}
    replace(model, (*LB, "backend", "web-2"), port=8080)
    assert keys() == {"10.1.1.2 tcp 8080", "10.1.1.3 tcp 80"}
    replace(model, LB, health_port=9000)
    assert keys() == {"10.1.1.2 tcp 9000", "10.1.1.3 tcp 9000"}
    replace(model, LB, health="icmp", health_port=None)
    assert keys() == {"10.1.1.2 icmp 0", "10.1.1.3 icmp 0"}
    replace(model, LB, health="none")
    assert keys() == set()


def test_an_ipv6_address_is_served_over_ipv6() -> None:
    model = network()
    subnet, body, balancer = (model.running.get(path) for path in (WEB, (*PROD, "vport", "web-2"), LB))
    assert isinstance(subnet, Subnet) and isinstance(body, Vport) and isinstance(balancer, LoadBalancer)
    model.commit({
        WEB: msgspec.structs.replace(subnet, ipv6_prefix="fd00:1::/64"),
        (*PROD, "vport", "web-2"): msgspec.structs.replace(body, address=(*body.address, "fd00:1::2")),
        LB: msgspec.structs.replace(balancer, address="fd00:1::100"),
    })  # fmt: skip
    agree(model)
    assert shares(model) == {"web-2": 64}, "web-3 has no IPv6 address"
    (one,) = flows(model, "hv1", Table.BALANCED, "nat(")
    assert "nat(dst=[fd00:1::2]:80)" in one


def test_users_of_a_shared_domain_are_clients_and_nobody_else_hears_of_it() -> None:
    model = Model()
    built(model)
    before = {dvrs: len(model.held[dvrs]) for dvrs in ("hv1", "hv2", "hv3")}
    lb = (*INFRA, "load-balancer", "dns")
    body = LoadBalancer(uuid=model.uuid(), address="172.16.0.80", protocol="udp", port=53, health="none")
    model.commit({lb: body, (*lb, "backend", "dns"): Backend(uuid=model.uuid())})
    agree(model)
    assert len(flows(model, "hv1", Table.SERVICE, "172.16.0.80")) == 2
    realm = model.state.number(INFRA)
    for nth, name in enumerate(TENANTS, 1):
        mine = f"metadata=0x{model.state.number(tenant(name)):x}"
        (there,) = flows(model, f"hv{nth}", Table.RETURN, "nw_dst=10.1.1.2")
        assert mine in there and f"reg11=0x{realm:x}" in there and "ct(" in there
        (again,) = flows(model, f"hv{nth}", Table.RETURNED, "nw_dst=100.64.0.")
        assert mine in again and "10.1.1.2->ip_dst" in again
    model.commit({path: None for path, _ in model.running.walk(lb)})
    agree(model)
    assert before == {dvrs: len(model.held[dvrs]) for dvrs in ("hv1", "hv2", "hv3")}


def test_another_member_of_the_domain_costs_the_balancer_nothing() -> None:
    model = network()
    body = vport(model, 77)
    model.commit({(*PROD, "vport", "web-77"): body}, {body.uuid: Location("hv1", 77)})
    for messages in model.touched.values():
        tables = {one[24] for one in messages}
        assert not tables & {Table.SERVICE, Table.BALANCE, Table.BALANCED, Table.RETURN, Table.RETURNED}


@pytest.mark.parametrize("seed", range(6))
def test_every_change_of_balancers_users_and_places_leaves_what_a_compilation_from_nothing_says(seed: int) -> None:
    model = Model(seed)
    built(model)
    dice = model.random
    for _ in range(80):
        edits: dict[Path, Object | None] = {}
        places: dict[str, Location | None] = {}
        what, domain = dice.randrange(10), dice.choice((INFRA, INFRA, *map(tenant, TENANTS)))
        body = model.running.get(domain)
        if what <= 2:
            edits = model_balancing.change(model, dice, domain)
        elif what == 3:
            model.move({}, model_balancing.observed(model, dice, domain))
        elif what == 4:
            nth = dice.randrange(2, 6)
            path = (*domain, "vport", f"web-{nth}")
            own = model.running.get(path)
            if own is None:
                where = ("out", "172.16.0") if domain == INFRA else ("web1", "10.1.1")
                edits[path] = own = workload(model, nth, *where)
            places[own.uuid] = dice.choice((None, *(Location(f"hv{n}", model.port()) for n in (1, 2, 3))))
        elif what == 5:
            path = (*domain, "vport", f"web-{dice.randrange(2, 6)}")
            if (own := model.running.get(path)) is not None and not model.running.referrers(path):
                edits[path], places[own.uuid] = None, None
        elif what == 6 and domain != INFRA and isinstance(body, Domain):
            edits[domain] = msgspec.structs.replace(body, use=() if body.use else ("infra/services",))
        elif what == 7:
            held = dict(model.running.walk(domain))
            path = dice.choice(sorted(held))  # as a rollback over a deletion brings it: another object
            edits[path] = other = msgspec.structs.replace(held[path], uuid=model.uuid())
            places[other.uuid] = model.state.placement.location(held[path].uuid)
        elif what == 8:
            shared = model.running.get(INFRA)
            assert isinstance(shared, Domain)
            prefixes = (
                ("100.64.1.0/24", "fd00:64::/64") if shared.access_prefix[0] == "100.64.0.0/24" else ("100.64.0.0/24",)
            )
            edits[INFRA] = msgspec.structs.replace(shared, access_prefix=prefixes)
        elif what == 9:
            out = model.running.get(OUT)
            assert isinstance(out, Subnet)
            narrow = out.prefix == "172.16.0.0/24"  # the virtual addresses lie beyond the half
            edits[OUT] = msgspec.structs.replace(out, prefix="172.16.0.0/26" if narrow else "172.16.0.0/24")
        model.commit(edits, places)
        agree(model)

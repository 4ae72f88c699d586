"""Floating IPs, source NAT and shared domains: their cost, who holds them, and that every change finds its flows."""

from __future__ import annotations

import msgspec
import pytest

from controller.compile import Location
from controller.openflow.packed import table_of
from controller.pipeline import Table
from data.errors import CommandFailed
from data.path import Path
from data.schema.endpoint import Endpoint
from data.schema.objects import Domain, Enterprise, Object, Subnet, Vport, Zone
from data.schema.services import FloatingIp, SourceNat, StaticRoute
from tests.unit.compile.fabric_model import Model, base
from tests.unit.compile.test_incremental import agree

INFRA = ("enterprise", "infra", "domain", "services")
OUT = (*INFRA, "zone", "out", "subnet", "out")
TENANTS = ("acme", "bolt")


def tenant(name: str) -> Path:
    return ("enterprise", name, "domain", "prod")


def network(model: Model) -> dict[Path, Object | None]:
    """Two tenants with the same prefix, and a domain that both use."""
    edits = {path: body for path, body in base(model).items() if path[0] == "dvrs"}
    for name in TENANTS:
        edits[("enterprise", name)] = Enterprise(uuid=model.uuid())
        edits[tenant(name)] = Domain(uuid=model.uuid(), use=("infra/services",))
        edits[(*tenant(name), "zone", "web")] = Zone(uuid=model.uuid())
        edits[(*tenant(name), "zone", "web", "subnet", "web1")] = Subnet(uuid=model.uuid(), prefix="10.1.1.0/24")
    edits[INFRA[:2]] = Enterprise(uuid=model.uuid())
    edits[INFRA] = Domain(uuid=model.uuid(), shared=True, access_prefix=("100.64.0.0/29", "fd00:64::/64"))
    edits[OUT[:-2]] = Zone(uuid=model.uuid())
    edits[OUT] = Subnet(uuid=model.uuid(), prefix="172.16.0.0/24", ipv6_prefix="fd00:16::/64")
    return edits


def workload(model: Model, nth: int, subnet: str = "web1", third: str = "10.1.1", **more: object) -> Vport:
    return Vport(
        uuid=model.uuid(),
        subnet=subnet,
        mac=f"02:00:00:00:{len(third):02x}:{nth:02x}",
        address=(f"{third}.{nth}",),
        **more,
    )  # type: ignore[arg-type]


def of_table(model: Model, dvrs: str, table: Table) -> int:
    return sum(1 for flow in model.fresh(dvrs).values() if table_of(flow) == table)


def built(model: Model) -> None:
    """One vport of each tenant on hv1 and hv2, the service on hv3."""
    edits = network(model)
    places: dict[str, Location | None] = {}
    for nth, name in enumerate(TENANTS, 1):
        edits[(*tenant(name), "vport", "web-2")] = body = workload(model, 2)
        places[body.uuid] = Location(f"hv{nth}", 10 + nth)
    edits[(*INFRA, "vport", "dns")] = body = workload(model, 9, "out", "172.16.0")
    places[body.uuid] = Location("hv3", 20)
    model.commit(edits, places)
    agree(model)


def test_the_service_knows_each_user_by_one_flow_and_a_user_knows_no_other() -> None:
    model = Model()
    built(model)
    assert of_table(model, "hv1", Table.TRANSLATE) == of_table(model, "hv2", Table.TRANSLATE)
    before = {dvrs: len(model.fresh(dvrs)) for dvrs in ("hv1", "hv2", "hv3")}
    body = workload(model, 3)
    model.commit({(*tenant("acme"), "vport", "web-3"): body}, {body.uuid: Location("hv1", 30)})
    agree(model)
    after = {dvrs: len(model.fresh(dvrs)) for dvrs in ("hv1", "hv2", "hv3")}
    assert after["hv2"] == before["hv2"], "the other user's hypervisor hears nothing of it"
    assert after["hv3"] == before["hv3"] + 1, "the service's hypervisor learns its access address"


def test_an_access_address_stays_over_a_move_and_is_given_out_again_when_its_vport_is_gone() -> None:
    model = Model()
    built(model)
    path = (*tenant("acme"), "vport", "web-2")
    vport = model.running.get(path)
    assert isinstance(vport, Vport)
    held = {key: number for (pool, key), number in model.numbers.items() if pool.startswith("access/")}
    model.move({vport.uuid: Location("hv3", 44)})
    agree(model)
    assert held == {key: number for (pool, key), number in model.numbers.items() if pool.startswith("access/")}
    for nth in range(3, 8):  # 100.64.0.0/29 has six
        body = workload(model, nth)
        edits: dict[Path, Object | None] = {(*tenant("acme"), "vport", f"web-{nth}"): body}
        if nth == 7:
            with pytest.raises(CommandFailed, match="no address left"):
                model.commit(edits)
            edits[path] = None
        model.commit(edits, {body.uuid: Location("hv1", 50 + nth), **({vport.uuid: None} if nth == 7 else {})})
        agree(model)


def test_every_change_of_users_services_and_places_leaves_what_a_compilation_from_nothing_says() -> None:
    model = Model(7)
    built(model)
    service = model.running.get((*INFRA, "vport", "dns"))
    assert isinstance(service, Vport)
    model.commit({(*INFRA, "vport", "dns"): msgspec.structs.replace(service, address=("172.16.0.9", "172.16.0.19"))})
    dice = model.random
    router = (*INFRA, "vport", "uplink")
    for _ in range(150):
        edits: dict[Path, Object | None] = {}
        places: dict[str, Location | None] = {}
        name = dice.choice(TENANTS)
        what = dice.randrange(9)
        domain = model.running.get(tenant(name))
        path: Path
        if what == 0:
            assert isinstance(domain, Domain)
            edits[tenant(name)] = msgspec.structs.replace(domain, use=() if domain.use else ("infra/services",))
        elif what == 1:
            path = (*tenant(name), "vport", f"web-{dice.randrange(2, 5)}")
            vport = model.running.get(path)
            if vport is None:
                edits[path] = vport = workload(model, int(path[-1][4:]))
            places[vport.uuid] = dice.choice((None, *(Location(f"hv{n}", model.port()) for n in (1, 2, 3))))
        elif what == 2:
            path = (*tenant(name), "vport", f"web-{dice.randrange(2, 5)}")
            if (vport := model.running.get(path)) is not None and not model.running.referrers(path):
                edits[path], places[vport.uuid] = None, None
        elif what == 3:
            vport = model.running.get((*INFRA, "vport", "dns"))
            assert vport is not None
            places[vport.uuid] = dice.choice((None, *(Location(f"hv{n}", model.port()) for n in (1, 2, 3))))
        elif what == 4:
            bridge = model.running.get(router)
            if bridge is None:
                edits[router] = bridge = Vport(uuid=model.uuid(), type="bridge", subnet="out", uplink="wan", vlan=100)
            places[bridge.uuid] = dice.choice((None, *(Location(f"hv{n}", model.port()) for n in (1, 2, 3))))
        elif what == 5:
            path = (*INFRA, "source-nat", dice.choice(("all", "some")))
            known = model.running.get(path)
            end = Endpoint("subnet", "out") if path[-1] == "some" else Endpoint()
            edits[path] = None if known else SourceNat(uuid=model.uuid(), address="172.16.0.200", from_=end)
        elif what == 6:
            outside, inside = dice.choice((("172.16.0.100", "172.16.0.9"), ("192.0.2.7", "172.16.0.19")))
            path = (*INFRA, "floating-ip", outside)
            floating = FloatingIp(uuid=model.uuid(), vport="dns", address=inside)
            edits[path] = None if model.running.get(path) else floating
        elif what == 7:
            path = (*INFRA, "static-route", "0.0.0.0/0")
            edits[path] = None if model.running.get(path) else StaticRoute(uuid=model.uuid(), blackhole=True)
        else:
            shared = model.running.get(INFRA)
            assert isinstance(shared, Domain)
            other = ("100.64.1.0/24",) if shared.access_prefix != ("100.64.1.0/24",) else ("100.64.0.0/29",)
            edits[INFRA] = msgspec.structs.replace(shared, access_prefix=other)
        model.commit(edits, places)
        agree(model)

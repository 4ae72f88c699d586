"""Which packets of workloads go to the controller: those it answers, of those who may ask, and no others."""

from __future__ import annotations

import random

import msgspec
import pytest

from controller.compile import Location
from controller.openflow.text import describe
from controller.pipeline import Feature, split_cookie
from data.path import Path
from data.schema.objects import Subnet, Vport
from tests.unit.compile.fabric_model import PROD, WEB, Model, base, vport
from tests.unit.compile.model_punts import random_step
from tests.unit.compile.test_incremental import agree

MAC, FOUR, SIX = "02:00:0a:01:01:0b", "10.1.1.11", "2001:db8:1::11"
PUNTED = {Feature.DHCP, Feature.SOLICITED, Feature.DNS, Feature.SPOOFED_DHCP}


def model_of(**leaves: object) -> Model:
    """One vport on hv1 in the subnet web1, which serves nothing yet."""
    model = Model()
    model.commit(base(model))
    given: dict[str, object] = {"mac": MAC, "address": (FOUR, SIX), "subnet": "web1", **leaves}
    body = Vport(uuid=model.uuid(), **given)  # type: ignore[arg-type]
    model.commit({(*PROD, "vport", "web-1"): body}, {body.uuid: Location("hv1", 11)})
    return model


def serve(model: Model, **leaves: object) -> None:
    before = model.running.get(WEB)
    assert isinstance(before, Subnet)
    model.commit({WEB: msgspec.structs.replace(before, **leaves)})
    agree(model)


def punts(model: Model, dvrs: str = "hv1") -> list[str]:
    """The flows that this is about, as text: feature and flow."""
    found = []
    for message in model.held[dvrs].values():
        parts = split_cookie(int.from_bytes(message[8:16], "big"))
        if parts is not None and parts[1] in PUNTED:
            found.append(f"{parts[1].name} {describe(message)}")
    return sorted(found)


def features(model: Model, dvrs: str = "hv1") -> list[str]:
    return [line.split()[0] for line in punts(model, dvrs)]


def test_a_subnet_that_serves_nothing_costs_nothing() -> None:
    model = model_of()
    assert punts(model) == []
    before = dict(model.held["hv1"])
    serve(model, dhcp=True)
    serve(model, dhcp=False)
    assert model.held["hv1"] == before


def test_each_protocol_is_punted_where_it_is_served_on_the_hypervisor_of_the_vport_alone() -> None:
    model = model_of()
    serve(model, dhcp=True)
    assert features(model) == ["DHCP", "SPOOFED_DHCP"]
    asks = punts(model)[0]
    assert f"dl_src={MAC}" in asks and "tp_src=68" in asks and "tp_dst=67" in asks and "CONTROLLER" in asks.upper()
    serve(model, ipv6_prefix="2001:db8:1::/64")
    assert features(model) == ["DHCP", "SOLICITED", "SPOOFED_DHCP"]
    serve(model, ipv6_addressing="dhcpv6")
    assert features(model) == ["DHCP", "DHCP", "SOLICITED", "SPOOFED_DHCP", "SPOOFED_DHCP"]
    serve(model, dns_proxy=True, dhcp=False, ipv6_addressing="none")
    assert features(model) == ["DNS", "DNS"], "at the gateway of each family"
    assert not model.held["hv2"] or features(model, "hv2") == []


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ({"address": (FOUR,)}, ["DHCP", "SPOOFED_DHCP"]),
        ({"address": (SIX,)}, ["DHCP", "SOLICITED", "SPOOFED_DHCP", "SPOOFED_DHCP"]),
        ({"anti_spoofing": "mac", "address": (FOUR,)}, ["DHCP", "DHCP", "SOLICITED"]),
        ({"mac": None, "type": "bridge", "address": (), "uplink": "up1"}, []),
    ],
)
def test_only_those_may_ask_who_can_use_the_answer_and_only_the_trusted_may_serve(
    leaves: dict[str, object], expected: list[str]
) -> None:
    model = model_of(**leaves)
    serve(model, dhcp=True, ipv6_prefix="2001:db8:1::/64", ipv6_addressing="dhcpv6")
    assert features(model) == expected


def test_what_is_punted_follows_a_vport_that_moves() -> None:
    model = model_of()
    serve(model, dhcp=True, dns_proxy=True)
    other = vport(model, 11, "app1")
    model.commit({(*PROD, "vport", "app-1"): other}, {other.uuid: Location("hv2", 3)})
    assert features(model, "hv2") == [], "of the domain, and not of the subnet"
    path: Path = (*PROD, "vport", "web-1")
    body = model.running.get(path)
    assert body is not None
    model.move({body.uuid: Location("hv2", 12)})
    assert features(model) == [] and features(model, "hv2") == ["DHCP", "DNS", "SPOOFED_DHCP"]
    agree(model)


@pytest.mark.parametrize("seed", range(10))
def test_random_changes_of_what_is_served_leave_what_a_compilation_from_nothing_makes(seed: int) -> None:
    model, dice = model_of(), random.Random(seed)
    for name, nth, subnet in (("web-2", 12, "web1"), ("app-1", 11, "app1"), ("app-2", 12, "app1")):
        body = vport(model, nth, subnet)
        model.commit({(*PROD, "vport", name): body}, {body.uuid: Location(f"hv{dice.randrange(1, 4)}", model.port())})
    for _ in range(40):
        edits, places, _ = random_step(model, dice)
        if edits:
            model.commit(edits, places)
        else:
            model.move(places)
        agree(model)

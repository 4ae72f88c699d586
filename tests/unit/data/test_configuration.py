"""Looking things up: an overlay answers as the merged configuration would, and stays fast at 100,000 vports."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, given, settings

from data.configuration import Configuration, Edits, Overlay, Running
from data.path import Path
from data.schema.declaration import EVERYWHERE
from data.schema.nodes import NODES, node_of
from data.schema.objects import Controller, Domain, Object, Subnet, Vport
from tests.unit.data.examples import PROD, WEB_1, any_configuration, edited, objects, running

lenient = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def merged(base: Configuration, edits: Edits) -> Running:
    everything: dict[Path, Object | None] = {**objects(base), **edits}
    return Running({path: item for path, item in everything.items() if item is not None}, 1)


def edits_between(old: Running, new: Running) -> Edits:
    edits: dict[Path, Object | None] = dict.fromkeys(objects(old))
    edits.update(objects(new))
    return edits


def assert_same_answers(view: Configuration, truth: Configuration) -> None:
    assert list(view.walk()) == list(truth.walk())
    places = [(), *objects(truth)]
    for path in places:
        for keywords, node in NODES.items():
            if len(keywords) == len(path[::2]) + 1 and keywords[:-1] == path[::2] and node.key is not None:
                assert view.children(path, keywords[-1]) == truth.children(path, keywords[-1])
                assert view.count(path, keywords[-1]) == truth.count(path, keywords[-1])
                assert view.search(path, keywords[-1], "w", 1) == truth.search(path, keywords[-1], "w", 1)
    for path, item in truth.walk():
        node = node_of(path)
        assert view.get(path) == item
        assert view.referrers(path) == truth.referrers(path)
        assert view.by_uuid(item.uuid) == truth.by_uuid(item.uuid) == path
        for unique in node.held:
            scope = path[: unique.scope_length]
            for value in unique.values(path, item):
                found = view.holders(node.keyword, unique.name, scope, value)
                assert path in found
                assert sorted(found) == sorted(truth.holders(node.keyword, unique.name, scope, value))
        for disjoint in node.disjoint:
            prefix = getattr(item, disjoint.field)
            if prefix:
                scope = path[: disjoint.scope_length]
                found_overlaps = sorted(view.overlapping(node.keyword, disjoint.field, scope, prefix))
                assert found_overlaps == sorted(truth.overlapping(node.keyword, disjoint.field, scope, prefix))
        for reference in node.references:
            value = getattr(item, reference.leaf.field)
            for name in value if isinstance(value, tuple) else (value,):
                if reference.target and name:
                    assert view.resolve(path, reference.target, name) == truth.resolve(path, reference.target, name)


@lenient
@given(any_configuration(), any_configuration())
def test_an_overlay_answers_as_a_running_configuration_of_the_merged_objects(old: Running, new: Running) -> None:
    edits = edits_between(old, new)
    view = Overlay(old, edits)
    assert_same_answers(view, merged(old, edits))
    for path in list(edits)[::2]:
        view.withdraw(path)
    rest = {path: item for path, item in edits.items() if path in view.edits}
    assert_same_answers(view, merged(old, rest))


@lenient
@given(any_configuration(), any_configuration())
def test_applying_edits_in_place_gives_the_same_as_building_anew(old: Running, new: Running) -> None:
    edits = edits_between(old, new)
    truth = merged(old, edits)
    list(old.walk())  # so that the sorted lists of names exist and have to be kept
    old.apply(edits, 2)
    assert_same_answers(old, truth)
    assert old.revision == 2


@lenient
@given(any_configuration())
def test_every_overlapping_prefix_is_found(state: Running) -> None:
    import ipaddress

    subnets = [(path, item) for path, item in state.objects(Subnet) if item.prefix and path[0] == "enterprise"]
    for path, item in subnets:
        mine = ipaddress.ip_network(item.prefix)
        wanted = [
            other for other, one in subnets if other[:4] == path[:4] and ipaddress.ip_network(one.prefix).overlaps(mine)
        ]
        assert sorted(state.overlapping("subnet", "prefix", path[:4], item.prefix)) == sorted(wanted)


def test_an_overlay_follows_its_base_when_that_is_committed_to() -> None:
    state = running()
    view = edited(state, "set enterprise acme domain prod vport web-3").view
    other = edited(
        state, "set enterprise acme domain prod vport web-9", "delete enterprise acme domain prod vport web-2"
    )
    state.apply(other.merge(), 2)
    assert view.children(PROD, "vport") == ["app-1", "web-1", "web-3", "web-9"]


def test_references_lead_to_the_object_wherever_it_lies() -> None:
    state = running()
    assert state.resolve(WEB_1, "subnet", "web1") == (*PROD, "zone", "web", "subnet", "web1")
    entry = (*PROD, "ingress-policy", "base", "entry", "10")
    assert state.resolve(entry, "network-macro", "wan") == ("enterprise", "acme", "network-macro", "wan")
    assert state.resolve(WEB_1, "subnet", "nowhere") is None
    assert state.referrers((*PROD, "policy-group", "frontends")) == {WEB_1, entry}
    assert state.referrers((*PROD, "zone", "app")) == {entry}
    assert state.holder("vport", "address", PROD, "10.1.1.11") == WEB_1
    assert state.holder("dvrs", "system_id", (), "hv1") == ("dvrs", "hv1")
    assert state.vport_by_name("acme/prod/web-1") == WEB_1
    assert state.vport_by_name("acme/web-1") is None


def test_a_container_that_is_not_configured_answers_with_its_defaults() -> None:
    state = running()
    assert state.get(("controller",)) is None
    assert state.settings(Controller).openflow_port == 6653
    state = running("set controller openflow-port 7777")
    assert state.settings(Controller).openflow_port == 7777


def test_scopes_of_the_schema_are_those_that_the_rules_speak_of() -> None:
    vport = node_of(WEB_1)
    assert {one.name: one.scope_length for one in vport.unique} == {
        "mac": 4,
        "address": 4,
        "uplink+vlan": 0,
        "uplink+subnet": 4,
    }
    assert node_of(("dvrs", "hv1")).scope(("dvrs", "hv1"), EVERYWHERE) == ()
    assert node_of((*PROD, "zone", "z", "subnet", "s")).kind is Subnet


def test_a_hundred_thousand_vports_are_looked_up_in_microseconds() -> None:
    state = Running()
    lines = [
        f"set enterprise acme domain prod vport vm-{i} subnet s"
        f" mac 02:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}:00 address 10.{i >> 16}.{i >> 8 & 255}.{i & 255}"
        for i in range(100_000)
    ]
    began = time.perf_counter()
    candidate = edited(state, *lines)
    batched = time.perf_counter()
    state.apply(candidate.merge(), 1)
    applied = time.perf_counter()
    assert state.count(PROD, "vport") == sum(1 for _ in state.objects(Vport)) == 100_000
    assert sum(1 for _ in state.objects(Domain)) == 1
    walked = time.perf_counter()
    for i in range(1000):
        view = Overlay(state, {(*PROD, "vport", f"vm-{i}"): None})
        assert view.holder("vport", "address", PROD, f"10.0.{i >> 8}.{i & 255}") is None
        assert view.count(PROD, "vport") == 99_999
    looked = time.perf_counter()
    print(
        f"\nbatch of 100,000 lines {batched - began:.2f} s, apply {applied - batched:.2f} s,"
        f" first walk {walked - applied:.2f} s, overlay with two questions {(looked - walked) * 1e3:.1f} us"
    )


@lenient
@given(any_configuration(), any_configuration())
def test_a_successor_is_what_applying_would_make_and_shares_nothing(old: Running, new: Running) -> None:
    edits = edits_between(old, new)
    before, applied = Running(objects(old), 1), Running(objects(old), 1)
    successor = old.successor(edits, 2)
    assert_same_answers(old, before)
    applied.apply(edits, 2)
    assert_same_answers(successor, applied)
    old.become(successor)
    assert_same_answers(old, applied)
    assert old.revision == 2

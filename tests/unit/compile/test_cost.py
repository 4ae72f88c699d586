"""What a member and a rule cost, counted in flow-mods: never members times rules.

A thousand vports of one group on four hypervisors. A member more of a set that is known costs each hypervisor the same
few flows however many rules name the group; a rule more costs flows for each distinct set of memberships that it names,
however many vports are in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from controller.compile import Location
from controller.openflow.packed import cookie
from controller.pipeline import Owner, split_cookie
from data.path import Path
from data.schema.objects import Domain, Dvrs, Enterprise, Object, Subnet, Vport, Zone
from tests.unit.compile.fabric_model import ACME, PROD, EgressPolicy, IngressPolicy, Model, PolicyGroup, entry

HYPERVISORS = 4
MEMBERS = 1000
SETS = (1, 5, 20)
RULES = (1, 10, 100)
ZONES = {"web": "10.1.0.0/16", "app": "10.2.0.0/16"}
VARIANTS = [
    pytest.param(direction, stateful, id=f"{direction}-{'stateful' if stateful else 'stateless'}")
    for direction in ("ingress", "egress")
    for stateful in (False, True)
]
KIND = {"ingress": IngressPolicy, "egress": EgressPolicy}


def member(model: Model, nth: int, groups: tuple[str, ...]) -> tuple[Path, Vport, Location]:
    """The nth vport of the network, on one hypervisor after the other."""
    high, low = divmod(nth, 250)
    body = Vport(
        uuid=model.uuid(), subnet="web1", mac=f"02:00:0a:01:{high:02x}:{low:02x}",
        address=(f"10.1.{high}.{low + 2}",), policy_group=groups,
    )  # fmt: skip
    return (*PROD, "vport", f"vm-{nth}"), body, Location(f"hv{1 + nth % HYPERVISORS}", model.port())


def populated(direction: str, members: int, sets: int) -> Model:
    """Every vport is in the group `all` and in one of `sets` others; all of them are named by a rule, so that these
    sets are told apart."""
    model = Model()
    edits: dict[Path, Object | None] = {
        ("dvrs", f"hv{nth}"): Dvrs(uuid=model.uuid(), tunnel_address=f"172.31.0.{nth}")
        for nth in range(1, HYPERVISORS + 1)
    }
    edits |= {ACME: Enterprise(uuid=model.uuid()), PROD: Domain(uuid=model.uuid())}
    for zone, prefix in ZONES.items():
        edits[(*PROD, "zone", zone)] = Zone(uuid=model.uuid())
        edits[(*PROD, "zone", zone, "subnet", f"{zone}1")] = Subnet(uuid=model.uuid(), prefix=prefix)
    policy = (*PROD, f"{direction}-policy", "base")
    edits[policy] = KIND[direction](uuid=model.uuid())
    edits[(*PROD, "policy-group", "all")] = PolicyGroup(uuid=model.uuid())
    for nth in range(sets):
        edits[(*PROD, "policy-group", f"g{nth}")] = PolicyGroup(uuid=model.uuid())
        edits[(*policy, "entry", str(nth + 1))] = entry(model, f"policy-group g{nth}", "zone app", protocol="udp")
    places: dict[str, Location | None] = {}
    for nth in range(members):
        path, body, where = member(model, nth, ("all", f"g{nth % sets}"))
        edits[path], places[body.uuid] = body, where
    model.commit(edits, places)
    return model


def rules(model: Model, direction: str, count: int, stateful: bool, first: int = 1000) -> dict[Path, Object | None]:
    """Entries that name the group as who receives and as who sends, in turn."""
    ends = (("zone app", "policy-group all"), ("policy-group all", "zone app"))
    return {
        (*PROD, f"{direction}-policy", "base", "entry", str(first + nth)): entry(
            model, *ends[nth % 2], protocol="tcp", destination_port=(str(2000 + first + nth),), stateful=stateful
        )
        for nth in range(count)
    }


def sent(model: Model) -> Mapping[str, int]:
    """How many flow-mods each hypervisor was sent by the latest change."""
    return {f"hv{nth}": len(model.touched.get(f"hv{nth}", ())) for nth in range(1, HYPERVISORS + 1)}


def owners(model: Model) -> Iterator[Owner]:
    """The kind of object that each of them belongs to."""
    for messages in model.touched.values():
        for message in messages:
            parts = split_cookie(cookie(message))
            assert parts is not None
            yield parts[0]


@pytest.mark.parametrize(("direction", "stateful"), VARIANTS)
def test_a_member_of_a_known_set_costs_the_same_few_flows_whatever_the_number_of_rules(
    direction: str, stateful: bool
) -> None:
    model = populated(direction, MEMBERS, sets=1)
    # The first stateful rule turns connection tracking on for the domain: that is not what is counted here.
    there = 0
    costs: list[Mapping[str, int]] = []
    for count in RULES:
        model.commit(rules(model, direction, count - there, stateful, first=1000 + there))
        there = count
        path, body, where = member(model, MEMBERS + 4 * len(costs), ("all", "g0"))
        model.commit({path: body}, {body.uuid: where})
        assert where.dvrs == "hv1"
        assert Owner.ENTRY not in Counter(owners(model)), "a member must not touch a rule"
        costs.append(sent(model))
    assert costs[0] == costs[1] == costs[2]
    elsewhere = {costs[0][f"hv{nth}"] for nth in range(2, HYPERVISORS + 1)}
    assert len(elsewhere) == 1, "hypervisors that only send to it are alike"
    assert 1 <= elsewhere.pop() <= 8  # route, switch, ARP, two identities
    assert costs[0]["hv1"] <= 24  # and its own port there


@pytest.mark.parametrize(("direction", "stateful"), VARIANTS)
def test_a_rule_costs_flows_in_proportion_to_the_sets_it_names_whatever_the_number_of_members(
    direction: str, stateful: bool
) -> None:
    costs: dict[tuple[int, int], int] = {}
    for sets in SETS:
        for members in (2 * max(SETS), MEMBERS):
            model = populated(direction, members, sets)
            model.commit(rules(model, direction, 2, stateful))  # what the first rule of its kind brings is not counted
            model.commit(rules(model, direction, 2, stateful, first=2000))
            assert len(set(sent(model).values())) == 1, "every hypervisor of the domain gets the rule alike"
            assert set(owners(model)) == {Owner.ENTRY}
            costs[sets, members] = sent(model)["hv1"]
    for sets in SETS:
        assert costs[sets, 2 * max(SETS)] == costs[sets, MEMBERS]
    one, five, twenty = (costs[sets, MEMBERS] for sets in SETS)
    for_each, rest = divmod(five - one, 4)
    assert rest == 0
    assert twenty - five == 15 * for_each
    assert for_each == 2, "each of the two entries names the group once"
    assert one - for_each <= 12, "what an entry has besides: the other end, the ports, the verdict"

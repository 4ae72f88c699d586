"""Rules as flows: priorities that stay, ports as masks, replies mirrored, identities shared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.compile import Location
from controller.compile.acl import port_pieces
from controller.openflow.packed import cookie, priority_of, table_of
from controller.pipeline import Feature, Owner, Priority, Table, split_cookie
from controller.pipeline import cookie as cookie_of
from data.path import Path
from data.schema.objects import IngressPolicy, Object, PolicyGroup
from tests.unit.compile.fabric_model import PROD, Model, base, entry, vport

POLICY = (*PROD, "ingress-policy", "base")


def rule_flows(model: Model, path: Path) -> list[bytes]:
    number = model.state.number(path)
    flows = [
        flow for flow in model.held["hv1"].values() if split_cookie(cookie(flow)) == (Owner.ENTRY, Feature.RULE, number)
    ]
    return sorted(flows)


def populated(groups: int = 2, members: int = 4) -> Model:
    model = Model()
    edits: dict[Path, Object | None] = base(model)
    edits |= {(*PROD, "policy-group", f"g{n}"): PolicyGroup(uuid=model.uuid()) for n in range(groups)}
    edits[POLICY] = IngressPolicy(uuid=model.uuid())
    places = {}
    for nth in range(2, 2 + members):
        body = vport(model, nth, groups=(f"g{nth % groups}",))
        edits[(*PROD, "vport", f"web-{nth}")] = body
        places[body.uuid] = Location("hv1", nth)
    model.commit(edits, places)
    return model


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_a_port_range_is_covered_exactly_once(one: int, other: int) -> None:
    low, high = sorted((one, other))
    covered: list[int] = []
    for value, mask in port_pieces(f"{low}-{high}"):
        assert value & ~mask == 0
        covered += range(value, value + 0x10000 - mask if mask else 0x10000)
    assert covered == list(range(low, high + 1))


def test_a_rule_costs_its_identities_not_its_members() -> None:
    few, many = populated(members=4), populated(members=200)
    for model in (few, many):
        model.commit({(*POLICY, "entry", "10"): entry(model, "policy-group g0", "policy-group g1", protocol="tcp")})
    assert len(rule_flows(few, (*POLICY, "entry", "10"))) == len(rule_flows(many, (*POLICY, "entry", "10"))) == 4


def test_an_entry_put_between_two_others_moves_neither() -> None:
    model = populated()
    ends = ("policy-group g0", "policy-group g1")
    model.commit({(*POLICY, "entry", str(number)): entry(model, *ends) for number in (10, 20, 30)})
    before = {number: rule_flows(model, (*POLICY, "entry", number)) for number in ("10", "20", "30")}
    model.commit({(*POLICY, "entry", "15"): entry(model, *ends, action="deny")})
    assert before == {number: rule_flows(model, (*POLICY, "entry", number)) for number in before}
    priorities = [priority_of(rule_flows(model, (*POLICY, "entry", number))[0]) for number in ("10", "15", "20", "30")]
    assert priorities == sorted(priorities, reverse=True)


def test_two_hundred_entries_each_put_before_the_last_stay_in_order() -> None:
    model = populated()
    model.commit({(*POLICY, "entry", "60000"): entry(model)})
    for number in range(1, 200):
        model.commit({(*POLICY, "entry", str(number)): entry(model)})
    policy = model.state.policy(PROD)
    order = [policy.priorities[(*POLICY, "entry", name)] for name in model.running.children(POLICY, "entry")]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)
    assert max(order) <= Priority.RULE_CEILING
    assert min(order) > Priority.RULE_LAST


def test_an_entry_that_names_a_group_without_members_has_no_flows() -> None:
    model = populated()
    model.commit({(*PROD, "policy-group", "empty"): PolicyGroup(uuid=model.uuid())})
    model.commit({(*POLICY, "entry", "10"): entry(model, "policy-group empty")})
    assert rule_flows(model, (*POLICY, "entry", "10")) == []


def test_a_stateful_entry_is_mirrored_and_a_stateless_one_is_not() -> None:
    model = populated()
    leaves = {"protocol": "tcp", "destination_port": ("80",)}
    model.commit({(*POLICY, "entry", "10"): entry(model, "policy-group g0", "zone web", **leaves)})
    stateless = len(rule_flows(model, (*POLICY, "entry", "10")))
    model.commit({(*POLICY, "entry", "10"): entry(model, "policy-group g0", "zone web", stateful=True, **leaves)})
    assert len(rule_flows(model, (*POLICY, "entry", "10"))) == stateless + 2, (
        "mirrored for replies, and for later fragments of them"
    )


def test_a_stateless_entry_has_no_hit_where_replies_are_asked_and_a_stateful_one_has() -> None:
    """About a reply only stateful entries decide; others go on as they are when no connection is tracked."""
    model = populated()

    def asked(number: str, feature: Feature) -> int:
        mark = cookie_of(Owner.ENTRY, feature, model.state.number((*POLICY, "entry", number)))
        return sum(cookie(flow) == mark for flow in model.held["hv1"].values())

    model.commit({(*POLICY, "entry", "10"): entry(model), (*POLICY, "entry", "20"): entry(model, action="deny")})
    assert [asked(number, Feature.PASSED_OVER) for number in ("10", "20")] == [0, 0]
    alone = asked("10", Feature.RULE)
    model.commit({(*POLICY, "entry", "30"): entry(model, protocol="tcp", stateful=True)})
    assert [asked(number, Feature.PASSED_OVER) for number in ("10", "20", "30")] == [1, 1, 0]
    assert asked("10", Feature.RULE) == alone
    assert model.held["hv1"] == model.fresh("hv1")
    model.commit({(*POLICY, "entry", "30"): None})
    assert [asked(number, Feature.PASSED_OVER) for number in ("10", "20")] == [0, 0]


def test_what_belongs_to_no_connection_is_refused_to_the_vport_on_both_sides() -> None:
    model = populated(members=1)
    (path,) = [(*PROD, "vport", name) for name in model.running.children(PROD, "vport")]
    mark = cookie_of(Owner.VPORT, Feature.INVALID, model.state.number(path))
    tables = sorted(table_of(flow) for flow in model.held["hv1"].values() if cookie(flow) == mark)
    assert tables == [Table.INGRESS_VERDICT, Table.EGRESS_VERDICT]


def test_identities_keep_their_numbers_over_other_changes() -> None:
    model = populated()
    model.commit({(*POLICY, "entry", "10"): entry(model, "policy-group g0", "policy-group g1")})
    before = dict(model.state.policy(PROD).numbers)
    model.commit({(*POLICY, "entry", "20"): entry(model, "vport web-2", "any")})
    model.commit({(*POLICY, "entry", "20"): None})
    assert model.state.policy(PROD).numbers == before


def test_every_flow_of_ours_says_whose_it_is() -> None:
    model = populated()
    model.commit(
        {(*POLICY, "entry", "10"): entry(model, "policy-group g0", "policy-group g1", log=True, stateful=True)}
    )
    for flow in model.held["hv1"].values():
        parts = split_cookie(cookie(flow))
        assert parts is not None
        assert table_of(flow) in list(Table)
    assert split_cookie(0x1234) is None

"""Which way is taken, and why."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.bgp.rib.best import STEPS, choose, explain
from controller.bgp.rib.table import Heard, Source
from controller.bgp.routes import Origin, Route
from data.addresses import address
from tests.unit.bgp.rib_model import Underlay, mac, vpn

ONE = Source("one", address("192.0.2.1"), address("192.0.2.1"), internal=False)
TWO = Source("two", address("192.0.2.2"), address("192.0.2.2"), internal=False)
INSIDE = Source("inside", address("192.0.2.3"), address("192.0.2.3"), internal=True)


def way(source: Source, hop: str | None = None, **more: object) -> Heard:
    return Heard(source, vpn("10.9.0.0/16", hop or str(source.address), **more), 0.0)  # type: ignore[arg-type]


def machine(source: Source, sequence: int | None, hop: str | None = None) -> Heard:
    return Heard(source, mac("02:00:00:00:00:42", None, hop or str(source.address), sequence=sequence), 0.0)


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        (way(INSIDE, local_preference=200), way(ONE), "lower local preference"),
        (way(ONE, local_preference=1), way(TWO, path=(1, 2)), "longer AS path"),  # of eBGP nobody's preference counts
        (way(TWO), way(ONE, origin=Origin.INCOMPLETE), "worse origin"),
        (way(TWO, med=5), way(ONE, med=6), "higher MED"),
        (way(ONE), way(INSIDE), "iBGP, another is eBGP"),
        (way(ONE, "192.0.2.7"), way(TWO, "192.0.2.7"), "higher router id"),
        (machine(TWO, 3), machine(ONE, 2), "lower MAC mobility sequence"),
        (machine(ONE, None), machine(TWO, None), "higher next hop of the same MAC mobility sequence"),
    ],
)
def test_each_step_says_why_a_way_lost(better: Heard, worse: Heard, why: str) -> None:
    for ways in permutations((better, worse)):
        assert choose(ways, Underlay())[0] is better
        said = explain(ways, Underlay())
        assert said[id(better)] == "best"
        assert said[id(worse)] == f"lost: {why}"


def test_a_static_address_does_not_move() -> None:
    from controller.bgp.routes import Community

    fixed, moved = machine(TWO, None), machine(ONE, 9)
    made = fixed.route.attributes
    from dataclasses import replace

    sticky = (*made.extended, Community.mobility(0, sticky=True))
    fixed.route = Route(fixed.route.nlri, replace(made, extended=sticky))
    assert choose([moved, fixed], Underlay()) == (fixed,)
    assert explain([moved, fixed], Underlay())[id(moved)] == "lost: not static, another is"


def test_meds_of_different_systems_are_not_compared() -> None:
    first, second = way(ONE, med=9, path=(65001,)), way(TWO, med=1, path=(65002,))
    assert choose([second, first], Underlay())[0] is first, "by router id, not by MED"


def test_the_cheaper_way_to_the_next_hop_is_taken_and_equal_ones_share() -> None:
    beneath, first, second = Underlay(), way(ONE), way(TWO)
    assert choose([second, first], beneath) == (first, second)
    assert explain([first, second], beneath)[id(second)] == "equally good"
    beneath.costs = {address("192.0.2.2"): 5}
    assert choose([first, second], beneath) == (second,), "a way of unknown cost is farther than any"
    assert explain([first, second], beneath)[id(first)] == "lost: costlier way to its next hop"


def test_a_machine_is_in_one_place_however_good_the_others_are() -> None:
    assert len(choose([machine(ONE, None), machine(TWO, None)], Underlay())) == 1


def test_nothing_is_taken_where_no_next_hop_is_usable() -> None:
    beneath, only = Underlay(), way(ONE)
    beneath.down = {address("192.0.2.1")}
    assert choose([only], beneath) == ()
    assert explain([only], beneath) == {id(only): "its next hop is not reachable"}


WAYS = st.builds(
    way,
    st.sampled_from([ONE, TWO, INSIDE]),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.7"]),
    rd=st.sampled_from(["1:1", "1:2", "1:3"]),
    path=st.sampled_from([(65001,), (65002,), (65001, 7)]),
    med=st.sampled_from([None, 1, 2, 3]),
    origin=st.sampled_from(Origin),
    local_preference=st.sampled_from([None, 100, 200]),
)
MACHINES = st.builds(
    machine,
    st.sampled_from([ONE, TWO, INSIDE]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["192.0.2.1", "192.0.2.8"]),
)  # fmt: skip


def same(taken: tuple[Heard, ...]) -> list[tuple[str, Route]]:
    return [(one.source.name, one.route) for one in taken]


@settings(max_examples=300, deadline=None)
@given(st.lists(WAYS, max_size=7) | st.lists(MACHINES, max_size=5), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_in_which_ways_came(ways: list[Heard], chance: object) -> None:
    beneath = Underlay()
    beneath.costs = {address("192.0.2.1"): 3, address("192.0.2.7"): 3}
    first = choose(ways, beneath)
    shuffled = list(ways)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(choose(shuffled, beneath)) == same(first)
    said = explain(shuffled, beneath)
    assert sum(why == "best" for why in said.values()) == min(len(ways), 1)
    assert all(said[id(one)] in ("best", "equally good") for one in choose(shuffled, beneath))


def test_every_step_has_a_reason_of_its_own() -> None:
    assert len({step.lost for step in STEPS}) == len(STEPS)
    assert sum(step.equal for step in STEPS) == 1

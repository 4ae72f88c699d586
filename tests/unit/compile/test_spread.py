"""Slots are dealt by exact shares, and a member that dies or returns moves nobody else's."""

from __future__ import annotations

import random
import time

import pytest

from controller.compile.services import spread
from controller.compile.services.spread import Basis, Way, deal, pieces, shares
from controller.openflow.packed import flow_key
from controller.openflow.text import describe
from controller.pipeline import SPREAD_SLOTS, Table


def test_equal_members_have_equal_shares_and_runs_of_slots() -> None:
    assert deal([("a", 1), ("b", 1)], {"a", "b"}) == ["a"] * 32 + ["b"] * 32
    assert shares(deal([("a", 5), ("b", 5), ("c", 5)], "abc")) == {"a": 22, "b": 21, "c": 21}


def test_shares_follow_weights_by_the_largest_remainder() -> None:
    assert shares(deal([("a", 3), ("b", 1)], "ab")) == {"a": 48, "b": 16}
    assert shares(deal([("a", 100), ("b", 1)], "ab")) == {"a": 63, "b": 1}
    assert shares(deal([("a", 1), ("b", 0)], "ab")) == {"a": 64}


def test_nobody_alive_is_nobody_everywhere() -> None:
    assert deal([("a", 1), ("b", 1)], ()) == [None] * SPREAD_SLOTS
    assert deal([("a", 0)], {"a"}) == [None] * SPREAD_SLOTS
    assert deal([], {"a"}) == [None] * SPREAD_SLOTS


def test_the_slots_of_a_dead_member_are_shared_by_weight() -> None:
    held = shares(deal([("a", 1), ("b", 1), ("c", 1), ("d", 1)], "abc"))
    assert sorted(held.values()) == [21, 21, 22]
    held = shares(deal([("a", 2), ("b", 1), ("c", 1)], "ab"))
    assert held["a"] in (42, 43) and held["b"] in (21, 22)


@pytest.mark.parametrize("seed", range(200))
def test_who_dies_or_returns_moves_his_own_slots_alone(seed: int) -> None:
    dice = random.Random(seed)
    members = [(name, dice.randrange(4)) for name in range(dice.randrange(1, 12))]
    alive = {name for name, _ in members if dice.random() < 0.7}
    before = deal(members, alive)
    other = dice.randrange(len(members))
    after = deal(members, alive ^ {other})
    for was, now in zip(before, after, strict=True):
        assert was == now or other in (was, now)
    assert set(after) <= (alive ^ {other}) | {None}
    able = {name for name, weight in members if weight and name in alive ^ {other}}
    assert (None in after) == (not able)


@pytest.mark.parametrize("seed", range(100))
def test_whole_shares_are_within_one_slot_of_the_exact_ones(seed: int) -> None:
    dice = random.Random(seed)
    members = [(name, dice.randrange(1, 101)) for name in range(dice.randrange(1, 30))]
    held, total = shares(deal(members, range(30))), sum(weight for _, weight in members)
    for name, weight in members:
        assert abs(held.get(name, 0) - SPREAD_SLOTS * weight / total) < 1


def test_many_dead_members_leave_the_rest_even_and_cost_little() -> None:
    members = [(name, 1) for name in range(32)]
    held = shares(deal(members, range(16, 32)))
    assert sum(held.values()) == SPREAD_SLOTS
    assert len(held) == 16 and max(held.values()) <= 9, held
    began = time.perf_counter()
    assert shares(deal([(name, 1) for name in range(300)], {299})) == {299: SPREAD_SLOTS}
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("seed", range(50))
def test_pieces_cover_every_slot_once_and_name_its_owner(seed: int) -> None:
    dice = random.Random(seed)
    members = [(name, dice.randrange(1, 5)) for name in range(dice.randrange(1, 10))]
    dealt = deal(members, {name for name, _ in members if dice.random() < 0.8})
    covered: list[int] = []
    for value, mask, owner in pieces(dealt):
        slots = [slot for slot in range(SPREAD_SLOTS) if slot & mask == value]
        assert slots and all(dealt[slot] == owner for slot in slots)
        covered += slots
    assert sorted(covered) == list(range(SPREAD_SLOTS))


def test_two_equal_members_cost_two_flows() -> None:
    made = list(
        spread.flows(Table.SPREAD, 100, [], deal([("a", 1), ("b", 1)], "ab"), lambda name: Way(1, [], Table.SWITCH))
    )
    assert len({flow_key(one) for one in made}) == len(made) == 2
    assert "reg9=0/0xffffffe0" in describe(made[0]) or "reg9=0x0/0xffffffe0" in describe(made[0]), describe(made[0])


def test_a_slot_alone_is_matched_without_a_mask_as_switches_read_it_back() -> None:
    dealt = deal([("a", 1), ("b", 1), ("c", 1)], "abc")
    made = [describe(one) for one in spread.flows(Table.SPREAD, 100, [], dealt, lambda name: Way(1, [], Table.SWITCH))]
    assert any(mask == 0xFFFFFFFF for _, mask, _ in pieces(dealt))
    assert not [text for text in made if "/0xffffffff" in text], made


def test_each_use_hashes_from_a_basis_of_its_own() -> None:
    assert len({spread.pick(basis).parts for basis in Basis}) == len(Basis)

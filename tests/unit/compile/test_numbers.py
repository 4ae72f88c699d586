"""Numbers stay with their keys, and a plan that is thrown away takes none."""

from __future__ import annotations

import pytest

from controller.numbers import POOLS, Numbers
from data.errors import CommandFailed


def test_a_key_keeps_its_number() -> None:
    numbers = Numbers()
    assert [numbers.get("vni", key) for key in ("a", "b", "a")] == [5000, 5001, 5000]


def test_a_fork_that_is_thrown_away_leaves_its_numbers_free() -> None:
    numbers = Numbers()
    numbers.get("object", "a")
    assert numbers.fork().get("object", "b") == 2
    assert numbers.fork().get("object", "c") == 2
    assert numbers.find("object", "b") is None


def test_an_adopted_fork_is_continued_where_it_ended() -> None:
    numbers = Numbers()
    fork = numbers.fork()
    assert (fork.get("object", "a"), fork.get("object", "b")) == (1, 2)
    numbers.adopt(fork.new)
    assert (numbers.get("object", "b"), numbers.get("object", "c")) == (2, 3)


def test_pools_that_share_a_range_count_apart() -> None:
    numbers = Numbers()
    assert numbers.get("identity/one", "set") == numbers.get("identity/two", "set") == 1


def test_a_register_read_back_from_the_store_goes_on_behind_its_highest_number() -> None:
    assert Numbers({("object", "old"): 7000}).get("object", "new") == 7001


def test_a_full_pool_says_so() -> None:
    last = POOLS["object"][1]
    with pytest.raises(CommandFailed, match="taken"):
        Numbers({("object", "old"): last}).get("object", "new")


def test_a_fixed_number_is_never_given_to_another() -> None:
    numbers = Numbers()
    numbers.reserve("vni", "fixed", 5001)
    assert [numbers.get("vni", key) for key in ("a", "b")] == [5000, 5002]
    fork = numbers.fork()
    fork.reserve("vni", "late", 5003)
    assert fork.get("vni", "c") == 5004
    numbers.adopt(fork.new)
    assert numbers.get("vni", "d") == 5005
    assert Numbers(dict(numbers.items())).get("vni", "e") == 5006


def test_the_highest_number_fixed_does_not_use_up_the_pool() -> None:
    last = POOLS["vni"][1]
    numbers = Numbers({("vni", "fixed"): last, ("vni", "first"): 5000})
    assert numbers.get("vni", "new") == 5001
    fork = numbers.fork()
    fork.reserve("vni", "another", 70_000)
    numbers.adopt(fork.new)
    assert numbers.get("vni", "newer") == 5002


def test_a_number_that_another_has_is_not_reserved() -> None:
    numbers = Numbers()
    assert numbers.get("vni", "a") == 5000
    fork = numbers.fork()
    with pytest.raises(CommandFailed, match="another object"):
        fork.reserve("vni", "b", 5000)
    fork.free("vni", "a")
    fork.reserve("vni", "b", 5000)
    assert fork.get("vni", "a") == 5001
    numbers.adopt(fork.new)
    assert (numbers.find("vni", "a"), numbers.find("vni", "b")) == (5001, 5000)

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
    assert Numbers({("vni", "old"): 7000}).get("vni", "new") == 7001


def test_a_full_pool_says_so() -> None:
    last = POOLS["vni"][1]
    with pytest.raises(CommandFailed, match="taken"):
        Numbers({("vni", "old"): last}).get("vni", "new")

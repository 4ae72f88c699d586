"""The order of a bundle: additions from the lowest priority up, removals from the highest down, nothing else moved."""

from __future__ import annotations

import random

from controller.openflow import wire
from controller.openflow.messages import key
from controller.openflow.order import in_order
from controller.openflow.packed import DELETE_ALL, as_delete_strict, flow
from data.steps import at_once


def added(priority: int, cookie: int = 0, table: int = 3) -> bytes:
    return flow(table, priority, cookie)


def removed(priority: int) -> bytes:
    return as_delete_strict(added(priority))


def priorities(messages: list[bytes]) -> list[int]:
    return [int.from_bytes(message[30:32], "big") for message in messages]


def test_additions_go_up_and_removals_go_down() -> None:
    found = at_once(in_order([added(300), added(1), added(65535), removed(2), removed(7), removed(256)]))
    assert priorities(found) == [1, 300, 65535, 256, 7, 2]


def test_additions_of_one_priority_stay_in_order() -> None:
    several = [added(5, cookie) for cookie in range(10)]
    assert at_once(in_order([added(9), *several, added(1)])) == [added(1), *several, added(9)]


def test_what_is_added_removed_and_added_again_has_the_same_end() -> None:
    """What is owed may be several changes, one behind the other."""
    chance = random.Random(7)
    for _ in range(200):
        messages = [
            added(chance.randrange(5), chance.randrange(100)) if chance.random() < 0.6 else removed(chance.randrange(5))
            for _ in range(30)
        ]
        ends = []
        for some in (messages, at_once(in_order(messages))):
            held: dict[bytes, bytes] = {}
            for message in some:
                if message[25] == wire.ADD:
                    held[key(message)] = message
                else:
                    held.pop(key(message), None)
            ends.append(held)
        assert ends[0] == ends[1]


def test_nothing_passes_what_removes_everything() -> None:
    found = at_once(in_order([added(9), added(1), DELETE_ALL, added(8), added(2)]))
    assert found == [added(1), added(9), DELETE_ALL, added(2), added(8)]


def test_nothing_gives_nothing() -> None:
    assert at_once(in_order([])) == []


def test_it_gives_way_while_it_moves_what_has_a_priority_each() -> None:
    """60,000 policy entries: all at once would keep echoes waiting for 60 ms."""
    steps = in_order([added(priority) for priority in reversed(range(3_000))])
    assert sum(1 for _ in steps) >= 2 * 3_000 // 500, "as often while they are moved as while they are looked at"

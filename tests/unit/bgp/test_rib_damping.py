"""What flaps is held back, for a bounded time and in bounded memory."""

from __future__ import annotations

from controller.bgp.rib.damping import LIMIT, NEIGHBOURS, ROUTES, Damping


def test_it_is_suppressed_at_the_threshold_and_reused_as_foretold() -> None:
    now = [0.0]
    damping = Damping(NEIGHBOURS, lambda: now[0])
    assert [damping.flap("pe") for _ in range(5)] == [False] * 4 + [True]
    left = damping.remaining("pe")
    now[0] = left - NEIGHBOURS.half_life - 1
    assert damping.due() == [] and damping.suppressed("pe")
    now[0] = left
    assert damping.due() == ["pe"] and not damping.suppressed("pe")


def test_slow_flaps_are_forgiven() -> None:
    now = [0.0]
    damping = Damping(NEIGHBOURS, lambda: now[0])
    for _ in range(50):
        now[0] += NEIGHBOURS.half_life
        assert not damping.flap("pe")


def test_the_longest_suppression_is_bounded_however_much_it_flaps() -> None:
    now = [0.0]
    damping = Damping(ROUTES, lambda: now[0])
    for _ in range(10_000):
        damping.flap("route")
    now[0] = ROUTES.max_suppress + 1
    assert damping.due() == ["route"]


def test_memory_is_bounded() -> None:
    damping = Damping(ROUTES, lambda: 0.0)
    for number in range(LIMIT + 500):
        damping.flap(number)
    assert len(damping._known) == LIMIT
    now = Damping(ROUTES, lambda: 1e9)
    now._known = damping._known
    now.due()
    assert not now._known, "a penalty that is gone is forgotten"


def test_what_is_crowded_out_while_it_is_suppressed_is_let_go() -> None:
    damping = Damping(ROUTES, lambda: 0.0)
    while not damping.flap("victim"):
        assert not damping.suppressed("victim")
    for number in range(LIMIT):  # a neighbour that withdraws a full table
        damping.flap(number)
    assert not damping.suppressed("victim")
    assert damping.due() == ["victim"], "else its route would be refused for ever"
    assert damping.due() == []

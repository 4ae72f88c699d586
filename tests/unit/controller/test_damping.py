"""Penalties rise with each loss, decay by halves, and decide when an endpoint is used."""

from __future__ import annotations

import pytest

from controller.damping import Flaps, Limits

LIMITS = Limits(half_life=60, suppress=2500, reuse=750, max_suppress=300)


def after(*losses: float, limits: Limits = LIMITS) -> Flaps:
    flaps = Flaps()
    for at in losses:
        flaps = flaps.settled(at, limits).lost(at, limits)
    return flaps


def test_one_loss_is_no_flapping() -> None:
    flaps = after(100)
    assert (flaps.count, flaps.penalty, flaps.suppressed, flaps.until(100, LIMITS)) == (1, 1000, False, 0)


def test_three_losses_at_once_suppress_until_the_penalty_is_below_reuse() -> None:
    flaps = after(100, 100, 100)
    assert flaps.suppressed and flaps.penalty == 3000
    assert flaps.until(100, LIMITS) == pytest.approx(120)  # 3000 -> 750 in two half-lives
    assert flaps.settled(219, LIMITS).suppressed and not flaps.settled(220.1, LIMITS).suppressed
    assert flaps.settled(220.1, LIMITS).count == 3


def test_losses_that_are_far_apart_never_suppress() -> None:
    assert not after(*(at * 90.0 for at in range(100))).suppressed


def test_between_reuse_and_suppress_it_stays_what_it_was() -> None:
    flaps = after(0, 0, 0).settled(60, LIMITS)
    assert flaps.level(60, LIMITS) == 1500 and flaps.suppressed
    assert not after(0, 0).settled(10, LIMITS).suppressed


def test_a_suppression_ends_in_time_however_often_it_flapped() -> None:
    flaps = after(*[0.0] * 1000)
    assert flaps.count == 1000 and flaps.until(0, LIMITS) == pytest.approx(300)


def test_a_clock_that_stands_still_or_goes_back_halves_nothing() -> None:
    assert after(100).level(50, LIMITS) == 1000


@pytest.mark.parametrize("limits", [Limits(1, 100, 20000, 86400), Limits(3600, 20000, 100, 1), Limits(1, 100, 100, 1)])
def test_limits_that_make_little_sense_do_no_harm(limits: Limits) -> None:
    flaps = after(*(float(at) for at in range(50)), limits=limits)
    assert flaps.until(50, limits) >= 0 and not flaps.settled(1e9, limits).suppressed

"""One property, two runs: a short one that is part of every test run, and a long one that is started by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LONGER = 50
"""The long run has so many times the examples of the short one."""
STEP = 2.0
"""Seconds of processor time that one line or text of a few kilobytes may take: a hundred times what it does take."""
CHECKS = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.function_scoped_fixture,
)
SIZES = [
    pytest.param(1, id="short", marks=pytest.mark.fuzz),
    pytest.param(LONGER, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]
"""For parametrize: the factor of a run's examples."""


def bounded(examples: int) -> settings:
    """Settings of a run with so many examples; no deadline for one, since the machine is shared."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=CHECKS)


def fuzzed(examples: int, *drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """A test of the decorated property: it is called with what is drawn, so many times, or LONGER times that."""

    def decorate(check: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("longer", SIZES)
        def test(longer: int) -> None:
            bounded(examples * longer)(given(*drawn)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


@contextmanager
def soon() -> Iterator[None]:
    """What is done inside takes little processor time: nothing an operator sends may hold the daemon."""
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < STEP, f"took {took:.1f} s of processor time"

"""The names of a list: natural order, and those that begin alike without looking at all of them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from data.index import Names
from data.path import natural_key

_names = st.text("ab-.019", min_size=1, max_size=6)


@given(st.lists(_names), _names | st.just(""))
def test_those_that_begin_alike_come_in_natural_order(names: list[str], prefix: str) -> None:
    held = Names()
    for name in names:
        held.add(name)
    wanted = sorted((name for name in set(names) if name.startswith(prefix)), key=natural_key)
    assert list(held.matching(prefix)) == wanted


@given(st.lists(_names))
def test_numbers_count_by_their_value_and_come_before_letters(names: list[str]) -> None:
    def plainly(name: str) -> tuple[list[object], str]:
        parts: list[object] = re.split(r"(\d+)", name)  # type: ignore[assignment]
        parts[1::2] = [int(str(part)) for part in parts[1::2]]
        return parts, name

    assert sorted(names, key=natural_key) == sorted(names, key=plainly)

"""Points in time as they are typed."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from commands.times import moment
from data.schema.types import BadValue

NOON = datetime(2030, 6, 1, 12, 0, 0).timestamp()


def test_a_time_of_day_is_the_next_such_moment() -> None:
    assert moment("12:30", NOON) == NOON + 1800
    assert moment("12:00:30", NOON) == NOON + 30
    assert moment("12:00", NOON) == moment("12:00:00", NOON) == datetime(2030, 6, 2, 12).timestamp()
    assert moment("0:00", NOON) == datetime(2030, 6, 2).timestamp()


def test_a_date_is_local_unless_it_has_an_offset() -> None:
    assert moment("2030-12-31T23:30", NOON) == datetime(2030, 12, 31, 23, 30).timestamp()
    assert moment("2030-12-31 23:30:15", NOON) == datetime(2030, 12, 31, 23, 30, 15).timestamp()
    assert moment("1970-01-01T01:00+01:00", NOON) == 0
    assert moment("2030-12-31", NOON) == datetime(2030, 12, 31).timestamp()


@pytest.mark.parametrize("text", ["", "24:00", "12:60", "noon", "12", "1:2:3:4", "2030-02-30", "99999-01-01"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadValue) as caught:
        moment(text, time.time())
    assert "23:30" in caught.value.remedy

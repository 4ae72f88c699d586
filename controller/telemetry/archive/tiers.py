"""How finely time is kept, and for how long: looks for an hour, minutes for a day, hours for a year.

All times inside the archive are whole milliseconds since the epoch, all sums whole numbers: nothing is lost by
rounding, however often it is cut and added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["BLOCK", "DAY", "HOUR", "KEPT", "LONGEST_INTERVAL", "MINUTE", "WIDTH", "Place", "Tier"]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Tier(IntEnum):
    """From the finest to the coarsest; the numbers are in the file."""

    LOOK = 0
    MINUTE = 1
    HOUR = 2


WIDTH: dict[Tier, int] = {Tier.LOOK: 1, Tier.MINUTE: MINUTE, Tier.HOUR: HOUR}
"""Milliseconds of a bucket; a look is as long as it was."""

KEPT: dict[Tier, int] = {Tier.LOOK: HOUR, Tier.MINUTE: DAY, Tier.HOUR: 366 * DAY}
"""For how long, in milliseconds, counted from the beginning of the open minute, hour and day: a little more is kept."""

BLOCK: dict[Tier, int] = {Tier.MINUTE: 60, Tier.HOUR: 168}
"""Buckets of one pack: an hour, a week. Packs of hours of a day need 10 % more, and lose half a page each, of
one or two."""

LONGEST_INTERVAL = 5 * MINUTE
"""The longest polling interval; what is longer is a gap."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the archive has come.

    Where the last look ended, and how long one is; the open minute and hour (None before the first) with the row of
    the first cell that is in it; since when looks, minutes and hours are kept; when the first look began.
    """

    end: int = 0
    length: int = 0
    minute: int | None = None
    minute_row: int = 0
    hour: int | None = None
    hour_row: int = 0
    looks_since: int = 0
    minutes_since: int = 0
    hours_since: int = 0
    oldest: int = 0

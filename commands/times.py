"""Points in time as operators write them: 23:30, 23:30:15, 2030-12-31T23:30, 2030-12-31, in local time or with an
offset.

A time of day alone is the next such moment: today when it is still to come, else tomorrow.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from data.schema.types import BadValue

CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
REMEDY = "write 23:30, 23:30:15 or 2030-12-31T23:30"


def moment(text: str, now: float) -> float:
    """The point in time that `text` means, in seconds since the epoch. Raises BadValue."""
    clock = CLOCK.fullmatch(text)
    try:
        if clock is None:
            return datetime.fromisoformat(text).timestamp()
        hour, minute, second = (int(part or 0) for part in clock.groups())
        today = datetime.fromtimestamp(now)
        at = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return (at if at.timestamp() > now else at + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadValue(f"'{text}' is not a time", REMEDY) from None


AGO = re.compile(r"(\d{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def past(text: str, now: float) -> float:
    """The same looking back: 30m and 2d are that long ago, a time of day is the latest such moment. Raises BadValue."""
    ago = AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * SECONDS[ago[2]]
    try:
        at = moment(text, now)
    except BadValue as problem:
        raise BadValue(problem.cause, "write 30m, 2h, 7d, 14:00 or 2030-12-31T23:30") from None
    return at - SECONDS["d"] if CLOCK.fullmatch(text) and at > now else at

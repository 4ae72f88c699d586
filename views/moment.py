"""Points in time as people and scripts read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

DAY = 86_400
"""Seconds."""


def ago(moment: float, now: float | None = None) -> str:
    """How long ago: '00:02:40' within a day, else '2d 04:11'."""
    seconds = max(0, int((time.time() if now is None else now) - moment))
    days, rest = divmod(seconds, DAY)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{days}d {hours:02}:{minutes:02}" if days else f"{hours:02}:{minutes:02}:{seconds:02}"


def clock(moment: float) -> str:
    """Local date and time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def iso(moment: float) -> str:
    """ISO 8601 in UTC, milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

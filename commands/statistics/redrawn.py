"""One picture after the other in place, until ctrl-c or so often: how every `monitor` shows what passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from commands.language.registry import Arguments
from views.models import Model, Stream

INTERVAL = 2
"""Seconds between two looks unless an interval is given."""
OFTEN = "[interval <seconds>] [times <times>]"
"""Grammar of how often."""
WORDS = {"interval": f"seconds between two looks ({INTERVAL})", "times": "so often instead of until ctrl-c"}


def redrawn(arguments: Arguments, look: Callable[[], Awaitable[None]], draw: Callable[[], Model]) -> Stream:
    """A stream of pictures: before each one `look` reads the counters, and `draw` makes it of what they say."""
    seconds, times = int(arguments.get("seconds") or INTERVAL), arguments.get("times")
    left = None if times is None else int(times)

    async def parts() -> AsyncIterator[Model]:
        nonlocal left
        while left is None or left > 0:
            await look()
            yield draw()
            if left is not None:
                left -= 1
            if left != 0:
                await asyncio.sleep(seconds)

    return Stream(parts, redraws=True, endless=left is None)

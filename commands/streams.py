"""Results that come bit by bit: how pipes act on them, and `| refresh`, which makes one of any command that only looks.

    handler ── Stream ──┐
                        ├── Output.stream ── each part through Output.each ── nshell/sessions/streaming.py ── the screen
    | refresh N ────────┘

Filters act on each part. What needs the whole (`count`, `last`, `find`, `save`) acts on each picture of a command that
is drawn again and again, and on the whole of a stream that ends; of one that never ends there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from commands.language.registry import Arguments, Mode, command
from commands.pipes import Output
from data.errors import CommandFailed
from views.models import Lines, Model, Stream
from views.render import Screen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from commands.context import Context

WHOLE = {"count", "last", "find", "save", "sort"}
"""Pipes that need all of a result."""


async def parts(output: Output) -> AsyncIterator[Output]:
    """The parts of a stream, each through the pipes that it still has to go through."""
    assert output.stream is not None
    async with aclosing(cast("AsyncGenerator[Model, None]", output.stream.parts())) as models:
        async for model in models:
            result = Output(model, output.form, False)
            for pipe in output.each:
                result = await pipe(result)
            yield result


async def through(output: Output, pipe: Callable[[Output], Awaitable[Output]], name: str) -> Output:
    """A stream through one more pipe. Raises CommandFailed for a pipe that has nothing to act on."""
    stream = output.stream
    assert stream is not None
    if name == "refresh":
        raise CommandFailed("refresh", "the command goes on by itself already", "leave out '| refresh'")
    if name not in WHOLE or stream.redraws:
        return replace(output, each=(*output.each, pipe))
    if stream.endless:
        raise CommandFailed(name, "the command does not end, there is no whole to act on", f"leave out '| {name}'")
    lines: list[str] = []
    async with aclosing(cast("AsyncGenerator[Output, None]", parts(output))) as results:
        async for result in results:
            lines += result.lines(Screen())
    return await pipe(Output(Lines(lines)))


@command(
    "refresh <seconds> [times <times>]",
    help="again and again until ctrl-c, on a terminal in place",
    mode=Mode.PIPE,
    words={"times": "so often instead"},
    confined=True,
)
async def refresh(context: Context, arguments: Arguments, output: Output) -> Output:
    """Run the command and the pipes before this one every so many seconds."""
    again = output.again
    if again is None:
        raise CommandFailed("refresh", "the command does more than look", "use it after show")
    times = arguments.get("times")
    seconds, left = int(arguments.values["seconds"]), None if times is None else int(times)

    async def pictures() -> AsyncIterator[Model]:
        nonlocal left
        yield output.model
        while left is None or (left := left - 1) > 0:
            await asyncio.sleep(seconds)
            yield (await again()).model

    return replace(output, pager=False, again=None, stream=Stream(pictures, redraws=True, endless=left is None))

"""A result on its way to the operator: at once, or bit by bit while the command runs.

A stream that is drawn again (`monitor vports`, `| refresh`) takes the whole of a terminal; elsewhere each picture
stands below a line with its time. With --json every part is one document. Next: commands/streams.py.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from commands.pipes import Output
from commands.streams import parts
from nshell.serving.transport import Transport
from views.json import render_json
from views.models import Lines
from views.moment import clock


async def present(output: Output, transport: Transport, still: Callable[[], None]) -> None:
    """Show a result. `still` is asked before each part of a stream and raises NotPermitted when its user may not see it
    any more. Raises NshellError of a stream that fails on its way, ConnectionError when nobody looks.
    """
    if output.stream is not None:
        await play(output, transport, still)
    elif transport.json:
        await transport.write(render_json(output.model) + "\n")
    else:
        await transport.show(output.lines(transport.screen), output.pager)


async def play(output: Output, transport: Transport, still: Callable[[], None]) -> None:
    """Show the parts of a stream as they come."""
    stream = output.stream
    assert stream is not None
    first = True
    async with aclosing(cast("AsyncGenerator[Output, None]", parts(output))) as results:
        async for result in results:
            still()
            if transport.json:
                if not empty(result):
                    await transport.write(render_json(result.model) + "\n")
                continue
            lines = result.lines(transport.screen)
            if stream.redraws and transport.interactive:
                await transport.draw([f"{clock(time.time())}   ctrl-c ends it", *lines], first)
            elif stream.redraws:
                await transport.show([f"--- {clock(time.time())}", *lines], False)
            elif lines:
                await transport.show(lines, False)
            first = False


def empty(output: Output) -> bool:
    """Whether a filter left nothing of this part."""
    return isinstance(output.model, Lines) and not output.model.lines

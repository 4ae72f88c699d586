"""ping: whether the controller's host reaches an address of the underlay, line by line as the answers come."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

from commands.context import Context
from commands.language.registry import Arguments, command
from data.errors import CommandFailed
from views.models import Lines, Model, Stream

COUNT = 5
"""Packets unless a count is given: a batch has to end."""
PATIENCE = 2
"""Seconds to wait for the last answer."""


@command(
    "ping <address> [count <number>]",
    help="whether the controller's host reaches an address",
    permission="tools",
    words={"count": f"so many packets ({COUNT})"},
)
async def ping(context: Context, arguments: Arguments) -> Stream:
    """The system's ping; workloads behind an overlay are reached by `tools dvrs NAME ...` alone."""
    program = shutil.which("ping")
    if program is None:
        raise CommandFailed("ping", "this host has no ping", "install the package iputils-ping")
    address, count = arguments.values["address"], int(arguments.get("number") or COUNT)

    async def answers() -> AsyncIterator[Model]:
        process = await asyncio.create_subprocess_exec(
            program, "-n", "-c", str(count), "-W", str(PATIENCE), address,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"LC_ALL": "C"},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                yield Lines([line.decode("utf-8", "replace").rstrip()])
            if await process.wait():
                raise CommandFailed(f"ping {address}", "it does not answer", "'show dvrs' shows who does")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    return Stream(answers, endless=False)

"""configure, exit, quit: the session's own verbs in operational mode."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command


@command("configure", help="change the configuration in your private candidate", permission="configure", confined=True)
@command(
    "configure private",
    help="the same: candidates are private always (Junos' spelling)",
    permission="configure",
    confined=True,
)
async def configure(context: Context, arguments: Arguments) -> None:
    """Enter configure mode."""
    await enter(context, False)


@command(
    "configure exclusive",
    help="the same, and nobody else may configure or commit meanwhile",
    permission="configure",
    words={"exclusive": "nobody else may configure or commit meanwhile"},
)
async def configure_exclusive(context: Context, arguments: Arguments) -> None:
    """Until this session leaves configure mode, ends or is ended."""
    await enter(context, True)


async def enter(context: Context, exclusive: bool) -> None:
    """Enter configure mode, in words that programs which drive Junos wait for."""
    said = await context.enter_configure(exclusive)
    if context.interactive:
        context.note("Entering configuration mode")
    for text in said:
        context.note(text)


@command("exit", help="end the session", permission="session")
async def exit_(context: Context, arguments: Arguments) -> None:
    """End the session."""
    context.end()


@command("quit", help="end the session", permission="session")
async def quit_(context: Context, arguments: Arguments) -> None:
    """End the session."""
    context.end()

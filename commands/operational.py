"""configure, exit, quit: the session's own verbs in operational mode."""

from __future__ import annotations

from commands.context import Context
from commands.registry import Arguments, command


@command("configure", help="change the configuration in your private candidate", permission="configure")
async def configure(context: Context, arguments: Arguments) -> None:
    """Enter configure mode."""
    for text in await context.enter_configure():
        context.note(text)


@command("exit", help="end the session", permission="session")
async def exit_(context: Context, arguments: Arguments) -> None:
    """End the session."""
    context.end()


@command("quit", help="end the session", permission="session")
async def quit_(context: Context, arguments: Arguments) -> None:
    """End the session."""
    context.end()

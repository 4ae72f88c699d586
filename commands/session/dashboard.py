"""dashboard: the network on the whole terminal, alive, until q."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from data.errors import CommandFailed
from views.dashboard.catalogue import SCREENS


@command(
    f"dashboard [{{{'|'.join(SCREENS)}}}]",
    help="the network on the whole terminal, kept up to date; q leaves",
    words={name: entry.about for name, entry in SCREENS.items()},
    confined=True,
)
async def dashboard(context: Context, arguments: Arguments) -> None:
    """Full screen in an interactive session. Each screen shows what a `show` command says, to who may use that."""
    screen = next((name for name in SCREENS if arguments.has(name)), next(iter(SCREENS)))
    if not context.interactive:
        raise CommandFailed(
            "dashboard",
            "there is no terminal to draw on",
            f"'{SCREENS[screen].same}' shows the same once, with '| refresh 5' again and again",
        )
    await context.dashboard(screen)

"""`top set ...`, `top show ...`: a verb of configure mode from the top, wherever the edit level is, as on Junos.

The registry declares `top` before each of these verbs, as it does `run` before operational commands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from data.path import Path

if TYPE_CHECKING:
    from commands.context import Context
    from commands.language.registry import Arguments

TOP = "top"
MOVES = "edit"
"""The verb that stays where it went."""
FROM_TOP = {"activate", "annotate", "copy", "deactivate", "delete", MOVES, "rename", "set", "show"}
"""Verbs whose words are relative to the edit level."""


def level_of(context: Context, words: set[str]) -> Path:
    """What the tail of a line with these fixed words is relative to."""
    return () if TOP in words else context.level


def at_top(handler: Callable[..., Awaitable[Any]], moves: bool) -> Callable[[Context, Arguments], Awaitable[Any]]:
    """The handler with the edit level at the top while it runs."""

    async def run(context: Context, arguments: Arguments) -> Any:
        level, context.level = context.level, ()
        try:
            result = await handler(context, arguments)
        except BaseException:
            context.level = level
            raise
        if not moves:
            context.level = level
        return result

    return run

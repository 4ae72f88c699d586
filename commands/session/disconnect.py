"""request session ... disconnect: end somebody's session, and with it the exclusive right to configure."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from views.models import Lines


@command(
    "request session <session> disconnect",
    help="end another session; its candidate is kept",
    permission="request",
    words={"request": "do something to the system", "session": "somebody's session", "disconnect": "end it"},
)
async def disconnect(context: Context, arguments: Arguments) -> Lines:
    """A command that runs there is cancelled; a commit that has begun comes to its end."""
    number = int(arguments.values["session"])
    whose = context.disconnect(number)
    return Lines([f"session {number} of {whose} ends"], {"session": number, "user": whose})

"""What stands before the line that is typed: who, where, in which mode, and what others did meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from commands.language.registry import Mode
from data.schema.objects import System

if TYPE_CHECKING:
    from nshell.sessions.session import Session


def prompt_of(session: Session) -> tuple[str, str]:
    """The line above the prompt ('' when there is none) and the prompt itself."""
    host = session.running.settings(System).hostname
    mark = "#" if session.mode is Mode.CONFIGURE else ">"
    above = []
    if session.mode is Mode.CONFIGURE:
        candidate = session.service.candidates.find(session.user)
        star = "*" if candidate is not None and candidate.differs else ""
        above.append(f"{star}[edit{''.join(' ' + word for word in session.level)}]")
    if session.service.exclusive.holder is session:
        above.append("[exclusive]")
    waiting = session.fabric.waiting
    if waiting is not None and not session.access.confined and not session.transport.settings.plain:
        revision, deadline = waiting
        clock = time.strftime("%H:%M:%S", time.localtime(deadline))
        above.append(f"[unconfirmed: revision {revision - 1} returns at {clock}]")
    return " ".join(above), f"{session.user}@{host}{mark} "


async def news_for(session: Session) -> list[str]:
    """What others committed since the last call."""
    revision = session.fabric.running.revision
    if revision == session.seen_revision:
        return []
    since, session.seen_revision = session.seen_revision, revision
    records = await session.fabric.history(max(1, min(20, revision - since)))
    return [
        f"revision {record.number} was committed by {record.author}" + (f": {record.comment}" if record.comment else "")
        for record in reversed(records)
        if record.number > since and record.author != session.user
    ]

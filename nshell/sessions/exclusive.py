"""configure exclusive: one session keeps all others from entering configure mode and from committing.

The right belongs to a session, not to its user, and ends with it: `exit`, a lost connection, `request session N
disconnect`, a restart of the daemon. Candidates are private, so others may go on editing what they have begun; but
nobody is kept from committing unasked: it is refused while somebody else is in the middle of edits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from commands.language.registry import Mode
from data.errors import CommandFailed
from views.moment import clock

if TYPE_CHECKING:
    from nshell.sessions.context import SessionContext


class Exclusive:
    """Who configures alone, if anybody does."""

    def __init__(self) -> None:
        self.holder: SessionContext | None = None
        self._since = 0.0

    def take(self, session: SessionContext, sessions: Iterable[SessionContext], editors: Iterable[str]) -> None:
        """Give it to this session and tell the others. Raises CommandFailed.

        `editors` are the users whose candidates differ.
        """
        self.refuse(session, "configure exclusive")
        others = [one for one in sessions if one.mode is Mode.CONFIGURE and one is not session]
        busy = sorted({one.user for one in others if one.user != session.user}.intersection(editors))
        if busy:
            verb = "is" if len(busy) == 1 else "are"
            raise CommandFailed(
                "configure exclusive",
                f"{', '.join(busy)} {verb} configuring, with changes that are not committed",
                "ask them to commit or discard, or use 'configure': your candidate is private",
            )
        if self.holder is session:
            return
        self.holder, self._since = session, time.time()
        for one in others:
            who = "an administrator" if one.access.confined else f"{session.user} ({session.origin})"
            one.transport.notice(f"{who} configures exclusively: nobody else can commit meanwhile")

    def release(self, session: SessionContext) -> None:
        """This session is through with it, or gone."""
        if self.holder is session:
            self.holder = None

    def refuse(self, session: SessionContext | None, doing: str) -> None:
        """Raises CommandFailed when another session configures exclusively."""
        holder = self.holder
        if holder is not None and holder is not session and session is not None and session.access.confined:
            raise CommandFailed(doing, "an administrator configures exclusively", "wait until that has ended")
        if holder is not None and holder is not session:
            raise CommandFailed(
                doing,
                f"{holder.user} configures exclusively since {clock(self._since)} from {holder.origin}",
                f"wait, ask {holder.user}, or end that session: 'request session {holder.number} disconnect'",
            )

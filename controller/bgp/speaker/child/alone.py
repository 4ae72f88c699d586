"""What the process does when its daemon has died: sessions are kept as they are until another daemon takes over.

A peer that agreed to graceful restart would keep our routes for the restart time without a session, too (RFC 4724), but
not every peer does: FRR before 10.6 drops those of EVPN at once. So the session goes on for as long: KEEPALIVEs are
sent, nothing is read, nothing else is said. When the time is over, and nobody came, cease: a peer that waited by itself
would drop our routes then. The next daemon ends this process when it has one that is ready (left.py), so that peers are
without a session for as long as it takes to open one.

Whom nobody answers must not connect to us, and the ports are needed by the next one, so listening ends at once, and
nobody is dialled. Sessions with peers that did not agree to graceful restart are closed: they are told nothing by it
that the death of the process would not have told them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from exabgp.reactor.network.error import NetworkError

from controller.bgp.speaker.child.privileges import die_with_daemon

if TYPE_CHECKING:
    from controller.bgp.speaker.child.session import Session

__all__ = ["Alone"]


class Alone:
    """`since` when, on the monotonic clock; None while there is a daemon. `outlive`: whether anything is kept."""

    def __init__(self, outlive: bool) -> None:
        self.since: float | None = None
        self._outlive = outlive
        self._dies = True

    def follow(self, sessions: Iterable[Session]) -> None:
        """These are there now. Without one to keep, the kernel ends this process with the daemon, even when it is
        stuck; it ends itself when the daemon is gone and the last one, too."""
        keeps = self._outlive and any(session.restart_time for session in sessions)
        if self.since is not None:
            if not keeps:
                os._exit(0)
        elif keeps is self._dies:
            self._dies = not keeps
            die_with_daemon(self._dies)

    def begin(self, sessions: Iterable[Session], reactor: Any) -> None:
        """The daemon is gone. Does not return when there is nothing to keep: no NOTIFICATION then (RFC 4724)."""
        found = list(sessions)
        self.follow(found)
        if self._dies:
            os._exit(0)
        self.since = monotonic()
        reactor.listener.stop()
        for session in found:
            if session.restart_time:
                session.until = self.since + session.restart_time
            else:
                session.fault = NetworkError("the daemon is gone")

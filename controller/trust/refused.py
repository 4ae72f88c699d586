"""Who is not let in: why, in words, and a line in the log for each, as far as they are few."""

from __future__ import annotations

import asyncio
import logging
import ssl

__all__ = ["LINES", "WINDOW", "RefusedLog", "handshake_words"]

LINES = 30  # in the log about strangers, within WINDOW; the rest is counted
WINDOW = 60.0  # seconds


class RefusedLog:
    """Lines of one listener's log; a flood of them is counted. For the event loop."""

    def __init__(self, log: logging.Logger, things: str = "") -> None:
        self._log, self._things = log, f"{things} " if things else ""
        self._window, self._lines, self._untold = 0.0, 0, 0

    def tell(self, message: str, *args: object) -> None:
        """One line, as of `Logger.warning`."""
        now = asyncio.get_running_loop().time()
        if now - self._window > WINDOW:
            if self._untold:
                self._log.warning("%d more %srefused", self._untold, self._things)
            self._window, self._lines, self._untold = now, 0, 0
        if self._lines >= LINES:
            self._untold += 1
            return
        self._lines += 1
        self._log.warning(message, *args)


def handshake_words(problem: OSError, seconds: float) -> str:
    """What went wrong with a handshake that may take so many seconds."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):
        return f"no TLS: {(problem.reason or str(problem)).replace('_', ' ').lower()}"
    if isinstance(problem, ConnectionAbortedError | TimeoutError):
        return f"no TLS handshake within {seconds:g} s"
    return str(problem) or problem.__class__.__name__

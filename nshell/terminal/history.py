"""The lines an operator typed before, for the arrow keys and ctrl-r: a file for each user, without secrets, bounded.

A line is kept only as `redacted` shows it. A disk that is full or cannot be written keeps nobody out: the line is then
remembered for this session alone.
"""

from __future__ import annotations

import logging
import os

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from data.schema.redaction import redacted

log = logging.getLogger("nshell.history")

KEPT = 1000
"""Lines kept for a user when a session begins."""
LIMIT = 1024 * 1024
"""Bytes of the file; a larger one is cut to its newest KEPT lines, and those to half of this."""


class Typed(FileHistory):
    """What one user typed."""

    def append_string(self, string: str) -> None:
        super().append_string(redacted(string))

    def store_string(self, string: str) -> None:
        try:
            super().store_string(string)
        except OSError as problem:
            log.warning("a line is not kept in %s: %s", self.filename, problem)

    def shorten(self) -> None:
        """Cut the file when it has grown too long. Raises OSError."""
        path = str(self.filename)
        if os.path.getsize(path) <= LIMIT:
            return
        newest: list[str] = []
        size = 0
        for line in self.load_history_strings():
            size += len(line) + 32  # its time stands before it
            if len(newest) == KEPT or size > LIMIT // 2:
                break
            newest.append(line)
        shorter = Typed(path + ".new")
        if os.path.exists(shorter.filename):
            os.unlink(shorter.filename)
        for line in reversed(newest):
            shorter.store_string(line)
        os.replace(shorter.filename, path)


def history_of(state: str, user: str) -> History:
    """The user's earlier lines, kept in the state directory."""
    folder = os.path.join(state, "history")
    path = os.path.join(folder, os.path.basename(user))
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        typed = Typed(path)
        typed.shorten()
    except OSError as problem:
        log.warning("user=%s without history: %s", user, problem)
        return InMemoryHistory()
    return typed

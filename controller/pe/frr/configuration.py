"""The candidate and its commits: load, compare, commit with a timed revert, confirm, discard, roll back.

The candidate is the driver's own until it is committed; the commit itself is the router's (see transaction.py). So
two users may prepare side by side: a merge is added to whatever runs at its commit, a replacement replaces it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from napalm.base.exceptions import (  # type: ignore[import-untyped]
    CommandErrorException,
    CommandTimeoutException,
    CommitConfirmException,
    CommitError,
    LockError,
    MergeConfigException,
    NapalmException,
    ReplaceConfigException,
)

from . import transaction
from .candidate import difference, merged, message_without_secrets, missing_daemons, normal
from .router import Access

COMMIT_TIMEOUT = 300.0  # seconds; thousands of lines to delete cost frr-reload.py some 30 ms each
REVERT_LIMIT = 86_400  # seconds: a day
MESSAGE_LIMIT = 500  # characters


@dataclass(slots=True)
class Configuration:
    """One driver's candidate for one router."""

    access: Access
    text: str = ""
    _kind: str = ""  # "merge", "replace", or none loaded
    _changes: list[str] = field(default_factory=list)  # directories made on the router

    def load(self, kind: str, text: str) -> None:
        """Take a candidate: `merge` or `replace`. The router checks its syntax; nothing changes.

        Raises MergeConfigException or ReplaceConfigException; the candidate of before, if any, is gone then.
        """
        self.discard()
        refused: type[NapalmException] = MergeConfigException if kind == "merge" else ReplaceConfigException
        try:
            candidate = normal(text)
        except ValueError as problem:
            raise refused(f"the candidate is refused: {problem}") from None
        change = self._make(candidate)
        try:
            checked = self.access.vtysh("-C", "-f", posixpath.join(change, "frr.conf"))
        finally:
            self._remove(change)
        if checked.code != 0:
            raise refused(f"FRR does not understand the candidate: {message_without_secrets(checked.said)}")
        missing = missing_daemons(candidate, self.access.show("show daemons").split())
        if missing:
            daemon, line = next(iter(missing.items()))
            raise refused(f"{line!r} needs {daemon}, which does not run on the router: FRR would forget the line")
        self.text, self._kind = candidate, kind

    def compare(self) -> str:
        """What a commit would change now: `-` and `+` lines inside their contexts; empty: nothing.

        A merge's lines are run as they are, so what FRR drops for them by itself (a second `bgp router-id` ends the
        first) is not among the `-` lines.
        """
        if not self._kind:
            return ""
        running = self.access.running()
        text = merged(running, self.text) if self._kind == "merge" else self.text
        change = self._make(text)
        try:
            router = self.access.router
            words = [change, router.instance, router.vtysh_conf, *router.reload]
            done = self.access.shell(transaction.COMPARE, *words, timeout=self._patience)
            if done.code != 0:  # look at it first: on a syntax error the output is a diff that deletes everything
                raise CommandErrorException(f"the router cannot compare: {message_without_secrets(done.said)}")
            return difference(done.output, running)
        finally:
            self._remove(change)

    def commit(self, message: str, revert_in: int | None) -> None:
        """Apply the candidate, wholly or not at all; with `revert_in` it is undone after so many seconds.

        Raises CommitError, LockError while another commit is applied; MergeConfigException or
        ReplaceConfigException when the router refuses a line, with the former configuration back in force. After
        any of these the candidate is still loaded.
        """
        if not self._kind:
            raise CommitError("there is no candidate: load one first")
        if revert_in is not None and not 1 <= revert_in <= REVERT_LIMIT:
            raise CommitError(f"revert_in is 1 to {REVERT_LIMIT} seconds, not {revert_in}")
        words = " ".join("".join(one if one.isprintable() else " " for one in message).split())[:MESSAGE_LIMIT]
        change = self._make(self.text)
        try:
            self._perform(change, self._kind, revert_in or 0, words)
        except BaseException:
            self._remove(change)
            raise
        self.text, self._kind = "", ""
        if not revert_in:
            self._remove(change)

    def pending(self) -> bool:
        """Whether a commit of anybody waits to be confirmed, is being applied, or could not be undone."""
        state = self.access.router.state
        done = self.access.shell('[ -e "$1/pending" ] || [ -e "$1/changing" ]', state)
        if done.code not in (0, 1):
            raise CommitConfirmException(f"the router's commits cannot be read: {done.said}")
        return done.code == 0

    def confirm(self) -> None:
        """Make the pending commit final. Raises CommitConfirmException when there is none (any more)."""
        self._settle("confirm", CommitConfirmException)

    def roll_back(self) -> None:
        """Undo the pending commit, or else the last one. Raises CommitError when there is none."""
        self._settle("rollback", CommitError)

    def discard(self) -> None:
        """Forget the candidate, and what confirmed and reverted commits left on the router."""
        self.text, self._kind = "", ""
        while self._changes:
            self._remove(self._changes[-1])

    @property
    def _patience(self) -> float:
        return float(self.access.options.get("commit_timeout") or COMMIT_TIMEOUT)

    def _settle(self, verb: str, none: Callable[[str], Exception]) -> None:
        change = self._make("!\n")
        try:
            self._perform(change, verb, 0, "")
        except _Nothing:
            word = "to confirm" if verb == "confirm" else "to roll back to"
            raise none(f"there is no commit {word}") from None
        finally:
            self._remove(change)

    def _perform(self, change: str, verb: str, revert_in: int, message: str) -> None:
        router = self.access.router
        text = transaction.script(router, change, verb, revert_in=revert_in, message=message)
        self._write(posixpath.join(change, "commit.sh"), text)
        patience = self._patience
        try:
            done = self.access.shell(
                transaction.START, change, str(int(patience)), timeout=patience + transaction.LOCK_TIMEOUT
            )
        except CommandTimeoutException:
            raise CommitError(f"the router has not said in {patience:g} s how it ended: it goes on by itself") from None
        if done.code == transaction.UNFINISHED:
            raise CommitError(f"not done in {patience:g} s: the router goes on by itself; see has_pending_commit()")
        if done.code == transaction.DIED:
            raise CommitError("the commit was killed on the router: rollback() undoes what it did")
        word, _, said = done.output.partition("\n")
        if word == "ok":
            return
        if word == "nothing":
            raise _Nothing
        reason = transaction.FAILURES.get(word, f"the router says {done.said[:200]!r}")
        text = message_without_secrets(f"{reason}{': ' if said.strip() else ''}{said.strip()}")
        if word == "locked":
            raise LockError(text)
        if word == "refused":
            raise (MergeConfigException if verb == "merge" else ReplaceConfigException)(text)
        raise CommitError(text)

    def _make(self, text: str) -> str:
        """A new directory for a change with this frr.conf in it, private to the user; its name."""
        state = self.access.router.state
        done = self.access.shell(transaction.MAKE, state, str(transaction.STALE_AFTER))
        change = done.output.strip()
        if done.code != 0 or not change.startswith(f"{state}/change."):
            raise CommandErrorException(f"the router has no private directory {state} for us: {done.said}")
        self._changes.append(change)
        self._write(posixpath.join(change, "frr.conf"), text)
        return change

    def _write(self, file: str, text: str) -> None:
        done = self.access.shell(transaction.WRITE, file, str(len(text.encode())), given=text)
        if done.code != 0:
            raise CommandErrorException(f"{file} cannot be written on the router: {done.said}")

    def _remove(self, change: str) -> None:
        self._changes.remove(change)
        self.access.shell(transaction.REMOVE, self.access.router.state, change)


class _Nothing(Exception):
    """There is no commit to confirm or to roll back."""

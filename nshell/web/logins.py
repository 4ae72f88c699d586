"""Who has logged in through the web: cookies, and when they end.

A cookie is 256 random bits; only its hash is kept here, in memory: a restart logs everybody out. It ends with logging
out, with idleness (`system idle-timeout`: no page, key or mouse), and at once when its user is deleted or gets another
class or password. What its user may do is looked up anew by each dashboard's session.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from data.configuration import Configuration, Edits
from data.schema.accounts import User
from data.schema.objects import System
from nshell.sessions.visitors import Visitors

log = logging.getLogger("nshell.web")

COOKIE = "__Host-nshell"
"""The prefix has browsers refuse it unless it is Secure, for this host alone and all of it (RFC 6265bis 4.1.3.2)."""
BYTES = 32
KEPT = 256
OWN = 16
"""Logins that are kept, and of one user; the one that was used least lately makes room."""
MINUTE = 60.0


@dataclass(eq=False, slots=True)
class Login:
    """One browser that somebody logged in with. `since` is seconds since the epoch, `came` and `used` are times of
    clocks. `token` is what its forms must send along."""

    user: str
    known: User
    origin: str
    since: float
    came: float
    used: float
    token: str
    ends: set[Callable[[str], None]] = field(default_factory=set)
    """How its dashboards are ended, with a word."""


class Logins:
    """All of them. `acting` gives the configuration that holds; `clock` seconds that only grow."""

    def __init__(
        self, acting: Callable[[], Configuration], visitors: Visitors, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._acting = acting
        self._visitors = visitors
        self._clock = clock
        self._logins: dict[bytes, Login] = {}

    def __iter__(self) -> Iterator[Login]:
        return iter(tuple(self._logins.values()))

    def __contains__(self, login: Login) -> bool:
        """Whether it has not ended."""
        return login in self._logins.values()

    def add(self, user: User, name: str, origin: str) -> tuple[str, Login]:
        """Somebody proved to be this user: the cookie's value, and what is known of it."""
        for most, some in ((OWN, [login for login in self if login.user == name]), (KEPT, list(self))):
            if len(some) >= most:
                self.end(min(some, key=lambda login: (bool(login.ends), login.used)), "too many others logged in")
        cookie = secrets.token_urlsafe(BYTES)
        came = self._visitors.came(name, origin, "its password")
        login = Login(name, user, origin, time.time(), came, self._clock(), secrets.token_urlsafe(BYTES))
        self._logins[_digest(cookie)] = login
        log.info("user=%s origin=%r logged in with its password", name, origin)
        return cookie, login

    def find(self, cookie: str | None) -> Login | None:
        """Whose cookie this is. Hashed, so that the time says nothing of those that there are."""
        if not cookie or len(cookie) > 2 * BYTES:
            return None
        login = self._logins.get(_digest(cookie))
        return login if login is not None and self._good(login) else None

    def use(self, login: Login) -> None:
        """Somebody looks, types or points."""
        login.used = self._clock()

    def end(self, login: Login, why: str) -> None:
        """Logs out; its dashboards end with the word. The second time it does nothing."""
        if login not in self:
            return
        self._logins = {digest: other for digest, other in self._logins.items() if other is not login}
        log.info("user=%s origin=%r logged out: %s", login.user, login.origin, why)
        self._visitors.went(login.user, login.origin, login.came)
        for stop in tuple(login.ends):
            stop(why)

    def changed(self, edits: Edits) -> None:
        """A commit is carried out: who may no longer come in is shown out."""
        if any(path[:1] == ("user",) for path in edits):
            self.check()

    def check(self) -> None:
        """Ends what is over: to be called now and then."""
        for login in self:
            self._good(login)

    def _good(self, login: Login) -> bool:
        acting = self._acting()
        minutes = acting.settings(System).idle_timeout
        if _rights(acting.get(("user", login.user))) != _rights(login.known):
            self.end(login, "the session ends: log in again")
        elif minutes and self._clock() > login.used + minutes * MINUTE:
            self.end(login, f"the session ends: no key was pressed for {minutes} min")
        else:
            return True
        return False


def _rights(user: object) -> tuple[str, str, str | None] | None:
    """What a login rests on."""
    return (user.uuid, user.class_, user.password) if isinstance(user, User) else None


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()

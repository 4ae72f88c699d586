"""Who is let in over SSH: a `user` of the configuration with one of its keys, or its password. The web asks here, too,
for passwords: whoever guesses waits for what was guessed at either.

A user that does not exist is treated as one with a password that nobody knows: the same answers after the same time.
Passwords are looked at in a thread (scrypt takes 50 ms), AT_ONCE at a time, after the delay of throttle.py.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from data.schema.accounts import Ssh, User
from data.schema.secret import LONGEST, matches
from nshell.serving.throttle import Throttle, source
from nshell.serving.turns import Turns

if TYPE_CHECKING:
    import asyncssh

    from controller.fabric import Fabric

log = logging.getLogger("nshell.ssh")

AT_ONCE = 2
"""Passwords looked at at a time, in threads of their own: each keeps the 16 MiB that scrypt took."""
KEYS_ALONE = "keys"
NOBODY = ""
"""A hash that no password has, in the time of one that some password has."""


class Authentication:
    """Looks callers up in the configuration as it is now."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._throttle = Throttle(asyncio.get_running_loop().time)
        self._turns = Turns()
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")

    def user(self, name: str) -> User | None:
        """The user of this name."""
        found = self._fabric.acting.get(("user", name))
        return found if isinstance(found, User) else None

    @property
    def takes_passwords(self) -> bool:
        """Whether passwords are accepted at all."""
        return self._fabric.acting.settings(Ssh).authentication != KEYS_ALONE

    def knows(self, name: str, key: asyncssh.SSHKey) -> bool:
        """Whether this is a key of this user; asyncssh has the holder sign for it."""
        return self.still(name, written(key))

    def still(self, name: str, key: str) -> bool:
        """Whether who came in with this key (its base64 text, '' for the password) could do so again."""
        user = self.user(name)
        if user is None:
            return False
        return any(line.split()[1] == key for line in user.ssh_key) if key else user.password is not None

    def close(self) -> None:
        """Look at no more passwords."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def password(self, name: str, password: str, address: str, allowed: Callable[[], bool] | None = None) -> bool:
        """Whether this is the user's password; after a while when others were wrong, and those before it. `allowed`:
        whether passwords are accepted at all, unless `ssh authentication` is to say it.
        """
        async with self._turns.one(source(address)):
            return await self._try(name, password, address, allowed or (lambda: self.takes_passwords))

    async def _try(self, name: str, password: str, address: str, allowed: Callable[[], bool]) -> bool:
        delay = self._throttle.delay(address, name)
        if delay:
            log.info("origin=%r waits %.0f s for earlier failures", address, delay)
            await asyncio.sleep(delay)
        user = self.user(name)
        kept = user.password if user is not None and user.password is not None else NOBODY
        loop = asyncio.get_running_loop()
        right = False
        try:
            right = await loop.run_in_executor(self._threads, matches, password, kept)
            right = right and len(password) <= LONGEST and allowed() and self.user(name) == user
        finally:
            if not right:
                self._throttle.failed(address, name)
        return right


def written(key: asyncssh.SSHKey) -> str:
    """The key as the second word of its line says it."""
    return base64.b64encode(key.public_data).decode()

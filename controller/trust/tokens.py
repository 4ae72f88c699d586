"""Join tokens: what an operator carries to a new hypervisor so that the two sides can trust each other.

A token is `t1.AUTHORITY.SECRET`: the fingerprint by which the agent knows the controller's authority before it trusts
anything, and 256 random bits by which the controller knows the agent. Only a hash of the secret is kept; it needs no
salt and no slow function, since nobody can guess 256 bits.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

FORM = "t1"
SECRET_BYTES = 32
FAILURES = 10  # wrong tokens that one address may bring within WINDOW
WINDOW = 60.0  # seconds
ADDRESSES = 1000  # addresses whose failures are remembered

__all__ = ["FAILURES", "WINDOW", "Attempts", "Token", "digest", "new_token"]


class Token(NamedTuple):
    """A token to be shown once, and what is kept of it."""

    text: str
    digest: bytes


def new_token(fingerprint: bytes) -> Token:
    """A fresh token for hypervisors that are to trust the authority with this fingerprint."""
    secret = _text(secrets.token_bytes(SECRET_BYTES))
    return Token(f"{FORM}.{_text(fingerprint)}.{secret}", digest(secret))


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Attempts:
    """Wrong tokens by address: after FAILURES within WINDOW the address has to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: dict[str, list[float]] = {}

    def exhausted(self, address: str) -> bool:
        """Whether this address must wait."""
        since = self._clock() - WINDOW
        recent = [when for when in self._failures.get(address, ()) if when > since]
        return len(recent) >= FAILURES

    def failed(self, address: str) -> None:
        """One more wrong token from there."""
        since = self._clock() - WINDOW
        recent = [when for when in self._failures.pop(address, ()) if when > since]
        self._failures[address] = [*recent[-FAILURES:], self._clock()]  # last in the dict: the oldest are dropped first
        while len(self._failures) > ADDRESSES:
            del self._failures[next(iter(self._failures))]

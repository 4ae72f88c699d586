"""Secrets in the configuration: what is typed is turned into a slow salted hash at once, and no text ever shows it.

    set user bob password hunter2        the candidate, the store and every revision hold $scrypt$...
    show, compare, display, save, JSON   print HIDDEN
    load of a text that says HIDDEN      leaves what is there

scrypt (RFC 7914) from the standard library: 16 MiB and about 50 ms for each guess. What may be kept of a line as it
was typed (history, audit, logs, errors) is worked out in `redaction.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from data.schema.types import BadValue, ValueType

HIDDEN = "********"
"""What stands in place of a secret in every text; as input: keep what is there."""
COST, BLOCK, PARALLEL = 1 << 14, 8, 1
"""N, r and p of scrypt: 16 MiB (RFC 7914 section 2)."""
SALT, DIGEST = 16, 32
"""Bytes."""
SHORTEST, LONGEST = 8, 128
"""Characters of a password."""
_PREFIX = "$scrypt$"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL, dklen=DIGEST)


def hashed(password: str) -> str:
    """`$scrypt$salt$digest` of a password, with a new salt."""
    salt = os.urandom(SALT)
    return f"{_PREFIX}{_text(salt)}${_text(_digest(password, salt))}"


def matches(password: str, kept: str) -> bool:
    """Whether this is the password of the hash; takes the same time whatever it is."""
    parts = _parts(kept)
    salt, digest = parts or (bytes(SALT), b"")
    return hmac.compare_digest(_digest(password[:LONGEST], salt), digest) and parts is not None


def _parts(kept: str) -> tuple[bytes, bytes] | None:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in kept.removeprefix(_PREFIX).split("$"))
    except (ValueError, binascii.Error):
        return None
    return (salt, digest) if len(salt) == SALT and len(digest) == DIGEST else None


def parse_password(word: str) -> str:
    """The hash of a password; a hash and HIDDEN stay as they are. Raises BadValue, which never repeats the word."""
    if word == HIDDEN:
        return word
    if word.startswith(_PREFIX):
        if _parts(word) is None:
            raise BadValue("this is not a hash that nshell made", "type the password itself")
        return word
    if not SHORTEST <= len(word) <= LONGEST or not word.isprintable():
        raise BadValue(
            f"a password has {SHORTEST} to {LONGEST} printable characters",
            "leave it out to be asked for it, without an echo",
        )
    return hashed(word)


PASSWORD = ValueType(
    "password",
    "<password>",
    parse_password,
    f"{SHORTEST} to {LONGEST} characters; leave it out to be asked for it",
    text=lambda value: HIDDEN,
    secret=True,
)


SHARED_LONGEST = 80
"""Characters: TCP MD5 takes no more (TCP_MD5SIG_MAXKEYLEN)."""


def parse_shared_key(word: str) -> str:
    """A key that another system must be told as it is, so it is kept as it is, in the store alone, which nobody but
    the daemon may read. Raises BadValue, which never repeats the word."""
    if not 1 <= len(word) <= SHARED_LONGEST or not word.isprintable() or not word.isascii() or " " in word:
        raise BadValue(
            f"a key has 1 to {SHARED_LONGEST} printable characters without spaces",
            "leave it out to be asked for it, without an echo",
        )
    return word


SHARED_KEY = ValueType(
    "key",
    "<key>",
    parse_shared_key,
    f"1 to {SHARED_LONGEST} characters; leave it out to be asked for it",
    text=lambda value: HIDDEN,
    secret=True,
)
"""A secret that both ends must know."""

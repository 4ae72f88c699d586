"""The keys by which clients know this controller again: made once, kept in <state>/ssh, readable by the daemon alone.

Ed25519 for everybody, ECDSA for clients that are older. No RSA: it takes seconds to make, and 3 ms of each handshake.
"""

from __future__ import annotations

import logging
import os

import asyncssh

log = logging.getLogger("nshell.ssh")

FOLDER = "ssh"
KINDS = (("ssh-ed25519", "host_ed25519"), ("ecdsa-sha2-nistp256", "host_ecdsa"))


def host_keys(state: str) -> list[asyncssh.SSHKey]:
    """The keys, made when they are not there. Raises OSError, and KeyImportError for a file that is no key."""
    folder = os.path.join(state, FOLDER)
    os.makedirs(folder, 0o700, exist_ok=True)
    return [_key(os.path.join(folder, name), kind) for kind, name in KINDS]


def _key(path: str, kind: str) -> asyncssh.SSHKey:
    if not os.path.exists(path):
        made = asyncssh.generate_private_key(kind, comment="nshell")
        log.info("made host key %s %s", path, made.get_fingerprint())
        _write(path + ".pub", made.export_public_key(), 0o644)
        _write(path, made.export_private_key(), 0o600)
    return asyncssh.read_private_key(path)


def _write(path: str, contents: bytes, mode: int) -> None:
    """Whole or not at all: half a key would lock everybody out."""
    new = path + ".new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(contents)
        file.flush()
        os.fsync(descriptor)
    os.replace(new, path)

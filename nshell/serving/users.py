"""Who is at the other end. On the unix socket the kernel says it (SO_PEERCRED), nobody has to be believed; over SSH
whoever proved to hold a configured user's key or password.
"""

from __future__ import annotations

import pwd
import socket
import struct
from dataclasses import dataclass

CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opens a session, and from where. `uid` is that of a local process, None for who came over SSH."""

    name: str
    origin: str
    uid: int | None = None


def peer_of(connection: socket.socket) -> Caller:
    """The peer of a connected unix socket; a uid without an account is named by its number."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _ = CREDENTIALS.unpack(raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid{uid}"
    return Caller(name, f"local pid {pid}", uid)

"""Who is at the other end: the kernel says it (SO_PEERCRED on a unix socket), nobody has to be believed."""

from __future__ import annotations

import pwd
import socket
import struct
from dataclasses import dataclass

CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end and its user."""

    name: str
    uid: int
    pid: int


def peer_of(connection: socket.socket) -> Peer:
    """The peer of a connected unix socket; a uid without an account is named by its number."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _ = CREDENTIALS.unpack(raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid{uid}"
    return Peer(name, uid, pid)

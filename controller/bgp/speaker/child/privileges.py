"""What the speaker process gives up before it hears a peer: root, files, children, and outliving the daemon unasked.

Listening on port 179 needs CAP_NET_BIND_SERVICE (capabilities(7)); nothing else does: TCP MD5 (RFC 2385), the TTL of
packets and binding to an address of the host are anybody's.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
import struct

__all__ = ["MEMORY_LIMIT", "USER", "confine", "die_with_daemon"]

USER = "nobody"  # only when the daemon is root; otherwise the daemon's own
MEMORY_LIMIT = 4 << 30  # bytes of address space: a million received routes wait in at most some hundred MB
FILES_LIMIT = 4096  # sessions and listening sockets

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 8, 38, 47  # linux/prctl.h
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_NET_BIND_SERVICE = 10  # linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522


def confine(parent: int) -> None:
    """Give up everything but what sessions need. `parent` is the daemon's process number; when it is gone already,
    so is this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    _limit(resource.RLIMIT_CORE, 0)  # memory holds passwords
    _limit(resource.RLIMIT_AS, MEMORY_LIMIT)
    _limit(resource.RLIMIT_NOFILE, FILES_LIMIT)
    if os.geteuid() == 0:
        account = pwd.getpwnam(USER)
        _ok(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    _keep_bind_service(libc)
    _limit(resource.RLIMIT_NPROC, 0)  # neither processes nor threads
    _ok(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    die_with_daemon(True)  # setresuid cleared it, so last
    if os.getppid() != parent:
        os._exit(0)


def die_with_daemon(always: bool) -> None:
    """Whether the kernel ends this process when the daemon ends, even if it is stuck. Raises OSError."""
    _ok(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL) if always else 0, 0, 0, 0))


def _keep_bind_service(libc: ctypes.CDLL) -> None:
    """Permitted and effective: at most CAP_NET_BIND_SERVICE; ambient and inheritable: none (capset(2))."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)  # two times effective, permitted, inheritable, 4 bytes each
    _ok(libc.capget(header, data))
    kept = struct.unpack_from("=6I", data.raw)[1] & (1 << _CAP_NET_BIND_SERVICE)
    _ok(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    _ok(libc.capset(header, ctypes.create_string_buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0), 24)))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (bound, bound))


def _ok(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""Exactly one daemon per state directory, started by whoever comes first: two locks and a ready pipe, no double fork.

    client   dial; else flock(start.lock); dial again; spawn `nshell serve`; read the pipe: 'ok', a reason, or its end
    daemon   flock(lock) for life, waiting up to 5 s for a dying one; bind the socket only under the lock; write 'ok'

The kernel drops both locks with the process, so nothing is stale after a kill -9. `start` is the client's half (it is
imported only when no daemon answers), `own` the daemon's.
"""

import fcntl
import os
import sys
import time

from nshell.places import SYSTEM_STATE, log_path

TAKEOVER = 5.0
"""Seconds a new daemon waits for a dying one to let go of the lock."""


class DaemonFailed(Exception):
    """The daemon did not start; the text says why."""


def start(state: str, dial: "object") -> object:
    """Start a daemon unless one answers by now; return what `dial(state)` returned.

    Raises DaemonFailed with the daemon's own reason, and PermissionError when the state directory may not be written.
    """
    import subprocess

    assert callable(dial)
    not_in_place_of_the_service(state)
    if state == SYSTEM_STATE and os.geteuid() != 0:
        raise DaemonFailed("the service nshell is down, and only root may start it\n  sudo systemctl start nshell")
    os.makedirs(state, 0o700, exist_ok=True)  # admission.py opens it for a group
    lock = os.open(state + "/start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = dial(state)
        if connection is not None:
            return connection
        read, write = os.pipe()
        path = log_path(state)
        os.makedirs(os.path.dirname(path), 0o750, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        others = os.environ.get("PYTHONPATH")
        environment = dict(os.environ, PYTHONPATH=root + (os.pathsep + others if others else ""))
        arguments = [sys.executable, "-m", "nshell.main", "serve", "--state", state, "--ready-fd", str(write)]
        subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
            pass_fds=[write],
        )
        os.close(write)
        os.close(log)
        said = b""
        while data := os.read(read, 4096):
            said += data
        os.close(read)
        if said != b"ok":
            raise DaemonFailed(said.decode("utf-8", "replace").strip() or f"it ended without a word; see {path}")
        connection = dial(state)
        if connection is None:
            raise DaemonFailed(f"it started and ended at once; see {path}")
        return connection
    finally:
        os.close(lock)


def own(state: str) -> int:
    """Take the state directory for this process; returns the descriptor of the lock, to be kept open for life.

    Raises DaemonFailed when another daemon still holds it after TAKEOVER seconds.
    """
    not_in_place_of_the_service(state)
    os.makedirs(state, 0o700, exist_ok=True)
    lock = os.open(state + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + TAKEOVER
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(lock)
                raise DaemonFailed(
                    f"another nshell serves {state} (pid {holder})\n  use that one, end it, or choose another --state"
                ) from None
            time.sleep(0.05)
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def not_in_place_of_the_service(state: str) -> None:
    """Raise DaemonFailed when root is about to write into another user's state directory: the service, which runs as
    that user, could not open the database afterwards.
    """
    if os.geteuid() != 0:
        return
    try:
        owner = os.stat(state).st_uid
    except FileNotFoundError:
        return
    if owner == 0:
        return
    import pwd

    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    remedy = "systemctl start nshell" if state == SYSTEM_STATE else f"run 'nshell serve' as user {name}"
    raise DaemonFailed(f"{state} belongs to user {name}, whom files of root would lock out\n  {remedy}")

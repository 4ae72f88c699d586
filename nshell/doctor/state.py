"""What the daemon keeps on disk: state directory, store, settings, and whom it lets in."""

from __future__ import annotations

import grp
import os
import pwd
import sqlite3
import stat
import time
from pathlib import Path
from urllib.parse import quote

from data.errors import CommandFailed
from data.schema.objects import Object
from data.store.rows import decode
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Machine
from nshell.places import SYSTEM_STATE, configuration_path
from nshell.serving import admission, settings

LITTLE, TOO_LITTLE = 1 << 30, 64 << 20
"""Bytes free: 1,000,000 rows of audit take 200 MB, and a large commit 50."""
SLOW_SYNC = 0.05
"""Seconds; a commit waits for one or two."""
FORGETFUL = ("tmpfs", "ramfs")
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
"""SQLite's write-ahead log needs memory shared by all who open it (sqlite.org/wal.html, section 2)."""


def directory(machine: Machine) -> Finding:
    """Who may enter the state directory."""
    path = machine.state
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return ok("state directory", f"{path} is not there yet; the first daemon makes it")
    except PermissionError:
        return warning("state directory", f"{path} is not for you", "not looked at", "sudo nshell doctor")
    try:
        owner = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        return missing(
            "state directory",
            f"{path} belongs to user number {status.st_uid}, who does not exist",
            "no daemon can use it",
            f"chown -R nshell:nshell {path}",
        )
    mode = stat.S_IMODE(status.st_mode)
    found = f"{path} of {owner}, mode {mode:04o}"
    if mode & 0o027:
        return missing("state directory", found, "others can read policy, history and keys", f"chmod go-rwx {path}")
    strangers = [name for name in os.listdir(path) if os.lstat(f"{path}/{name}").st_uid != status.st_uid]
    if strangers:
        return missing(
            "state directory",
            f"{found}; {strangers[0]} is another user's",
            f"a daemon of {owner} cannot open it",
            f"chown -R {owner}: {path}",
        )
    return ok("state directory", found)


def space(machine: Machine) -> Finding | None:
    """Room for revisions and audit."""
    if not machine.exists(machine.state):
        return None
    free = machine.free(machine.state)
    found = f"{free >> 20:,} MiB free"
    if free < TOO_LITTLE:
        return missing("disk space", found, "commits will be refused", f"make room below {machine.state}: df -h")
    if free < LITTLE:
        return warning("disk space", found, "a large commit or a year of audit may fill it", "make room: df -h")
    return ok("disk space", found)


def filesystem(machine: Machine) -> Finding | None:
    """Whether what was committed is still there after a power cut."""
    if not machine.exists(machine.state):
        return None
    kind = machine.filesystem(machine.state)
    if kind in REMOTE:
        return missing(
            "filesystem", kind, "the store's log does not work across machines", "put the state on a local disk"
        )
    if kind in FORGETFUL:
        return warning("filesystem", kind, "the configuration is gone after a reboot", "choose --state DIR on a disk")
    if not os.access(machine.state, os.W_OK):
        return ok("filesystem", f"{kind}; sync not measured")
    took = sync_time(machine.state)
    found = f"{kind}; a sync takes {took * 1000:.1f} ms"
    if took > SLOW_SYNC:
        return warning("filesystem", found, "every commit waits for it once or twice", "use a faster disk")
    return ok("filesystem", found)


def sync_time(directory: str) -> float:
    """Seconds that a small write takes until it is on the disk, the best of three."""
    times = []
    descriptor = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(3):
            os.write(descriptor, bytes(4096))
            began = time.perf_counter()
            os.fsync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return min(times)


def read_only(database: Path) -> sqlite3.Connection:
    """The store, not to be changed. A store that nobody has open is read without making a log beside it."""
    log = database.with_name(database.name + "-wal")
    mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(database))}?{mode}", uri=True, timeout=2.0)


def store(machine: Machine) -> Finding | None:
    """Whether the database is whole."""
    if not machine.exists(machine.database):
        return None
    remedy = "stop the daemon and put the latest backup there: docs/install.md"
    try:
        connection = read_only(machine.database)
        try:
            problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            revision = connection.execute("SELECT max(number) FROM revision").fetchone()[0] or 0
        finally:
            connection.close()
    except sqlite3.Error as problem:
        if not os.access(machine.database, os.R_OK):
            return warning("store", "not for you", "not looked at", "sudo nshell doctor")
        return missing("store", str(problem), "the daemon does not start", remedy)
    if problems != ["ok"]:
        return missing("store", problems[0].replace("\n", " "), "revisions may be lost", remedy)
    return ok("store", f"whole, {machine.database.stat().st_size >> 10:,} KiB, revision {revision}")


def stored(machine: Machine, kind: str) -> Object | None:
    """A container of the running configuration, None when the store has none or cannot be read."""
    if not machine.exists(machine.database):
        return None
    query = "SELECT body FROM object WHERE kind = ? AND parent = '' AND to_revision IS NULL"
    try:
        connection = read_only(machine.database)
        try:
            row = connection.execute(query, (kind,)).fetchone()
        finally:
            connection.close()
        return decode(kind, row[0]) if row else None
    except (sqlite3.Error, ValueError):
        return None


def daemon_settings(machine: Machine) -> Finding:
    """Its own configuration file."""
    path = configuration_path(machine.state)
    try:
        found = settings.read(path)
    except CommandFailed as problem:
        return missing("settings", f"{problem.where}: {problem.cause}", "the daemon does not start", problem.remedy)
    return ok("settings", f"{path} sets {', '.join(found)}" if found else f"{path} sets nothing")


def group(machine: Machine) -> Finding | None:
    """Whose members may connect."""
    if machine.state != SYSTEM_STATE:
        return None
    name = machine.environ.get(admission.VARIABLE) or settings_group(machine) or admission.USUAL
    try:
        members = grp.getgrnam(name).gr_mem
    except KeyError:
        return warning(
            "group", f"there is no group {name}", "nobody but root can use the shell here", f"groupadd --system {name}"
        )
    if not members:
        return warning(
            "group",
            f"{name} has no members",
            "nobody but root can use the shell here without SSH",
            f"usermod -a -G {name} USER",
        )
    return ok("group", f"{name}: {', '.join(members)}")


def settings_group(machine: Machine) -> str:
    """The group that the settings name, "" for none."""
    try:
        return settings.read(configuration_path(machine.state)).get("group", "")
    except CommandFailed:
        return ""

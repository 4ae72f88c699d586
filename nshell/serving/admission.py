"""Who may open the daemon's socket: its own user, and the members of one group.

    state directory   0700 owner             0710 owner:group   members pass through, and cannot list it
    nshell.sock       0660 owner             0660 owner:group   members connect
    everything else   0600 owner             the same           nobody else reads policy, log or history

The group is $NSHELL_GROUP, else `nshell` where there is one. What a member may do then is for login classes to say.
"""

from __future__ import annotations

import grp
import logging
import os

from data.errors import CommandFailed

log = logging.getLogger("nshell.service")

VARIABLE = "NSHELL_GROUP"
USUAL = "nshell"
PRIVATE = 0o077
"""The daemon's umask: whatever it makes is its own."""


def group() -> int | None:
    """The group that is let in, None when there is none. Raises CommandFailed when the one asked for does not exist."""
    asked = os.environ.get(VARIABLE, "")
    try:
        return grp.getgrnam(asked or USUAL).gr_gid
    except KeyError:
        if not asked:
            return None
    raise CommandFailed(VARIABLE, f"there is no group {asked}", f"make it with 'groupadd {asked}', or unset {VARIABLE}")


def admit(directory: str, socket: str, gid: int | None) -> None:
    """Open the way to the socket for the group, and for nobody else. Raises CommandFailed."""
    os.chmod(socket, 0o660)
    if gid is None:
        os.chmod(directory, 0o700)
        return
    try:
        os.chown(socket, -1, gid)
        os.chown(directory, -1, gid)
    except PermissionError:
        name = grp.getgrgid(gid).gr_name
        if os.environ.get(VARIABLE):
            cause = f"this user is not in group {name}"
            raise CommandFailed(VARIABLE, cause, f"join it, or unset {VARIABLE}") from None
        log.info("this user is not in group %s, which is therefore not let in", name)
        os.chmod(directory, 0o700)
        return
    os.chmod(directory, 0o710)

"""Which class somebody has who came in, whatever the way: the one place that turns a name into an Access.

    unix socket   uid 0 and the daemon's own user: super-user; an account with a `user` of its name: that class;
                  any other member of the group: `access default-class`; a `user` that is deactivated: nobody
    SSH           a configured `user` alone: its class

Names are one name space: a local account bob and an SSH user bob are the same person, with one candidate.
"""

from __future__ import annotations

import os

from data.access import Access, access_of
from data.configuration import Configuration
from data.schema.accounts import AccessDefaults, User

SUPER_USER = "super-user"


def is_trusted(uid: int | None) -> bool:
    """Whether this local user could read and write the daemon's files anyway."""
    return uid is not None and uid in (0, os.geteuid())


def access_for(
    acting: Configuration, configured: Configuration, user: str, *, trusted: bool = False, local: bool = False
) -> Access | None:
    """What this user may do; None when the user is not, or no longer, allowed in.

    Somebody who is deactivated, and so is in what is `configured` and not in what is `acting`, may do nothing: with the
    default class a tenant's administrator would see every tenant from then on.
    """
    if trusted:
        return access_of(acting, user, SUPER_USER)
    found = acting.get(("user", user))
    if isinstance(found, User):
        return access_of(acting, user, found.class_)
    if local and configured.get(("user", user)) is None:
        return access_of(acting, user, acting.settings(AccessDefaults).default_class)
    return None

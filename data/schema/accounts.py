"""Who may come in and what they may do there: SSH, login classes, users, aliases.

    ssh, access                          user NAME ── alias NAME        alias NAME (everybody's)
    login-class NAME ── rule NUMBER

Three classes need no declaration (`BUILT_IN`). What a class comes to is worked out in `data/access.py`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.secret import PASSWORD
from data.schema.types import LISTEN_ADDRESS, NAME, SSH_KEY, TEXT, choice, integer, numbered

PERMISSIONS: dict[str, str] = {
    "all": "everything",
    "show": "look at what is configured and what the network does",
    "configure": "change a candidate",
    "commit": "make the candidate the running configuration",
    "tools": "diagnostics on hypervisors",
    "request": "certificates, the rescue configuration, other people's sessions",
    "audit": "what others did",
}
"""What a class may allow, with help. A command names the one that it needs."""

BUILT_IN: dict[str, tuple[str, ...]] = {
    "super-user": ("all",),
    "operator": ("show", "tools"),
    "read-only": ("show",),
}
"""Classes that are always there, and their permissions."""


class Ssh(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("ssh", "the SSH server of this nshell")
    listen_address: Annotated[
        str | None, Leaf("address that operators dial", LISTEN_ADDRESS, default_text="there is no SSH server")
    ] = None
    port: Annotated[int, Leaf("TCP port", integer(1, 65535, "a TCP port"))] = 2022
    authentication: Annotated[
        str,
        Leaf(
            "how users prove who they are",
            choice(("keys", "public keys alone"), ("keys-and-passwords", "public keys, or a password")),
        ),
    ] = "keys-and-passwords"
    max_sessions: Annotated[int, Leaf("most sessions at a time", integer(1, 256, "sessions"))] = 64
    sessions_per_user: Annotated[int, Leaf("most of them of one user", integer(1, 256, "sessions"))] = 32
    keepalive_interval: Annotated[
        int, Leaf("silence after which the other end is asked", integer(1, 3600, "seconds", units="seconds"))
    ] = 30


class AccessDefaults(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("access", "what those may do who have no `user` of their own")
    default_class: Annotated[
        str, Leaf("login class of local users who are not configured", NAME, reference="login-class")
    ] = "read-only"


class LoginClass(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "login-class", "what some users may see and do", key=NAME, reference_scope=EVERYWHERE, built_in=tuple(BUILT_IN)
    )
    permission: Annotated[
        tuple[str, ...], Leaf("what its users may do", choice(*PERMISSIONS.items()), mandatory=True)
    ] = ()
    enterprise: Annotated[
        tuple[str, ...],
        Leaf("they see and change these tenants alone", NAME, reference="enterprise", default_text="everything"),
    ] = ()


class ClassRule(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "rule",
        "access to a part of the configuration; the first rule that matches decides",
        under=("login-class",),
        key=numbered(1, 65535, "order in the class, lower is looked at first"),
    )
    path: Annotated[
        str, Leaf('the part, for example "enterprise acme domain * vport"; * is any name', TEXT, mandatory=True)
    ] = ""
    access: Annotated[
        str,
        Leaf(
            "what may be done to it",
            choice(("none", "it is not there"), ("read", "look at it"), ("write", "look at it and change it")),
            mandatory=True,
        ),
    ] = ""


class User(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("user", "somebody who may log in", key=NAME)
    class_: Annotated[str, Leaf("what they may do", NAME, mandatory=True, reference="login-class")] = ""
    password: Annotated[str | None, Leaf("password for SSH and the web; kept as a slow salted hash", PASSWORD)] = None
    ssh_key: Annotated[tuple[str, ...], Leaf("public keys for SSH", SSH_KEY)] = ()


class Alias(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("alias", "a short word for a command", under=("", "user"), key=NAME)
    command: Annotated[str, Leaf("what it stands for", TEXT, mandatory=True)] = ""

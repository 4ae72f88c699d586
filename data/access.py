"""What a login class comes to: which verbs its users may use, and which parts of the configuration they see and change.

    class ──> permissions      the verbs (a command names the one it needs)
          ──> enterprises      a class that is confined to tenants sees nothing outside them, whatever else it says
          ──> rules            first match decides about a path: none, read or write
          ──> defaults         inside: write; what decides who may do what (PROTECTED): write only with `all`

Pure. Enforced in three places that everything passes: `commands/language/parse.py` (verbs), `data/confined.py` (what
is seen) and the candidate's guard (what is changed).
"""

from __future__ import annotations

from dataclasses import dataclass

from data.configuration import Configuration, Edits
from data.errors import NotPermitted
from data.path import Path, path_text
from data.schema.accounts import BUILT_IN, ClassRule, LoginClass
from data.schema.base import Object
from data.schema.nodes import node_of

SESSION = "session"
"""The permission of commands about the own session: everybody has it."""
ALL = "all"
PROTECTED = frozenset(("login-class", "user", "access", "ssh", "alias"))
"""Changing these is a way to any permission: an alias of everybody may be typed by a super-user."""
NONE, READ, WRITE = "none", "read", "write"


@dataclass(frozen=True, slots=True)
class Rule:
    """Access to what is at or below a pattern of a path; `*` stands for any name."""

    pattern: Path
    access: str

    def matches(self, path: Path) -> bool:
        """Whether the path lies at or below the pattern."""
        return len(path) >= len(self.pattern) and self.leads(path[: len(self.pattern)])

    def leads(self, path: Path) -> bool:
        """Whether the pattern lies at or below the path."""
        return len(path) <= len(self.pattern) and all(
            have in ("*", word) for have, word in zip(self.pattern, path, strict=False)
        )


@dataclass(frozen=True, slots=True)
class Access:
    """What one user may do. `enterprises` is None for a class that is not confined to tenants."""

    user: str
    login_class: str
    permissions: frozenset[str]
    enterprises: frozenset[str] | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def confined(self) -> bool:
        """Whether there are tenants that the user must not know of."""
        return self.enterprises is not None

    @property
    def whole(self) -> bool:
        """Whether nothing of the configuration is hidden."""
        return self.enterprises is None and all(rule.access != NONE for rule in self.rules)

    @property
    def unlimited(self) -> bool:
        """Whether everything may be seen and changed."""
        return self.enterprises is None and ALL in self.permissions and not self.rules

    def permits(self, permission: str) -> bool:
        """Whether the class allows a verb."""
        return permission == SESSION or permission in self.permissions or ALL in self.permissions

    def reads(self, path: Path) -> bool:
        """Whether the object at the path is seen with all its leaves."""
        return self._access(path) != NONE

    def writes(self, path: Path) -> bool:
        """Whether the object at the path may be changed."""
        return self._access(path) == WRITE

    def sees(self, path: Path) -> bool:
        """Whether the path is seen at all: also one that leads to something that may be read."""
        if self.reads(path):
            return True
        if self.user and ("user", self.user)[: len(path)] == path:
            return True
        inside = self.enterprises is None or (
            path[:1] == ("enterprise",) and (len(path) == 1 or path[1] in self.enterprises)
        )
        return inside and any(rule.access != NONE and rule.leads(path) for rule in self.rules)

    def refuse_verb(self, permission: str, confined: bool, where: str) -> None:
        """Raises NotPermitted unless the class allows a command that needs this permission.

        `confined`: it is safe for those who are confined to tenants.
        """
        if self.permits(permission) and (confined or not self.confined):
            return
        cause = f"class {self.login_class} does not let {self.user} do this"
        if not self.permits(permission):
            cause += f": it needs permission {permission}"
        raise NotPermitted(where, cause, self.remedy)

    def refuse_write(self, path: Path, verb: str) -> None:
        """Raises NotPermitted unless `verb` may be done to the object at the path.

        A path that is not seen is refused in the same words, whether or not there is such an object.
        """
        whole_tenant = self.confined and len(path) <= 2 and verb not in ("set", "annotate")
        if whole_tenant or not self.writes(path):
            raise NotPermitted(
                path_text(path) or "the configuration",
                f"class {self.login_class} does not let {self.user} {verb} this",
                self.remedy,
            )

    def refuse_edits(self, edits: Edits, running: Configuration) -> None:
        """Raises NotPermitted unless all of these edits may be made, by whomever and whenever they were typed."""
        if self.unlimited:
            return
        for path, item in edits.items():
            self.refuse_write(path, "delete" if item is None else "set")
            former = running.get(path)
            if item is not None:
                self.refuse_provider_leaves(path, item, running)
            if item is None or former is None or item.inactive == former.inactive:
                continue
            verb = "deactivate" if item.inactive else "activate"
            self.refuse_write(path, verb)
            if not all(self.writes(below) for below, _ in running.walk(path)):  # it is turned on or off with it
                raise NotPermitted(path_text(path), f"you may not {verb} all of it", self.remedy)

    def refuse_provider_leaves(self, path: Path, item: Object, running: Configuration) -> None:
        """Raises NotPermitted when a leaf that reaches beyond the tenant is changed by who is confined to it."""
        if not self.confined:
            return
        known = running.by_uuid(item.uuid)  # by its UUID: a rename gives nothing a value
        former = None if known is None else running.get(known)
        for leaf in node_of(path).leaves.values():
            value = getattr(item, leaf.field)
            if not leaf.facts.provider or value == getattr(former, leaf.field, leaf.default):
                continue
            raise NotPermitted(
                path_text((*path, leaf.keyword)),
                f"class {self.login_class} does not let {self.user} set this: it reaches beyond the enterprise",
                "ask whoever runs the network to set it",
            )

    @property
    def remedy(self) -> str:
        """What somebody can do who is refused."""
        if self.enterprises is None:
            return "ask an administrator, or use an account with another class"
        return f"you may work in: {', '.join(f'enterprise {name}' for name in sorted(self.enterprises))}"

    def _access(self, path: Path) -> str:
        if path[:3] == ("user", self.user, "alias") and len(path) > 3:
            return WRITE
        if self.enterprises is not None and (
            path[:1] != ("enterprise",) or path[1:2] == () or path[1] not in self.enterprises
        ):
            return NONE
        for rule in self.rules:
            if rule.matches(path):
                return rule.access
        if path and path[0] in PROTECTED and ALL not in self.permissions:
            return READ
        return WRITE


EVERYTHING = Access("", "super-user", frozenset((ALL,)))
"""What the system itself may do: a commit that returns, one that was scheduled by a super-user."""


def access_of(configuration: Configuration, user: str, login_class: str) -> Access | None:
    """What the class lets this user do; None when there is no such class."""
    if login_class in BUILT_IN:
        return Access(user, login_class, frozenset(BUILT_IN[login_class]))
    path = ("login-class", login_class)
    item = configuration.get(path)
    if not isinstance(item, LoginClass):
        return None
    rules = (configuration.get((*path, "rule", number)) for number in configuration.children(path, "rule"))
    return Access(
        user,
        login_class,
        frozenset(item.permission),
        frozenset(item.enterprise) if item.enterprise else None,
        tuple(Rule(tuple(rule.path.split()), rule.access) for rule in rules if isinstance(rule, ClassRule)),
    )

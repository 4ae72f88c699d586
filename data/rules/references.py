"""References: what an object names exists, and what others name is not deleted."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from data.acting import inactive_at
from data.errors import Problem
from data.index import reference_scope
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule, when_deleted
from data.schema.completion import reference_names
from data.schema.nodes import FACTS, may_be_below, node_of, reference_name
from data.schema.objects import Domain, Endpoint, Object
from data.schema.words import listed
from data.templates import in_template, named_in_templates

_NAMES_LOOKED_AT = 500
"""A suggestion is sought among this many names."""
_REFERRERS_NAMED = 3


@rule(Object)
def named_objects_exist(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    for reference in node_of(path).references:
        if reference.target == Domain.declared.keyword:
            continue  # domains.py: a domain that is not shared is answered like one that does not exist
        leaf = reference.leaf
        value = getattr(item, leaf.field)
        if isinstance(value, Endpoint):
            named = [(value.kind, value.name)] if value.kind != "any" else []
        else:
            names = value if isinstance(value, tuple) else (value,)
            named = [(reference.target or "", name) for name in names if name]
            if not named and leaf.facts.named_by_default:
                named = [(reference.target or "", path[-1])]
        for kind, name in named:
            if in_template(path) and not named_in_templates(kind):
                continue  # looked up in each domain made from it
            if check.view.resolve(path, kind, name) is None and name not in FACTS[kind].built_in:
                yield problem(path, leaf.keyword, *_not_there(check, path, kind, name))


def _not_there(check: Check, path: Path, kind: str, name: str) -> tuple[str, str]:
    scope = reference_scope(path, kind)
    if scope is None:
        return f"a {kind} cannot be named here", "name something else"
    if scope == () and path[0] == "enterprise":  # what is there outside the enterprise is not everybody's to know
        return f"there is no {kind} {name} that can be named here", "ask those who run this network for its name"
    if not may_be_below(scope, kind):
        article = "an" if scope[-2][0] in "aeil" else "a"
        return f"{article} {scope[-2]} has no {kind}s", "name something else, or leave it out"
    target = check.everything.resolve(path, kind, name)
    off = inactive_at(check.everything, target) if target is not None else None
    if off is not None:
        by = "" if off == target else f" with {path_text(off)}"
        return f"{kind} {name} is deactivated{by}", f"activate {path_text(off)}, or name another {kind}"
    known = [one.word for one in reference_names(check.view, path, kind, "", _NAMES_LOOKED_AT) if one.word]
    close = difflib.get_close_matches(name, known, 1)
    where = path_text(scope[-2:]) or "the configuration"
    between = ("zone", "<name>") if kind == "subnet" else ()
    make = f"make it first: set {path_text((*scope, *between, kind, name))}"
    remedy = f"did you mean {close[0]}? {where} has: {listed(known)}" if close else make
    return f"{where} has no {kind} {name}", remedy


@when_deleted
def nobody_names_it(check: Check, path: Path) -> Iterator[Problem]:
    former = check.running.get(path)
    left = [] if former is not None and former.inherited else users_left(check, path)  # see templates.py
    if left:
        verb = "still names" if len(left) == 1 else "still name"
        what = "delete" if check.everything.get(path) is None else "deactivate"
        cause = f"cannot be {what}d: {listed_users(path, left)} {verb} it"
        yield problem(path, "", cause, f"change or {what} those in the same commit")


def users_left(check: Check, path: Path) -> list[Path]:
    """Who names what is deleted, and is not edited with it: those are looked at by themselves."""
    left = [one for one in check.view.referrers(path) if one not in check.edits]
    if not left or check.view.resolve(left[0], node_of(path).keyword, reference_name(path)) is not None:
        return []
    return left


def listed_users(path: Path, left: list[Path]) -> str:
    """Some of those who name the object at the path, in words."""
    own, others = [one for one in left if not _foreign(path, one)], [one for one in left if _foreign(path, one)]
    names = sorted(_short(one) for one in own)
    if others:  # an enterprise is not told the names in another
        names.insert(0, f"{len(others)} in other enterprises" if len(others) > 1 else "one in another enterprise")
    rest = len(names) - _REFERRERS_NAMED
    return ", ".join(names[:_REFERRERS_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _foreign(path: Path, other: Path) -> bool:
    return path[0] == other[0] == "enterprise" and path[1] != other[1]


def _short(path: Path) -> str:
    """The words of a path below its domain or enterprise."""
    return path_text(path[4:] if len(path) > 4 else path)

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
from data.schema.nodes import FACTS, node_of
from data.schema.objects import Endpoint, Object
from data.schema.words import listed

_NAMES_LOOKED_AT = 500
"""A suggestion is sought among this many names."""
_REFERRERS_NAMED = 3


@rule(Object)
def named_objects_exist(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    for reference in node_of(path).references:
        leaf = reference.leaf
        value = getattr(item, leaf.field)
        if isinstance(value, Endpoint):
            named = [(value.kind, value.name)] if value.kind != "any" else []
        else:
            names = value if isinstance(value, tuple) else (value,)
            named = [(reference.target or "", name) for name in names if name]
        for kind, name in named:
            if check.view.resolve(path, kind, name) is None and name not in FACTS[kind].built_in:
                yield problem(path, leaf.keyword, *_not_there(check, path, kind, name))


def _not_there(check: Check, path: Path, kind: str, name: str) -> tuple[str, str]:
    scope = reference_scope(path, kind)
    if scope is None:
        return f"a {kind} cannot be named here", "name something else"
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
    node = node_of(path)
    kind = node.keyword
    left = [one for one in check.view.referrers(path) if one not in check.edits]
    if not left or check.view.resolve(left[0], kind, path[-1]) is not None:
        return
    names = sorted(_short(one) for one in left)
    rest = len(names) - _REFERRERS_NAMED
    said = ", ".join(names[:_REFERRERS_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    verb = "still names" if len(names) == 1 else "still name"
    what = "delete" if check.everything.get(path) is None else "deactivate"
    yield problem(path, "", f"cannot be {what}d: {said} {verb} it", f"change or {what} those in the same commit")


def _short(path: Path) -> str:
    """The words of a path below its domain or enterprise."""
    return path_text(path[4:] if len(path) > 4 else path)

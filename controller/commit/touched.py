"""What an edit of a template comes to: the domains made from it, their vports that are concerned, and where those are.

    domain-template office ── subnet web changed ──> acme/prod: web-1, web-2 on hv1, hv2
                                                     acme/test: nothing is there yet

A pure function over what acts before and after, for `commit check`. A subnet concerns its vports, an entry those at
whose end it is looked at, anything else all of the domain. Costs the vports that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.compile import State
from data.configuration import Configuration, Edits
from data.path import Path, vport_name
from data.schema.nodes import order_key
from data.schema.objects import Endpoint, Entry
from data.schema.services import Redirect
from data.templates import domain_of, in_template, instances

__all__ = ["Touched", "touched"]

_ALONE_NOTHING = ("zone", "policy-group", "ingress-policy", "egress-policy", "forwarding-policy")
"""Kinds that matter by what is in them, or names them: that is edited, too, when it is another then."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A domain, the full names of its vports that an edit concerns, and the hypervisors that they are on."""

    domain: str
    vports: tuple[str, ...]
    dvrs: tuple[str, ...]


def touched(old: State, new: State, edits: Edits, acting: Edits) -> tuple[Touched, ...]:
    """One for each domain in which an edit of a template changes something. `acting` is what the `edits` come to."""
    templates = {path[:2] for path in edits if in_template(path)}
    made = {domain for view in (old.view, new.view) for template in templates for domain in instances(view, template)}
    edited: dict[Path, list[Path]] = {}
    for path in acting if made else ():
        domain = domain_of(path)
        if domain in made:
            edited.setdefault(domain, []).append(path)
    return tuple(_domain(old, new, domain, edited[domain]) for domain in sorted(edited, key=order_key))


def _domain(old: State, new: State, domain: Path, paths: Iterable[Path]) -> Touched:
    vports: set[Path] = set()
    for path in paths:
        found = _concerned(old, new, path)
        if found is None:
            vports = {(*domain, "vport", name) for state in (old, new) for name in state.view.children(domain, "vport")}
            break
        vports |= found
    there = {place.location.dvrs for path in vports for state in (old, new) if (place := state.place(path)) is not None}
    names = tuple(vport_name(path) for path in sorted(vports, key=order_key))
    return Touched(f"{domain[1]}/{domain[3]}", names, tuple(sorted(there)))


def _concerned(old: State, new: State, path: Path) -> set[Path] | None:
    """The vports that an object of a domain concerns, before or after; None for all of the domain."""
    keyword, found = path[-2], set[Path]()
    if keyword in _ALONE_NOTHING:
        return found
    for view in (old.view, new.view):
        item = view.get(path)
        if item is None:
            continue
        if isinstance(item, Entry | Redirect):
            side = item.to if path[-4] == "egress-policy" else item.from_
            if side.kind in ("any", "network-macro") or _turned(old, new, path):
                return None
            found.update(_behind(view, path, side))
        elif keyword == "subnet":
            found.update(_vports(view, path))
        elif keyword == "dhcp-option":
            found.update(_vports(view, path[:-2]))
        elif keyword == "qos":
            for user in view.referrers(path):
                if user[-2] == "domain":
                    return None
                found.update([user] if user[-2] == "vport" else _vports(view, user))
        else:
            return None
    return found


def _turned(old: State, new: State, path: Path) -> bool:
    """Whether what no entry matches fares otherwise: the first entry of a direction makes it deny."""
    before, after = (state.policies.get(path[:4]) for state in (old, new))
    return before is not None and after is not None and before.defaults != after.defaults


def _behind(view: Configuration, path: Path, side: Endpoint) -> Iterator[Path]:
    """The vports that one side of a rule stands for."""
    named = view.resolve(path, side.kind, side.name)
    if named is None:
        return
    if side.kind == "vport":
        yield named
    elif side.kind == "zone":
        for name in view.children(named, "subnet"):
            yield from _vports(view, (*named, "subnet", name))
    else:
        yield from _vports(view, named)


def _vports(view: Configuration, named: Path) -> Iterator[Path]:
    """The vports that name a subnet or a group."""
    return (user for user in view.referrers(named) if user[-2] == "vport")

"""Problems of what domains inherit, said once and at the template, where they can be put right: not 100 times.

error: domain-template office ingress-policy base entry 10 from
  the enterprise has no network-macro wan (in 12 domains, for example acme/prod)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from data.acting import inactive_at
from data.errors import Problem
from data.path import Path, path_text
from data.schema.nodes import order_key
from data.templates import domain_of, source_of, template_of

if TYPE_CHECKING:
    from data.rules.registry import Check

__all__ = ["DOMAINS_NAMED", "domain_name", "said_once"]

DOMAINS_NAMED = 3
"""Domains that one problem names."""
_CAUSES = 3  # different ones told at one place of a template

Found = tuple[Path, Problem]


def domain_name(path: Path) -> str:
    """'acme/prod' of a domain, or of anything in one."""
    return f"{path[1]}/{path[3]}"


def said_once(check: Check, found: Iterable[Found]) -> list[Found]:
    """The problems, each with the path it is reported at; those of inherited objects gathered at the template."""
    kept: list[Found] = []
    gathered: dict[Path, dict[tuple[str, str], tuple[Problem, list[Path]]]] = {}
    for path, one in found:
        source = _source(check, path)
        if source is None or not one.path_text.startswith(path_text(path)):
            kept.append((path, one))
            continue
        here, there = path_text(path), path_text(source)
        where = there + one.path_text.removeprefix(here)
        cause = one.cause.replace(f"domain {path[3]}", "the domain").replace(f"enterprise {path[1]}", "the enterprise")
        told = Problem(where, cause, one.remedy.replace(here, there))
        gathered.setdefault(source, {}).setdefault((where, cause), (told, []))[1].append(path)
    said = {one.path_text for _, one in kept}  # at the template itself: first things first
    for source, causes in gathered.items():
        left = [entry for (where, _), entry in causes.items() if where not in said]
        for one, paths in left[:_CAUSES]:
            kept.append((source, Problem(one.path_text, f"{one.cause} ({_in_domains(paths)})", one.remedy)))
        rest = {domain_of(path) for _, paths in left[_CAUSES:] for path in paths}
        if rest:
            cause = f"{len(rest)} more domains that have it cannot have it so"
            kept.append((source, Problem(path_text(source), cause, "solve the problems above, and check again")))
    return kept


def _source(check: Check, path: Path) -> Path | None:
    """The object of a template that the one at the path is, unless the domain says something about it itself."""
    domain, item = domain_of(path), check.view.get(path)
    if domain is None or item is None or not item.inherited:
        return None
    if check.everything.get(path) is not None and inactive_at(check.everything, path) is None:
        return None
    template = template_of(check.everything.get(domain))
    return None if template is None else source_of(path, template)


def _in_domains(paths: list[Path]) -> str:
    first = domain_name(min(paths, key=order_key))
    if len(paths) == 1:
        return f"in domain {first}"
    return f"in {len(paths)} domains, for example {first}"

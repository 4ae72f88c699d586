"""Templates: no vport is named in one, and what one gives is not taken away from vports that use it."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.inherited import DOMAINS_NAMED, domain_name
from data.rules.references import listed_users, users_left
from data.rules.registry import Check, problem, rule, when_deleted
from data.schema.nodes import node_of, order_key
from data.schema.objects import Endpoint, Object
from data.templates import domain_of, in_template, instances, placed, source_of, template_of


@rule(Object)
def templates_name_no_vports(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    if not in_template(path):
        return
    for reference in node_of(path).references:
        value = getattr(item, reference.leaf.field)
        if isinstance(value, Endpoint) and value.kind == "vport":
            cause = "vports cannot be named in a template: each domain made from it has its own"
            remedy = "name a policy-group of the template, and let the vports of each domain be in it"
            yield problem(path, reference.leaf.keyword, cause, remedy)


@when_deleted
def nobody_uses_what_the_template_gave(check: Check, path: Path) -> Iterator[Problem]:
    """Said at the template, of all domains made from it."""
    if not in_template(path) or len(path) <= 2:
        return
    using: list[tuple[Path, list[Path]]] = []
    for domain in sorted(instances(check.view, path[:2]), key=order_key):
        there = placed(domain, path)
        left = users_left(check, there) if check.view.get(there) is None else []
        if left:
            using.append((there, left))
    if not using:
        return
    said = "; ".join(f"in {domain_name(there)} {listed_users(there, left)}" for there, left in using[:DOMAINS_NAMED])
    rest = len(using) - DOMAINS_NAMED
    more = f"; in {rest} more domains others" if rest > 0 else ""
    what = "deleted" if check.everything.get(path) is None else "deactivated"
    cause = f"cannot be {what}: {said}{more} still name it"
    own = f"give these domains a {path[-2]} {path[-1]} of their own"
    yield problem(path, "", cause, f"change those in the same commit, or {own}")


@when_deleted
def nobody_uses_what_the_domain_inherited(check: Check, path: Path) -> Iterator[Problem]:
    """Said at the domain, when it is made from another template or from none."""
    domain, former = domain_of(path), check.running.get(path)
    if domain is None or former is None or not former.inherited:
        return
    template = template_of(check.view.get(domain))
    source = None if template is None else source_of(path, template)
    if source is not None and check.edits.get(source, former) is None:
        return  # taken from the template: the rule above
    left = users_left(check, path)
    if left:
        before = template_of(check.running.get(domain))
        came = path_text(before) if before is not None else "the template"
        cause = f"it came from {came}, and {listed_users(path, left)} still name it"
        yield problem(path, "", cause, f"change those in the same commit, or set {path_text(path)}")

"""Values that only one object may hold: declared by `unique` and `unique_name` in the schema."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address
from data.errors import Problem
from data.networks import network
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.rules.vports import another_address, subnet_of
from data.schema.nodes import Unique, node_of
from data.schema.objects import Object, Vport


@rule(Object)
def values_held_once(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    node = node_of(path)
    for unique in node.unique:
        if unique.beside:
            continue  # attachments.py says what that is
        for value in unique.values(path, item):
            holders = check.view.holders(node.keyword, unique.field, path[: unique.scope_length], value)
            others = [one for one in holders if one != path and not check.said_there(path, one)]
            if others:
                yield _twice(check, path, item, unique, value, others[0])


def _twice(check: Check, path: Path, item: Object, unique: Unique, value: object, other: Path) -> Problem:
    node = node_of(path)
    if unique.field == "name":
        where = path_text(other[len(path[: unique.scope_length]) : -2])
        return problem(path, "", f"{where} already has a {node.keyword} {value}", "choose another name")
    keyword = node.fields[unique.field].keyword
    shown = path_text(other[unique.scope_length :])
    remedy = f"choose another {keyword}, or delete it there in the same commit"
    if isinstance(item, Vport) and unique.field == "address":
        found = subnet_of(check, path, item)
        own = network(found[1], address(str(value)).version) if found else None
        if found and own:
            remedy = another_address(check, found[0], own)
    return problem(path, keyword, f"{value} is already that of {shown}", remedy)

"""Mirrors: the copies go to one place, which is not copied itself and can be reached."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address
from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.objects import Dvrs
from data.schema.services import Mirror


@rule(Mirror)
def copies_go_to_one_place(check: Check, path: Path, mirror: Mirror) -> Iterator[Problem]:
    here = path_text(path)
    if mirror.to and mirror.collector:
        cause = "the copies go to a vport (to) or to a collector, and both are set"
        yield problem(path, "collector", cause, "delete collector, or delete to")
    elif not mirror.to and not mirror.collector:
        cause = "the copies go nowhere"
        yield problem(path, "to", cause, f"set {here} to <vport>, or set {here} collector <address>")
    if mirror.collector:
        yield from _reachable(check, path, mirror.collector)
    if mirror.to and mirror.to in mirror.vport:
        cause = f"vport {mirror.to} would get copies of its copies"
        yield problem(path, "to", cause, f"choose another vport, or delete {here} vport {mirror.to}")


def _reachable(check: Check, path: Path, collector: str) -> Iterator[Problem]:
    version = address(collector).version
    for dvrs, item in check.view.objects(Dvrs):
        if item.tunnel_address and address(item.tunnel_address).version != version:
            cause = f"{dvrs[-1]} has no IPv{version} address in the underlay that it could send copies from"
            yield problem(path, "collector", cause, f"name an address as {item.tunnel_address} is")
            return

"""Service chaining: a redirect goes one way, and the vports of a target can do what it asks of them."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, dependents, problem, rule
from data.schema.objects import Vport
from data.schema.services import Redirect, RedirectionTarget


@rule(Redirect)
def redirects_go_one_way(check: Check, path: Path, redirect: Redirect) -> Iterator[Problem]:
    if redirect.target and redirect.next_hop:
        cause = "it has a target and a next-hop, and a packet goes one way"
        yield problem(path, "next-hop", cause, "delete next-hop, or delete target")


@rule(RedirectionTarget)
def probes_by_tcp_need_a_port(check: Check, path: Path, target: RedirectionTarget) -> Iterator[Problem]:
    here = path_text(path)
    if target.health == "tcp" and target.health_port is None:
        yield problem(path, "health-port", "health tcp needs the port to probe", f"set {here} health-port <1-65535>")
    if target.health != "tcp" and target.health_port is not None:
        cause = f"health {target.health} probes no port"
        yield problem(path, "health-port", cause, f"set {here} health tcp, or delete health-port")


@rule(RedirectionTarget, again=True)
def service_vports_may_forward(check: Check, path: Path, target: RedirectionTarget) -> Iterator[Problem]:
    for name in target.vport:
        where = check.view.resolve(path, "vport", name)
        vport = check.view.get(where) if where else None
        if where is None or not isinstance(vport, Vport):
            continue
        if vport.type == "bridge":
            cause = f"vport {name} is a bridge vport, which is no single host"
            yield problem(path, "vport", cause, "name a vport of type vm, container or host")
        elif vport.anti_spoofing == "full":
            cause = f"vport {name} forwards what others sent, and its anti-spoofing is full: that would be dropped"
            yield problem(path, "vport", cause, f"set {path_text(where)} anti-spoofing mac")


@dependents(Vport)
def targets_of_a_vport(check: Check, path: Path, before: Vport, after: Vport | None) -> Iterator[Path]:
    if after is not None and (before.type, before.anti_spoofing) != (after.type, after.anti_spoofing):
        yield from (one for one in check.view.referrers(path) if one[-2] == "redirection-target")

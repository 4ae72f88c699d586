"""Load balancing as an edge service: which fragments there are, what changes make them differ, and what is probed.

load-balancer   balancer   hypervisors of the domain and of its users    `balance.py`
backend         vport      the same                                      `backends.py`
client          vport      its own hypervisor                            `backends.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment
from controller.compile.health import Probe
from controller.compile.services.backends import BACKEND, CLIENT, clients, entered
from controller.compile.services.balance import LOAD_BALANCER
from controller.compile.services.serving import balancers, servings, sharers
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Domain
from data.schema.services import Backend

__all__ = ["FEATURE"]


def _backends(state: State, domain: Path) -> Iterator[Fragment]:
    """Of every vport that serves in a domain."""
    served = {one.vport for balancer in balancers(state, domain) for one in servings(state, balancer)}
    yield from (Fragment(BACKEND, vport) for vport in served)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if not state.routed(domain):
        return
    for balancer in balancers(state, domain):
        yield Fragment(LOAD_BALANCER, balancer)
    yield from _backends(state, domain)
    yield from clients(state, domain)


def _touched(delta: Delta) -> Iterator[Fragment]:
    near = delta.near("load-balancer")
    for state in (delta.old, delta.new):
        for path in delta.edits:
            if len(path) > 4 and path[0] == "enterprise":
                yield from _edited(state, path)
        for path in {*near, *_probed(delta)}:
            yield from _balancers_of(state, path)
    for path in near:
        yield Fragment(BACKEND, path)
    for path in _clients(delta):
        yield Fragment(CLIENT, path)
    yield from _entered_or_left(delta)


def _clients(delta: Delta) -> Iterator[Path]:
    """The vports of domains that use shared ones: they may be clients there."""
    users: dict[Path, bool] = {}
    for path in delta.vports:
        domain = path[:4]
        if domain not in users:
            users[domain] = any(state.shared(domain) for state in (delta.old, delta.new))
        if users[domain]:
            yield path


def _edited(state: State, path: Path) -> Iterator[Fragment]:
    kind = path[-2]
    if kind == "backend":
        yield Fragment(LOAD_BALANCER, path[:-2])
        body = state.view.get(path)
        if isinstance(body, Backend):
            yield Fragment(BACKEND, (*path[:4], "vport", body.vport or path[-1]))
    elif kind == "load-balancer":
        yield Fragment(LOAD_BALANCER, path)
        yield from (Fragment(LOAD_BALANCER, other) for other in sharers(state, path))
        yield from (Fragment(BACKEND, one.vport) for one in servings(state, path))
    elif kind == "subnet":
        yield from (Fragment(LOAD_BALANCER, balancer) for balancer in balancers(state, path[:4]))


def _probed(delta: Delta) -> Iterator[Path]:
    """The vports of which something else is known now."""
    for uuid in {key.partition(" ")[0] for key in delta.observed.health}:
        for state in (delta.old, delta.new):
            path = state.view.by_uuid(uuid)
            if path is not None:
                yield path


def _balancers_of(state: State, vport: Path) -> Iterator[Fragment]:
    if state.view.get(vport) is not None:
        for path in state.view.referrers(vport):
            if path[-2] == "backend":
                yield Fragment(LOAD_BALANCER, path[:-2])


def _entered_or_left(delta: Delta) -> Iterator[Fragment]:
    """Who can be a client of which domain is otherwise: where a domain is, which it uses, and what these have."""
    serving: set[Path] = set()  # domains whose backends have to know other clients
    using: set[Path] = set()  # domains whose vports may be clients of others
    for domain in {path[:4] for path in delta.vports}:
        if delta.old.own_hosts(domain).keys() != delta.new.own_hosts(domain).keys():
            serving.add(domain)
            serving.update(*(entered(state, domain) for state in (delta.old, delta.new)))
    for path, body in delta.edits.items():
        if isinstance(body, Domain) or isinstance(delta.old.view.get(path), Domain):
            serving.add(path)
            using.add(path)
            for state in (delta.old, delta.new):
                serving.update(entered(state, path))
                using.update(state.users.get(path) or ())
    for domain in {path[:4] for path in delta.edited("load-balancer")}:
        before, after = (state.view.count(domain, "load-balancer") > 0 for state in (delta.old, delta.new))
        if before != after:
            for state in (delta.old, delta.new):
                using.update(state.users.get(domain) or ())
    for state in (delta.old, delta.new):
        for domain in serving:
            yield from _backends(state, domain)
        for domain in using:
            yield from clients(state, domain)


def _probes(state: State, domain: Path) -> Iterator[Probe]:
    for balancer in balancers(state, domain):
        yield from (one.probe for one in servings(state, balancer) if one.probe.kind != "none")


FEATURE = Feature(_fragments, _touched, _probes)

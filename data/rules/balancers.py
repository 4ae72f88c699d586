"""Load balancers: each backend has an address that the virtual one can be exchanged for, and a port to probe."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address as as_ip
from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, dependents, problem, rule
from data.rules.virtual import vport_named
from data.schema.services import Backend, LoadBalancer


@rule(LoadBalancer)
def probes_of_udp_need_a_tcp_port(check: Check, path: Path, balancer: LoadBalancer) -> Iterator[Problem]:
    here = path_text(path)
    if balancer.protocol == "udp" and balancer.health == "tcp" and balancer.health_port is None:
        cause = "a UDP port cannot be probed by TCP connections (health tcp)"
        remedy = f"set {here} health-port to a TCP port of the backends, or set {here} health icmp"
        yield problem(path, "health", cause, remedy)
    if balancer.health != "tcp" and balancer.health_port is not None:
        cause = f"health {balancer.health} probes no port"
        yield problem(path, "health-port", cause, f"set {here} health tcp, or delete health-port")


@rule(Backend, again=True)
def backends_have_an_address(check: Check, path: Path, backend: Backend) -> Iterator[Problem]:
    name = backend.vport or path[-1]
    balancer, vport = check.view.get(path[:-2]), vport_named(check, path, name)
    if vport is None or not isinstance(balancer, LoadBalancer) or not balancer.address:
        return
    version = as_ip(balancer.address).version
    if all(as_ip(text).version != version for text in vport.address):
        cause = f"vport {name} has no IPv{version} address, as {balancer.address} of the load balancer is"
        yield problem(path, "vport", cause, "name another vport, or give it one")


@dependents(LoadBalancer)
def backends_of_a_balancer(
    check: Check, path: Path, before: LoadBalancer, after: LoadBalancer | None
) -> Iterator[Path]:
    if after is not None and before.address != after.address:
        yield from ((*path, "backend", name) for name in check.view.children(path, "backend"))

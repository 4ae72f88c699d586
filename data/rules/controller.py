"""The controller: each listener has a port of its own."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.objects import Controller


@rule(Controller)
def listeners_have_their_own_ports(check: Check, path: Path, controller: Controller) -> Iterator[Problem]:
    ports: dict[int, str] = {}
    for leaf, port in (
        ("openflow-port", controller.openflow_port),
        ("ovsdb-port", controller.ovsdb_port),
        ("agent-port", controller.agent_port),
    ):
        if port in ports:
            yield problem(path, leaf, f"{port} is already the {ports[port]}", "choose another port")
        else:
            ports[port] = leaf

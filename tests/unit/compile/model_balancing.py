"""Random load balancers, backends and what is known of these, to compare with a compilation from nothing."""

from __future__ import annotations

import random

import msgspec

from controller.compile import Observed
from controller.compile.services.serving import balancers, servings
from data.path import Path
from data.schema.objects import Object
from data.schema.services import Backend, LoadBalancer
from tests.unit.compile.fabric_model import Model

VIRTUAL = ("10.9.9.1", "172.16.0.80", "172.16.0.81")


def change(model: Model, dice: random.Random, domain: Path) -> dict[Path, Object | None]:
    """One edit of a load balancer or a backend of a domain."""
    view = model.running
    names = view.children(domain, "load-balancer")
    if not names or dice.random() < 0.3:
        path = (*domain, "load-balancer", f"lb-{dice.randrange(3)}")
        before = view.get(path)
        taken = {(one.address, one.protocol, one.port) for other in names if other != path[-1]
                 if isinstance(one := view.get((*path[:-1], other)), LoadBalancer)}  # fmt: skip
        body = LoadBalancer(
            uuid=before.uuid if before else model.uuid(),
            address=dice.choice(VIRTUAL),
            protocol=dice.choice(("tcp", "udp")),
            port=dice.choice((80, 443)),
            affinity=dice.choice(("none", "source")),
            health=dice.choice(("none", "tcp", "icmp")),
        )
        return {} if (body.address, body.protocol, body.port) in taken else {path: body}
    path = (*domain, "load-balancer", dice.choice(names))
    if dice.random() < 0.15:
        return {one: None for one, _ in view.walk(path)}
    vports = view.children(domain, "vport")
    backend = (*path, "backend", f"b-{dice.randrange(3)}")
    held = view.get(backend)
    if held is not None and dice.random() < 0.3:
        return {backend: None}
    if not vports:
        return {}
    port = dice.choice((None, 80, 8080))
    made = Backend(uuid=model.uuid(), vport=dice.choice(vports), port=port, weight=dice.choice((0, 1, 1, 3)))
    return {backend: msgspec.structs.replace(made, uuid=held.uuid) if held else made}


def observed(model: Model, dice: random.Random, domain: Path) -> Observed:
    """Something else is known of some backends."""
    keys = [
        one.probe.key(model.state) for path in balancers(model.state, domain) for one in servings(model.state, path)
    ]
    chosen = dice.sample(keys, min(len(keys), 2))
    return Observed(health={key: dice.choice((True, True, False, None)) for key in chosen})

"""Random changes of static routes, redirection targets and redirects, of who has a virtual IP, and of who is alive."""

from __future__ import annotations

import random

from controller.compile import Location, Observed
from controller.compile.catalogue import SERVICES
from controller.compile.services.probed import probes_in
from data.path import Path
from data.schema.objects import Endpoint, Object, Vport
from data.schema.services import ForwardingPolicy, Redirect, RedirectionTarget, StaticRoute, VirtualIp
from tests.unit.compile.fabric_model import PROD, Model

Step = tuple[dict[Path, Object | None], dict[str, Location | None], Observed]
_PREFIXES = ("0.0.0.0/0", "192.168.0.0/16", "192.168.7.0/24", "10.1.1.128/25", "10.1.2.9/32")
_ENDS = (Endpoint("any", ""), Endpoint("zone", "web"), Endpoint("zone", "app"), Endpoint("subnet", "app1"))
_VIRTUAL = ("10.1.1.252", "10.1.2.252")  # which no vport of the model has


def addresses(model: Model, dice: random.Random) -> str:
    """An address that somebody may have: mostly one of a vport."""
    held = [
        text
        for name in model.running.children(PROD, "vport")
        for text in getattr(model.running.get((*PROD, "vport", name)), "address", ())
    ]
    if held and dice.random() < 0.7:
        return dice.choice(held)
    return dice.choice((*_VIRTUAL, f"10.1.{dice.randrange(1, 3)}.{dice.randrange(2, 60)}"))


def random_step(model: Model, dice: random.Random) -> Step:
    """One change."""
    kind = dice.randrange(9)
    if kind <= 1:
        return _edit(model, dice, (*PROD, "static-route", dice.choice(_PREFIXES)), _route(model, dice))
    if kind == 2:
        return _edit(model, dice, (*PROD, "redirection-target", dice.choice("xyz")), _target(model, dice))
    if kind in (3, 4):
        return _redirect(model, dice)
    if kind == 5:
        name = dice.choice(_VIRTUAL)
        return _edit(model, dice, (*PROD, "virtual-ip", name), _virtual(model, dice, name))
    if kind == 6:
        return {}, {}, _held(model, dice)
    return {}, {}, _health(model, dice)


def _edit(model: Model, dice: random.Random, path: Path, body: Object | None) -> Step:
    before = model.running.get(path)
    if body is None or (before is not None and dice.random() < 0.3):
        return ({} if before is None else {path: None}), {}, Observed()
    if before is not None and dice.random() < 0.9:
        body = type(body)(**{**{name: getattr(body, name) for name in body.__struct_fields__}, "uuid": before.uuid})
    return {path: body}, {}, Observed()


def _route(model: Model, dice: random.Random) -> StaticRoute:
    health = dice.choice(("none", "arp", "icmp"))
    if dice.random() < 0.2:
        return StaticRoute(uuid=model.uuid(), blackhole=True)
    hops = tuple(dict.fromkeys(addresses(model, dice) for _ in range(dice.randrange(1, 5))))
    return StaticRoute(uuid=model.uuid(), next_hop=hops, health=health)


def _target(model: Model, dice: random.Random) -> RedirectionTarget | None:
    names = model.running.children(PROD, "vport")
    if not names:
        return None
    chosen = tuple(dice.sample(names, min(len(names), dice.randrange(1, 4))))
    health, fail = dice.choice(("none", "arp", "tcp")), dice.choice(("open", "closed"))
    return RedirectionTarget(
        uuid=model.uuid(), vport=chosen, health=health, health_port=8080 if health == "tcp" else None, fail=fail
    )


def _redirect(model: Model, dice: random.Random) -> Step:
    policy = (*PROD, "forwarding-policy", "chain")
    if model.running.get(policy) is None:
        return {policy: ForwardingPolicy(uuid=model.uuid())}, {}, Observed()
    targets = model.running.children(PROD, "redirection-target")
    target = next_hop = None
    if targets and dice.random() < 0.6:
        target = dice.choice(targets)
    elif dice.random() < 0.8:
        next_hop = addresses(model, dice)
    protocol = dice.choice((None, "tcp"))
    body = Redirect(
        uuid=model.uuid(),
        from_=dice.choice(_ENDS),
        to=dice.choice(_ENDS),
        protocol=protocol,
        destination_port=("443",) if protocol else (),
        target=target,
        next_hop=next_hop,
    )
    return _edit(model, dice, (*policy, "redirect", str(dice.randrange(1, 4))), body)


def _virtual(model: Model, dice: random.Random, address: str) -> VirtualIp | None:
    """Shared by vports of the subnet that it lies in, perhaps with a virtual MAC address of its own."""
    subnet = "web1" if address == _VIRTUAL[0] else "app1"
    bodies = ((name, model.running.get((*PROD, "vport", name))) for name in model.running.children(PROD, "vport"))
    names = [name for name, body in bodies if isinstance(body, Vport) and body.subnet == subnet and body.mac]
    if not names:
        return None
    mac = dice.choice((None, f"00:00:5e:00:01:{0x50 + _VIRTUAL.index(address):02x}"))
    return VirtualIp(uuid=model.uuid(), vport=tuple(dice.sample(names, min(2, len(names)))), mac=mac)


def _held(model: Model, dice: random.Random) -> Observed:
    """One of those who may have a virtual IP has it now, or nobody."""
    name = dice.choice(_VIRTUAL)
    shared = model.running.get((*PROD, "virtual-ip", name))
    if not isinstance(shared, VirtualIp):
        return Observed()
    holders = [body.uuid for one in shared.vport if (body := model.running.get((*PROD, "vport", one))) is not None]
    return Observed(holders={shared.uuid: dice.choice([*holders, None])})


def _health(model: Model, dice: random.Random) -> Observed:
    probes = [probe.key(model.state) for probe in probes_in(SERVICES, model.state, PROD)]
    return Observed(health={dice.choice(probes): dice.choice((True, False, None))} if probes else {})

"""Random changes of bridge vports, l2-domains and unknown-unicast policies, and of what is learned behind bridges."""

from __future__ import annotations

import random

import msgspec

from controller.compile import Location, Observed
from data.path import Path
from data.schema.objects import IngressPolicy, L2Domain, Object, Subnet, Vport
from tests.unit.compile.fabric_model import ACME, APP, PROD, WEB, Model, entry

LAN = (*ACME, "l2-domain", "lan")
Step = tuple[dict[Path, Object | None], dict[str, Location | None], Observed]
_PREFIX = {"web1": "10.1.1", "app1": "10.1.2", "": "192.168.7"}
_UNKNOWN = ("flood", "bridge", "drop")


def bridge(model: Model, dice: random.Random, subnet: str, nth: int) -> Vport:
    """A bridge vport: the nth uplink."""
    return Vport(
        uuid=model.uuid(),
        type="bridge",
        subnet=subnet,
        uplink=f"up{nth}",
        vlan=dice.choice((None, 100 + nth)),
        mac_limit=dice.randrange(1, 5),
        anti_spoofing=dice.choice(("full", "full", "mac", "off")),
        policy_group=_groups(model, dice) if subnet else (),
    )


def _groups(model: Model, dice: random.Random) -> tuple[str, ...]:
    groups = model.running.children(PROD, "policy-group")
    return tuple(sorted(dice.sample(groups, min(len(groups), dice.randrange(3)))))


def bridges(model: Model) -> list[tuple[Path, Vport]]:
    """All bridge vports."""
    return [(path, body) for path, body in model.running.objects(Vport) if body.type == "bridge"]


def random_step(model: Model, dice: random.Random) -> Step:
    """One change."""
    edits: dict[Path, Object | None] = {}
    known = bridges(model)
    kind = dice.randrange(9)
    if model.running.get(LAN) is None:
        return {LAN: L2Domain(uuid=model.uuid(), unknown_unicast=dice.choice(_UNKNOWN))}, {}, Observed()
    if kind in (0, 1):
        return _new(model, dice)
    if kind == 8:
        return _rule(model, dice), {}, Observed()
    if kind == 2:
        path: Path = dice.choice([LAN, WEB, APP])
        body = model.running.get(path)
        assert isinstance(body, L2Domain | Subnet)
        edits[path] = msgspec.structs.replace(body, unknown_unicast=dice.choice(_UNKNOWN))
        return edits, {}, Observed()
    if not known:
        return {}, {}, Observed()
    path, body = dice.choice(known)
    if kind == 3:
        where = dice.choice((None, Location(f"hv{dice.randrange(1, 4)}", model.port())))
        return {}, {body.uuid: where}, Observed()
    if kind == 4:
        changed = msgspec.structs.replace(
            body, mac_limit=dice.randrange(1, 5), anti_spoofing=dice.choice(("full", "off"))
        )
        return {path: changed}, {}, Observed()
    if kind == 5 and not model.running.referrers(path):
        return {path: None}, {body.uuid: None}, Observed({body.uuid: None})
    return {}, {}, Observed({body.uuid: _learned(model, dice, path, body)})


def _rule(model: Model, dice: random.Random) -> dict[Path, Object | None]:
    """A rule of the l2-domain or of the domain that names vports and macros."""
    domain = dice.choice([LAN, PROD])
    ends = ["any"] + [f"network-macro {name}" for name in model.running.children(ACME, "network-macro")]
    ends += [f"vport {name}" for name in model.running.children(domain, "vport") if domain == LAN or name[:3] == "out"]
    if domain == PROD:
        ends += [f"policy-group {name}" for name in model.running.children(PROD, "policy-group")]
    policy = (*domain, "ingress-policy", "ours")
    edits: dict[Path, Object | None] = {}
    if model.running.get(policy) is None:
        edits[policy] = IngressPolicy(uuid=model.uuid())
    rule = (*policy, "entry", str(dice.randrange(1, 6)))
    if model.running.get(rule) is not None and dice.random() < 0.5:
        return {rule: None}
    edits[rule] = entry(model, dice.choice(ends), dice.choice(ends), stateful=dice.random() < 0.3)
    return edits


def _new(model: Model, dice: random.Random) -> Step:
    nth, subnet = dice.randrange(1, 9), dice.choice(("web1", "app1", "", ""))
    domain = LAN if not subnet else PROD
    if dice.random() < 0.6:
        path, body = (*domain, "vport", f"out-{nth}"), bridge(model, dice, subnet, nth)
        if any(one.uplink == body.uplink for _, one in bridges(model)):
            return {}, {}, Observed()
    else:
        path = (*LAN, "vport", f"plain-{nth}")
        address = dice.choice(((), (f"192.168.7.{nth}",), (f"fd00:7::{nth}", f"192.168.7.{nth}")))
        body = Vport(uuid=model.uuid(), mac=f"02:00:0b:00:00:{nth:02x}", address=address)
    if model.running.get(path) is not None:
        return {}, {}, Observed()
    place: dict[str, Location | None] = {}
    if dice.random() < 0.8:
        place[body.uuid] = Location(f"hv{dice.randrange(1, 4)}", model.port())
    return {path: body}, place, Observed()


def _learned(model: Model, dice: random.Random, path: Path, body: Vport) -> dict[str, tuple[str, ...]] | None:
    """What may be behind one: MAC addresses and addresses that are behind no other bridge of the domain, some of them
    those of vports."""
    others = [one for one in bridges(model) if one[0][:4] == path[:4] and one[0] != path]
    taken = {hardware for _, one in others for hardware in model.state.placement.learned.get(one.uuid) or ()}
    used = {
        ip for _, one in others for held in (model.state.placement.learned.get(one.uuid) or {}).values() for ip in held
    }
    free = [f"{_PREFIX[body.subnet]}.{nth}" for nth in range(2, 60)] + [f"fd00::{nth}" for nth in range(9)]
    free = [ip for ip in free if ip not in used]
    dice.shuffle(free)
    found = {}
    for _ in range(dice.randrange(5)):
        hardware = f"02:00:0a:01:01:{dice.randrange(2, 60):02x}"
        if hardware not in taken:
            found[hardware] = tuple(free.pop() for _ in range(dice.choice((0, 1, 2, 8))) if free)
    return found or None

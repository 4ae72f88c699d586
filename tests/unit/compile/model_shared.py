"""Random changes of qos and who has it, of mirrors, and of virtual IPs and their holders."""

from __future__ import annotations

import random

import msgspec

from controller.compile import Location, Observed
from data.path import Path
from data.schema.objects import Domain, Object, Subnet, Vport
from data.schema.services import Mirror, Qos, VirtualIp
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model

Step = tuple[dict[Path, Object | None], dict[str, Location | None], Observed]
_QOS = ("gold", "silver", "bronze")
_MIRRORS = ("m1", "m2")
_VIRTUAL = {"10.1.1.253": "web1", "10.1.2.253": "app1", "2001:db8:1::fd": "web1"}
_RATES = (None, 64, 10_000, 100_000_000)


def random_step(model: Model, dice: random.Random) -> Step:
    """One change."""
    kind = dice.randrange(8)
    if kind <= 1:
        path = (*PROD, "qos", dice.choice(_QOS))
        used = any(model.running.referrers(path))
        return _edit(model, dice, path, _qos(model, dice), keep=used)
    if kind <= 3:
        return _given(model, dice)
    if kind <= 5:
        return _edit(model, dice, (*PROD, "mirror", dice.choice(_MIRRORS)), _mirror(model, dice))
    if kind == 6:
        name = dice.choice(tuple(_VIRTUAL))
        return _edit(model, dice, (*PROD, "virtual-ip", name), _virtual(model, dice, name))
    return _held(model, dice)


def _edit(model: Model, dice: random.Random, path: Path, body: Object | None, *, keep: bool = False) -> Step:
    before = model.running.get(path)
    if body is None or (before is not None and not keep and dice.random() < 0.3):
        return ({} if before is None else {path: None}), {}, Observed()
    if before is not None and dice.random() < 0.9:
        body = msgspec.structs.replace(body, uuid=before.uuid)
    return {path: body}, {}, Observed()


def _qos(model: Model, dice: random.Random) -> Qos:
    ingress = dice.choice(_RATES)
    return Qos(
        uuid=model.uuid(),
        ingress_rate=ingress,
        ingress_burst=dice.choice((None, 500)) if ingress else None,
        egress_rate=dice.choice(_RATES),
        dscp=dice.choice((None, 0, 46)),
        trust=dice.random() < 0.5,
    )


def _given(model: Model, dice: random.Random) -> Step:
    """A vport, subnet or the domain gets another qos, or none."""
    names = model.running.children(PROD, "vport")
    choices: list[Path] = [WEB, APP, PROD, *((*PROD, "vport", name) for name in names)]
    path = dice.choice(choices)
    body = model.running.get(path)
    name = dice.choice((*model.running.children(PROD, "qos"), None))
    if isinstance(body, Domain):
        return {path: msgspec.structs.replace(body, default_qos=name)}, {}, Observed()
    assert isinstance(body, Subnet | Vport)
    return {path: msgspec.structs.replace(body, qos=name)}, {}, Observed()


def _mirror(model: Model, dice: random.Random) -> Mirror | None:
    names = model.running.children(PROD, "vport")
    if len(names) < 2:
        return None
    copied = tuple(sorted(dice.sample(names, dice.randrange(1, min(4, len(names))))))
    rest = [name for name in names if name not in copied]
    to = dice.choice(rest) if dice.random() < 0.7 else None
    return Mirror(
        uuid=model.uuid(),
        vport=copied,
        direction=dice.choice(("ingress", "egress", "both")),
        to=to,
        collector=None if to else "172.31.0.200",
        encapsulation=dice.choice(("gre", "erspan")),
        session=dice.randrange(1024),
    )


def _able(model: Model, address: str) -> list[str]:
    """The vports that may have the address."""
    found = []
    for name in model.running.children(PROD, "vport"):
        body = model.running.get((*PROD, "vport", name))
        if isinstance(body, Vport) and body.subnet == _VIRTUAL[address] and body.mac is not None:
            found.append(name)
    return found


def _virtual(model: Model, dice: random.Random, address: str) -> VirtualIp | None:
    names = _able(model, address)
    if not names:
        return None
    chosen = tuple(sorted(dice.sample(names, min(len(names), dice.randrange(1, 4)))))
    number = 0x20 + tuple(_VIRTUAL).index(address)
    return VirtualIp(uuid=model.uuid(), vport=chosen, mac=dice.choice((None, f"00:00:5e:00:01:{number:02x}")))


def _held(model: Model, dice: random.Random) -> Step:
    shared = [body for _, body in model.running.objects(VirtualIp, PROD)]
    if not shared:
        return {}, {}, Observed()
    one = dice.choice(shared)
    holders = [body.uuid for name in one.vport if (body := model.running.get((*PROD, "vport", name))) is not None]
    return {}, {}, Observed(holders={one.uuid: dice.choice((*holders, None, "a vport that is gone"))})


def forgets(model: Model, path: Path) -> bool:
    """Whether a vport can be deleted: no mirror and no virtual IP names it."""
    return not any(user[-2] in ("mirror", "virtual-ip") for user in model.running.referrers(path))

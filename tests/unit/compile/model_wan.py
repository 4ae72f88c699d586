"""Random facts about places outside our hypervisors, route targets and fixed VNIs, and tunnel addresses that change."""

from __future__ import annotations

import random

import msgspec

from controller.compile import Location, Observed
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
)
from data.addresses import Ip, address, prefix
from data.path import Path
from data.schema.objects import Domain, Dvrs, L2Domain, Object, Subnet, Vport
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model
from tests.unit.compile.model_bridging import LAN

Step = tuple[dict[Path, Object | None], dict[str, Location | None], Observed]
_ENDPOINTS = ("172.31.0.2", "172.31.0.66", "192.0.2.1", "192.0.2.2", "2001:db8::1")  # the first two may be ours
_PREFIXES = ("0.0.0.0/0", "10.1.1.0/24", "10.1.2.0/25", "10.1.1.9/32", "198.51.100.0/24", "::/0", "2001:db8:9::/48")
_WITHIN = {WEB: "10.1.1", APP: "10.1.2", LAN: "192.168.7"}


def random_step(model: Model, dice: random.Random) -> Step:
    """One change."""
    if dice.random() < 0.3:
        return _edit(model, dice), {}, Observed()
    known = [key for key, _ in model.state.placement.all_remote()]
    if known and dice.random() < 0.3:
        return {}, {}, Observed(remote=dict.fromkeys(dice.sample(known, dice.randrange(1, len(known) + 1))))
    facts = dict(_fact(model, dice) for _ in range(dice.randrange(1, 8)))
    return {}, {}, Observed(remote=facts)


def _edit(model: Model, dice: random.Random) -> dict[Path, Object | None]:
    targets = dice.choice(((), ("65000:1",)))
    if dice.random() < 0.3:
        body = model.running.get(PROD)
        assert isinstance(body, Domain)
        return {PROD: msgspec.structs.replace(body, route_target=targets)}
    if dice.random() < 0.3:
        path: Path = ("dvrs", "hv2")
        dvrs = model.running.get(path)
        assert isinstance(dvrs, Dvrs)
        return {path: msgspec.structs.replace(dvrs, tunnel_address=dice.choice(_ENDPOINTS[:2]))}
    path = dice.choice([WEB, APP, LAN])
    segment = model.running.get(path)
    if not isinstance(segment, Subnet | L2Domain):
        return {}
    vni = dice.choice((None, *(base + [WEB, APP, LAN].index(path) for base in (70, 16000))))
    return {path: msgspec.structs.replace(segment, vni=vni, route_target=targets)}


def _fact(model: Model, dice: random.Random) -> tuple[RemoteKey, Remote]:
    kind = dice.choice(("mac", "mac", "flood", "prefix"))
    if kind == "prefix":
        body = model.running.get(PROD)
        assert body is not None
        hops = tuple(sorted(_hop(dice) for _ in range(dice.randrange(1, 4))))
        return RemoteKey(body.uuid, kind, prefix(dice.choice(_PREFIXES))), RemotePrefix(hops)
    segment = dice.choice([path for path in (WEB, APP, LAN) if model.running.get(path) is not None])
    body = model.running.get(segment)
    assert body is not None
    tunnel = Tunnel(_endpoint(dice), VXLAN if dice.random() < 0.9 else MPLS, dice.randrange(1, 1 << 24))
    if kind == "flood":
        return RemoteKey(body.uuid, kind, tunnel.endpoint), RemoteFlood(tunnel)
    third = 1 if segment == WEB else 2
    hardware = bytes((2, 0, 10, 1, third, dice.randrange(1, 30)))
    vports = [vport for _, vport in model.running.objects(Vport)]
    if vports and dice.random() < 0.6:  # one of ours, which may be unresolved here
        hardware = bytes.fromhex((dice.choice(vports).mac or hardware.hex()).replace(":", ""))
    own = [text for one in vports if one.mac == hardware.hex(":") for text in one.address]
    others = [f"{_WITHIN[segment]}.{dice.randrange(1, 30)}" for _ in range(dice.randrange(3))]
    texts = own if own and dice.random() < 0.7 else [*others, "2001:db8:77::9", "172.16.0.1"][: dice.randrange(4)]
    return RemoteKey(body.uuid, kind, hardware), RemoteMac(tunnel, tuple(sorted({address(text) for text in texts})))


def _endpoint(dice: random.Random) -> Ip:
    return address(dice.choice(_ENDPOINTS))


def _hop(dice: random.Random) -> NextHop:
    if dice.random() < 0.5:
        return NextHop(Tunnel(_endpoint(dice), MPLS, dice.randrange(16, 1 << 20)), None)
    router = bytes((2, 0xBF, 0, 0, 0, dice.randrange(3)))
    return NextHop(Tunnel(_endpoint(dice), VXLAN, dice.randrange(1, 1 << 24)), router)

"""Random changes of what the controller answers in a subnet, and of the vports that may ask."""

from __future__ import annotations

import random

import msgspec

from controller.compile import Location, Observed
from data.path import Path
from data.schema.objects import Object, Subnet, Vport
from tests.unit.compile.fabric_model import APP, PROD, WEB, Model

Step = tuple[dict[Path, Object | None], dict[str, Location | None], Observed]
_PREFIX6: dict[Path, str] = {WEB: "2001:db8:1::/64", APP: "2001:db8:2::/64"}


def random_step(model: Model, dice: random.Random) -> Step:
    """One change."""
    view = model.running
    vports = [path for path, body in view.objects(Vport, PROD) if body.type != "bridge"]
    path: Path
    if dice.random() < 0.5 or not vports:
        path = dice.choice((WEB, APP))
        body = view.get(path)
        assert isinstance(body, Subnet)
        changes: tuple[dict[str, object], ...] = (
            {"dhcp": dice.random() < 0.7},
            {"dns_proxy": dice.random() < 0.7},
            {"ipv6_prefix": dice.choice((None, _PREFIX6[path]))},
            {"ipv6_addressing": dice.choice(("slaac", "dhcpv6", "none"))},
            {"mtu": dice.choice((1400, 1450))},
        )
        return {path: msgspec.structs.replace(body, **dice.choice(changes))}, {}, Observed()
    path = dice.choice(vports)
    vport = view.get(path)
    assert isinstance(vport, Vport)
    if dice.random() < 0.3:
        return {}, {vport.uuid: dice.choice((None, Location(f"hv{dice.randrange(1, 4)}", model.port())))}, Observed()
    four = [text for text in vport.address if ":" not in text]
    six = [f"2001:db8:{1 if vport.subnet == 'web1' else 2}::{four[0].rpartition('.')[2]}"] if four else []
    return (
        {
            path: msgspec.structs.replace(
                vport,
                address=tuple(four + (six if dice.random() < 0.7 else [])),
                anti_spoofing=dice.choice(("full", "full", "mac", "off")),
            )
        },
        {},
        Observed(),
    )

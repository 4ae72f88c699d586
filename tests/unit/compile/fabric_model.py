"""A small model to drive the compiler with: a configuration that changes, vports that move, what each switch holds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from controller.compile import Location, Observed, Placement, State, changed, compile_all, compile_change, start
from controller.numbers import Numbers
from controller.openflow import meters
from controller.openflow.messages import is_delete, key
from data.configuration import Overlay, Running
from data.path import Path
from data.schema.objects import (
    Domain,
    Dvrs,
    EgressPolicy,
    Endpoint,
    Enterprise,
    Entry,
    IngressPolicy,
    NetworkMacro,
    Object,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from data.steps import at_once

ACME = ("enterprise", "acme")
PROD = (*ACME, "domain", "prod")
WEB = (*PROD, "zone", "web", "subnet", "web1")
APP = (*PROD, "zone", "app", "subnet", "app1")
TUNNEL_PORT = 65000


class Model:
    """The running configuration, its compiled state, and the flows every hypervisor holds after each change."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self._ports = 99
        self.running = Running()
        self.numbers = Numbers()
        self.state: State = at_once(start(self.running, Placement(), self.numbers))
        self.held: dict[str, dict[bytes, bytes]] = {}
        self.touched: dict[str, list[bytes]] = {}

    def port(self) -> int:
        """An OpenFlow port that no other vport has or had."""
        self._ports += 1
        return self._ports

    def uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def commit(self, edits: Mapping[Path, Object | None], vports: Mapping[str, Location | None] | None = None) -> None:
        """Commit edits; hypervisors they add are known at once."""
        ports = {
            path[1]: None if body is None else TUNNEL_PORT
            for path, body in edits.items()
            if path[0] == "dvrs" and (body is None or self.running.get(path) is None)
        }
        step = changed(
            self.state, view=Overlay(self.running, edits), edits=edits, vports=vports or {}, hypervisors=ports
        )
        new, dirty = at_once(step)
        self._take(at_once(compile_change(self.state, new, dirty)))
        self.numbers.adopt(new.numbers.new)
        taken = Counter((pool, number) for (pool, _), number in self.numbers.items())
        assert max(taken.values(), default=1) == 1, "a number was given out twice"
        self.running.apply(edits, self.running.revision + 1)
        self.state = new.settled(self.running, self.numbers)

    def move(self, vports: Mapping[str, Location | None], observed: Observed | None = None) -> None:
        """Vports move, and other facts are observed."""
        new, dirty = at_once(changed(self.state, vports=vports, observed=observed))
        self._take(at_once(compile_change(self.state, new, dirty)))
        self.state = new

    def fresh(self, dvrs: str) -> dict[bytes, bytes]:
        """What a compilation from nothing says that a hypervisor holds."""
        state = at_once(start(self.running, self.state.placement, self.numbers))
        return at_once(compile_all(state, dvrs))

    def _take(self, messages: Mapping[str, list[bytes]]) -> None:
        self.touched = dict(messages)
        for dvrs, flows in messages.items():
            held = self.held.setdefault(dvrs, {})
            for flow in flows:
                if is_delete(flow):
                    del held[key(flow)]
                elif meters.is_meter(flow):  # a MODIFY leaves what an ADD of the same would
                    held[key(flow)] = flow[:8] + meters.ADD.to_bytes(2, "big") + flow[10:]
                else:
                    held[key(flow)] = flow


def base(model: Model, hypervisors: int = 3) -> dict[Path, Object | None]:
    """Two zones with a subnet each and some hypervisors."""
    edits: dict[Path, Object | None] = {
        ("dvrs", f"hv{nth}"): Dvrs(uuid=model.uuid(), tunnel_address=f"172.31.0.{nth}")
        for nth in range(1, hypervisors + 1)
    }
    edits[ACME] = Enterprise(uuid=model.uuid())
    edits[PROD] = Domain(uuid=model.uuid())
    edits[WEB[:-2]] = Zone(uuid=model.uuid())
    edits[APP[:-2]] = Zone(uuid=model.uuid())
    edits[WEB] = Subnet(uuid=model.uuid(), prefix="10.1.1.0/24")
    edits[APP] = Subnet(uuid=model.uuid(), prefix="10.1.2.0/24")
    return edits


def vport(model: Model, nth: int, subnet: str = "web1", groups: tuple[str, ...] = ()) -> Vport:
    """The nth vport of a subnet."""
    third = {"web1": 1, "app1": 2}[subnet]
    return Vport(
        uuid=model.uuid(),
        subnet=subnet,
        mac=f"02:00:0a:01:{third:02x}:{nth:02x}",
        address=(f"10.1.{third}.{nth}",),
        policy_group=groups,
    )


def entry(model: Model, source: str = "any", target: str = "any", **leaves: object) -> Entry:
    """A policy entry; endpoints as in set lines."""

    def endpoint(text: str) -> Endpoint:
        kind, _, name = text.partition(" ")
        return Endpoint(kind, name)

    given: dict[str, object] = {"action": "allow", **leaves}
    return Entry(uuid=model.uuid(), from_=endpoint(source), to=endpoint(target), **given)  # type: ignore[arg-type]


__all__ = [
    "ACME",
    "APP",
    "PROD",
    "TUNNEL_PORT",
    "WEB",
    "EgressPolicy",
    "IngressPolicy",
    "Model",
    "NetworkMacro",
    "PolicyGroup",
    "base",
    "entry",
    "vport",
]

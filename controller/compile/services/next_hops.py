"""Where packets go that a route or a redirect sends to an address of its domain, and for which of them that changes.

A next hop is the address of a vport, a virtual IP (the vport that has it), or an address learned behind a bridge vport,
which is outside: what goes there passes the table `translate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from controller.compile import reach
from controller.compile.addresses import mac
from controller.compile.features import Delta
from controller.compile.health import Probe
from controller.compile.services.bridging import known_behind
from controller.compile.services.virtual_ip import holder
from controller.compile.state import State
from controller.openflow import actions
from controller.openflow.actions import Action
from controller.pipeline import Register, Table
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import VirtualIp

__all__ = ["NextHop", "addresses_of", "affected", "find", "probe", "way"]


class NextHop(NamedTuple):
    """Who has an address: the vport, the MAC address to send to, and whether it is behind a bridge vport."""

    address: str
    vport: Path
    hardware: str
    outside: bool


def find(state: State, domain: Path, address: str) -> NextHop | None:
    """Who has this address in a domain, wherever the vport is; None while nobody is known to."""
    view = state.view
    for path in view.holders("vport", "address", domain, address):
        vport = view.get(path)
        if isinstance(vport, Vport) and vport.mac is not None:
            return NextHop(address, path, vport.mac, False)
    shared = view.get((*domain, "virtual-ip", address))
    if isinstance(shared, VirtualIp):
        held = holder(state, (*domain, "virtual-ip", address))
        vport = None if held is None else view.get(held)
        if held is None or not isinstance(vport, Vport):
            return None
        hardware = shared.mac or vport.mac
        return None if hardware is None else NextHop(address, held, hardware, False)
    return _learned(state, domain, address)


def _learned(state: State, domain: Path, address: str) -> NextHop | None:
    """Costs a microsecond per bridge vport of the network behind which something was learned."""
    found: list[NextHop] = []
    for uuid in state.placement.learned:
        path = state.view.by_uuid(uuid)
        if path is not None and path[:4] == domain:
            for hardware, addresses in known_behind(state, path).items():
                if address in addresses:
                    found.append(NextHop(address, path, hardware, True))
    return min(found, default=None)  # two that claim it: the same on every hypervisor


def probe(hop: NextHop, kind: str, interval: int, port: int = 0) -> Probe:
    """What tells whether it is alive."""
    return Probe(hop.vport, hop.address, hop.hardware, kind, port, interval)


def way(state: State, hop: NextHop) -> tuple[list[Action], Table]:
    """What sends a packet to a resolved next hop: the actions, and the table to go on in."""
    place = state.place(hop.vport)
    assert place is not None, f"{' '.join(hop.vport)} is not resolved"
    acts = reach.routed(state.gateway_mac(), mac(hop.hardware), state.vni(place.subnet))
    if not hop.outside:
        return acts, Table.SWITCH
    return [*acts, actions.set_reg(Register.REALM, state.number(hop.vport[:4]))], Table.TRANSLATE


def addresses_of(state: State, path: Path) -> Iterator[str]:
    """The addresses that lead to a vport: its own, virtual ones it has, those learned behind it."""
    vport = state.view.get(path)
    if not isinstance(vport, Vport):
        return
    yield from vport.address
    for referrer in state.view.referrers(path):
        if referrer[-2] == "virtual-ip" and holder(state, referrer) == path:
            yield referrer[-1]
    for addresses in known_behind(state, path).values():
        yield from addresses


def affected(delta: Delta, kind: str, within: str) -> Iterator[Path]:
    """Objects of a kind with a `next-hop` for which a change may make a difference without an edit of their own: who
    has the next hop, where it is, whether it is alive. A domain that has nothing of the kind `within` has none."""
    seen: set[Path] = set()
    for domain, address in _addresses(delta, within):
        for state in (delta.old, delta.new):
            for path in state.view.holders(kind, "next_hop", domain, address):
                if path not in seen:
                    seen.add(path)
                    yield path


def _addresses(delta: Delta, within: str) -> Iterator[tuple[Path, str]]:
    """The addresses that lead elsewhere now, of domains that have such objects."""
    concerned: dict[Path, bool] = {}
    for path in {*delta.vports, *_observed_vports(delta)}:
        domain = path[:4]
        if domain not in concerned:
            concerned[domain] = any(state.view.count(domain, within) for state in (delta.old, delta.new))
        if concerned[domain]:
            for state in (delta.old, delta.new):
                for address in addresses_of(state, path):
                    yield domain, address
    for path in delta.edited("virtual-ip"):
        yield path[:4], path[-1]
    for uuid in delta.observed.holders:
        for state in (delta.old, delta.new):
            found = state.view.by_uuid(uuid)
            if found is not None:
                yield found[:4], found[-1]


def _observed_vports(delta: Delta) -> Iterable[Path]:
    uuids = {*delta.observed.learned, *(key.partition(" ")[0] for key in delta.observed.health)}
    for uuid in uuids:
        for state in (delta.old, delta.new):
            path = state.view.by_uuid(uuid)
            if path is not None:
                yield path

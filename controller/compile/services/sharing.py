"""Who shares the flows of a static route, a redirection target or a load balancer now, and how much each gets: what
`show` says.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.compile.health import Probe
from controller.compile.services import forwarding, next_hops, routes, serving, spread
from controller.compile.state import State
from controller.pipeline import SPREAD_SLOTS
from data.path import Path
from data.schema.services import LoadBalancer, RedirectionTarget, StaticRoute

__all__ = ["Share", "sharing"]


class Share(NamedTuple):
    """One of them: the address or name as configured, its vport, how it is, and its part of the flows in percent.

    `state` is alive, dead, unknown (not probed yet; counts as alive but in a load balancer), unprobed (nobody asks:
    alive while resolved), unresolved (its vport is nowhere) or nobody (no vport is known to have the address). `probe`
    is its name in `Placement.health`.
    """

    name: str
    vport: Path | None
    state: str
    percent: float
    probe: str = ""


def sharing(state: State, path: Path) -> list[Share]:
    """In the order of the configuration; none for what shares nothing."""
    body = state.view.get(path)
    if isinstance(body, StaticRoute):
        return _of_route(state, path, body)
    if isinstance(body, RedirectionTarget):
        return _of_target(state, path, body)
    if isinstance(body, LoadBalancer):
        return _of_balancer(state, path)
    return []


def _of_route(state: State, path: Path, route: StaticRoute) -> list[Share]:
    known = routes.hops(state, path, route)
    held = spread.shares(spread.deal([(hop, 1) for hop in known], set(routes.living(state, route, known))))
    found: list[Share] = []
    for address in route.next_hop:
        hop = next((one for one in known if one.address == address), None)
        if hop is None:
            found.append(Share(address, None, "nobody", 0.0))
        else:
            probe = next_hops.probe(hop, route.health, route.health_interval)
            found.append(_share(state, address, hop.vport, probe, held.get(hop, 0)))
    return found


def _of_target(state: State, path: Path, target: RedirectionTarget) -> list[Share]:
    known = forwarding.members(state, path, target)
    here = {member for member in known if member.alive(state)}
    held = spread.shares(spread.deal([(member, 1) for member in known], here))
    return [_share(state, one.path[-1], one.path, one.probe, held.get(one, 0)) for one in known]


def _of_balancer(state: State, path: Path) -> list[Share]:
    known = serving.servings(state, path)
    held = spread.shares(serving.dealt(state, known))
    return [_share(state, one.path[-1], one.vport, one.probe, held.get(one, 0)) for one in known]


def _share(state: State, name: str, vport: Path, probe: Probe | None, slots: int) -> Share:
    percent = 100 * slots / SPREAD_SLOTS
    if state.place(vport) is None:
        return Share(name, vport, "unresolved", percent)
    if probe is None or probe.kind == "none":
        return Share(name, vport, "unprobed", percent)
    key = probe.key(state)
    known = state.placement.health.get(key)
    return Share(name, vport, {True: "alive", False: "dead", None: "unknown"}[known], percent, key)

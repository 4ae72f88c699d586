"""Ends the connections of backends that serve no longer, so that their clients notice.

A connection keeps its backend as long as the client's hypervisor remembers it. When a backend is found dead or is taken
away, every hypervisor is made to forget the connections that it has: the next packet of such a client goes to a living
backend, which resets what it does not know (RFC 9293 section 3.10.7.1), and a request for a connection that was not
answered yet is answered from there. Connections of the others are left alone, and so are those of a backend with weight
0. A backend that is nowhere may be on its way to another hypervisor: its connections have GRACE left.

A hypervisor that is away at that time keeps them until they time out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from controller.commit.planning import Draft
from controller.compile.addresses import Ip, address
from controller.compile.services.balance import PORTS
from controller.compile.services.serving import servings
from controller.compile.state import State
from controller.edge.context import EdgeContext
from controller.events import Kind
from controller.openflow.conntrack import forget
from controller.openflow.errors import OpenFlowError
from data.path import Path
from data.schema.services import LoadBalancer
from data.templates import in_template

__all__ = ["GRACE", "Balancing"]

GRACE = 3.0  # seconds: a move of a machine takes less


class Served(NamedTuple):
    """What a backend serves: connections to the virtual address and port that are answered from its own."""

    protocol: str
    virtual: Ip
    port: int
    by: Ip
    by_port: int


class How(NamedTuple):
    """A backend was found dead; it is nowhere."""

    dead: bool
    nowhere: bool


class Balancing:
    """See the module."""

    def __init__(self, context: EdgeContext, grace: float = GRACE) -> None:
        self._context = context
        self._grace = grace
        state = context.network.state
        # A commit changes the configuration in place: what was served before it is known here alone.
        self._known = {
            path: _served(state, path) for path, _ in state.view.objects(LoadBalancer) if not in_template(path)
        }
        context.network.on_change.append(self.changed)

    def changed(self, made: Draft) -> None:
        """The network is another, and every switch that is there was told."""
        state = self._context.network.state
        for balancer in _balancers(made):
            before, after = self._known.pop(balancer, {}), _served(state, balancer)
            if after:
                self._known[balancer] = after
            over = [one for one, was in before.items() if one not in after or (after[one].dead and not was.dead)]
            if over:
                hosts = {*made.old.hosts_of(balancer[:4]), *state.hosts_of(balancer[:4])}
                self._context.upkeep.spawn(self._end(hosts, over), f"connections of {balancer[-1]}")
            if any(how.nowhere and one in before and not before[one].nowhere for one, how in after.items()):
                self._context.upkeep.spawn(self._end_later(balancer), f"connections of {balancer[-1]}", lasting=True)

    async def _end_later(self, balancer: Path) -> None:
        await asyncio.sleep(self._grace)
        state = self._context.network.state
        over = [one for one, how in _served(state, balancer).items() if how.nowhere]
        if over:
            await self._end(set(state.hosts_of(balancer[:4])), over)

    async def _end(self, hosts: set[str], over: list[Served]) -> None:
        messages = [forget(PORTS[one.protocol][0], one.virtual, one.port, one.by, one.by_port) for one in over]
        await asyncio.gather(*(self._forget(dvrs, messages) for dvrs in sorted(hosts)))

    async def _forget(self, dvrs: str, messages: list[bytes]) -> None:
        channel = self._context.network.channels.get(dvrs)
        if channel is None or channel.switch is None:
            return
        try:
            refusals = await channel.switch.send(messages)
        except OpenFlowError:
            return  # it is gone: the loss is told by the connection itself
        for refusal in refusals:
            if refusal is not None:
                text = f"{dvrs} keeps the connections of a backend that serves no longer: {refusal}"
                self._context.network.events.add(Kind.FAULT, text, about=("dvrs", dvrs), dvrs=dvrs)
                break


def _balancers(made: Draft) -> set[Path]:
    """The load balancers whose backends the change may be about."""
    found: set[Path] = set()
    for path in made.edits:
        if len(path) > 4 and path[0] == "enterprise":
            if path[4] == "load-balancer":
                found.add(path[:6])
            elif path[-2] == "vport":
                found.update(_of_vport(made, path))
    for uuid in {*made.moved, *(key.partition(" ")[0] for key in made.observed.health)}:
        for state in (made.old, made.new):
            path_of = state.view.by_uuid(uuid)
            if path_of is not None:
                found.update(_of_vport(made, path_of))
    return found


def _of_vport(made: Draft, vport: Path) -> Iterator[Path]:
    for state in (made.old, made.new):
        if state.view.get(vport) is not None:
            yield from (path[:-2] for path in state.view.referrers(vport) if path[-2] == "backend")


def _served(state: State, path: Path) -> dict[Served, How]:
    balancer = state.view.get(path)
    if not isinstance(balancer, LoadBalancer):
        return {}
    found: dict[Served, How] = {}
    for one in servings(state, path):
        nowhere = state.place(one.vport) is None
        dead = one.probe.kind != "none" and state.placement.health.get(one.probe.key(state)) is False
        served = Served(balancer.protocol, address(balancer.address), balancer.port, one.address, one.port)
        found[served] = How(dead, nowhere)
    return found

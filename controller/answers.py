"""What sessions ask of the running network: the half of Fabric that starts, commits and stops nothing.

    configured, acting     network.py, the store
    revisions              the store, through the one writer thread
    flows, agents          switches and hosts, now
    edge, wan, telemetry   the parts themselves, or what is compiled of them

All of it belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ParamSpec, TypeVar

from controller.bgp.service import Bgp
from controller.compile.access import access_address, used_path
from controller.compile.services.sharing import Share, sharing
from controller.compile.wan.circuits import Circuit, circuits
from controller.compile.wan.shown import Elsewhere, RemoteRoute, beyond, remote_routes
from controller.edge import Edge
from controller.edge.claims import Held
from controller.edge.dhcp import LeaseRecord
from controller.edge.health import Target
from controller.edge.learning import Entry
from controller.hypervisors.agents import AgentServer
from controller.hypervisors.listeners import Listeners
from controller.network import Network
from controller.numbers import Numbers
from controller.openflow.errors import OpenFlowError
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.pe.routers import PeRouters
from controller.telemetry.service import Telemetry
from controller.topology import Topology
from controller.trust.office import Trust
from controller.underlay.service import Underlay
from data.acting import acting_edits
from data.addresses import Ip
from data.configuration import Configuration, Edits, Overlay, Running
from data.difference import Changes
from data.errors import CommandFailed
from data.path import Path
from data.schema.objects import Object, Vport
from data.steps import spread
from data.store import HistoryEntry, Store

__all__ = ["Answers"]

P = ParamSpec("P")
T = TypeVar("T")


class Answers(ABC):
    """What is configured, compiled, connected, learned and remembered; changes nothing but what is forgotten."""

    store: Store
    _network: Network | None
    _listeners: Listeners
    _edge: Edge
    _bgp: Bgp
    _underlay: Underlay
    _pe: PeRouters
    _telemetry: Telemetry
    _trust: Trust

    @abstractmethod
    async def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a store call in the one writer thread."""

    @property
    def network(self) -> Network:
        """What is committed, compiled and connected."""
        assert self._network is not None, "start() first"
        return self._network

    @property
    def running(self) -> Running:
        """The committed configuration; changed in place by commits."""
        return self.network.configured

    @property
    def acting(self) -> Configuration:
        """The part of it that is not deactivated, what the network does. Ask anew after each commit."""
        return self.network.running

    def acting_after(self, edits: Edits) -> Configuration:
        """What would act after these edits of what is configured. Costs them, and what they come to."""
        return Overlay(self.acting, acting_edits(self.network.acting, edits)) if edits else self.acting

    @property
    def numbers(self) -> Numbers:
        return self.network.numbers

    @property
    def agents(self) -> AgentServer:
        """The hypervisors' agents that are connected, for diagnostics."""
        return self._listeners.agents

    @property
    def edge(self) -> Edge:
        """The services at the edge: leases, what was learned, health."""
        return self._edge

    @property
    def bgp(self) -> Bgp | None:
        """What neighbours are told and tell; None without a number of our own."""
        return None if self._bgp.rib.settings.autonomous_system is None else self._bgp

    def health(self) -> list[Target]:
        """Everything that is probed, and what is known of it."""
        return list(self._edge.health.targets.values())

    def dhcp_leases(self) -> Iterator[LeaseRecord]:
        """What vports heard of DHCP since the controller started."""
        return self._edge.dhcp.leases()

    def held(self, path: Path) -> Held:
        """Who has a virtual IP now."""
        return self._edge.claims.held(path)

    def sharing(self, path: Path) -> list[Share]:
        """Who shares the flows of a static route, a redirection target or a load balancer now."""
        return sharing(self.network.state, path)

    def remote_routes(self, domain: Path) -> Iterator[RemoteRoute]:
        """What leads out of a domain to PE routers, VTEPs and other sites."""
        return remote_routes(self.network.state, domain)

    def elsewhere(self, path: Path) -> Elsewhere | None:
        """Where a vport is that is not resolved here, when another site or a VTEP tells its MAC address or address."""
        tunnel = beyond(self.network.state, path)
        return None if tunnel is None else Elsewhere(tunnel.endpoint)

    async def circuits(self) -> list[Circuit]:
        """The labels by which domains and PE routers exchange packets."""
        sessions = {} if self.bgp is None else self.bgp.views.vpn_sessions()
        return await spread(circuits(self.network.state, sessions))

    def learned(self) -> dict[Path, Mapping[str, Entry]]:
        """What is behind bridge vports: vport -> MAC address -> its addresses, and when it was heard of."""
        found = ((self.acting.by_uuid(uuid), entries) for uuid, entries in self._edge.learning.everything())
        return {path: entries for path, entries in found if path is not None and entries}

    def forget_learned(self, path: Path) -> int:
        """Forgets what is behind a bridge vport, to learn it anew; how many MAC addresses it was."""
        vport = self.acting.get(path)
        return 0 if vport is None else self._edge.learning.clear(vport.uuid)

    @property
    def underlay(self) -> Underlay:
        """What listeners hear of the network below the tunnels."""
        return self._underlay

    @property
    def pe(self) -> PeRouters:
        """The PE routers that are configured with commits."""
        return self._pe

    @property
    def telemetry(self) -> Telemetry:
        """What passes through the network, counted."""
        return self._telemetry

    @property
    def trust(self) -> Trust:
        """Certificates of hypervisors, and the tokens with which they join."""
        return self._trust

    @property
    def topology(self) -> Topology:
        return self.network.topology

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        """The flows of a hypervisor, of one table or all, read from its switch now.

        Raises CommandFailed when it is not there.
        """
        channel = self.network.channels.get(dvrs)
        where = f"dvrs {dvrs}"
        if channel is None:
            raise CommandFailed(where, "there is no such hypervisor", "see 'show dvrs'")
        if channel.switch is None:
            raise CommandFailed(where, f"it is away: {self.topology.hypervisors[dvrs].reason}", "see 'show dvrs'")
        try:
            return await channel.switch.flows(table)
        except OpenFlowError as problem:
            raise CommandFailed(where, f"its flows could not be read: {problem}", "try again") from problem

    async def flow_count(self, dvrs: str) -> int | None:
        """How many flows a switch holds, counted by itself now; None when it is not there."""
        channel = self.network.channels.get(dvrs)
        if channel is None or channel.switch is None:
            return None
        try:
            return await channel.switch.flow_count()
        except OpenFlowError:
            return None

    def access_address(self, shared: str, vport: Vport, ip: Ip) -> Ip | None:
        """By which address the shared domain of this full name knows an address of a user's vport."""
        return access_address(self.acting, self.numbers, used_path(shared), vport, ip)

    def explain(self, cookie: int) -> Path | None:
        """The object that a flow with this cookie belongs to; None for the fabric itself and for foreign flows."""
        return self.network.owner(cookie)

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        """Revisions and failed commits with their receipts, the newest first; of one number alone if it is given."""
        return await self.submit(self.store.history, limit, number)

    async def difference(self, first: int, second: int) -> Changes:
        """What changed from one revision to another, which may be the older one."""
        return await self.submit(self.store.difference, first, second)

    async def objects_at(self, number: int) -> dict[Path, Object]:
        """Every object of a revision."""
        return await self.submit(self.store.objects_at, number)

    async def at_revision(self, number: int) -> Running:
        """The whole configuration of a revision; its index is built in a thread."""
        return await asyncio.to_thread(Running, await self.objects_at(number), number)

    async def lives(self, path: Path) -> list[tuple[str, int, int | None]]:
        """Whose place a path was: UUID, first revision with it, first revision without it."""
        return await self.submit(self.store.lives, path)

    async def last_changes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Revision and author of the last change of each path that was ever there."""
        return await self.submit(self.store.last_changes, list(paths))

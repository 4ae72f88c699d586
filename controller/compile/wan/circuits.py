"""Circuits: a domain and a PE router that it exchanges packets with by MPLS over GRE.

A circuit is what two labels make: the PE's (`out`, from its routes) and ours for each family. It is up while there is
a label each way, a session stands by which the label was told, and somebody is here whom it is for. When the session
is lost, its flows stay until the routes are too old: the circuit is stale. Nothing here is kept: it follows from the
state and the sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.compile.addresses import Ip
from controller.compile.remote import MPLS
from controller.compile.state import State, domains
from controller.compile.wan.facts import next_hops, routes
from data.path import Path
from data.steps import Steps

__all__ = ["Circuit", "Standing", "circuits"]


class Standing(StrEnum):
    """How a circuit is."""

    UP = "up"
    STALE = "stale"  # its session is lost, packets still go as it told
    NO_LABEL = "no label"  # the PE tells no prefix of this domain
    IDLE = "idle"  # no vport of the domain is resolved
    DOWN = "down"  # neither a session nor a label


@dataclass(frozen=True, slots=True)
class Circuit:
    """`out`: labels that the PE chose, ascending. `labels`: ours by IP version. `session`: whether one is established;
    None when nobody knows. `prefixes`: how many it told that lead there; `hypervisors`: those that send and receive.
    """

    domain: Path
    endpoint: Ip
    out: tuple[int, ...]
    labels: Mapping[int, int]
    session: bool | None
    prefixes: int
    hypervisors: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        if not self.out:
            return Standing.NO_LABEL if self.session else Standing.DOWN
        if self.session is False:
            return Standing.STALE
        return Standing.UP if self.hypervisors else Standing.IDLE


@dataclass(slots=True)
class _Found:
    labels: set[int] = field(default_factory=set)
    prefixes: int = 0


def circuits(state: State, sessions: Mapping[Ip, bool]) -> Steps[list[Circuit]]:
    """Every circuit, by domain and PE. `sessions` has each tunnel endpoint that VPN routes lead to, and
    whether a session stands by which they were told. Costs the remote prefixes: 0.5 s for 100,000, a step for each."""
    found: list[Circuit] = []
    for domain in sorted(domains(state.view)):
        if not state.routed(domain) or not state.in_wan(domain):
            continue
        yield
        told: dict[Ip, _Found] = {endpoint: _Found() for endpoint in sessions}
        for network in routes(state, domain):
            hops = [hop for hop in next_hops(state, domain, network) if hop.tunnel.encapsulation == MPLS]
            for endpoint in {hop.tunnel.endpoint for hop in hops}:
                told.setdefault(endpoint, _Found()).prefixes += 1
            for hop in hops:
                told[hop.tunnel.endpoint].labels.add(hop.tunnel.number)
            yield
        labels = {version: state.label(domain, version) for version in (4, 6)}
        names = tuple(sorted(state.hosts_of(domain)))
        for endpoint in sorted(told):
            out, session = told[endpoint], sessions.get(endpoint)
            found.append(Circuit(domain, endpoint, tuple(sorted(out.labels)), labels, session, out.prefixes, names))
    return found

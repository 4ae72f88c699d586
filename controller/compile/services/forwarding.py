"""Policy-based forwarding: where packets go that a redirect has set aside, through service vports or to a next hop.

The rule itself is in table `forward` (`acl.py`): it writes its number into Register.TARGET. Here is what follows:

    forward   from a service vport, or a next hop of a redirect    -> on, never redirected (no loops)
    route     TARGET = redirect                                    -> TARGET = its target, hash the flow -> spread
                                                                   -> or its next hop
    spread    TARGET = redirection target, slot                    -> the MAC of one of its living vports

Routing happens there: one hop less, from the gateway's MAC, also for packets inside a subnet. When nobody is alive,
packets are dropped (NO_MEMBER), or go on as they would have gone when the target fails open. Packets from the tunnel
were decided about where they came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controller.compile import reach
from controller.compile.addresses import FAMILIES, address, mac
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, domain_hosts, vport_host
from controller.compile.health import Probe, alive
from controller.compile.services import next_hops, spread
from controller.compile.services.bridging import known_behind
from controller.compile.services.spread import Basis, Way
from controller.compile.state import State
from controller.openflow import actions, match
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import Redirect, RedirectionTarget

__all__ = ["EXEMPT", "FEATURE", "HOP_INTERVAL", "REDIRECT", "TARGET", "Member", "members"]

HOP_INTERVAL = 1000  # milliseconds between two ARP probes of a redirect's next hop
_GROUP_BIT = 0x01 << 40  # of a MAC address: broadcast and multicast are nobody's to forward


class Member(NamedTuple):
    """A service vport: its path, MAC, and what is probed; None when there is nothing to probe."""

    path: Path
    hardware: str
    probe: Probe | None

    def alive(self, state: State) -> bool:
        """Whether it is resolved, and was not found dead."""
        if state.place(self.path) is None:
            return False
        return self.probe is None or alive(state, self.probe, unknown=True)


def members(state: State, path: Path, target: RedirectionTarget) -> list[Member]:
    """The service vports of a redirection target, resolved or not, in the order of the configuration."""
    found: list[Member] = []
    for name in target.vport:
        where = state.view.resolve(path, "vport", name)
        vport = None if where is None else state.view.get(where)
        if where is None or not isinstance(vport, Vport) or vport.mac is None:
            continue
        probe = None
        if target.health != "none" and vport.address:
            port = target.health_port or 0
            probe = Probe(where, vport.address[0], vport.mac, target.health, port, target.health_interval)
        found.append(Member(where, vport.mac, probe))
    return found


# Service vports -------------------------------------------------------------------------------------------------


def _target_flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    target = state.view.get(path)
    assert isinstance(target, RedirectionTarget)
    number, known = state.number(path), members(state, path, target)
    its = match.reg(Register.TARGET, number)
    here = {member for member in known if member.alive(state)}
    if not here:
        owner = cookie(Owner.SERVICE, Purpose.NO_MEMBER, number)
        yield flow(Table.SPREAD, Priority.NORMAL, owner, [its])
        return
    owner = cookie(Owner.SERVICE, Purpose.REDIRECT, number)

    def through(member: Member) -> Way:
        place = state.place(member.path)
        assert place is not None, f"{' '.join(member.path)} is not resolved"
        return Way(
            owner, reach.routed(state.gateway_mac(), mac(member.hardware), state.vni(place.subnet)), Table.SWITCH
        )

    dealt = spread.deal([(member, 1) for member in known], here)
    for family in FAMILIES.values():
        yield from spread.flows(Table.SPREAD, Priority.NORMAL, [its, family.is_ip], dealt, through)


TARGET = Kind("redirection-target", domain_hosts, _target_flows)


# Redirects ------------------------------------------------------------------------------------------------------


def _redirect_flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    redirect = state.view.get(path)
    assert isinstance(redirect, Redirect)
    number = state.number(path)
    unicast = match.eth_dst(bytes(6), _GROUP_BIT.to_bytes(6, "big"))
    its = [match.metadata(state.number(path[:4])), match.reg(Register.TARGET, number), unicast]
    owner = cookie(Owner.SERVICE, Purpose.REDIRECT, number)
    if redirect.target is not None:
        where = state.view.resolve(path, "redirection-target", redirect.target)
        target = None if where is None else state.view.get(where)
        if where is None or not isinstance(target, RedirectionTarget):
            return
        if target.fail == "open" and not any(member.alive(state) for member in members(state, where, target)):
            return
        acts = [actions.set_reg(Register.TARGET, state.number(where)), spread.pick(Basis.REDIRECT)]
        for family in FAMILIES.values():
            yield flow(Table.ROUTE, Priority.REDIRECTED, owner, [*its, family.is_ip], acts, Table.SPREAD)
    elif redirect.next_hop is not None:
        matches: list[Match] = [*its, FAMILIES[address(redirect.next_hop).version].is_ip]
        hop = next_hops.find(state, path[:4], redirect.next_hop)
        if hop is None or not alive(state, _probe(hop), unknown=True):
            owner = cookie(Owner.SERVICE, Purpose.NO_MEMBER, number)
            yield flow(Table.ROUTE, Priority.REDIRECTED, owner, matches)
        else:
            yield flow(Table.ROUTE, Priority.REDIRECTED, owner, matches, *next_hops.way(state, hop))


def _probe(hop: next_hops.NextHop) -> Probe:
    return next_hops.probe(hop, "arp", HOP_INTERVAL)


REDIRECT = Kind("redirect", domain_hosts, _redirect_flows)


# What is never redirected ---------------------------------------------------------------------------------------


def _exempt_flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport = state.view.get(path)
    assert isinstance(vport, Vport)
    owner = cookie(Owner.VPORT, Purpose.REDIRECT, state.number(path))
    its = [match.metadata(state.number(path[:4])), match.reg(Register.FROM_PORT, state.slot(path))]
    serves = any(referrer[-2] == "redirection-target" for referrer in state.view.referrers(path))
    if vport.mac is not None:
        if serves or any(_leads(state, path, vport.mac, one) for one in next_hops.addresses_of(state, path)):
            yield flow(Table.FORWARD, Priority.RULE_CEILING + 1, owner, its, [], Table.MARK)
        return
    for hardware, addresses in known_behind(state, path).items():
        if any(_leads(state, path, hardware, one) for one in addresses):
            matches = [*its, match.eth_src(mac(hardware))]
            yield flow(Table.FORWARD, Priority.RULE_CEILING + 1, owner, matches, [], Table.MARK)


def _leads(state: State, path: Path, hardware: str, text: str) -> bool:
    """Whether a redirect sends packets to this address, and they come to this vport (or MAC behind it)."""
    if not state.view.holders("redirect", "next_hop", path[:4], text):
        return False
    hop = next_hops.find(state, path[:4], text)
    return hop is not None and hop.vport == path and (not hop.outside or hop.hardware == hardware)


EXEMPT = Kind("not-redirected", vport_host, _exempt_flows)


# Together -------------------------------------------------------------------------------------------------------


def _redirects(state: State, domain: Path) -> Iterator[Path]:
    for policy in state.objects(domain, "forwarding-policy"):
        yield from state.objects(policy, "redirect")


def _targets(state: State, domain: Path) -> Iterator[Path]:
    return state.objects(domain, "redirection-target")


def _passed_by(state: State, path: Path) -> Iterator[Path]:
    """The vports that a redirect's next hop or a redirection target's vports are."""
    body = state.view.get(path)
    if isinstance(body, RedirectionTarget):
        for name in body.vport:
            found = state.view.resolve(path, "vport", name)
            if found is not None:
                yield found
    elif isinstance(body, Redirect) and body.next_hop is not None:
        hop = next_hops.find(state, path[:4], body.next_hop)
        if hop is not None:
            yield hop.vport


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    exempt: set[Path] = set()
    for kind, paths in ((TARGET, _targets), (REDIRECT, _redirects)):
        for path in paths(state, domain):
            yield Fragment(kind, path)
            exempt.update(_passed_by(state, path))
    yield from (Fragment(EXEMPT, path) for path in exempt)


def _touched(delta: Delta) -> Iterator[Fragment]:
    states = (delta.old, delta.new)
    redirects = {*delta.edited("redirect"), *next_hops.affected(delta, "redirect", "forwarding-policy")}
    targets = set(delta.edited("redirection-target"))
    chained = {domain for domain in {path[:4] for path in delta.vports} if any(_chains(one, domain) for one in states)}
    named = {path for path in delta.vports if path[:4] in chained} if chained else set()
    for key in delta.observed.health:
        for state in states:
            path = state.view.by_uuid(key.partition(" ")[0])
            if path is not None:
                named.add(path)
    for state in states:
        for vport in named:
            targets.update(one for one in state.view.referrers(vport) if one[-2] == "redirection-target")
    for state in states:
        for target in targets:
            redirects.update(one for one in state.view.referrers(target) if one[-2] == "redirect")
    exempt = named
    for state in states:
        for path in (*redirects, *targets):
            exempt.update(_passed_by(state, path))
    yield from (Fragment(REDIRECT, path) for path in redirects)
    yield from (Fragment(TARGET, path) for path in targets)
    yield from (Fragment(EXEMPT, path) for path in exempt)


def _chains(state: State, domain: Path) -> bool:
    """Whether a domain redirects anything."""
    return bool(state.view.count(domain, "redirection-target") or state.view.count(domain, "forwarding-policy"))


def _probes(state: State, domain: Path) -> Iterator[Probe]:
    for path in _targets(state, domain):
        target = state.view.get(path)
        if isinstance(target, RedirectionTarget):
            yield from (member.probe for member in members(state, path, target) if member.probe is not None)
    for path in _redirects(state, domain):
        redirect = state.view.get(path)
        if isinstance(redirect, Redirect) and redirect.next_hop is not None:
            hop = next_hops.find(state, domain, redirect.next_hop)
            if hop is not None:
                yield _probe(hop)


FEATURE = Feature(_fragments, _touched, _probes)

"""What load balancing needs for vports that serve, and for those of a domain that uses the balancers of another.

    service    to it directly, TCP          -> ct: balance      such a connection is remembered, too
    balance    the same, new                -> ct(commit)
    return     from where it serves         -> ct(nat): returned
    returned   TCP, of no known connection  -> as it is, and a copy as from the virtual address

The last is for what the client's hypervisor has forgotten, or never known: the client was moved there, the switch was
started anew, the balancer is new. Either form is the right one, its receiver takes that and resets the other, and no
reset begins a connection (skeleton.py): so none breaks, and the next packet of the client tells which it was.

A user of a shared domain knows itself by its own address, and the connection by its access address (`shared.py`):

    return     to its own address         -> its access address, ct(nat): returned
    returned   to its access address      -> its own again
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator

from controller.compile.access import access_addresses
from controller.compile.addresses import FAMILIES, Ip, address, value
from controller.compile.fragments import Fragment, Kind, vport_host
from controller.compile.services.balance import PORTS, complaints, zone_of
from controller.compile.services.serving import balanced
from controller.compile.skeleton import returned
from controller.compile.state import State
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import SERVICE_ZONE, Owner, Priority, Register, Table, cookie
from controller.pipeline import Feature as Doing
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import LoadBalancer

__all__ = ["BACKEND", "CLIENT", "clients", "entered"]

_FIND = actions.ct(zone_reg=Register.ZONE, table=Table.RETURNED, nested=[actions.nat()])
_NEW = wire.CT_TRACKED | wire.CT_NEW


def entered(state: State, domain: Path) -> list[Path]:
    """The shared domains with load balancers that a domain uses."""
    return [shared for shared in state.shared(domain) if state.view.count(shared, "load-balancer")]


def _clients(state: State, domain: Path, dvrs: str) -> list[Path]:
    """The domains on a hypervisor whose vports can be clients of a domain: itself, and its users in order."""
    users = sorted(state.users.get(domain) or ())
    return [one for one in (domain, *users) if dvrs in state.own_hosts(one)]


# A vport that serves --------------------------------------------------------------------------------------------


def _backend_flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    here = _clients(state, path[:4], dvrs)
    served = balanced(state, path)
    for (ip, protocol, port), at in sorted(served.items()):
        if protocol == "tcp":
            yield from _directly(state, path, ip, port)
        for client in here:
            yield from _answers(state, path, client, ip, protocol, port)
            if protocol == "tcp":
                yield _lost(state, path, client, ip, port, at)
    for ip in sorted({ip for ip, _, _ in served}):
        family = FAMILIES[ip.version]
        for client in here:
            for complaint in complaints(ip.version):
                its = [family.is_ip, match.field(family.source, value(ip)), *complaint]
                yield _return(state, path, client, its)


def _owner(state: State, path: Path, purpose: Doing = Doing.BALANCE) -> int:
    return cookie(Owner.VPORT, purpose, state.number(path))


def _directly(state: State, path: Path, ip: Ip, port: int) -> Iterator[bytes]:
    """A client that goes to the backend itself has a connection, too: its answers are told from balanced ones."""
    family, owner = FAMILIES[ip.version], _owner(state, path)
    number, _, destination = PORTS["tcp"]
    to_it = [match.metadata(state.number(path[:4])), family.is_ip, match.field(family.destination, value(ip))]
    to_it += [match.ip_proto(number), match.field(destination, port)]
    find = actions.ct(zone_reg=Register.ZONE, table=Table.BALANCE)
    yield flow(Table.SERVICE, Priority.NORMAL, owner, to_it, [*zone_of(Register.FROM_PORT), find])
    commit = actions.ct(commit=True, zone_reg=Register.ZONE, table=Table.ROUTE)
    yield flow(Table.BALANCE, Priority.NORMAL, owner, [*to_it, match.ct_state(_NEW, _NEW)], [commit])
    yield flow(Table.BALANCE, Priority.MISS, owner, to_it, [], Table.ROUTE)


def _from_it(ip: Ip, protocol: str, port: int) -> list[Match]:
    family = FAMILIES[ip.version]
    number, source, _ = PORTS[protocol]
    return [family.is_ip, match.field(family.source, value(ip)), match.ip_proto(number), match.field(source, port)]


def _answers(state: State, path: Path, client: Path, ip: Ip, protocol: str, port: int) -> Iterator[bytes]:
    yield _return(state, path, client, _from_it(ip, protocol, port))


def _return(state: State, path: Path, client: Path, its: list[Match]) -> bytes:
    """What comes from a backend to a vport of this domain is looked up in the zone of services of the receiver."""
    owner, domain = _owner(state, path), path[:4]
    matches = [match.metadata(state.number(client)), *its]
    if client == domain:
        return flow(Table.RETURN, Priority.NORMAL, owner, matches, [*zone_of(Register.TO_PORT), _FIND])
    # A user may have the same address itself, or use two domains that have it: then the one it lists first is meant.
    priority = Priority.NORMAL - 1 - state.shared(client).index(domain)
    acts = [*zone_of(Register.TO_PORT), actions.set_reg(Register.REALM, state.number(domain))]
    matches.append(match.reg(Register.ZONE, 0, SERVICE_ZONE))
    return flow(Table.RETURN, priority, owner, matches, [*acts, actions.resubmit(Table.RETURN)])


def _lost(state: State, path: Path, client: Path, ip: Ip, port: int, at: list[Path]) -> bytes:
    """An answer of no known connection goes on as it is, and as from each virtual address it may be from."""
    matches = [match.metadata(state.number(client)), *_from_it(ip, "tcp", port), match.ct_state(_NEW, _NEW)]
    copies: list[Action] = []
    for balancer in at:
        body = state.view.get(balancer)
        assert isinstance(body, LoadBalancer)
        virtual = address(body.address)
        family, (_, source, _) = FAMILIES[virtual.version], PORTS[body.protocol]
        as_from = [actions.set_field(family.source, value(virtual)), actions.set_field(source, body.port)]
        copies.append(actions.clone([*as_from, *returned()]))
    priority = int(Priority.NORMAL)
    if client != path[:4]:
        priority -= 1 + state.shared(client).index(path[:4])
    return flow(Table.RETURNED, priority, _owner(state, path), matches, copies, Table.EGRESS_TRACK)


def _backend_hosts(state: State, path: Path) -> Collection[str]:
    vport = state.view.get(path)
    return state.hosts_of(path[:4]) if isinstance(vport, Vport) and balanced(state, path) else ()


def _backend_variant(state: State, path: Path, dvrs: str) -> Hashable:
    return tuple(_clients(state, path[:4], dvrs))


BACKEND = Kind("backend", _backend_hosts, _backend_flows, _backend_variant)


# A vport of a user ----------------------------------------------------------------------------------------------


def _client_flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, domain = state.view.get(path), state.number(path[:4])
    assert isinstance(vport, Vport)
    for shared in entered(state, path[:4]):
        realm = state.number(shared)
        for ip, known in access_addresses(state.view, state.numbers, shared, vport):
            family = FAMILIES[ip.version]
            its = [match.metadata(domain), match.reg(Register.REALM, realm), family.is_ip]
            to_own = [*its, match.field(family.destination, value(ip))]
            acts = [actions.set_field(family.destination, value(known)), _FIND]
            yield flow(Table.RETURN, Priority.HIGH, _owner(state, path), to_own, acts)
            to_known = [*its, match.field(family.destination, value(known))]
            acts = [actions.set_field(family.destination, value(ip)), actions.set_reg(Register.REALM, 0)]
            acts.append(actions.resubmit(Table.RETURNED))
            yield flow(Table.RETURNED, Priority.HIGHEST, _owner(state, path), to_known, acts)


def _client_hosts(state: State, path: Path) -> Collection[str]:
    return vport_host(state, path) if entered(state, path[:4]) else ()


CLIENT = Kind("client", _client_hosts, _client_flows)


def clients(state: State, domain: Path) -> Iterator[Fragment]:
    """What the vports of a domain hold as clients of the shared domains it uses."""
    if state.view.get(domain) is not None and entered(state, domain):
        for subnet in state.subnets(domain):
            for vports in state.members_of(subnet).values():
                for path in vports:
                    yield Fragment(CLIENT, path)

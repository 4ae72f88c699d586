"""What a compilation starts from: configuration, placement, numbers, and two indexes derived from them.

A State is immutable. Its neighbour in time is made by `change.changed`, and shares all that did not change.

    policies    domain -> DomainPolicy             what its rules can tell apart
    members     subnet -> hypervisor -> vport -> slot     resolved vports alone
    hosts       domain -> hypervisor -> number of its vports there
    users       shared domain -> domains that use it
    bridges     subnet -> its bridge vports            resolved ones alone
    endpoints   the tunnel addresses of our hypervisors

`hosts` is what keeps the fabric local: a hypervisor gets a domain's flows only while it hosts a vport of it, or of a
domain that uses it. An l2-domain stands where a domain does, and is its own one subnet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from controller.compile.access import give_all, used_path
from controller.compile.addresses import Ip, address, mac
from controller.compile.layered import Layered
from controller.compile.numbering import in_wan, number_objects
from controller.compile.placement import Location, Placement
from controller.compile.policy import DomainPolicy, build, uuid_of
from controller.numbers import Numbers
from controller.pipeline import TRUNK_SLOTS
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Controller, Domain, Dvrs, L2Domain, Subnet, Vport
from data.steps import Steps
from data.templates import in_template

__all__ = ["Place", "State", "domains", "endpoints", "start"]

Members = Mapping[str, Mapping[Path, int]]
Hosts = Mapping[str, int]
NOWHERE: Members = {}
NO_HOSTS: Hosts = {}
BRIDGE = "bridge"
"""Type of the vports behind which addresses are learned."""


class Place(NamedTuple):
    """A resolved vport: its body, the path of its subnet and where it is."""

    vport: Vport
    subnet: Path
    location: Location


@dataclass(frozen=True, slots=True)
class State:
    """See the module."""

    view: Configuration
    placement: Placement
    numbers: Numbers
    policies: Layered[Path, DomainPolicy]
    members: Layered[Path, Members]
    hosts: Layered[Path, Hosts]
    users: Layered[Path, frozenset[Path]]
    bridges: Layered[Path, frozenset[Path]] = field(default_factory=Layered)
    endpoints: frozenset[Ip] = frozenset()

    def settled(self, view: Configuration, numbers: Numbers) -> State:
        """The same state once its plan is committed: on the running configuration and the register itself."""
        return replace(self, view=view, numbers=numbers)

    def place(self, path: Path) -> Place | None:
        """Where the vport at `path` is, None while it is unresolved or its hypervisor is not one of ours."""
        vport = self.view.get(path)
        if not isinstance(vport, Vport):
            return None
        location = self.placement.location(vport.uuid)
        if location is None or location.dvrs not in self.placement.tunnel_ports:
            return None
        if self.view.get(("dvrs", location.dvrs)) is None:
            return None
        subnet = self.segment_of(path, vport)
        return None if subnet is None else Place(vport, subnet, location)

    def segment_of(self, path: Path, vport: Vport) -> Path | None:
        """The subnet of a vport, or the l2-domain it is in; None when it does not exist."""
        return self.view.resolve(path, "subnet", vport.subnet) if self.routed(path[:4]) else path[:4]

    def routed(self, domain: Path) -> bool:
        """Whether this is a domain, and not an l2-domain."""
        return domain[2] == "domain"

    def slot(self, path: Path) -> int:
        """The slot of a resolved vport on its hypervisor (`pipeline.py`)."""
        place = self.place(path)
        assert place is not None, f"{' '.join(path)} is not resolved"
        if place.vport.vlan is None:
            return place.location.port
        return TRUNK_SLOTS + self._number("trunk", path)

    def members_of(self, subnet: Path) -> Members:
        """hypervisor -> vport -> slot."""
        return self.members.get(subnet) or NOWHERE

    def own_hosts(self, domain: Path) -> Hosts:
        """hypervisor -> how many vports of the domain are there."""
        return self.hosts.get(domain) or NO_HOSTS

    def bridges_of(self, subnet: Path) -> frozenset[Path]:
        """The resolved bridge vports of a subnet, or of an l2-domain."""
        return self.bridges.get(subnet) or frozenset()

    def hosts_of(self, domain: Path) -> Collection[str]:
        """The hypervisors that must know the domain: they host a vport of it, or of a domain that uses it."""
        own, users = self.own_hosts(domain), self.users.get(domain)
        if not users:
            return own.keys()
        return own.keys() | {name for user in users for name in self.own_hosts(user)}

    def domains_with_hosts(self) -> Iterator[Path]:
        """The domains that some hypervisor may have to know."""
        yield from self.hosts
        for domain in self.users:
            if not self.hosts.get(domain):
                yield domain

    def shared(self, domain: Path) -> list[Path]:
        """The shared domains that a domain uses."""
        body = self.view.get(domain)
        return [used_path(name) for name in body.use] if isinstance(body, Domain) else []

    def policy(self, domain: Path) -> DomainPolicy:
        """The compiled policy of a domain that exists."""
        found = self.policies.get(domain)
        assert found is not None, f"{' '.join(domain)} has no policy"
        return found

    def number(self, path: Path) -> int:
        """The number of an object: in cookies, as metadata of its domain, as conjunction id."""
        return self._number("object", path)

    def vni(self, subnet: Path) -> int:
        """The VNI of a subnet or l2-domain, on which others send us its frames; the configuration may fix it."""
        return self._number("vni", subnet)

    def in_wan(self, path: Path) -> bool:
        """Whether a domain, subnet or l2-domain is told to BGP and takes routes from it: a domain that has route
        targets, a segment that has one or a fixed VNI, which VTEPs outside know it by."""
        body = self.view.get(path)
        return body is not None and in_wan(body)

    def l3_vni(self, domain: Path) -> int:
        """The VNI of a domain in the WAN, on which others send us packets to be routed in it (RFC 9135)."""
        return self._number("vni", domain)

    def label(self, domain: Path, version: int) -> int:
        """The MPLS label by which PE routers send us packets of this IP version for a domain in the WAN. Each version
        has its own: what is under a label that is taken away does not say what it is (RFC 3032 section 2.2)."""
        found = self.numbers.find("label", f"{uuid_of(self.view, domain)} {version}")
        assert found is not None, f"{' '.join(domain)} has no label"
        return found

    def tunnel_address(self, dvrs: str) -> Ip:
        """The underlay address of a hypervisor."""
        body = self.view.get(("dvrs", dvrs))
        assert isinstance(body, Dvrs) and body.tunnel_address
        return address(body.tunnel_address)

    def gateway_mac(self) -> bytes:
        """The MAC address of every gateway on every hypervisor."""
        return mac(self.view.settings(Controller).anycast_gateway_mac)

    def subnets(self, domain: Path) -> Iterator[Path]:
        """All subnets of a domain; an l2-domain is its own."""
        if not self.routed(domain):
            yield domain
        for zone in self.view.children(domain, "zone"):
            for name in self.view.children((*domain, "zone", zone), "subnet"):
                yield (*domain, "zone", zone, "subnet", name)

    def objects(self, domain: Path, keyword: str) -> Iterator[Path]:
        """The objects of one kind directly below a domain, or below a policy of it."""
        for name in self.view.children(domain, keyword):
            yield (*domain, keyword, name)

    def subnet(self, path: Path) -> Subnet:
        """The body of a subnet that exists."""
        body = self.view.get(path)
        assert isinstance(body, Subnet)
        return body

    def allocated(self, pool: str, path: Path) -> int:
        """The number of an object in another pool, for which it was numbered: "wan" of what is in the WAN, for its
        route distinguisher (16 bits)."""
        return self._number(pool, path)

    def _number(self, pool: str, path: Path) -> int:
        found = self.numbers.find(pool, uuid_of(self.view, path))
        assert found is not None, f"{' '.join(path)} has no number"
        return found


def endpoints(view: Configuration) -> frozenset[Ip]:
    """The tunnel addresses of our hypervisors."""
    return frozenset(address(body.tunnel_address) for _, body in view.objects(Dvrs) if body.tunnel_address)


def start(view: Configuration, placement: Placement, numbers: Numbers) -> Steps[State]:
    """The state of a whole configuration; a second at 100,000 vports."""
    for path, body in view.walk():
        if in_template(path):
            continue
        number_objects(numbers, body)
        if path[-2:-1] == ("vport",):
            yield
    policies: dict[Path, DomainPolicy] = {}
    members: dict[Path, dict[str, dict[Path, int]]] = {}
    hosts: dict[Path, dict[str, int]] = {}
    users: dict[Path, frozenset[Path]] = {}
    bridges: dict[Path, frozenset[Path]] = {}
    bare = State(view, placement, numbers, Layered(), Layered(), Layered(), Layered())
    for domain in domains(view):
        policies[domain] = build(view, domain, numbers, None)
        for used in bare.shared(domain):
            users[used] = users.get(used, frozenset()) | {domain}
        give_all(view, domain, numbers)
        yield
        for name in view.children(domain, "vport"):
            path = (*domain, "vport", name)
            place = bare.place(path)
            yield
            if place is None:
                continue
            if place.vport.type == BRIDGE:
                bridges[place.subnet] = bridges.get(place.subnet, frozenset()) | {path}
            dvrs = place.location.dvrs
            members.setdefault(place.subnet, {}).setdefault(dvrs, {})[path] = bare.slot(path)
            of_domain = hosts.setdefault(domain, {})
            of_domain[dvrs] = of_domain.get(dvrs, 0) + 1
    return State(
        view, placement, numbers, Layered(policies), Layered(members), Layered(hosts), Layered(users), Layered(bridges),
        endpoints(view),
    )  # fmt: skip


def domains(view: Configuration) -> Iterator[Path]:
    """Every domain and l2-domain."""
    for kind in (Domain, L2Domain):
        for path, _ in view.objects(kind):
            yield path

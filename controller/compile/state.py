"""What a compilation starts from: configuration, placement, numbers, and two indexes derived from them.

A State is immutable. Its neighbour in time is made by `change.changed`, and shares all that did not change.

    policies    domain -> DomainPolicy             what its rules can tell apart
    members     subnet -> hypervisor -> vport -> OpenFlow port     resolved vports alone
    hosts       domain -> hypervisor -> number of its vports there

`hosts` is what keeps the fabric local: a hypervisor gets a domain's flows only while it hosts a vport of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from controller.compile.addresses import ipv4, mac
from controller.compile.layered import Layered
from controller.compile.placement import Location, Placement
from controller.compile.policy import DomainPolicy, build, uuid_of
from controller.numbers import Numbers
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Controller, Domain, Dvrs, Entry, Object, Subnet, Vport
from data.steps import Steps

__all__ = ["Place", "State", "number_objects", "start"]

Members = Mapping[str, Mapping[Path, int]]
Hosts = Mapping[str, int]
NOWHERE: Members = {}
NO_HOSTS: Hosts = {}


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
        subnet = self.view.resolve(path, "subnet", vport.subnet)
        return None if subnet is None else Place(vport, subnet, location)

    def members_of(self, subnet: Path) -> Members:
        """hypervisor -> vport -> OpenFlow port."""
        return self.members.get(subnet) or NOWHERE

    def hosts_of(self, domain: Path) -> Hosts:
        """hypervisor -> how many vports of the domain are there."""
        return self.hosts.get(domain) or NO_HOSTS

    def policy(self, domain: Path) -> DomainPolicy:
        """The compiled policy of a domain that exists."""
        found = self.policies.get(domain)
        assert found is not None, f"{' '.join(domain)} has no policy"
        return found

    def number(self, path: Path) -> int:
        """The number of an object: in cookies, as metadata of its domain, as conjunction id."""
        return self._number("object", path)

    def vni(self, subnet: Path) -> int:
        """The VNI of a subnet."""
        return self._number("vni", subnet)

    def tunnel_address(self, dvrs: str) -> int:
        """The underlay address of a hypervisor as a 32-bit number."""
        body = self.view.get(("dvrs", dvrs))
        assert isinstance(body, Dvrs) and body.tunnel_address
        return ipv4(body.tunnel_address)

    def gateway_mac(self) -> bytes:
        """The MAC address of every gateway on every hypervisor."""
        return mac(self.view.settings(Controller).anycast_gateway_mac)

    def subnets(self, domain: Path) -> Iterator[Path]:
        """All subnets of a domain."""
        for zone in self.view.children(domain, "zone"):
            for name in self.view.children((*domain, "zone", zone), "subnet"):
                yield (*domain, "zone", zone, "subnet", name)

    def subnet(self, path: Path) -> Subnet:
        """The body of a subnet that exists."""
        body = self.view.get(path)
        assert isinstance(body, Subnet)
        return body

    def _number(self, pool: str, path: Path) -> int:
        found = self.numbers.find(pool, uuid_of(self.view, path))
        assert found is not None, f"{' '.join(path)} has no number"
        return found


def number_objects(numbers: Numbers, body: Object) -> None:
    """Give an object the numbers its flows will carry."""
    if isinstance(body, Domain | Subnet | Vport | Entry):
        numbers.get("object", body.uuid)
        if isinstance(body, Subnet):
            numbers.get("vni", body.uuid)


def start(view: Configuration, placement: Placement, numbers: Numbers) -> Steps[State]:
    """The state of a whole configuration; a second at 100,000 vports."""
    for path, body in view.walk():
        number_objects(numbers, body)
        if path[-2:-1] == ("vport",):
            yield
    policies: dict[Path, DomainPolicy] = {}
    members: dict[Path, dict[str, dict[Path, int]]] = {}
    hosts: dict[Path, dict[str, int]] = {}
    bare = State(view, placement, numbers, Layered(), Layered(), Layered())
    for domain, _ in view.objects(Domain):
        policies[domain] = build(view, domain, numbers, None)
        yield
        for name in view.children(domain, "vport"):
            path = (*domain, "vport", name)
            place = bare.place(path)
            yield
            if place is None:
                continue
            dvrs = place.location.dvrs
            members.setdefault(place.subnet, {}).setdefault(dvrs, {})[path] = place.location.port
            of_domain = hosts.setdefault(domain, {})
            of_domain[dvrs] = of_domain.get(dvrs, 0) + 1
    return State(view, placement, numbers, Layered(policies), Layered(members), Layered(hosts))

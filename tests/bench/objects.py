"""The workload as configuration objects of nshell: one domain with ten subnets, one policy group, stateful rules to it.

`to-lport` of the peer is `egress-policy` here (packets to the vport), its `ip4.src == 172.N.0.0/16` a network macro,
and its drop of everything else to the group `egress-default deny`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from data.path import Path
from data.schema.objects import (
    Controller,
    Domain,
    Dvrs,
    EgressPolicy,
    Endpoint,
    Enterprise,
    Entry,
    NetworkMacro,
    Object,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from tests.bench import workload
from tests.bench.workload import Port, Rule

Objects = dict[Path, Object]

ENTERPRISE: Path = ("enterprise", "acme")
DOMAIN: Path = (*ENTERPRISE, "domain", "prod")
GROUP = "pg0"
FLEET_DOMAIN = 20  # hypervisors that share a domain


def fresh() -> str:
    return str(uuid.uuid4())


def vport_path(name: str) -> Path:
    return (*DOMAIN, "vport", name)


def full_name(name: str) -> str:
    """What `external_ids:iface-id` says of a vport."""
    return f"{ENTERPRISE[1]}/{DOMAIN[3]}/{name}"


def controller(openflow: int, ovsdb: int, agent: int) -> Objects:
    """The listeners, on this machine."""
    return {("controller",): Controller(uuid=fresh(), openflow_port=openflow, ovsdb_port=ovsdb, agent_port=agent)}


def hypervisors(names: Sequence[str]) -> Objects:
    return {
        ("dvrs", name): Dvrs(uuid=fresh(), tunnel_address=f"172.31.{number >> 8}.{number & 255}")
        for number, name in enumerate(names, start=1)
    }


def network() -> Objects:
    """The domain with its subnets and its group, without vports and rules."""
    made: Objects = {
        ENTERPRISE: Enterprise(uuid=fresh()),
        DOMAIN: Domain(uuid=fresh(), egress_default="deny"),
        (*DOMAIN, "zone", "z"): Zone(uuid=fresh()),
        (*DOMAIN, "policy-group", GROUP): PolicyGroup(uuid=fresh()),
        (*DOMAIN, "egress-policy", "base"): EgressPolicy(uuid=fresh()),
    }
    for subnet in range(workload.SUBNETS):
        prefix, gateway = workload.subnet_prefix(subnet), workload.gateway(subnet)
        made[*DOMAIN, "zone", "z", "subnet", f"s{subnet}"] = Subnet(uuid=fresh(), prefix=prefix, gateway=gateway)
    return made


def vports(ports: Iterable[Port]) -> Objects:
    return {
        vport_path(port.name): Vport(
            uuid=fresh(), subnet=f"s{port.subnet}", mac=port.mac, address=(port.address,), policy_group=(GROUP,)
        )
        for port in ports
    }


def entries(rules: Iterable[Rule]) -> Objects:
    """The rules, each with the macro that it names."""
    made: Objects = {}
    for rule in rules:
        macro = f"m{rule.number}"
        made[*ENTERPRISE, "network-macro", macro] = NetworkMacro(uuid=fresh(), prefix=rule.source)
        made[*DOMAIN, "egress-policy", "base", "entry", str(rule.number + 1)] = Entry(
            uuid=fresh(),
            from_=Endpoint("network-macro", macro),
            to=Endpoint("policy-group", GROUP),
            protocol="tcp",
            destination_port=(str(rule.port),),
            action="allow",
            stateful=True,
        )
    return made


def fleet(names: Sequence[str], vports: int, rules: int) -> Objects:
    """Many hypervisors, every twenty with a domain of their own (`d0`, `d1`, …): `vports` on each, one group, `rules`.

    The vport of interface N of hypervisor f3 is `acme/d0/f3-N`.
    """
    made: Objects = {ENTERPRISE: Enterprise(uuid=fresh()), **hypervisors(names)}
    for number, name in enumerate(names):
        domain: Path = (*ENTERPRISE, "domain", fleet_domain(number))
        if domain not in made:
            made[domain] = Domain(uuid=fresh(), egress_default="deny")
            made[*domain, "zone", "z"] = Zone(uuid=fresh())
            made[*domain, "zone", "z", "subnet", "s"] = Subnet(uuid=fresh(), prefix="10.0.0.0/16")
            made[*domain, "policy-group", GROUP] = PolicyGroup(uuid=fresh())
            made[*domain, "egress-policy", "base"] = EgressPolicy(uuid=fresh())
            for rule in range(rules):
                made[*domain, "egress-policy", "base", "entry", str(rule + 1)] = Entry(
                    uuid=fresh(), from_=Endpoint("policy-group", GROUP), to=Endpoint("policy-group", GROUP),
                    protocol="tcp", destination_port=(str(1000 + rule),), action="allow", stateful=True,
                )  # fmt: skip
        for each in range(vports):
            place = number % FLEET_DOMAIN * vports + each + 10
            made[*domain, "vport", f"{name}-{each}"] = Vport(
                uuid=fresh(), subnet="s", mac=f"02:02:00:00:{place >> 8:02x}:{place & 255:02x}",
                address=(f"10.0.{place >> 8}.{place & 255}",), policy_group=(GROUP,),
            )  # fmt: skip
    return made


def fleet_domain(hypervisor: int) -> str:
    """The domain that the vports of this hypervisor are in."""
    return f"d{hypervisor // FLEET_DOMAIN}"

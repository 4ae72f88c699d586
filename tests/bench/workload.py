"""The network that OVN and nshell are both given, as plain facts; each side turns it into its own words.

Ten subnets behind one router, four hypervisors, PORTS ports in one group spread evenly over subnets and
hypervisors, RULES stateful rules to that group (each from a prefix of its own, one TCP port), and everything
else to the group denied.
"""

from __future__ import annotations

from dataclasses import dataclass

HYPERVISORS = 4
SUBNETS = 10
RULES = 100
PORTS = 1000
FEW_PORTS = 100  # where the cost of one more port is compared with the cost at PORTS


@dataclass(frozen=True, slots=True)
class Port:
    number: int

    @property
    def name(self) -> str:
        return f"p{self.number}"

    @property
    def interface(self) -> str:
        return f"v{self.number}"

    @property
    def subnet(self) -> int:
        return self.number % SUBNETS

    @property
    def hypervisor(self) -> int:
        return self.number % HYPERVISORS

    @property
    def mac(self) -> str:
        return f"02:01:00:{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"

    @property
    def address(self) -> str:
        host = self.number // SUBNETS + 10
        return f"10.{self.subnet}.{host >> 8}.{host & 255}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Stateful allow to the group, from 172.N.0.0/16 (a second hundred: 173.N.0.0/16) to one TCP port."""

    number: int

    @property
    def source(self) -> str:
        return f"{172 + self.number // 256}.{self.number % 256}.0.0/16"

    @property
    def port(self) -> int:
        return 1000 + self.number


def subnet_prefix(subnet: int) -> str:
    return f"10.{subnet}.0.0/16"


def gateway(subnet: int) -> str:
    return f"10.{subnet}.0.1"


def ports(count: int) -> list[Port]:
    return [Port(number) for number in range(count)]


def rules(count: int) -> list[Rule]:
    return [Rule(number) for number in range(count)]

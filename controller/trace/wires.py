"""What connects hypervisors: their tunnel ports and addresses, and what the fixed ports of a switch lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.compile.state import State
from controller.ovsdb.model import ERSPAN_OFPORT, GRE_OFPORT, MPLS_OFPORT
from data.addresses import Ip, address
from data.schema.objects import Dvrs

__all__ = ["COLLECTORS", "MPLS_OFPORT", "Wires", "wires"]

COLLECTORS = {GRE_OFPORT: "GRE", ERSPAN_OFPORT: "ERSPAN"}
"""OpenFlow ports by which mirrors send to collectors."""


@dataclass(frozen=True, slots=True)
class Wires:
    """`tunnel_ports`: hypervisor -> its VXLAN port; `at`: tunnel address -> hypervisor; `addresses` the reverse."""

    tunnel_ports: Mapping[str, int]
    at: Mapping[Ip, str]
    addresses: Mapping[str, Ip]


def wires(state: State) -> Wires:
    """Those of the hypervisors of a state."""
    addresses = {
        path[1]: address(body.tunnel_address)
        for path, body in state.view.objects(Dvrs)
        if body.tunnel_address and path[1] in state.placement.tunnel_ports
    }
    return Wires(state.placement.tunnel_ports, {ip: name for name, ip in addresses.items()}, addresses)

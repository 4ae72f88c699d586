"""Which packets of a subnet's vports an IPFIX collector is told of: a sample action where they enter the pipeline.

    subnet ... flow-export netflow      every packet of its vports is a candidate, dropped ones too
    observation domain                  the VNI of the subnet (RFC 7011 section 3.1)
    observation point                   the number of the vport's object; `show flow-export` names it

Who the collectors are, each hypervisor's database says (`controller/ovsdb/export.py`), by the number of the
flow-export. What else changes these flows is in `exporting.py`. A packet is told of once, by the hypervisor of its
sender.
"""

from __future__ import annotations

from controller.compile.state import State
from controller.openflow import actions
from controller.openflow.actions import Action
from data.path import Path
from data.schema.objects import Subnet
from data.schema.seen import FlowExport

__all__ = ["export_of", "sampled"]

_ALL = 0xFFFF


def export_of(state: State, subnet: Path) -> tuple[Path, FlowExport] | None:
    """The flow-export that a subnet names."""
    body = state.view.get(subnet)
    if not isinstance(body, Subnet) or body.flow_export is None:
        return None
    path = ("flow-export", body.flow_export)
    found = state.view.get(path)
    return (path, found) if isinstance(found, FlowExport) else None


def sampled(state: State, path: Path, subnet: Path) -> list[Action]:
    """What is done to each packet that a vport of this subnet sends."""
    found = export_of(state, subnet)
    if found is None:
        return []
    export, body = found
    probability = max(1, _ALL // body.sampling)
    return [actions.sample(probability, state.number(export), state.vni(subnet), state.number(path))]

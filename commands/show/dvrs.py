"""show dvrs: the hypervisors, and how far the contact with each has got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from controller.topology import Attachment, Hypervisor
from data.configuration import Configuration
from data.path import Path, vport_name
from data.schema.objects import Vport
from views.models import Column, Document, Model, Moment, Several, Table

if TYPE_CHECKING:
    from controller.fabric import Fabric

COLUMNS = (
    Column("name", "Name"),
    Column("system_id", "System-id", shrink=True),
    Column("tunnel_address", "Tunnel address"),
    Column("state", "State"),
    Column("vports", "Vports", "right"),
    Column("since", "Since"),
    Column("reason", "Reason", shrink=True, whole=True),
)


def attachments(fabric: Fabric, under: Path = ()) -> Iterator[tuple[Path, Vport, Attachment | None]]:
    """Every vport with where it is resolved."""
    topology = fabric.topology
    for path, vport in fabric.running.objects(Vport, under):
        yield path, vport, topology.attachment(path, vport)


def known(fabric: Fabric) -> list[Hypervisor]:
    """Configured hypervisors in natural order, then those that dialled in unasked."""
    topology = fabric.topology
    names = [name for name in fabric.running.children((), "dvrs") if name in topology.hypervisors]
    return [topology.hypervisors[name] for name in names] + list(topology.unknown.values())


def state_note(hypervisors: list[Hypervisor]) -> str:
    """'ready 3   away 1' in order of appearance."""
    return "   ".join(
        f"{state} {number}" for state, number in Counter(each.state.value for each in hypervisors).items()
    )


def table(fabric: Fabric, hypervisors: list[Hypervisor]) -> Table:
    """One row per hypervisor."""
    counts = Counter(where.dvrs for _, _, where in attachments(fabric) if where is not None)
    rows = [
        (
            each.name,
            each.system_id,
            each.tunnel_address or None,
            each.state.value,
            counts[each.name],
            Moment(each.since),
            each.reason or None,
        )
        for each in hypervisors
    ]
    return Table("Hypervisors", COLUMNS, rows, "hypervisors", state_note(hypervisors))


@command(
    "show dvrs [<dvrs>] [detail]",
    help="hypervisors and the state of their virtual switches",
    words={"detail": "versions, peers and workloads of each"},
)
async def show_dvrs(context: Context, arguments: Arguments) -> Model:
    """All hypervisors or one; `detail` adds what each reported."""
    fabric = context.fabric
    hypervisors = known(fabric)
    name = arguments.get("dvrs")
    if name is not None:
        if name not in fabric.topology.unknown:
            require(fabric.running, ("dvrs", name))
        hypervisors = [each for each in hypervisors if each.name == name]
    if not arguments.has("detail"):
        return table(fabric, hypervisors)
    return Several({each.name: await detail(fabric, each) for each in hypervisors})


async def detail(fabric: Fabric, hypervisor: Hypervisor) -> Document:
    """Everything known of one hypervisor; its flows are counted by its switch now."""
    agent = next((one for one in fabric.agents.connected() if one.system_id == hypervisor.system_id), None)
    here = [vport_name(path) for path, _, where in attachments(fabric) if where and where.dvrs == hypervisor.name]
    claims = sorted(fabric.topology.claims_of(hypervisor.name), key=lambda claim: claim.name)
    return Document(
        {
            "state": hypervisor.state.value,
            "reason": hypervisor.reason,
            "since": Moment(hypervisor.since),
            "system_id": hypervisor.system_id,
            "tunnel_address": hypervisor.tunnel_address,
            "datapath_id": None if hypervisor.datapath_id is None else f"{hypervisor.datapath_id:016x}",
            "open_vswitch": hypervisor.ovs_version,
            "ovsdb_peer": hypervisor.ovsdb_peer,
            "openflow_peer": hypervisor.openflow_peer,
            "agent": f"{agent.version} from {agent.peer}" if agent else "not connected",
            "flows": await fabric.flow_count(hypervisor.name),
            "vports": len(here),
            "interfaces": [
                f"{claim.name} port {claim.ofport} iface-id {vport_of(fabric.running, claim.iface_id)}"
                for claim in claims
            ],
        },
        f"dvrs {hypervisor.name}",
    )


def vport_of(configuration: Configuration, iface_id: str) -> str:
    """The full name of the vport that an iface-id means, or the iface-id as it is."""
    path = configuration.by_uuid(iface_id)
    return vport_name(path) if path is not None and len(path) == 6 else iface_id

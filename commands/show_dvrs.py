"""show dvrs, show topology, show agents: the hypervisors, how far the contact with each has got, and what is where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from commands.context import Context
from commands.lookup import require
from commands.registry import Arguments, command
from controller.ovsdb.model import UPLINK
from controller.topology import Attachment, Hypervisor, Interface
from data.configuration import Configuration
from data.path import Path, vport_name
from data.schema.objects import Controller, Vport
from views.models import Branch, Column, Document, Model, Moment, Outline, Several, Table
from views.moment import ago

if TYPE_CHECKING:
    from controller.fabric import Fabric

COLUMNS = (
    Column("name", "Name"),
    Column("system_id", "System-id", shrink=True),
    Column("tunnel_address", "Tunnel address"),
    Column("state", "State"),
    Column("vports", "vPorts", "right"),
    Column("since", "Since"),
    Column("reason", "Reason", shrink=True, whole=True),
)


def attachments(fabric: Fabric, under: Path = ()) -> Iterator[tuple[Path, Vport, Attachment | None]]:
    """Every vport with where it is resolved."""
    topology = fabric.topology
    for path, vport in fabric.running.objects(Vport, under):
        yield path, vport, topology.attachment(vport.uuid, vport_name(path), vport.uplink)


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


@command("show topology", help="hypervisors and which workload is where, as a tree")
async def show_topology(context: Context, arguments: Arguments) -> Model:
    """The controller, its hypervisors, and every interface with an iface-id; rival claims to a vport are marked."""
    fabric = context.fabric
    listen = fabric.running.settings(Controller).listen_address
    hypervisors = known(fabric)
    title = f"controller {listen}   revision {fabric.running.revision}   {state_note(hypervisors)}".rstrip()
    document, branches = [], []
    for each in hypervisors:
        claims = sorted(fabric.topology.claims_of(each.name), key=lambda claim: claim.ofport)
        rows = [branch(fabric, claim) for claim in claims]
        names, ports = (max((len(str(row[key])) for row in rows), default=0) for key in ("vport", "port"))
        below = tuple(
            Branch(
                f"port {str(row['port']).rjust(ports)}   {str(row['vport']).ljust(names)}   {row['interface']}"
                + (f"   {row['note']}" if row["note"] else "")
            )
            for row in rows
        )
        address = f"   tunnel {each.tunnel_address}" if each.tunnel_address else ""
        reason = f"   ({each.reason})" if each.reason else ""
        state = each.state.value
        branches.append(Branch(f"{each.name}   {state} {ago(each.since)}{address}{reason}", below, f"   {state} "))
        facts = {"name": each.name, "state": state, "tunnel_address": each.tunnel_address or None}
        document.append(facts | {"interfaces": rows})
    nowhere = [vport_name(path) for path, _, where in attachments(fabric) if where is None]
    last = []
    if nowhere:
        shown = ", ".join(nowhere[:UNRESOLVED]) + (", ..." if len(nowhere) > UNRESOLVED else "")
        last.append(f"unresolved vports: {len(nowhere)}   {shown}")
    return Outline(title, branches, last, {"controller": listen, "hypervisors": document, "unresolved": nowhere})


UNRESOLVED = 8
"""Unresolved vports that the tree names."""


def branch(fabric: Fabric, claim: Interface) -> dict[str, object]:
    """One interface: its vport, and what is to be said about it."""
    topology = fabric.topology
    if claim.iface_id.startswith(UPLINK):
        return uplink(fabric, claim)
    path = fabric.running.by_uuid(claim.iface_id) or fabric.running.vport_by_name(claim.iface_id)
    vport = None if path is None else fabric.running.get(path)
    note = ""
    if path is None or not isinstance(vport, Vport):
        note = "no such vport"
    else:
        where = topology.attachment(vport.uuid, vport_name(path), vport.uplink)
        if where is not None and (where.dvrs, where.interface) != (claim.dvrs, claim.name):
            note = f"ignored: {where.interface} on {where.dvrs} came later"
    shown = vport_of(fabric.running, claim.iface_id)
    return {"port": claim.ofport, "vport": shown, "interface": claim.name, "note": note or None}


def uplink(fabric: Fabric, claim: Interface) -> dict[str, object]:
    """A physical port, and how many vports are behind it."""
    name = claim.iface_id.removeprefix(UPLINK)
    behind = len(fabric.running.holders("vport", "uplink", (), name))
    carries = fabric.topology.uplink(name)
    note = f"{behind} vports" if behind != 1 else "1 vport"
    if carries is not None and carries != claim:
        note = f"in reserve: {carries.name} on {carries.dvrs} carries it"
    return {"port": claim.ofport, "vport": f"uplink {name}", "interface": claim.name, "note": note}

"""show vports: the virtual ports, where each is resolved and whether its flows are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from commands.context import Context
from commands.counters import VPORT_TABLES, Counts, reachable, read
from commands.language.registry import Arguments, command
from commands.lookup import named, note, scope
from commands.show.qos import qos_of
from controller.pipeline import Feature
from controller.telemetry.purposes import SPOOFED
from controller.topology import Attachment, Standing
from data.path import Path, vport_name
from data.schema.objects import Vport
from data.steps import Pace
from views.models import Column, Document, Model, Moment, Several, Table

if TYPE_CHECKING:
    from controller.fabric import Fabric

COLUMNS = (
    Column("name", "Name"),
    Column("place", "Domain/Subnet", shrink=True),
    Column("address", "Address"),
    Column("mac", "MAC"),
    Column("dvrs", "dVRS"),
    Column("state", "State"),
    Column("since", "Since"),
)
STATES = {Standing.READY: "up", Standing.CONNECTED: "programming", Standing.AWAY: "away"}
"""State of a resolved vport by that of its hypervisor: 'up' only when the flows are known to be there."""
ELSEWHERE = "elsewhere"
"""State of a vport that is resolved at another site, or behind a VTEP."""
INACTIVE = "inactive"
"""State of a vport that is deactivated, or stands below something that is."""


State: TypeAlias = "Callable[[Path, Attachment | None], str]"


def states_of(fabric: Fabric) -> State:
    """What says the state of a vport in one word. The network is asked once for all of them: for somebody who is
    confined to tenants the hypervisors are looked together from their vports.
    """
    hypervisors, running, acting = fabric.topology.hypervisors, fabric.running, fabric.acting

    def state(path: Path, attachment: Attachment | None) -> str:
        if acting is not running and acting.get(path) is None:
            return INACTIVE
        hypervisor = None if attachment is None else hypervisors.get(attachment.dvrs)
        if hypervisor is not None:
            return STATES.get(hypervisor.state, "away")
        return "unresolved" if fabric.elsewhere(path) is None else ELSEWHERE

    return state


def chosen(context: Context, arguments: Arguments) -> Iterator[tuple[Path, Vport]]:
    """The vports that the arguments ask for. Raises NothingThere."""
    running = context.fabric.running
    name, subnet, kind = arguments.get("vport"), arguments.get("subnet"), arguments.get("type")
    if subnet is not None:
        list(named(context.fabric.acting, "subnet", subnet, arguments))
    if name is not None:
        found = ((path, running.get(path)) for path in named(running, "vport", name, arguments))
    else:
        found = ((path, vport) for path, vport in running.objects(Vport, scope(running, arguments)))
    for path, vport in found:
        if isinstance(vport, Vport) and subnet in (None, vport.subnet) and kind in (None, vport.type):
            yield path, vport


@command(
    "show vport [<vport>] [enterprise <enterprise> [domain <domain>]] [detail]",
    help="the same: all virtual ports, or one by its name or enterprise/domain/name",
    words={"detail": "every attribute, and what was dropped why"},
    confined=True,
)
@command(
    "show vports <vport> [enterprise <enterprise> [domain <domain>]] [detail]",
    help="one virtual port, by its name or enterprise/domain/name",
    words={"detail": "every attribute, and what was dropped why"},
    confined=True,
)
@command(
    "show vports [enterprise <enterprise> [domain <domain> [subnet <subnet>]]] "
    "[type {vm|host|bridge|container}] [detail]",
    help="virtual ports and where they are",
    words={"detail": "every attribute, and what was dropped why"},
    confined=True,
)
async def show_vports(context: Context, arguments: Arguments) -> Model:
    """Vports as a table, or one document each with `detail`."""
    fabric = context.fabric
    under = scope(fabric.running, arguments)
    pace, topology = Pace(), fabric.topology  # 10,000 vports take 160 ms, and a dashboard asks again and again
    found = []
    for path, vport in chosen(context, arguments):
        await pace.breathe()
        found.append((path, vport, topology.attachment(path, vport)))
    state = states_of(fabric)
    if arguments.has("detail"):
        there = {where.dvrs for _, _, where in found if where is not None}
        counts = await read(fabric, sorted(there.intersection(reachable(fabric))), VPORT_TABLES)
        return Several(
            {
                vport_name(path): detail(fabric, path, vport, where, state(path, where), counts)
                for path, vport, where in found
            }
        )
    rows = []
    states: Counter[str] = Counter()
    whose = 3 if under else 1
    for path, vport, where in found:
        await pace.breathe()
        word = state(path, where)
        states[word] += 1
        place = "/".join(filter(None, [*(path[at] for at in range(whose, 4, 2)), vport.subnet]))
        rows.append(
            (
                path[-1],
                place,
                ", ".join(vport.address),
                vport.mac,
                where.dvrs if where else _endpoint(fabric, path, word),
                word,
                Moment(where.since) if where else None,
            )
        )
    summary = "   ".join(
        f"{word} {states[word]}" for word in (*STATES.values(), ELSEWHERE, "unresolved", INACTIVE) if states[word]
    )
    columns = COLUMNS if under else (COLUMNS[0], Column("place", "Subnet", shrink=True), *COLUMNS[2:])
    things = "virtual machines" if arguments.get("type") == "vm" else "virtual ports"
    return Table(things.capitalize(), columns, rows, things, summary, note(under))


def counters(path: Path, counts: Counts) -> dict[str, object]:
    """What the switch counted since the vport's flows are there; nothing when it cannot be asked."""
    if not any(counted == path for counted, _ in counts):
        return {"traffic": None, "dropped": None}

    def amount(feature: Feature) -> dict[str, object]:
        packets, octets = counts.get((path, feature), (0, 0))
        return {"packets": packets, "bytes": octets}

    return {
        "traffic": {"received": amount(Feature.RECEIVED), "delivered": amount(Feature.DELIVERED)},
        "dropped": {feature.name.lower(): counts.get((path, feature), (0, 0))[0] for feature in SPOOFED},
    }


def behind(fabric: Fabric, path: Path, vport: Vport) -> dict[str, object]:
    """The uplink of a vport that has one, and what was learned behind a bridge vport."""
    if vport.uplink is None:
        return {}
    shown: dict[str, object] = {"uplink": vport.uplink, "vlan": vport.vlan or "untagged"}
    if vport.type == "bridge":
        shown["learned"] = f"{len(fabric.learned().get(path, {}))} of {vport.mac_limit} MAC addresses"
    return shown


def _endpoint(fabric: Fabric, path: Path, state: str) -> str | None:
    """The tunnel endpoint of a vport that is elsewhere, for who may know it."""
    found = fabric.elsewhere(path) if state == ELSEWHERE else None
    return None if found is None or found.endpoint is None else str(found.endpoint)


def _beyond(fabric: Fabric, path: Path, state: str) -> dict[str, object]:
    """Who says where a vport is that is elsewhere."""
    if state != ELSEWHERE:
        return {}
    shown: dict[str, object] = {"reason": "another site, or a VTEP, tells that it is there"}
    endpoint = _endpoint(fabric, path, state)
    return shown if endpoint is None else {**shown, "endpoint": endpoint}


def missing(path: Path, vport: Vport, state: str) -> dict[str, object]:
    """Why a vport is nowhere: what no hypervisor has."""
    if state != "unresolved":
        return {}
    if vport.uplink is not None:
        return {"reason": f"no hypervisor has an uplink {vport.uplink}"}
    return {"reason": f"no hypervisor has an interface with iface-id {vport_name(path)} or its UUID"}


def detail(fabric: Fabric, path: Path, vport: Vport, where: Attachment | None, state: str, counts: Counts) -> Document:
    """Every attribute of one vport, and its counters."""
    subnet = fabric.acting.resolve(path, "subnet", vport.subnet) or fabric.running.resolve(path, "subnet", vport.subnet)
    entries = [" ".join(user[4:]) for user in sorted(fabric.running.referrers(path))]
    return Document(
        {
            "uuid": vport.uuid,
            "description": vport.description,
            "type": vport.type,
            "state": state,
            **missing(path, vport, state),
            **_beyond(fabric, path, state),
            "dvrs": where.dvrs if where else None,
            "interface": where.interface if where else None,
            "port": where.ofport if where else None,
            "since": Moment(where.since) if where else None,
            "zone": subnet[5] if subnet else None,
            "subnet": vport.subnet,
            "mac": vport.mac,
            "address": list(vport.address),
            **behind(fabric, path, vport),
            "policy_groups": list(vport.policy_group),
            "qos": qos_of(fabric.acting, path, vport),
            "named_by": entries,
            **counters(path, counts),
        },
        f"vport {vport_name(path)}",
    )

"""show topology: hypervisors, what hangs where, who else ends a tunnel, and how much each tunnel carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.show.dvrs import attachments, known, state_note, vport_of
from commands.statistics.counted import latest
from controller.ovsdb.model import UPLINK
from controller.telemetry.keys import Level, Measure
from controller.topology import Interface
from data.path import vport_name
from data.schema.objects import Controller, System, Vport
from views.models import Branch, Octets, Outline, Rate
from views.moment import ago
from views.quantity import octets_text, rate_text

if TYPE_CHECKING:
    from controller.fabric import Fabric

UNRESOLVED = 8
"""Unresolved vports that the tree names."""
REMOTE = "remote"
"""Kind of an end of tunnels that is nothing configured here: a VTEP, or a hypervisor of another site."""


@command("show topology", help="hypervisors, what hangs where, and the tunnels with their load, as a tree")
async def show_topology(context: Context, arguments: Arguments) -> Outline:
    """The controller, its hypervisors, every interface with an iface-id (rival claims to a vport are marked), and what
    each sends into its tunnels; then PE routers, VTEPs and other sites. JSON has all that a map is drawn from.
    """
    fabric = context.fabric
    listen = fabric.running.settings(Controller).listen_address
    hypervisors = known(fabric)
    title = f"controller {listen}   revision {fabric.running.revision}   {state_note(hypervisors)}".rstrip()
    loads, ends = tunnels(fabric), far_ends(fabric)
    document, branches = [], []
    for each in hypervisors:
        claims = sorted(fabric.topology.claims_of(each.name), key=lambda claim: claim.ofport)
        rows = [branch(fabric, claim) for claim in claims]
        address = f"   tunnel {each.tunnel_address}" if each.tunnel_address else ""
        reason = f"   ({each.reason})" if each.reason else ""
        state = each.state.value
        below = (*ports(rows), *sent(loads.get(each.name, [])))
        branches.append(Branch(f"{each.name}   {state} {ago(each.since)}{address}{reason}", below, f"   {state} "))
        facts = {"name": each.name, "state": state, "tunnel_address": each.tunnel_address or None}
        document.append(facts | {"interfaces": rows})
    for end in ends:
        branches.append(Branch(f"{end['name']}   {end['what']}   {end['state']}", (), f"   {end['state']}"))
    nowhere = [vport_name(path) for path, _, where in attachments(fabric) if where is None]
    last = []
    if nowhere:
        shown = ", ".join(nowhere[:UNRESOLVED]) + (", ..." if len(nowhere) > UNRESOLVED else "")
        last.append(f"unresolved vports: {len(nowhere)}   {shown}")
    whole = {
        "site": fabric.running.settings(System).hostname,
        "controller": listen,
        "hypervisors": document,
        "ends": ends,
        "tunnels": [load for some in loads.values() for load in some],
        "unresolved": nowhere,
    }
    return Outline(title, branches, last, whole)


def ports(rows: list[dict[str, object]]) -> list[Branch]:
    """A line for each interface of a hypervisor."""
    names, numbers = (max((len(str(row[key])) for row in rows), default=0) for key in ("vport", "port"))
    return [
        Branch(
            f"port {str(row['port']).rjust(numbers)}   {str(row['vport']).ljust(names)}   {row['interface']}"
            + (f"   {row['note']}" if row["note"] else "")
        )
        for row in rows
    ]


def tunnels(fabric: Fabric) -> dict[str, list[dict[str, object]]]:
    """Hypervisor -> what it has sent into each of its tunnels, the busiest first. Who is at the other end is named:
    a hypervisor or a PE router by its name, another by its address."""
    names = {str(one["address"]): str(one["name"]) for one in far_ends(fabric)}
    found: dict[str, list[dict[str, object]]] = {}
    for key in fabric.telemetry.all_latest(Level.TUNNEL):
        source, _, end = key.name.partition(">")
        seen = latest(fabric.telemetry, key)
        rate = seen.rates.get(Measure.SENDS_BYTES)
        found.setdefault(source, []).append({
            "from": source,
            "to": names.get(end, end),
            "rate": None if rate is None else Rate(round(rate * 8, 1)),
            "packet_rate": seen.rates.get(Measure.SENDS_PACKETS),
            "bytes": Octets(seen.totals.get(Measure.SENDS_BYTES, 0)),
        })  # fmt: skip
    for some in found.values():
        some.sort(key=lambda load: (-float(load["rate"] or 0), -int(load["bytes"]), load["to"]))  # type: ignore[arg-type,call-overload]
    return found


def sent(loads: list[dict[str, object]]) -> list[Branch]:
    """A line for each tunnel out of a hypervisor."""
    names = max((len(str(load["to"])) for load in loads), default=0)
    lines = []
    for load in loads:
        rate, octets = load["rate"], load["bytes"]
        now = rate_text(rate) if isinstance(rate, float) else "-"
        total = octets_text(octets) if isinstance(octets, int) else "-"
        lines.append(Branch(f"to {str(load['to']).ljust(names)}   {now.rjust(9)}   {total} in all"))
    return lines


def far_ends(fabric: Fabric) -> list[dict[str, object]]:
    """Who else ends tunnels: PE routers that are configured, then whoever routes lead to."""
    routers = {one.name: str(one.state) for one in fabric.pe.all()}
    neighbours = {} if fabric.bgp is None else {one.address: one.name for one in fabric.bgp.views.neighbours()}
    found: list[dict[str, object]] = []
    for endpoint in fabric.underlay.endpoints:
        address, reached = str(endpoint.address), endpoint.state.value
        holders = [who.partition(" ") for who in endpoint.who.split(", ")]
        if any(kind == "dvrs" for kind, _, _ in holders):
            continue
        router = next((name for kind, _, name in holders if kind == "pe"), None)
        if router is not None:
            words = f"PE router, {routers.pop(router, 'new')}   tunnel {address}"
            found.append(_end(router, "pe", address, reached, words))
        else:
            neighbour = neighbours.get(address)
            words = f"bgp-neighbor {neighbour}" if neighbour is not None else "learned from BGP"
            found.append(_end(address, REMOTE, address, reached, words) | {"neighbor": neighbour})
    for name, state in routers.items():
        found.append(_end(name, "pe", None, "unknown", f"PE router, {state}"))
    return sorted(found, key=lambda end: (str(end["kind"]), str(end["name"])))


def _end(name: str, kind: str, address: str | None, reached: str, what: str) -> dict[str, object]:
    """One end; `state` is what the underlay says of it."""
    return {"name": name, "kind": kind, "address": address, "state": reached, "what": what}


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
        where = topology.attachment(path, vport)
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

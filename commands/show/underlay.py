"""show underlay …: the network below the tunnels, as listeners hear it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from commands.show.underlay_paths import ways
from controller.underlay.endpoints import Endpoint, Reachability
from controller.underlay.listen_only import configuration
from controller.underlay.listener import NAMES, Place
from data.schema.wan import UnderlayListener
from views.models import Branch, Cell, Column, Lines, Model, Moment, Outline, Several, Table

if TYPE_CHECKING:
    from controller.underlay.service import Underlay
    from controller.underlay.topology import Link
    from controller.underlay.view import Seen

SILENT = Lines(
    [
        "nothing is listened to: every tunnel endpoint is usable, and no cost is known",
        "  'set underlay-listener NAME protocol ospf' (or isis) in configure mode listens to a routing daemon on this",
        "  machine; 'show underlay listener NAME configuration' then has what that daemon needs",
    ],
    {"listeners": []},
)
PREFIXES_WIDTH = 48
"""Characters of prefixes that a line of the tree has, for 80 columns; JSON has all of them."""


@command("show underlay topology", help="routers, links and prefixes of the underlay, as a tree")
async def show_topology(context: Context, arguments: Arguments) -> Model:
    """One tree per listener: each router with its cost from there, its neighbours by metric, and the tunnel endpoints
    behind it. A neighbour over a LAN stands behind the LAN's prefix.
    """
    underlay = context.fabric.underlay
    pictures = underlay.topologies()
    if not pictures:
        return _without(underlay, "no listener has heard of a topology yet")
    drawn = {one.name: _tree(one, underlay) for one in pictures}
    return Several(drawn) if len(drawn) > 1 else next(iter(drawn.values()))


@command(
    "show underlay paths [from <from:underlay-place>] [to <to:underlay-place>]",
    help="shortest paths, and loop-free alternates",
)
async def show_paths(context: Context, arguments: Arguments) -> Model:
    """Between routers, addresses or tunnel endpoints; from the listener when no place is named, to every tunnel
    endpoint. A row per path: those of equal cost, then alternates (RFC 5286) that are there when those fail.
    """
    underlay = context.fabric.underlay
    if not underlay.topologies():
        return _without(underlay, "no listener has heard of a topology yet")
    return ways(underlay, arguments.get("from"), arguments.get("to"))


@command("show underlay endpoints", help="every tunnel endpoint: whether it is reached, and used")
async def show_endpoints(context: Context, arguments: Arguments) -> Table:
    """Hypervisors, PE routers and next hops of imported routes. `lost` ones, and those that were lost too often lately
    (`flaps`, `penalty`), are chosen by no route; `unknown` is what no listener speaks of.
    """
    underlay = context.fabric.underlay
    rows = [_endpoint(one, underlay) for one in underlay.endpoints]
    columns = (
        Column("address", "Address"),
        Column("who", "Who", shrink=True),
        Column("state", "State"),
        Column("used", "Used"),
        Column("since", "Since"),
        Column("cost", "Cost", "right"),
        Column("node", "Behind", shrink=True),
        Column("prefix", "Prefix", spare=True),
        Column("source", "Heard by", spare=True),
        Column("flaps", "Flaps", "right"),
        Column("penalty", "Penalty", "right"),
    )
    limits = underlay.limits
    detail = f"suppressed from {limits.suppress:g}, used again below {limits.reuse:g}"
    note = "" if underlay.listeners or underlay.sessions else "nothing is listened to"
    return Table("Tunnel endpoints", columns, rows, "endpoints", detail=detail, note=note)


@command("show underlay listeners", help="who listens to the underlay, and what is heard")
async def show_listeners(context: Context, arguments: Arguments) -> Model:
    """A row per listening daemon and per BGP neighbour whose role is underlay."""
    underlay = context.fabric.underlay
    if not underlay.listeners and not underlay.sessions:
        return SILENT
    rows: list[tuple[Cell, ...]] = []
    for name, one in sorted(underlay.listeners.items()):
        seen = one.seen.topology if one.seen is not None else None
        sizes: tuple[Cell, ...] = (None, None, None)
        if seen is not None:
            routers = sum(not node.lan for node in seen.nodes.values())
            sizes = (routers, sum(len(links) for links in seen.links.values()), len(seen.prefixes))
        standing = one.standing
        rows.append((
            name, NAMES[one.place.protocol], one.place.instance or None, standing.state,
            _moment(standing.since, underlay), *sizes, one.read, standing.reason or None,
        ))  # fmt: skip
    for name, (heard, since) in sorted(underlay.sessions.items()):
        rows.append((name, "BGP", None, "listening", _moment(since, underlay), None, None, len(heard), None, None))
    columns = (
        Column("name", "Name"),
        Column("protocol", "Protocol"),
        Column("instance", "Instance", spare=True),
        Column("state", "State"),
        Column("since", "Since"),
        Column("routers", "Routers", "right"),
        Column("links", "Links", "right"),
        Column("prefixes", "Prefixes", "right"),
        Column("read", "Read", "right", spare=True),
        Column("reason", "Reason", shrink=True, whole=True),
    )
    return Table("Underlay listeners", columns, rows, "listeners")


@command(
    "show underlay listener <underlay-listener> configuration",
    help="the FRR configuration that listens and announces nothing",
)
async def show_configuration(context: Context, arguments: Arguments) -> Lines:
    """What the daemon of a listener needs, to be put into its frr.conf."""
    path = require(context.fabric.running, ("underlay-listener", arguments.values["underlay-listener"]))
    body = context.fabric.running.get(path)
    assert isinstance(body, UnderlayListener)
    lines = configuration(Place(body.protocol, body.instance or ""))
    return Lines(lines, {"lines": lines})


def _without(underlay: Underlay, why: str) -> Lines:
    """Nothing to show: what to do, or who does not hear anything."""
    if not underlay.listeners and not underlay.sessions:
        return SILENT
    lines = [why]
    for name, one in sorted(underlay.listeners.items()):
        lines.append(f"  {name} is {one.standing.state}" + (f": {one.standing.reason}" if one.standing.reason else ""))
    if underlay.sessions:
        lines.append("  BGP neighbors tell prefixes and no topology; 'show underlay endpoints' has what follows")
    return Lines(lines, {"listeners": [{"name": name} for name in sorted(underlay.listeners)]})


def _tree(seen: Seen, underlay: Underlay) -> Outline:
    topology = seen.topology
    costs = seen.paths.distances(topology.own)
    behind: dict[str, list[Endpoint]] = {}
    for endpoint in underlay.endpoints:
        place = seen.node_of(endpoint.address)
        if place is not None:
            behind.setdefault(place, []).append(endpoint)
    announced: dict[str, list[str]] = {}
    for prefix, announcements in topology.prefixes.items():
        for key in dict.fromkeys(one.node for one in announcements):
            announced.setdefault(key, []).append(str(prefix))
    branches, document = [], []
    shown = [node for node in topology.nodes.values() if not node.lan or node.key in behind]
    for node in sorted(shown, key=lambda one: (costs.get(one.key, 1 << 40), one.name)):
        links = [_neighbour(seen, link) for link in topology.links.get(node.key, ())]
        cost = costs.get(node.key)
        words = ["the listener" if node.key == topology.own else f"cost {cost}" if cost is not None else "no path"]
        if not node.carries:
            words.append("carries nothing for others")
        here = behind.get(node.key, [])
        below = [
            Branch(f"{metric} ── {name}" + (f"   {address}" if address else "")) for metric, name, address in links
        ]
        below += [Branch(f"endpoint {one.address}   {one.who}   {one.state}", state=one.state.value) for one in here]
        prefixes = announced.get(node.key, [])
        if prefixes:
            below.append(Branch("announces " + _some(prefixes)))
        name = f"lan {node.name}" if node.lan else node.name
        branches.append(Branch(f"{name}   {', '.join(words)}", tuple(below)))
        document.append({
            "node": node.key, "name": node.name, "lan": node.lan, "cost": cost, "carries": node.carries,
            "links": [{"metric": metric, "neighbour": name, "address": address} for metric, name, address in links],
            "endpoints": [{"address": str(one.address), "who": one.who, "state": one.state.value} for one in here],
            "prefixes": prefixes,
        })  # fmt: skip
    title = f"underlay as {seen.name} hears it   {NAMES[seen.protocol]}   {len(document)} nodes"
    return Outline(title, branches, (), {"listener": seen.name, "protocol": seen.protocol, "nodes": document})


def _some(prefixes: list[str]) -> str:
    """As many of them as fit, and how many more there are."""
    text, shown = prefixes[0], 1
    while shown < len(prefixes) and len(text) + len(prefixes[shown]) + 2 <= PREFIXES_WIDTH:
        text += f", {prefixes[shown]}"
        shown += 1
    return text + (f" and {len(prefixes) - shown} more" if shown < len(prefixes) else "")


def _neighbour(seen: Seen, link: Link) -> tuple[int, str, str]:
    """Metric, whom the link leads to, and the own address on it; over a LAN all that are on it."""
    topology = seen.topology
    target = topology.nodes[link.target]
    if not target.lan:
        return link.metric, target.name, link.address
    others = [topology.nodes[one.target].name for one in topology.links.get(link.target, ())]
    own = topology.nodes[link.source].name
    return link.metric, f"lan {target.name.removeprefix('lan ')} ── " + ", ".join(
        other for other in others if other != own
    ), link.address  # fmt: skip


def _endpoint(one: Endpoint, underlay: Underlay) -> tuple[Cell, ...]:
    now = underlay.now()
    used = "yes" if one.usable else "no"
    if one.flaps.suppressed:
        used = f"no, {one.flaps.until(now, underlay.limits):.0f} s"
    reach = one.reach
    return (
        str(one.address), one.who, one.state.value, used,
        None if one.state is Reachability.UNKNOWN else _moment(one.since, underlay), one.cost,
        reach.node if reach else None, str(reach.prefix) if reach else None, reach.source if reach else None,
        one.flaps.count, round(one.flaps.level(now, underlay.limits)),
    )  # fmt: skip


def _moment(since: float, underlay: Underlay) -> Moment:
    """A time of the underlay's own clock as seconds since the epoch."""
    return Moment(time.time() - (underlay.now() - since))

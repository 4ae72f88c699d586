"""The check and plan phases: from edits to the flow-mods of every hypervisor, without any I/O.

    edits ──change_of──> what acts then           data.acting
      │──check──> problems, or none              data.rules
      └──draft──> new State, numbers, flow-mods  controller.compile, topology   O(edits)
            └──describe──> Plan                  what `commit check` prints

A draft is made of immutable things and a fork of the numbers, so throwing it away costs nothing. All of this gives way
to the loop every few milliseconds, so the caller holds the turn (`network.py`) while it runs. Read next:
`transaction.py`, which carries its flow-mods out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controller.channel import Channel
from controller.compile import Dirty, Location, Observed, Placement, State, changed, compile_change
from controller.openflow.messages import METERS, is_delete, table_of
from controller.ovsdb.model import UPLINK
from controller.pace import spread
from controller.pipeline import TABLE_NAMES
from controller.reach import reach
from controller.topology import TUNNEL_PORT, Standing, Topology
from controller.touched import Touched, touched
from controller.transaction import Rank, Work
from data.acting import Acting, acting_edits, all_act
from data.configuration import Configuration, Edits, Overlay
from data.errors import CheckFailed
from data.path import Path, path_text, vport_name
from data.rules import check as problems
from data.schema.objects import Dvrs, Object, Vport
from data.steps import Steps
from data.templates import outside_templates

__all__ = ["Change", "Draft", "DvrsPlan", "Plan", "backward", "change_of", "check", "describe", "draft", "dvrs_of",
           "located", "moves", "ranks", "relocation", "told", "vports_of", "work"]  # fmt: skip

_LINES = 50  # vports of one change that are told one by one
_DOMAINS = 4  # that turn the same way and are told one by one; a template turns all that are made from it
_MANY = 200  # edits; checking one costs about 30 µs
T = TypeVar("T")
_TABLES = {**TABLE_NAMES, METERS: "meters"}
_TOGETHER = 256  # flow-mods counted between two looks at the clock, about 100 µs


@dataclass(frozen=True, slots=True)
class DvrsPlan:
    """What a plan does to one hypervisor; `by_table` is table name -> (added, removed)."""

    name: str
    state: str
    messages: tuple[bytes, ...]
    added: int
    removed: int
    by_table: Mapping[str, tuple[int, int]]

    async def only(self, messages: Sequence[bytes]) -> DvrsPlan:
        """The same with some of its messages."""
        added, by_table = await _told_by_table(messages)
        return replace(self, messages=tuple(messages), added=added, removed=len(messages) - added, by_table=by_table)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit would do: the revision it would make, one line per object, and each hypervisor it changes.

    `objects` are the new ones by their number, which their flows have in the cookie;
    `reach` says who reaches whom now (`reach.py`), `touched` what edits of templates come to (`touched.py`).
    """

    revision: int
    summary: tuple[str, ...]
    dvrs: tuple[DvrsPlan, ...]
    objects: Mapping[int, Path]
    reach: tuple[str, ...] = ()
    touched: tuple[Touched, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A change, compiled and not yet carried out; `new.numbers.new` are the numbers it allocated."""

    edits: Edits
    old: State
    new: State
    dirty: Dirty
    moved: Mapping[str, Location | None]  # vport UUID -> where it is from now on
    messages: Mapping[str, Sequence[bytes]]  # hypervisor -> flow-mods, in order
    observed: Observed = field(default_factory=Observed)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be committed: the edits of what is configured, and what they come to in what acts.

    `everything` is the configured as it would be; None when nothing of it is deactivated or inherited.
    """

    edits: Edits
    acting: Edits
    everything: Configuration | None = None


async def change_of(acting: Acting, edits: Edits) -> Change:
    """Tells apart what is configured and what acts. Costs as `acting_edits`, in a thread: one edit of a template may
    come to 100,000."""
    if all_act(acting, edits):
        return Change(edits, edits)
    found = await asyncio.to_thread(acting_edits, acting, edits)
    return Change(edits, found, await asyncio.to_thread(Overlay, acting.configured, edits))


async def check(running: Configuration, change: Change) -> None:
    """The check phase. Raises CheckFailed with every problem that the edits cause or leave."""
    edits = change.acting
    found = await _aside(len(edits), lambda: problems(Overlay(running, edits), edits, running, change.everything))
    if found:
        raise CheckFailed(found)


async def draft(running: Configuration, edits: Edits, state: State, topology: Topology) -> Draft:
    """The plan phase: what the edits change on every hypervisor. O(edits)."""
    view = await _aside(len(edits), lambda: Overlay(running, edits))
    moved = await _aside(len(edits), lambda: moves(view, running, edits, topology, state.placement))
    known = tunnels(running, edits, topology)
    compiled = outside_templates(edits)
    new, dirty = await spread(changed(state, view=view, edits=compiled, vports=moved, hypervisors=known))
    return Draft(edits, state, new, dirty, moved, await spread(compile_change(state, new, dirty)))


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Pure work that does not come in steps: in a thread when there are many edits, where it stalls the loop by the
    interpreter's switch interval (5 ms) at most. The turn keeps what it reads as it is."""
    return await asyncio.to_thread(work) if size > _MANY else work()


async def relocation(
    state: State,
    moved: Mapping[str, Location | None],
    tunnel_ports: Mapping[str, int | None],
    observed: Observed | None = None,
) -> Draft:
    """The same for a change of the topology alone: vports that are somewhere else now, other tunnel ports, and what
    else was observed."""
    new, dirty = await spread(changed(state, vports=moved, hypervisors=tunnel_ports, observed=observed))
    messages = await spread(compile_change(state, new, dirty))
    return Draft({}, state, new, dirty, moved, messages, observed or Observed())


async def backward(made: Draft) -> Mapping[str, Sequence[bytes]]:
    """The flow-mods that undo a draft, hypervisor by hypervisor."""
    return await spread(compile_change(made.new, made.old, made.dirty))


def moves(
    view: Configuration, running: Configuration, edits: Edits, topology: Topology, placement: Placement
) -> dict[str, Location | None]:
    """The vports that are resolved elsewhere, or not any more, once the edits are in force."""
    leaving = frozenset(path[1] for path, item in edits.items() if item is None and path[0] == "dvrs")
    touched: dict[str, tuple[Path, Vport] | None] = {}
    for path, item in edits.items():
        if isinstance(item, Vport):
            touched[item.uuid] = path, item
            before = running.get(path)
            if before is not None and before.uuid != item.uuid:
                touched.setdefault(before.uuid, None)
        elif item is None and len(path) == 6 and path[4] == "vport":
            gone = running.get(path)
            if gone is not None:
                touched.setdefault(gone.uuid, None)
    for name in leaving:
        for claim in topology.claims_of(name):
            for named in vports_of(view, claim.iface_id):
                touched[named[1].uuid] = named
    for iface_id in tuple(topology.touched):  # not settled yet: a port that one of them had may be another's now
        for path, vport in vports_of(view, iface_id):
            touched.setdefault(vport.uuid, (path, vport))
    moved: dict[str, Location | None] = {}
    for uuid, place in touched.items():
        now = None if place is None else located(topology, *place, leaving)
        if now != placement.location(uuid):
            moved[uuid] = now
    return moved


def vports_of(view: Configuration, claim: str) -> Iterator[tuple[Path, Vport]]:
    """The vports that an interface claims: one by its UUID or full name, or all that are behind an uplink."""
    paths: Iterable[Path | None]
    if claim.startswith(UPLINK):
        paths = view.holders("vport", "uplink", (), claim.removeprefix(UPLINK))
    else:
        paths = (view.by_uuid(claim) or view.vport_by_name(claim),)
    for path in paths:
        vport = None if path is None else view.get(path)
        if path is not None and isinstance(vport, Vport):
            yield path, vport


def located(topology: Topology, path: Path, vport: Vport, without: frozenset[str] = frozenset()) -> Location | None:
    """Where the interfaces say that the vport is, those of the hypervisors `without` left out."""
    if vport.uplink is not None:
        claim = topology.uplink(vport.uplink, without)
    else:
        claim = topology.claim(vport.uuid, vport_name(path), without)
    return None if claim is None else Location(claim.dvrs, claim.ofport)


def tunnels(running: Configuration, edits: Edits, topology: Topology) -> dict[str, int | None]:
    """Hypervisors that the edits add or remove: name -> OpenFlow port of the tunnel, None when removed."""
    changed: dict[str, int | None] = {}
    for path, item in edits.items():
        if len(path) != 2 or path[0] != "dvrs":
            continue
        if item is None:
            changed[path[1]] = None
        elif running.get(path) is None:
            known = topology.hypervisors.get(path[1])
            changed[path[1]] = TUNNEL_PORT if known is None else known.vxlan_port
    return changed


def ranks(made: Draft) -> dict[str, Rank]:
    """The order among the hypervisors: where a vport arrives first, where vports only leave last.

    A vport that was nowhere before has no order: nobody sends to it yet, and a rank of its own would cost every
    commit of a new workload a round trip to the switches.
    """
    found: dict[str, Rank] = {}
    for uuid, now in made.moved.items():
        before = made.old.placement.location(uuid)
        if before is None:
            continue
        found.setdefault(before.dvrs, Rank.RELEASES)
        if now is not None:
            found[now.dvrs] = Rank.RECEIVES
    return found


async def work(made: Draft, channels: Mapping[str, Channel]) -> list[Work]:
    """The draft as work for `transaction.apply`: one item per hypervisor that it changes or adds."""
    order = ranks(made)
    admitted = {path[1] for path, item in made.edits.items() if isinstance(item, Dvrs) and path[1] not in channels}
    items: list[Work] = []
    for name, messages in sorted({**dict.fromkeys(admitted, ()), **made.messages}.items()):
        if name in admitted:
            added, removed = await _count(messages)
            items.append(Work(Channel(name), messages, added, removed, admits=True))
            continue
        channel = channels.get(name)
        if channel is None or not messages:
            continue
        if not channel.ready and made.edits.get(("dvrs", name), made) is None:
            continue  # away and deleted: nobody will settle what it owes
        added, removed = await _count(messages)
        items.append(Work(channel, messages, added, removed, order.get(name, Rank.BETWEEN)))
    return items


async def _count(messages: Sequence[bytes]) -> tuple[int, int]:
    counts = await spread(_by_table(messages))
    removed = sum(number for (_, delete), number in counts.items() if delete)
    return len(messages) - removed, removed


async def _told_by_table(messages: Sequence[bytes]) -> tuple[int, dict[str, tuple[int, int]]]:
    """How many add, and for each table how many add and remove."""
    counts = await spread(_by_table(messages))
    by_table = {
        _TABLES.get(table, str(table)): (counts[table, False], counts[table, True])
        for table in sorted({table for table, _ in counts})
    }
    return sum(added for added, _ in by_table.values()), by_table


def _by_table(messages: Sequence[bytes]) -> Steps[Counter[tuple[int, bool]]]:
    counts: Counter[tuple[int, bool]] = Counter()
    for start in range(0, len(messages), _TOGETHER):
        counts.update((table_of(item), is_delete(item)) for item in messages[start : start + _TOGETHER])
        yield
    return counts


async def describe(made: Draft, edits: Edits, configured: Configuration, revision: int, topology: Topology) -> Plan:
    """The edits of what is configured, and their draft, for people: a line per object, and per hypervisor what each
    table gains and loses."""
    plans: list[DvrsPlan] = []
    for name in sorted(made.messages):
        messages = made.messages[name]
        added, by_table = await _told_by_table(messages)
        known = topology.hypervisors.get(name)
        state = Standing.AWAY if known is None else known.state
        plans.append(DvrsPlan(name, state, tuple(messages), added, len(messages) - added, by_table))
    lines = (*summary(configured, edits), *_turned(made))
    reached = await asyncio.to_thread(reach, made.old, made.new, made.edits)
    concerned = await asyncio.to_thread(touched, made.old, made.new, edits, made.edits)
    return Plan(revision, lines, tuple(plans), dict(_numbered(made)), reached, concerned)


def _turned(made: Draft) -> Iterator[str]:
    """Directions whose default is another now, which an edit of an entry can do: the first one makes it deny."""
    turned: dict[str, list[str]] = {}
    for domain in dict.fromkeys(path[:4] for path in made.edits if len(path) > 4 or path[2:3] == ("domain",)):
        before, after = made.old.policies.get(domain), made.new.policies.get(domain)
        if before is None or after is None:
            continue
        for side, allowed in after.defaults.items():
            if allowed != before.defaults[side]:
                verdict = "allows" if allowed else "denies"
                turned.setdefault(f"{side} now {verdict} what no entry matches", []).append(domain[3])
    for what, names in turned.items():
        if len(names) <= _DOMAINS:
            yield from (f"domain {name}: {what}" for name in names)
        else:
            yield f"{len(names)} domains: {what}"


def _numbered(made: Draft) -> Iterator[tuple[int, Path]]:
    """The objects that the draft gives a number."""
    for (pool, key), number in made.new.numbers.new.items():
        path = made.new.view.by_uuid(key) if pool == "object" else None
        if number is not None and path is not None:
            yield number, path


def summary(configured: Configuration, edits: Edits) -> Iterator[str]:
    """One line per object: 'egress-policy db: entry 20 added'. What lies below a removed object is not listed."""
    for path, item in edits.items():
        if item is None and any(edits.get(path[:end], item) is None and path[:end] in edits for end in _above(path)):
            continue
        before = configured.get(path)
        if item is None:
            what = "removed"
        elif before is None:
            what = "added, deactivated" if item.inactive else "added"
        elif before.inactive != item.inactive:
            what = "deactivated" if item.inactive else "activated"
        else:
            what = f"changed ({', '.join(_changed(before, item))})"
        yield f"{_named(path)} {what}"


def _above(path: Path) -> Iterable[int]:
    return range(2, len(path) - 1, 2)


def _named(path: Path) -> str:
    if path[-2:-1] == ("entry",):
        return f"{path[-4]} {path[-3]}: entry {path[-1]}"
    return path_text(path[-2:])


def _changed(before: Object, after: Object) -> list[str]:
    names = [name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    return [name.rstrip("_").replace("_", "-") for name in names] or ["nothing"]


def told(made: Draft) -> Iterator[str]:
    """One line for each vport that appears, moves or leaves; one for all when they are more than _LINES."""
    if len(made.moved) > _LINES:
        resolved = sum(1 for now in made.moved.values() if now is not None)
        yield f"{resolved} vports up, {len(made.moved) - resolved} left"
        return
    for uuid, now in made.moved.items():
        path = made.new.view.by_uuid(uuid) or made.old.view.by_uuid(uuid)
        before = made.old.placement.location(uuid)
        name = uuid if path is None else vport_name(path)
        if now is None:
            yield f"{name} left {before.dvrs if before else 'nowhere'}"
        elif before is None:
            yield f"{name} up on {now.dvrs}, port {now.port}"
        elif before.dvrs == now.dvrs:
            yield f"{name} changed its port on {now.dvrs} from {before.port} to {now.port}"
        else:
            yield f"{name} moved {before.dvrs} -> {now.dvrs}"


def dvrs_of(view: Configuration) -> Iterator[tuple[str, Dvrs]]:
    """The configured hypervisors by name."""
    for path, item in view.objects(Dvrs):
        yield path[-1], item

"""The check and plan phases: from edits to the flow-mods of every hypervisor, without any I/O.

    edits ──change_of──> what acts then           data.acting
      │──check──> problems, or none              data.rules
      └──draft──> new State, numbers, flow-mods  controller.compile, topology   O(edits)
            └──describe──> Plan                  what `commit check` prints (plan.py)

A draft is made of immutable things and a fork of the numbers, so throwing it away costs nothing. All of this gives way
to the loop every few milliseconds, so the caller holds the turn (`network.py`) while it runs. Read next:
`transaction.py`, which carries its flow-mods out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from controller.commit.transaction import Rank, Work
from controller.compile import Dirty, Location, Observed, Placement, State, changed, compile_change
from controller.hypervisors.channel import Channel
from controller.openflow.messages import is_delete, table_of
from controller.ovsdb.model import UPLINK
from controller.topology import TUNNEL_PORT, Topology
from data.acting import Acting, acting_edits, all_act
from data.configuration import Configuration, Edits, Overlay
from data.errors import CheckFailed
from data.path import Path, vport_name
from data.rules import check as problems
from data.schema.objects import Dvrs, Vport
from data.steps import Steps, spread
from data.templates import outside_templates

__all__ = ["Change", "Draft", "backward", "by_table", "change_of", "check", "draft", "dvrs_of", "located", "moves",
           "ranks", "relocation", "vports_of", "work"]  # fmt: skip

_MANY = 200  # edits; checking one costs about 30 µs
T = TypeVar("T")
_TOGETHER = 256  # flow-mods counted between two looks at the clock, about 100 µs


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
    counts = await spread(by_table(messages))
    removed = sum(number for (_, delete), number in counts.items() if delete)
    return len(messages) - removed, removed


def by_table(messages: Sequence[bytes]) -> Steps[Counter[tuple[int, bool]]]:
    """How many messages there are for each table, and whether they remove."""
    counts: Counter[tuple[int, bool]] = Counter()
    for start in range(0, len(messages), _TOGETHER):
        counts.update((table_of(item), is_delete(item)) for item in messages[start : start + _TOGETHER])
        yield
    return counts


def dvrs_of(view: Configuration) -> Iterator[tuple[str, Dvrs]]:
    """The configured hypervisors by name."""
    for path, item in view.objects(Dvrs):
        yield path[-1], item

"""A draft for people: what `commit check` prints, and what is told of vports that move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.analysis.verdicts import changed_verdicts
from controller.commit.planning import Draft, by_table
from controller.commit.touched import Touched, touched
from controller.events import Fact
from controller.openflow.messages import METERS
from controller.pipeline import TABLE_NAMES
from controller.topology import Standing, Topology
from data.configuration import Configuration, Edits
from data.path import Path, path_text, vport_name
from data.schema.objects import Object
from data.steps import spread

__all__ = ["DvrsPlan", "Plan", "SidePlan", "describe", "summary", "told"]

_LINES = 50  # vports of one change that are told one by one
_DOMAINS = 4  # that turn the same way and are told one by one; a template turns all that are made from it
_TABLES = {**TABLE_NAMES, METERS: "meters"}


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
        added, by_table = await _counted(messages)
        return replace(self, messages=tuple(messages), added=added, removed=len(messages) - added, by_table=by_table)


@dataclass(frozen=True, slots=True)
class SidePlan:
    """What a commit would do to one neighbour or router: a line of its state, and one line for each change."""

    name: str
    state: str
    lines: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit would do: the revision it would make, one line per object, and each hypervisor it changes.

    `objects` are the new ones by their number, which their flows have in the cookie;
    `reach` says who reaches whom now (`analysis/verdicts.py`), `touched` what edits of templates come to
    (`touched.py`).
    """

    revision: int
    summary: tuple[str, ...]
    dvrs: tuple[DvrsPlan, ...]
    objects: Mapping[int, Path]
    reach: tuple[str, ...] = ()
    touched: tuple[Touched, ...] = ()
    sides: tuple[SidePlan, ...] = ()


async def _counted(messages: Sequence[bytes]) -> tuple[int, dict[str, tuple[int, int]]]:
    """How many add, and for each table how many add and remove."""
    counts = await spread(by_table(messages))
    tables = {
        _TABLES.get(table, str(table)): (counts[table, False], counts[table, True])
        for table in sorted({table for table, _ in counts})
    }
    return sum(added for added, _ in tables.values()), tables


async def describe(
    made: Draft,
    edits: Edits,
    configured: Configuration,
    revision: int,
    topology: Topology,
    sides: Sequence[SidePlan] = (),
) -> Plan:
    """The edits of what is configured, and their draft, for people: a line per object, and per hypervisor what each
    table gains and loses."""
    plans: list[DvrsPlan] = []
    for name in sorted(made.messages):
        messages = made.messages[name]
        added, by_table = await _counted(messages)
        known = topology.hypervisors.get(name)
        state = Standing.AWAY if known is None else known.state
        plans.append(DvrsPlan(name, state, tuple(messages), added, len(messages) - added, by_table))
    lines = (*summary(configured, edits), *_turned(made))
    reached = await asyncio.to_thread(changed_verdicts, made.old, made.new, made.edits)
    concerned = await asyncio.to_thread(touched, made.old, made.new, edits, made.edits)
    return Plan(revision, lines, tuple(plans), dict(_numbered(made)), reached, concerned, tuple(sides))


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


@dataclass(frozen=True, slots=True)
class News:
    """What became of a vport: in words, and as an event's facts. `dvrs` is where it is, or was last."""

    text: str
    about: Path | None = None
    dvrs: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


def told(made: Draft, ready: Callable[[str], bool]) -> Iterator[News]:
    """One line for each vport that appears, moves or leaves; one for all when they are more than _LINES. What is on a
    hypervisor that is not `ready` is not up before that one has its flows."""
    if len(made.moved) > _LINES:
        resolved = sum(1 for now in made.moved.values() if now is not None)
        left = len(made.moved) - resolved
        yield News(f"{resolved} vports up, {left} left", facts={"up": resolved, "left": left})
        return
    for uuid, now in made.moved.items():
        path = made.new.view.by_uuid(uuid) or made.old.view.by_uuid(uuid)
        before = made.old.placement.location(uuid)
        name = uuid if path is None else vport_name(path)
        if now is None:
            was = before.dvrs if before else None
            yield News(f"{name} left {was or 'nowhere'}", path, was, {"vport": name, "state": "left"})
        elif before is None and ready(now.dvrs):
            facts: dict[str, Fact] = {"vport": name, "state": "up", "port": now.port}
            yield News(f"{name} up on {now.dvrs}, port {now.port}", path, now.dvrs, facts)
        elif before is None:
            text = f"{name} is on {now.dvrs}, port {now.port}, and up when {now.dvrs} has its flows"
            yield News(text, path, now.dvrs, {"vport": name, "state": "waits", "port": now.port})
        elif before.dvrs == now.dvrs:
            text = f"{name} changed its port on {now.dvrs} from {before.port} to {now.port}"
            yield News(text, path, now.dvrs, {"vport": name, "state": "up", "port": now.port, "from": before.port})
        else:
            facts = {"vport": name, "state": "moved", "from": before.dvrs, "to": now.dvrs}
            yield News(f"{name} moved {before.dvrs} -> {now.dvrs}", path, now.dvrs, facts)

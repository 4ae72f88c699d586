"""Finding the flow of a packet in one switch: as the classifier of Open vSwitch does, and indexed as it is.

The flows of a table are sorted by what they look at (fields and masks); in each such group one dictionary lookup finds
those that match. Groups whose highest priority is below that of what was found are not asked. A table is indexed when a
packet first comes to it: 100,000 flows of which 60,000 are in tables that are visited take 0.3 s, in steps.

Conjunctions are decided as in `lib/classifier.c`: the highest priority at which every clause of one has a flow, unless
a flow without conjunctions is above it; then the packet is looked up again with that conj_id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.openflow import meters, packed
from controller.openflow.messages import METERS, table_of
from controller.trace.decode import Instructions, Shape, instructions, shape_of, split
from controller.trace.parts import Conjunction
from data.steps import Steps

__all__ = ["Flow", "Tables"]

_SLICE = 100  # flows indexed between two yields, 0.4 ms
_CONJUNCTION = b"\x00\x22"  # NXAST_CONJUNCTION


class Flow:
    """One flow: its flow-mod, and what it does, read when it is asked for."""

    __slots__ = ("_does", "_end", "conjunctive", "message", "priority")

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.priority = packed.priority_of(message)
        self._end = end = 48 + (message[50] << 8 | message[51]) + 7 & ~7
        self.conjunctive = message[end + 16 : end + 18] == _CONJUNCTION and message[end + 8 : end + 10] == b"\xff\xff"
        self._does: Instructions | None = None

    @property
    def does(self) -> Instructions:
        """Its instructions. Raises Unreadable."""
        if self._does is None:
            self._does = instructions(self.message[self._end :])
        return self._does

    @property
    def cookie(self) -> int:
        """Its 64-bit cookie."""
        return packed.cookie(self.message)


class _Group:
    """The flows of a table that look at the same bits. Rows hold flow-mods and not Flows: objects that the garbage
    collector must walk through would have it stop the loop for 30 ms at 100,000 of them."""

    __slots__ = ("rows", "shape", "top")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.top = 0
        self.rows: dict[bytes, bytes | list[bytes] | tuple[bytes, ...]] = {}

    def add(self, values: bytes, message: bytes) -> None:
        """One more flow; `values` as `split` gives them."""
        self.top = max(self.top, packed.priority_of(message))
        there = self.rows.setdefault(values, message)
        if there is message:
            return
        if isinstance(there, list):
            there.append(message)
        else:
            self.rows[values] = [*there, message] if isinstance(there, tuple) else [there, message]

    def sort(self) -> Steps[None]:
        """Once all are there: of those with the same values the highest priority first."""
        for number, (values, found) in enumerate(self.rows.items()):
            if isinstance(found, list):
                self.rows[values] = tuple(sorted(found, key=packed.priority_of, reverse=True))
            if number % _SLICE == 0:
                yield

    def of(self, packet: Mapping[str, int]) -> Iterator[Flow]:
        """The flows whose match the packet meets, highest priority first."""
        key = b"".join([(packet.get(name, 0) & mask).to_bytes(width, "big") for name, width, mask in self.shape])
        found = self.rows.get(key, ())
        return map(Flow, (found,) if isinstance(found, bytes) else found)


class Tables:
    """The flows of one switch, by table."""

    def __init__(self, messages: Iterable[bytes] = ()) -> None:
        self._messages: dict[int, list[bytes]] = {}
        self._indexed: dict[int, list[_Group]] = {}
        self.meters: dict[int, bytes] = {}
        for message in messages:
            self.add(message)

    def add(self, message: bytes) -> None:
        """One more flow-mod or meter-mod."""
        table = table_of(message)
        if table == METERS:
            self.meters[meters.number(message)] = message
        else:
            self._messages.setdefault(table, []).append(message)

    def __len__(self) -> int:
        return sum(map(len, self._messages.values()))

    def find(self, table: int, packet: Mapping[str, int]) -> Steps[Flow | None]:
        """The flow that a packet meets in a table; None when there is none. Raises Unreadable."""
        groups = self._indexed.get(table)
        if groups is None:
            groups = self._indexed[table] = yield from self._index(table)
        hard, soft = _matching(groups, packet)
        if soft:
            return _conjunctive(groups, packet, hard, soft)
        return hard

    def _index(self, table: int) -> Steps[list[_Group]]:
        groups: dict[bytes, _Group] = {}
        for number, message in enumerate(self._messages.get(table, ())):
            heads, values = split(message)
            group = groups.get(heads)
            if group is None:
                group = groups[heads] = _Group(shape_of(heads))
            group.add(values, message)
            if number % _SLICE == 0:
                yield
        for group in groups.values():
            yield from group.sort()
        return sorted(groups.values(), key=lambda group: -group.top)


def _matching(groups: Iterable[_Group], packet: Mapping[str, int]) -> tuple[Flow | None, list[Flow]]:
    """The best flow without conjunctions, and those with, which are above it."""
    hard: Flow | None = None
    soft: list[Flow] = []
    for group in groups:
        if hard is not None and group.top <= hard.priority:
            break
        for flow in group.of(packet):
            if hard is not None and flow.priority <= hard.priority:
                break
            if flow.conjunctive:
                soft.append(flow)
            else:
                hard = flow
                break
    return hard, soft if hard is None else [flow for flow in soft if flow.priority > hard.priority]


def _conjunctive(
    groups: Iterable[_Group], packet: Mapping[str, int], hard: Flow | None, soft: Iterable[Flow]
) -> Flow | None:
    met: dict[int, dict[int, tuple[int, set[int]]]] = {}  # priority -> conjunction -> (clauses, those met)
    for flow in soft:
        for action in flow.does.actions:
            if isinstance(action, Conjunction):
                at = met.setdefault(flow.priority, {}).setdefault(action.number, (action.clauses, set()))
                at[1].add(action.clause)
    for priority in sorted(met, reverse=True):
        for number, (clauses, those) in met[priority].items():
            if len(those) == clauses:
                found, _ = _matching(groups, {**packet, "conj_id": number})
                if found is not None:
                    return found
    return hard

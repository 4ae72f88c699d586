"""Packets as boxes: one set of values per thing that a rule can look at, and how a box is taken from another.

    box = (from, to, protocol, source port, destination port, ICMP type, ICMP code, DSCP, reply)

Each is a set of **atoms**, held as the bits of a number: values that no rule of the direction tells apart are one atom.
`from` and `to` are the sets of terms that addresses lie in (`compile/policy.py`), once for each IP version, so that a
packet of one version never has an end of the other. Replies are looked at as what opened their connection, as the
compiled rules do it (`compile/acl.py`). Later fragments are left out: the first, about which the rules decide, is what
they are of use for.

Exact as long as it is finished: taking n boxes from one leaves at most 9 n times as many pieces, so the caller counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.compile.acl import MIRRORED_ICMP, icmp_version, mirrors, protocol_number
from controller.compile.policy import Rule, Term, Terms
from data.schema.objects import Entry
from data.schema.types import port_range

__all__ = ["Box", "End", "Masks", "Space", "beyond", "hull", "masks", "meets", "within", "without"]

Box = tuple[int, ...]
"""One number for each dimension, none of them 0."""
End = tuple[Terms, int]
"""What an address can be: the terms that rules know it by, and its IP version."""
Masks = Mapping[tuple[Term | None, int], int]

_PORTS, _BYTES, _CODE_POINTS, _PROTOCOLS = 65536, 256, 64, 256
_ONWARD, _REPLY = 1, 2  # bits of the last dimension
_VERSIONS = (4, 6)
_DIMENSIONS = 9


def masks(ends: Sequence[End]) -> Masks:
    """For each term (None: any) and IP version, which of the ends it stands for: bit i is the i-th."""
    found: dict[tuple[Term | None, int], int] = {}
    for at, (terms, version) in enumerate(ends):
        for term in (None, *terms):
            found[term, version] = found.get((term, version), 0) | 1 << at
    return found


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around these; of none one that meets nothing."""
    found = [0] * _DIMENSIONS
    for box in boxes:
        for nth, atoms in enumerate(box):
            found[nth] |= atoms
    return tuple(found)


def meets(one: Box, other: Box) -> bool:
    """Whether the two have anything in common."""
    a, b, c, d, e, f, g, h, i = one  # written out: asked of all pairs of entries, 0.3 µs instead of 1
    k, m, n, o, p, q, r, s, t = other
    return bool(a & k and b & m and c & n and d & o and e & p and f & q and g & r and h & s and i & t)


def beyond(one: Box, whole: Box) -> Box | None:
    """A part of a box that lies outside another for what it is in one dimension alone; None when there is none."""
    for nth, (mine, its) in enumerate(zip(one, whole, strict=True)):
        if mine & ~its:
            return (*one[:nth], mine & ~its, *one[nth + 1 :])
    return None


def within(one: Box, others: Iterable[Box]) -> bool:
    """Whether a single one of the others has all of it."""
    return any(all(a & ~b == 0 for a, b in zip(one, other, strict=True)) for other in others)


def without(whole: Box, other: Box) -> list[Box]:
    """What is left of a box, as boxes that do not overlap."""
    if any(a & b == 0 for a, b in zip(whole, other, strict=True)):
        return [whole]
    left, rest = [], list(whole)
    for nth, (mine, its) in enumerate(zip(whole, other, strict=True)):
        if mine & ~its:
            left.append((*rest[:nth], mine & ~its, *rest[nth + 1 :]))
            rest[nth] = mine & its
    return left


class _Values:
    """The atoms of a dimension of numbers: each value that is named alone, and all others together."""

    def __init__(self, named: Iterable[int | None], size: int) -> None:
        self._bits = {value: 1 << at for at, value in enumerate(sorted({v for v in named if v is not None}))}
        others = 1 << len(self._bits) if len(self._bits) < size else 0
        self.whole = sum(self._bits.values()) | others

    def of(self, value: int | None) -> int:
        """The atoms of a leaf: all when it is not set."""
        return self.whole if value is None else self._bits[value]

    def among(self, values: Iterable[int]) -> int:
        """The atoms of those of the values that are named."""
        return sum(self._bits.get(value, 0) for value in values)


class _Ranges:
    """The atoms of ports: from each beginning of a range to the next beginning or end."""

    def __init__(self, texts: Iterable[str]) -> None:
        edges = {0, _PORTS}
        for low, high in map(port_range, texts):
            edges |= {low, high + 1}
        self._edges = sorted(edges)
        self.whole = (1 << len(self._edges) - 1) - 1

    def of(self, texts: Sequence[str]) -> int:
        """The atoms of a leaf with ranges: all when there are none."""
        found = 0
        for low, high in map(port_range, texts):
            first, end = bisect_left(self._edges, low), bisect_left(self._edges, high + 1)
            found |= (1 << end) - (1 << first)
        return found or self.whole


@dataclass(frozen=True, slots=True)
class _Transport:
    """What a rule asks of a packet beside its ends: the dimensions after `to`, for these IP versions."""

    versions: tuple[int, ...]
    dimensions: tuple[int, ...]


class Space:
    """The atoms of one direction of a domain, made of its rules in their order; `tracked` as the policy has it."""

    def __init__(self, rules: Sequence[Rule], *, tracked: bool) -> None:
        entries = [rule.entry for rule in rules if isinstance(rule.entry, Entry)]
        self._tracked = tracked
        self._protocols = _Values((protocol_number(entry.protocol) for entry in entries), _PROTOCOLS)
        self._source = _Ranges(text for entry in entries for text in entry.source_port)
        self._target = _Ranges(text for entry in entries for text in entry.destination_port)
        self._types = _Values((entry.icmp_type for entry in entries), _BYTES)
        self._codes = _Values((entry.icmp_code for entry in entries), _BYTES)
        self._code_points = _Values((entry.dscp for entry in entries), _CODE_POINTS)
        self._transports: dict[int, list[_Transport]] = {}
        self._rules = rules

    def boxes(self, nth: int, sources: Masks, targets: Masks) -> list[Box]:
        """What the n-th rule matches of the packets between these ends."""
        rule, found = self._rules[nth], []
        for transport in self._asked(nth):
            for version in transport.versions:
                source = sources.get((rule.source, version), 0)
                target = targets.get((rule.target, version), 0)
                if source and target:
                    found.append((source, target, *transport.dimensions))
        return found

    def matches_nothing(self, nth: int, versions: Sequence[int]) -> bool:
        """Whether the rule asks for what no packet of these IP versions has."""
        return not any(version in versions for transport in self._asked(nth) for version in transport.versions)

    def _asked(self, nth: int) -> list[_Transport]:
        found = self._transports.get(nth)
        if found is None:
            entry = self._rules[nth].entry
            found = self._transports[nth] = list(self._of(entry)) if isinstance(entry, Entry) else []
        return found

    def _of(self, entry: Entry) -> Iterator[_Transport]:
        protocol = protocol_number(entry.protocol)
        only = icmp_version(protocol)
        versions = _VERSIONS if only is None else (only,)
        ports = self._source.of(entry.source_port), self._target.of(entry.destination_port)
        icmp = self._types.of(entry.icmp_type), self._codes.of(entry.icmp_code)
        asked = self._protocols.of(protocol)
        yield _Transport(versions, (asked, *ports, *icmp, self._code_points.of(entry.dscp), _ONWARD))
        if not self._tracked or not mirrors(entry):
            return
        types = self._types.whole
        if entry.icmp_type is not None:
            assert protocol is not None
            if entry.icmp_type not in MIRRORED_ICMP[protocol]:
                return
            types = icmp[0]
        yield _Transport(versions, (asked, *ports, types, self._codes.whole, self._code_points.whole, _REPLY))

"""What is looked up by something other than a path: unique values, prefixes, references, UUIDs, names.

`Index` holds what a set of objects contributes; `Running` keeps one of everything, `Overlay` one of its edits
only. Adding and removing an object costs the number of its own values.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator

from data.addresses import Ip, Prefix
from data.addresses import prefix as as_prefix
from data.path import NUMBER, Path, natural_key
from data.schema.nodes import FACTS, node_of
from data.schema.objects import Endpoint, Object
from data.schema.types import NAME_LENGTH

_DECIMAL = "0123456789"
_LAST = "\U0010ffff"
"""Behind every character of a name."""

Reference = tuple[str, str]
"""What is referred to: (kind, name)."""


class Names:
    """The names in one list, sorted in natural order when somebody asks."""

    __slots__ = ("_names", "_sorted")

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._sorted: list[str] | None = None

    def copy(self) -> Names:
        """The same names, apart from these."""
        made = Names()
        made._names = set(self._names)
        made._sorted = None if self._sorted is None else list(self._sorted)
        return made

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str) -> None:
        if name not in self._names:
            self._names.add(name)
            if self._sorted is not None:
                insort(self._sorted, name, key=natural_key)

    def remove(self, name: str) -> None:
        self._names.discard(name)
        if self._sorted is not None:
            at = bisect_left(self._sorted, natural_key(name), key=natural_key)
            if at < len(self._sorted) and self._sorted[at] == name:
                del self._sorted[at]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def matching(self, prefix: str) -> Iterator[str]:
        """Those that begin with `prefix`, in natural order; costs what it finds, and some bisections."""
        stem = prefix.rstrip(_DECIMAL)
        digits = prefix[len(stem) :]
        first = natural_key(stem)[0]
        if not digits or digits[0] == "0":
            yield from (name for name in self._between(first) if name.startswith(prefix))
            return
        # web-1 begins web-1, web-1a, web-10 to web-19, web-100 to web-199 ...: a range for each number of digits.
        names, end = self.in_order(), self._bisect(first + NUMBER + _LAST)
        for length in range(len(digits) + 1, NAME_LENGTH + 2):
            start = f"{first}{NUMBER}{chr(length)}"
            if self._bisect(start) >= end:
                return
            for at in range(self._bisect(start + digits), self._bisect(start + digits + _LAST)):
                if names[at].startswith(prefix):
                    yield names[at]

    def _between(self, first: str) -> list[str]:
        """The names whose natural key begins with `first`."""
        return self.in_order()[self._bisect(first) : self._bisect(first + _LAST)] if first else self.in_order()

    def _bisect(self, key: str) -> int:
        return bisect_left(self.in_order(), key, key=lambda name: natural_key(name)[0])

    def forget_order(self) -> None:
        """Call before many changes: sorting once costs less than keeping order each time."""
        self._sorted = None

    def in_order(self) -> list[str]:
        """The names in natural order; the list itself, not a copy."""
        if self._sorted is None:
            self._sorted = sorted(self._names, key=natural_key)
        return self._sorted


class Prefixes:
    """The prefixes of one scope, so that those that overlap another are found without looking at all."""

    __slots__ = ("_exact", "_masks", "_starts")

    def __init__(self) -> None:
        self._starts: list[tuple[Ip, Ip, Path]] = []
        self._exact: dict[Prefix, list[Path]] = {}
        self._masks: Counter[tuple[int, int]] = Counter()  # IP version and mask, so that no others are looked up

    def copy(self) -> Prefixes:
        """The same prefixes, apart from these."""
        made = Prefixes()
        made._starts = list(self._starts)
        made._exact = {network: list(paths) for network, paths in self._exact.items()}
        made._masks = Counter(self._masks)
        return made

    def add(self, prefix: str, path: Path) -> None:
        network = as_prefix(prefix)
        insort(self._starts, (network.first, network.last, path))
        self._exact.setdefault(network, []).append(path)
        self._masks[network.version, network.mask] += 1

    def remove(self, prefix: str, path: Path) -> None:
        network = as_prefix(prefix)
        at = bisect_left(self._starts, (network.first, network.last, path))
        del self._starts[at]
        holders = self._exact[network]
        holders.remove(path)
        if not holders:
            del self._exact[network]
        self._masks[network.version, network.mask] -= 1
        if not self._masks[network.version, network.mask]:
            del self._masks[network.version, network.mask]

    def overlapping(self, prefix: str) -> Iterator[Path]:
        """Every holder of a prefix that contains this one, equals it, or lies inside it."""
        network = as_prefix(prefix)
        first, last = network.first, network.last
        for version, mask in self._masks:
            if version == network.version and mask < network.mask:
                yield from self._exact.get(Prefix(version, network.network & mask, mask), ())
        at = bisect_left(self._starts, (first, Ip(first.version, 0), ()))
        while at < len(self._starts) and self._starts[at][0] <= last:
            if self._starts[at][1] <= last:
                yield self._starts[at][2]
            at += 1


def references_of(path: Path, item: Object) -> Iterator[Reference]:
    """(kind, name) of everything the object refers to."""
    for reference in node_of(path).references:
        value = getattr(item, reference.leaf.field)
        if isinstance(value, Endpoint):
            if value.name:
                yield value.kind, value.name
        elif reference.target and value:
            for name in value if reference.leaf.many else (value,):
                yield reference.target, name
        elif reference.target and reference.leaf.facts.named_by_default:
            yield reference.target, path[-1]


def reference_scope(path: Path, kind: str) -> Path | None:
    """The ancestor of `path` inside which names of `kind` are looked up; None when nothing of that kind can
    be named here."""
    facts = FACTS.get(kind)
    length = node_of(path).scopes.get(facts.reference_scope) if facts else None
    return path[:length] if length is not None else None


class Index:
    """Unique values, prefixes, references and UUIDs of a set of objects."""

    __slots__ = ("_holders", "_prefixes", "_referrers", "_uuids")

    def __init__(self) -> None:
        # A value has one holder except in a configuration that was not checked yet, so the path itself is
        # stored, and a list of paths only where there are several: 200,000 one-element lists would cost 11
        # MB.
        self._holders: dict[tuple[str, str, Path], dict[object, Path | list[Path]]] = {}
        self._prefixes: dict[tuple[str, str, Path], Prefixes] = {}
        self._referrers: dict[tuple[str, Path], dict[str, set[Path]]] = {}
        self._uuids: dict[str, Path] = {}

    def copy(self) -> Index:
        """The same index, apart from this one."""
        made = Index()
        made._holders = {
            key: {value: list(held) if isinstance(held, list) else held for value, held in table.items()}
            for key, table in self._holders.items()
        }
        made._prefixes = {key: prefixes.copy() for key, prefixes in self._prefixes.items()}
        made._referrers = {
            key: {name: set(paths) for name, paths in names.items()} for key, names in self._referrers.items()
        }
        made._uuids = dict(self._uuids)
        return made

    def add(self, path: Path, item: Object) -> None:
        node = node_of(path)
        self._uuids[item.uuid] = path
        for unique in node.held:
            table = self._holders.setdefault((node.keyword, unique.name, path[: unique.scope_length]), {})
            for value in unique.values(path, item):
                held = table.get(value)
                if held is None:
                    table[value] = path
                elif isinstance(held, list):
                    held.append(path)
                else:
                    table[value] = [held, path]
        for disjoint in node.disjoint:
            prefix = getattr(item, disjoint.field)
            if prefix:
                key = (node.keyword, disjoint.field, path[: disjoint.scope_length])
                self._prefixes.setdefault(key, Prefixes()).add(prefix, path)
        for kind, name in references_of(path, item):
            scope = reference_scope(path, kind)
            if scope is not None:
                self._referrers.setdefault((kind, scope), {}).setdefault(name, set()).add(path)

    def remove(self, path: Path, item: Object) -> None:
        node = node_of(path)
        if self._uuids.get(item.uuid) == path:
            del self._uuids[item.uuid]
        for unique in node.held:
            values = unique.values(path, item)
            if not values:
                continue
            key = (node.keyword, unique.name, path[: unique.scope_length])
            table = self._holders[key]
            for value in values:
                held = table[value]
                if isinstance(held, list):
                    held.remove(path)
                    if len(held) == 1:
                        table[value] = held[0]
                else:
                    del table[value]
            if not table:
                del self._holders[key]
        for disjoint in node.disjoint:
            prefix = getattr(item, disjoint.field)
            if prefix:
                self._prefixes[node.keyword, disjoint.field, path[: disjoint.scope_length]].remove(prefix, path)
        for kind, name in set(references_of(path, item)):
            scope = reference_scope(path, kind)
            if scope is not None:
                names = self._referrers[kind, scope]
                names[name].discard(path)
                if not names[name]:
                    del names[name]

    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        table = self._holders.get((kind, field, scope))
        held = table.get(value) if table else None
        if held is None:
            return ()
        return tuple(held) if isinstance(held, list) else (held,)

    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        prefixes = self._prefixes.get((kind, field, scope))
        return prefixes.overlapping(prefix) if prefixes else ()

    def referrers(self, kind: str, scope: Path, name: str) -> set[Path]:
        """Paths of the objects that name (kind, name) inside the scope; the set itself, not a copy."""
        names = self._referrers.get((kind, scope))
        return names.get(name, _NOBODY) if names else _NOBODY

    def by_uuid(self, uuid: str) -> Path | None:
        return self._uuids.get(uuid)


class Inactive:
    """The objects that are deactivated, found from any path below them in the length of the path."""

    __slots__ = ("_lengths", "_names", "_paths")

    def __init__(self) -> None:
        self._paths: set[Path] = set()
        self._names: dict[Path, set[str]] = {}
        self._lengths: Counter[int] = Counter()  # of the paths, so that no other prefixes are looked up

    def copy(self) -> Inactive:
        """The same, apart from this one."""
        made = Inactive()
        for path in self._paths:
            made.add(path)
        return made

    def __bool__(self) -> bool:
        return bool(self._paths)

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths)

    def add(self, path: Path) -> None:
        self._paths.add(path)
        self._lengths[len(path)] += 1
        self._names.setdefault(path[:-1], set()).add(path[-1])

    def remove(self, path: Path) -> None:
        self._paths.discard(path)
        self._lengths[len(path)] -= 1
        if not self._lengths[len(path)]:
            del self._lengths[len(path)]
        names = self._names[path[:-1]]
        names.discard(path[-1])
        if not names:
            del self._names[path[:-1]]

    def covers(self, path: Path) -> bool:
        """Whether the object at the path, or one above it, is deactivated."""
        paths = self._paths
        for length in self._lengths:
            if path[:length] in paths:
                return True
        return False

    def names(self, list_path: Path) -> set[str]:
        """The deactivated entries of a list; the set itself, not a copy."""
        return self._names.get(list_path, _NONE)


_NONE: set[str] = set()
_NOBODY: set[Path] = set()

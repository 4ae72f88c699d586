"""Asking what is configured, in constant time: the committed state, and the same with edits laid over it.

    Configuration   the questions: get, children, walk, resolve, holder, referrers ...
    ├── Running     the committed state; `apply` changes it in place
    ├── Acting      without what is deactivated, with what domains inherit (acting.py)
    └── Overlay     a configuration plus edits, without copying it; follows its base when that is changed

Every answer costs the size of the answer, not of the configuration (100,000 vports). Next: `candidate.py`,
`rules/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import TypeVar, cast

from data.index import Inactive, Index, Names, reference_scope
from data.path import Path, natural_key, vport_paths
from data.schema.nodes import NODES, Node, children_of, named_in_full, node_of, reference_name
from data.schema.objects import Object

T = TypeVar("T", bound=Object)

Edits = Mapping[Path, Object | None]
"""New object by path, None for deleted. Deleting an object lists every object below it, too."""

NO_UUID = "00000000-0000-0000-0000-000000000000"
"""UUID of the defaults of a container that is not configured."""

_NAMES_WORTH_SORTING = 1000
"""With more edits than this, sorting the lists again beats keeping them in order name by name."""


class Configuration(ABC):
    """The questions that can be asked of any configuration."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """Number of the committed revision this is, or is based on; 0 when nothing was ever committed."""

    @abstractmethod
    def get(self, path: Path) -> Object | None:
        """The object at `path`, None when there is none."""

    @abstractmethod
    def children(self, path: Path, keyword: str) -> list[str]:
        """Names of the list entries `keyword` directly below `path`, in natural order."""

    @abstractmethod
    def search(self, path: Path, keyword: str, prefix: str, limit: int) -> list[str]:
        """The first `limit` of those names that begin with `prefix`."""

    @abstractmethod
    def count(self, path: Path, keyword: str) -> int:
        """Number of those names."""

    @abstractmethod
    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        """All holders of a unique value; more than one only in a configuration that is not valid."""

    @abstractmethod
    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        """Objects whose prefix in `field` overlaps `prefix`."""

    @abstractmethod
    def naming(self, kind: str, scope: Path, name: str) -> set[Path]:
        """Objects that refer to `kind` `name` inside `scope`, whether or not it exists."""

    @abstractmethod
    def by_uuid(self, uuid: str) -> Path | None:
        """Where the object with this UUID is."""

    @property
    def unconfined(self) -> Configuration:
        """The same with what is hidden from whoever asks: for what an object that is seen has from elsewhere."""
        return self

    def settings(self, kind: type[T]) -> T:
        """A container such as Controller: as configured, or its defaults."""
        item = self.get((kind.declared.keyword,))
        return cast(T, item) if item is not None else kind(uuid=NO_UUID)

    def walk(self, under: Path = ()) -> Iterator[tuple[Path, Object]]:
        """The object at `under` and every object below it; parents first, kinds in schema order, names in
        natural order."""
        if under:
            item = self.get(under)
            if item is None:
                return
            yield under, item
        for keyword, node in children_of(under).items():
            if node.key is None:
                yield from self.walk((keyword,))
            elif node.children:
                for name in self.children(under, keyword):
                    yield from self.walk((*under, keyword, name))
            else:
                for name in self.children(under, keyword):
                    path = (*under, keyword, name)
                    item = self.get(path)
                    if item is not None:
                        yield path, item

    def objects(self, kind: type[T], under: Path = ()) -> Iterator[tuple[Path, T]]:
        """Every object of `kind` at or below `under`, in the order of `walk`."""
        start = under[::2]
        for keywords, node in NODES.items():
            if node.kind is kind and keywords[: len(start)] == start:
                for path in self._descend(under, keywords[len(start) :], node):
                    item = self.get(path)
                    if item is not None:
                        yield path, cast(T, item)

    def _descend(self, path: Path, keywords: tuple[str, ...], node: Node) -> Iterator[Path]:
        if not keywords:
            yield path
        elif node.key is None:
            yield keywords
        else:
            for name in self.children(path, keywords[0]):
                yield from self._descend((*path, keywords[0], name), keywords[1:], node)

    def holder(self, kind: str, field: str, scope: Path, value: object) -> Path | None:
        """Who holds a unique value.

        `kind` is a keyword, `field` the Python name of a leaf declared unique (or "name" of a subnet),
        `scope` the path of the enclosing object inside which it is unique, () for the whole configuration:
        `holder("vport", "address", domain_path, "10.1.1.11")`, `holder("dvrs", "system_id", (), "hv1")`.
        """
        found = self.holders(kind, field, scope, value)
        return found[0] if found else None

    def resolve(self, from_path: Path, ref_kind: str, name: str) -> Path | None:
        """Where a reference to `ref_kind` `name` points when it stands in the object at `from_path`."""
        scope = reference_scope(from_path, ref_kind)
        if scope is None:
            return None
        direct = named_in_full(ref_kind, name) or (*scope, ref_kind, name)
        if direct[::2] in NODES:
            return direct if self.get(direct) is not None else None
        return self.holder(ref_kind, "name", scope, name)

    def referrers(self, path: Path) -> set[Path]:
        """Objects that name the object at `path` in a leaf or an endpoint. The caller may change the set."""
        node = node_of(path)
        if not node.facts.reference_scope:
            return set()
        return set(self.naming(node.keyword, node.scope(path, node.facts.reference_scope), reference_name(path)))

    def vport_by_name(self, full_name: str) -> Path | None:
        """The path of the vport `enterprise/domain/vport`, in a domain or an l2-domain."""
        return next((path for path in vport_paths(full_name) if self.get(path) is not None), None)

    def users_of(self, domain: Path) -> set[Path]:
        """The domains that use this shared domain. The caller may change the set."""
        return {path for path in self.referrers(domain) if len(path) == len(domain)}


class Running(Configuration):
    """The committed configuration."""

    __slots__ = ("_index", "_lists", "_objects", "_revision", "inactive")

    def __init__(self, objects: Mapping[Path, Object] | None = None, revision: int = 0) -> None:
        self._objects: dict[Path, Object] = {}
        self._lists: dict[Path, Names] = {}
        self._index = Index()
        self.inactive = Inactive()
        self._revision = revision
        if objects:
            self.apply(objects, revision)

    @property
    def revision(self) -> int:
        return self._revision

    def __len__(self) -> int:
        return len(self._objects)

    def successor(self, edits: Edits, revision: int) -> Running:
        """What `apply` would make of this, as another object; costs the configuration.

        Reads only, so that a worker thread can do it as long as nobody applies anything meanwhile.
        """
        made = Running()
        made._objects = dict(self._objects)
        made._lists = {path: names.copy() for path, names in self._lists.items()}
        made._index = self._index.copy()
        made.inactive = self.inactive.copy()
        made.apply(edits, revision)
        return made

    def become(self, successor: Running) -> None:
        """Be what `successor` is, at once; everybody who holds this object sees it. The successor is used up."""
        self._objects, self._lists, self._index = successor._objects, successor._lists, successor._index
        self.inactive, self._revision = successor.inactive, successor._revision

    def apply(self, edits: Edits, revision: int) -> None:
        """Make the edits the committed state, in place. Costs the edits."""
        if len(edits) > _NAMES_WORTH_SORTING:
            for list_path in {path[:-1] for path in edits}:
                if list_path in self._lists:
                    self._lists[list_path].forget_order()
        for path in edits:
            old = self._objects.pop(path, None)
            if old is not None:
                self._index.remove(path, old)
                if old.inactive:
                    self.inactive.remove(path)
                if edits[path] is None and len(path) > 1:
                    self._lists[path[:-1]].remove(path[-1])
        for path, item in edits.items():
            if item is None:
                continue
            self._objects[path] = item
            self._index.add(path, item)
            if item.inactive:
                self.inactive.add(path)
            if len(path) > 1:
                names = self._lists.get(path[:-1])
                if names is None:
                    names = self._lists[path[:-1]] = Names()
                names.add(path[-1])
        if len(edits) > _NAMES_WORTH_SORTING:
            # Now, perhaps in a worker thread, and not when somebody presses Tab: 100,000 names take 0.25 s.
            for list_path in {path[:-1] for path in edits}:
                if list_path in self._lists:
                    self._lists[list_path].in_order()
        self._revision = revision

    def get(self, path: Path) -> Object | None:
        return self._objects.get(path)

    def children(self, path: Path, keyword: str) -> list[str]:
        names = self._lists.get((*path, keyword))
        return list(names.in_order()) if names else []

    def search(self, path: Path, keyword: str, prefix: str, limit: int) -> list[str]:
        names = self._lists.get((*path, keyword))
        return list(islice(names.matching(prefix), limit)) if names else []

    def count(self, path: Path, keyword: str) -> int:
        names = self._lists.get((*path, keyword))
        return len(names) if names else 0

    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        return self._index.holders(kind, field, scope, value)

    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        return self._index.overlapping(kind, field, scope, prefix)

    def naming(self, kind: str, scope: Path, name: str) -> set[Path]:
        return self._index.referrers(kind, scope, name)

    def by_uuid(self, uuid: str) -> Path | None:
        return self._index.by_uuid(uuid)


class Overlay(Configuration):
    """A configuration with edits laid over it.

    Making one costs the edits. Nothing of the base is remembered, so when the base is changed the overlay
    shows the edits over the changed base.
    """

    __slots__ = ("_added", "_base", "_edits", "_index", "_removed")

    def __init__(self, base: Configuration, edits: Edits | None = None) -> None:
        self._base = base
        self._edits: dict[Path, Object | None] = {}
        self._index = Index()
        self._added: dict[Path, Names] = {}
        self._removed: dict[Path, Names] = {}
        for path, item in (edits or {}).items():
            self.put(path, item)

    @property
    def base(self) -> Configuration:
        return self._base

    @property
    def revision(self) -> int:
        return self._base.revision

    @property
    def edits(self) -> Edits:
        """The edits themselves, not a copy."""
        return self._edits

    def put(self, path: Path, item: Object | None) -> None:
        """Lay one more edit over the base (None: deleted); takes the place of an earlier edit of that
        path."""
        self.withdraw(path)
        self._edits[path] = item
        if item is not None:
            self._index.add(path, item)
        if len(path) > 1:
            lists = self._removed if item is None else self._added
            names = lists.get(path[:-1])
            if names is None:
                names = lists[path[:-1]] = Names()
            names.add(path[-1])

    def clear(self) -> None:
        """Take all edits away."""
        self._edits = {}
        self._index = Index()
        self._added = {}
        self._removed = {}

    def withdraw(self, path: Path) -> None:
        """Take an edit away, so that the base shows through again."""
        if path not in self._edits:
            return
        item = self._edits.pop(path)
        if item is not None:
            self._index.remove(path, item)
        if len(path) > 1:
            lists = self._removed if item is None else self._added
            lists[path[:-1]].remove(path[-1])

    def get(self, path: Path) -> Object | None:
        return self._edits[path] if path in self._edits else self._base.get(path)

    def _new(self, list_path: Path, prefix: str = "") -> Iterator[str]:
        added = self._added.get(list_path)
        for name in added.matching(prefix) if added else ():
            if self._base.get((*list_path, name)) is None:
                yield name

    def children(self, path: Path, keyword: str) -> list[str]:
        list_path = (*path, keyword)
        names = self._base.children(path, keyword)
        removed = self._removed.get(list_path)
        if removed:
            names = [name for name in names if name not in removed]
        new = list(self._new(list_path))
        return list(merge(names, new, key=natural_key)) if new else names

    def search(self, path: Path, keyword: str, prefix: str, limit: int) -> list[str]:
        list_path = (*path, keyword)
        removed = self._removed.get(list_path) or Names()
        names = self._base.search(path, keyword, prefix, limit + len(removed))
        names = [name for name in names if name not in removed]
        return list(islice(merge(names, self._new(list_path, prefix), key=natural_key), limit))

    def count(self, path: Path, keyword: str) -> int:
        list_path = (*path, keyword)
        gone = sum(1 for name in self._removed.get(list_path, ()) if self._base.get((*list_path, name)) is not None)
        return self._base.count(path, keyword) - gone + sum(1 for _ in self._new(list_path))

    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        below = tuple(path for path in self._base.holders(kind, field, scope, value) if path not in self._edits)
        return below + self._index.holders(kind, field, scope, value)

    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        for path in self._base.overlapping(kind, field, scope, prefix):
            if path not in self._edits:
                yield path
        yield from self._index.overlapping(kind, field, scope, prefix)

    def naming(self, kind: str, scope: Path, name: str) -> set[Path]:
        below = {path for path in self._base.naming(kind, scope, name) if path not in self._edits}
        return below | self._index.referrers(kind, scope, name)

    def by_uuid(self, uuid: str) -> Path | None:
        path = self._index.by_uuid(uuid)
        if path is not None:
            return path
        path = self._base.by_uuid(uuid)
        return None if path is None or path in self._edits else path

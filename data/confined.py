"""A configuration as somebody sees it whose class hides parts of it: what is hidden is not there.

Nothing is copied: every question goes to the configuration behind, and what the class does not see is left out of the
answer. Of an object that only leads to something visible the name is seen, and no leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from data.access import Access
from data.configuration import NO_UUID, Configuration
from data.path import Path
from data.schema.nodes import node_of
from data.schema.objects import Controller, Object, System

T = TypeVar("T", bound=Object)

PUBLIC: dict[type[Object], tuple[str, ...]] = {
    System: ("hostname", "idle_timeout"),
    Controller: ("anycast_gateway_mac",),
}
"""Leaves of hidden containers that everybody notices anyway: the prompt, the MAC address of the own gateway."""


class Confined(Configuration):
    """What `access` lets its user see of `base`; follows the base."""

    __slots__ = ("_access", "_base")

    def __init__(self, base: Configuration, access: Access) -> None:
        self._base = base
        self._access = access

    @property
    def revision(self) -> int:
        return self._base.revision

    @property
    def unconfined(self) -> Configuration:
        return self._base.unconfined

    def get(self, path: Path) -> Object | None:
        if self._access.reads(path):
            return self._base.get(path)
        if not self._access.sees(path):
            return None
        item = self._base.get(path)
        return None if item is None else node_of(path).kind(uuid=item.uuid)

    def _seen(self, list_path: Path, names: Iterable[str]) -> Iterable[str]:
        return (name for name in names if self._access.sees((*list_path, name)))

    def children(self, path: Path, keyword: str) -> list[str]:
        return list(self._seen((*path, keyword), self._base.children(path, keyword)))

    def search(self, path: Path, keyword: str, prefix: str, limit: int) -> list[str]:
        if (path and self._access.sees(path)) or not self._access.confined:
            found = self._base.search(path, keyword, prefix, limit)
            seen = list(self._seen((*path, keyword), found))
            if len(seen) == len(found):
                return seen
        names = (name for name in self.children(path, keyword) if name.startswith(prefix))
        return list(islice(names, limit))

    def count(self, path: Path, keyword: str) -> int:
        return sum(1 for _ in self._seen((*path, keyword), self._base.children(path, keyword)))

    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        return tuple(path for path in self._base.holders(kind, field, scope, value) if self._access.reads(path))

    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        return (path for path in self._base.overlapping(kind, field, scope, prefix) if self._access.reads(path))

    def naming(self, kind: str, scope: Path, name: str) -> set[Path]:
        return {path for path in self._base.naming(kind, scope, name) if self._access.reads(path)}

    def by_uuid(self, uuid: str) -> Path | None:
        path = self._base.by_uuid(uuid)
        return path if path is not None and self._access.reads(path) else None

    def settings(self, kind: type[T]) -> T:
        whole = self._base.settings(kind)
        if self._access.reads((kind.declared.keyword,)):
            return whole
        shown = {field: getattr(whole, field) for field in PUBLIC.get(kind, ())}
        return msgspec.structs.replace(kind(uuid=NO_UUID), **shown)


def seen(configuration: Configuration, access: Access) -> Configuration:
    """The configuration as this user sees it: itself when nothing is hidden."""
    return configuration if access.whole else Confined(configuration, access)

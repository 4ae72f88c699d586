"""What of a configuration has effect: everything but what is deactivated, and all below that.

    configured   all objects, as texts and revisions show them
    acting       the same without the inactive ones: what is checked, compiled and looked up by the network

`Acting` filters the answers of a configuration instead of copying it, so it costs nothing to keep and follows commits
by itself. `acting_edits` says what edits of the configured change of the acting.
"""

from __future__ import annotations

from collections.abc import Iterable

from data.configuration import Configuration, Edits, Overlay, Running
from data.path import Path
from data.schema.objects import Object


class Acting(Configuration):
    """The part of `base` that has effect; follows the base."""

    __slots__ = ("_base",)

    def __init__(self, base: Running) -> None:
        self._base = base

    @property
    def revision(self) -> int:
        return self._base.revision

    def get(self, path: Path) -> Object | None:
        return None if self._base.inactive.covers(path) else self._base.get(path)

    def _acting(self, list_path: Path, names: list[str]) -> list[str]:
        hidden = self._base.inactive.names(list_path)
        return [name for name in names if name not in hidden] if hidden else names

    def children(self, path: Path, keyword: str) -> list[str]:
        if self._base.inactive.covers(path):
            return []
        return self._acting((*path, keyword), self._base.children(path, keyword))

    def search(self, path: Path, keyword: str, prefix: str, limit: int) -> list[str]:
        if self._base.inactive.covers(path):
            return []
        hidden = len(self._base.inactive.names((*path, keyword)))
        return self._acting((*path, keyword), self._base.search(path, keyword, prefix, limit + hidden))[:limit]

    def count(self, path: Path, keyword: str) -> int:
        if self._base.inactive.covers(path):
            return 0
        return self._base.count(path, keyword) - len(self._base.inactive.names((*path, keyword)))

    def holders(self, kind: str, field: str, scope: Path, value: object) -> tuple[Path, ...]:
        found = self._base.holders(kind, field, scope, value)
        return tuple(path for path in found if not self._base.inactive.covers(path))

    def overlapping(self, kind: str, field: str, scope: Path, prefix: str) -> Iterable[Path]:
        found = self._base.overlapping(kind, field, scope, prefix)
        return (path for path in found if not self._base.inactive.covers(path))

    def naming(self, kind: str, scope: Path, name: str) -> set[Path]:
        return {path for path in self._base.naming(kind, scope, name) if not self._base.inactive.covers(path)}

    def by_uuid(self, uuid: str) -> Path | None:
        path = self._base.by_uuid(uuid)
        return None if path is None or self._base.inactive.covers(path) else path


def acting_edits(configured: Running, edits: Edits) -> Edits:
    """The edits of the acting configuration that edits of the configured one make; the same object while nothing is
    inactive before or after. Pure. Costs the edits, and what lies below an object that is turned on or off."""
    if not configured.inactive and not any(item is not None and item.inactive for item in edits.values()):
        return edits
    before = Acting(configured)
    view = Overlay(configured, edits)
    found: dict[Path, Object | None] = {}
    known: dict[Path, bool] = {(): False}

    def off(path: Path) -> bool:
        answer = known.get(path)
        if answer is None:
            item = view.get(path)
            answer = known[path] = (item is not None and item.inactive) or off(path[:-2])
        return answer

    def look(path: Path) -> None:
        was, now = before.get(path), None if off(path) else view.get(path)
        if now != was:
            found[path] = now

    for path, item in edits.items():
        look(path)
        former = configured.get(path)
        if (former is not None and former.inactive) != (item is not None and item.inactive):
            for below, _ in view.walk(path):
                look(below)
    return found


def inactive_at(view: Configuration, path: Path) -> Path | None:
    """The outermost inactive object at or above `path`."""
    for end in range(2 if len(path) > 1 else 1, len(path) + 1, 2):
        item = view.get(path[:end])
        if item is not None and item.inactive:
            return path[:end]
    return None

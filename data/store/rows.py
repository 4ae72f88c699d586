"""Objects as rows and back: the place as parent, kind and name; the body as JSON without defaults."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec

from data.merge import Edit
from data.path import Path, path_text
from data.schema.objects import KINDS, Object

_ENCODER = msgspec.json.Encoder()
_DECODERS = {kind.declared.keyword: msgspec.json.Decoder(kind) for kind in KINDS}

Place = tuple[str, str, str]
"""(parent, kind, name): the text of the path above, the keyword, and the name ("" for a container)."""


def place_of(path: Path) -> Place:
    return ("", path[0], "") if len(path) == 1 else (path_text(path[:-2]), path[-2], path[-1])


def path_of(parent: str, kind: str, name: str) -> Path:
    return (*parent.split(), kind, name) if name else (kind,)


def encode(item: Object) -> bytes:
    return _ENCODER.encode(item)


def decode(kind: str, body: bytes) -> Object:
    return _DECODERS[kind].decode(body)


def optional(item: Object | None) -> bytes | None:
    """A body, or NULL for an object that is not there."""
    return None if item is None else _ENCODER.encode(item)


def objects_of(rows: Iterable[tuple[str, str, str, bytes]]) -> dict[Path, Object]:
    """Objects by path of rows (parent, kind, name, body)."""
    above: dict[str, Path] = {}
    objects: dict[Path, Object] = {}
    decoders = _DECODERS
    intern = sys.intern
    for parent, kind, name, body in rows:
        words = above.get(parent)
        if words is None:
            words = above[parent] = tuple(intern(word) for word in parent.split())
        path = (*words, intern(kind), name) if name else (intern(kind),)
        objects[path] = decoders[kind].decode(body)
    return objects


def edits_of(rows: Iterable[tuple[str, bytes | None, bytes | None]]) -> dict[Path, Edit]:
    """The rows (path, base, new) of a candidate."""
    found: dict[Path, Edit] = {}
    for text, base, new in rows:
        path = tuple(map(sys.intern, text.split()))
        kind = place_of(path)[1]
        found[path] = Edit(None if base is None else decode(kind, base), None if new is None else decode(kind, new))
    return found

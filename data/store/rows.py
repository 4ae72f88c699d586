"""Objects as rows and back: the place as parent, kind and name; the body as JSON without defaults."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec

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

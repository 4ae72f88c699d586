"""Keys of series in words, and the objects that they are about: what is shown of them, and to whom."""

from __future__ import annotations

from controller.telemetry.keys import Level, SeriesKey
from data.configuration import Configuration
from data.path import Path

__all__ = ["key_of", "name_of", "path_of"]

BY_UUID = frozenset((Level.VPORT, Level.SUBNET, Level.ZONE, Level.DOMAIN, Level.ENTERPRISE, Level.RULE))
"""Levels whose keys are UUIDs of objects."""


def key_of(view: Configuration, level: Level, path: Path) -> SeriesKey | None:
    """The key of what is configured at a path; None when nothing is."""
    body = view.get(path)
    if body is None:
        return None
    return SeriesKey(level, body.uuid if level in BY_UUID else path[-1])


def path_of(view: Configuration, key: SeriesKey) -> Path | None:
    """The object that a series is about; of a tunnel the hypervisor that sends into it. None when it is gone."""
    if key.level in BY_UUID:
        return view.by_uuid(key.name)
    path: Path
    if key.level is Level.DVRS:
        path = ("dvrs", key.name)
    elif key.level is Level.TUNNEL:
        path = ("dvrs", key.name.partition(">")[0])
    elif key.level is Level.PE:
        path = ("pe", key.name.partition("/")[0])
    else:
        path = ("bgp-neighbor", key.name)
    return path if view.get(path) is not None else None


def name_of(view: Configuration, key: SeriesKey) -> str | None:
    """`acme/prod/web-1`, `base/10 of acme/prod`, `hv1>hv2`; None when it is gone."""
    path = path_of(view, key)
    if path is None:
        return None
    if key.level not in BY_UUID:
        return key.name
    names = path[1::2]
    if key.level is Level.RULE:
        return f"{'/'.join(names[2:])} of {'/'.join(names[:2])}"
    return "/".join(names)

"""Keys of series in words, and the objects that they are about: what is shown of them, and to whom.

name     `acme/prod/web-1`, `acme/prod/ingress/base/10`, `hv1>hv2`: what is shown and told here, and can be typed again
labels   enterprise, domain, zone, subnet, vport ...: for a system that does not know our UUIDs
"""

from __future__ import annotations

from controller.telemetry.keys import Level, SeriesKey
from data.configuration import Configuration
from data.path import Path, vport_name
from data.schema.objects import Vport

__all__ = ["BY_UUID", "Labels", "key_of", "labels_of", "name_at", "name_of", "path_of", "vport_labels"]

Labels = dict[str, str]
BY_UUID = frozenset((Level.VPORT, Level.SUBNET, Level.ZONE, Level.DOMAIN, Level.ENTERPRISE, Level.RULE))
"""Levels whose keys are UUIDs of objects."""
_PLACES = ("enterprise", "domain", "zone", "subnet")
_LABEL = {"l2-domain": "domain"}
"""A series has the same labels whether its domain routes or not: there are no two of one name in an enterprise."""
_DIRECTION = {"ingress-policy": "ingress", "egress-policy": "egress", "forwarding-policy": "forwarding"}


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
    """What a key is about, in words; None when it is gone."""
    path = path_of(view, key)
    if path is None:
        return None
    return name_at(path) if key.level in BY_UUID else key.name


def name_at(path: Path) -> str:
    """The name of an object in full: `acme/prod/web-1`, `acme/prod/ingress/base/10`; zones have no two subnets of one
    name, so they are not part of a subnet's."""
    if path[-2] == "vport":
        return vport_name(path)
    if path[-2] == "entry":
        return f"{path[1]}/{path[3]}/{path[4].removesuffix('-policy')}/{path[5]}/{path[7]}"
    if path[-2] == "subnet":
        return f"{path[1]}/{path[3]}/{path[-1]}"
    return "/".join(path[1::2])


def labels_of(view: Configuration, key: SeriesKey) -> Labels | None:
    """The labels of a series; None when its object is not there any more."""
    level, name = key
    if level is Level.DVRS:
        return {"dvrs": name}
    if level is Level.BGP:
        return {"neighbor": name}
    if level is Level.TUNNEL:
        source, _, destination = name.partition(">")
        return {"source": source, "destination": destination}
    if level is Level.PE:
        router, _, interface = name.partition("/")
        return {"pe": router, "interface": interface}
    path = view.by_uuid(name)
    if path is None:
        return None
    if level is Level.VPORT:
        return vport_labels(view, path)
    if level is Level.RULE:
        return _rule_labels(path)
    return _places(path)


def vport_labels(view: Configuration, path: Path) -> Labels:
    """Where a vport is in its tenant's network; zone and subnet are empty in an l2-domain."""
    vport = view.get(path)
    domain = path[:4]
    labels = {"enterprise": path[1], "domain": path[3], "zone": "", "subnet": "", "vport": path[5]}
    if isinstance(vport, Vport) and vport.subnet and domain[2] == "domain":
        subnet = view.resolve(path, "subnet", vport.subnet)
        labels["subnet"] = vport.subnet
        labels["zone"] = subnet[5] if subnet is not None else ""
    return labels


def _rule_labels(path: Path) -> Labels:
    labels = dict.fromkeys(("enterprise", "domain", "direction", "policy", "entry"), "")
    for keyword, name in zip(path[::2], path[1::2], strict=True):
        if keyword in _DIRECTION:
            labels |= {"direction": _DIRECTION[keyword], "policy": name}
        elif _LABEL.get(keyword, keyword) in labels:
            labels[_LABEL.get(keyword, keyword)] = name
    return labels


def _places(path: Path) -> Labels:
    pairs = zip(path[::2], path[1::2], strict=True)
    return {_LABEL.get(keyword, keyword): name for keyword, name in pairs if _LABEL.get(keyword, keyword) in _PLACES}

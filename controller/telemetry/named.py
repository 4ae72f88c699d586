"""The labels of a series: what names its object in a system that does not know our UUIDs."""

from __future__ import annotations

from controller.telemetry.keys import Level, SeriesKey
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Vport

__all__ = ["Labels", "labels_of", "vport_labels"]

Labels = dict[str, str]

_PLACES = ("enterprise", "domain", "zone", "subnet")
_LABEL = {"l2-domain": "domain"}
"""A series has the same labels whether its domain routes or not: there are no two of one name in an enterprise."""
_DIRECTION = {"ingress-policy": "ingress", "egress-policy": "egress", "forwarding-policy": "forwarding"}


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

"""Which address of its vport a floating IP stands for: asked by the rules, the compiler and `show` alike."""

from __future__ import annotations

from data.addresses import address
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import FloatingIp

__all__ = ["inside_of"]


def inside_of(path: Path, floating: FloatingIp, vport: Vport) -> str | None:
    """The one that the floating IP at `path` names, else the vport's first of the same family; None without any."""
    if floating.address:
        return floating.address if floating.address in vport.address else None
    version = address(path[-1]).version
    return next((text for text in vport.address if address(text).version == version), None)

"""Which qos a vport has: the one that it names itself, else that of its subnet, else that of its domain.

The compiler (`controller/compile/services/qos.py`) and `show` ask here, of what acts: a template's default is then the
domain's.
"""

from __future__ import annotations

from typing import NamedTuple

from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Domain, L2Domain, Subnet, Vport
from data.schema.services import Qos

__all__ = ["Effective", "effective"]


class Effective(NamedTuple):
    """A qos that applies: its path, what it says, and who names it: `vport`, `subnet` or `domain`."""

    path: Path
    qos: Qos
    source: str


def effective(view: Configuration, path: Path, vport: Vport) -> Effective | None:
    """The qos of the vport at `path`; None when nobody names one."""
    name, source = vport.qos, "vport"
    if not name and vport.subnet:
        where = view.resolve(path, "subnet", vport.subnet)
        subnet = None if where is None else view.get(where)
        name, source = (subnet.qos if isinstance(subnet, Subnet) else None), "subnet"
    if not name:
        domain = view.get(path[:4])
        name, source = (domain.default_qos if isinstance(domain, Domain | L2Domain) else None), "domain"
    if not name:
        return None
    found = (*path[:4], "qos", name)
    qos = view.get(found)
    return Effective(found, qos, source) if isinstance(qos, Qos) else None

"""Which routes `show bgp` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from controller.bgp.rib.policy import prefix_of
from controller.bgp.routes import Family, MacIp, Nlri, family_of
from data.addresses import Prefix
from data.path import Path

__all__ = ["ALL", "Chosen"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Each that is said must hold: of a family, inside a prefix (the routes of machines by their address), of a MAC
    address, taken by a domain or a segment of it."""

    family: Family | None = None
    prefix: Prefix | None = None
    mac: bytes | None = None
    domain: Path | None = None

    def names(self, nlri: Nlri) -> bool:
        """Whether an NLRI is what is asked for; `domain` is not looked at, which attributes say."""
        if self.family is not None and family_of(nlri) is not self.family:
            return False
        if self.mac is not None and not (isinstance(nlri, MacIp) and nlri.mac == self.mac):
            return False
        if self.prefix is None:
            return True
        its = prefix_of(nlri)
        return its is not None and self.prefix.holds(its)


ALL = Chosen()

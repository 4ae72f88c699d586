"""What the hypervisors tell of a segment beside its machines: that they take its floods, and its gateways.

    segment × hypervisor with a vport of it        ──> type 3
    segment × hypervisor that answers for gateways ──> type 2, with the default gateway community

Both are made of who is there, and compared with what was told before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.bgp.rib.announcing import flood_route, gateway_routes
from controller.bgp.rib.desired import Desired
from controller.bgp.rib.settings import SegmentWan
from controller.bgp.routes import Family, Route
from controller.compile.state import State
from controller.compile.wan.facts import gateways_at
from data.path import Path

__all__ = ["MadeWith", "Segments"]

_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What all routes of ours are made with; `router` is the MAC address of the gateways."""

    autonomous_system: int = 0
    families: frozenset[Family] = frozenset()
    router: bytes = b""


@dataclass(slots=True)
class Segments:
    """Of one domain: by segment the hypervisors whose routes are in `desired`."""

    _floods: dict[Path, frozenset[str]] = field(default_factory=dict)
    _gateways: dict[Path, frozenset[str]] = field(default_factory=dict)

    @property
    def flooding(self) -> set[Path]:
        """Segments whose floods somebody takes."""
        return {*self._floods}

    @property
    def entered(self) -> set[Path]:
        """Segments whose gateways somebody tells."""
        return {*self._gateways}

    def floods(
        self, desired: Desired, state: State, segment: Path, wan: SegmentWan | None, using: MadeWith, again: bool
    ) -> None:
        """Brings type 3 up to date; `again`: also of hypervisors that told it before. `wan` None: not in the WAN."""
        told = wan if wan is not None and wan.joined and Family.EVPN in using.families else None
        hosts = _NOBODY if told is None else frozenset(state.members_of(segment))

        def routes(dvrs: str) -> tuple[Route, ...]:
            return () if told is None else (flood_route(told, state.tunnel_address(dvrs)),)

        _tell(desired, "flood", self._floods, segment, hosts, again, routes)

    def gateways(
        self, desired: Desired, state: State, segment: Path, wan: SegmentWan | None, using: MadeWith, again: bool
    ) -> None:
        """As `floods`, type 2 of the gateways."""
        told = wan if wan is not None and wan.joined and wan.gateways and Family.EVPN in using.families else None
        hosts = _NOBODY if told is None else frozenset(gateways_at(state, segment))

        def routes(dvrs: str) -> tuple[Route, ...]:
            return () if told is None else gateway_routes(told, state.tunnel_address(dvrs), using.router)

        _tell(desired, "gateways", self._gateways, segment, hosts, again, routes)


def _tell(
    desired: Desired, kind: str, held: dict[Path, frozenset[str]], segment: Path, hosts: frozenset[str], again: bool,
    routes: Callable[[str], tuple[Route, ...]],
) -> None:  # fmt: skip
    before = held.get(segment, _NOBODY)
    for dvrs in hosts | before if again else hosts ^ before:
        desired.put((kind, segment, dvrs), routes(dvrs) if dvrs in hosts else ())
    if hosts:
        held[segment] = hosts
    else:
        held.pop(segment, None)

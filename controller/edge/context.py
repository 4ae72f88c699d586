"""What every edge service is made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.hypervisors.punted import Punted
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network

__all__ = ["EdgeContext", "EdgeService"]


@dataclass(frozen=True, slots=True)
class EdgeContext:
    """The network, who is told of what was observed, where packets come from, and seconds since the epoch."""

    network: Network
    upkeep: Upkeep
    punted: Punted
    clock: Callable[[], float]


class EdgeService(Protocol):
    """A service with something to do of its own accord."""

    async def run(self) -> None:
        """Works until it is cancelled."""

"""All edge services of one controller, started and stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller.edge.balancing import Balancing
from controller.edge.beyond import Beyond
from controller.edge.claims import Claims
from controller.edge.context import EdgeContext, EdgeService
from controller.edge.dhcp import Dhcp
from controller.edge.gleaning import Gleaning
from controller.edge.health import Health
from controller.edge.learning import Learning
from controller.edge.names import Names
from controller.edge.routers import Routers
from controller.hypervisors.punted import Punted
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network
from controller.pipeline import Feature
from controller.policylog import PolicyLog

__all__ = ["Edge"]


class Edge:
    """See the package."""

    def __init__(self, network: Network, upkeep: Upkeep, clock: Callable[[], float] = time.time) -> None:
        self.punted = Punted(network)
        self._upkeep = upkeep
        self.log = PolicyLog(network)
        self.punted.serve(Feature.RULE, lambda punt: self.log.packet(punt.dvrs, punt.packet.cookie, punt.frame))
        context = EdgeContext(network, upkeep, self.punted, clock)
        self.health = Health(context)
        self.dhcp = Dhcp(context)
        self.routers = Routers(context)
        self.names = Names(context)
        self.learning = Learning(context)
        self.beyond = Beyond(context)
        self.claims = Claims(context)
        self.balancing = Balancing(context)
        self._running: tuple[EdgeService, ...] = (
            self.health,
            self.routers,
            self.learning,
            Gleaning(context),
            self.beyond,
            self.claims,
        )

    def start(self) -> None:
        """Begins what services do of their own accord; `Upkeep.stop` ends it."""
        for service in self._running:
            self._upkeep.spawn(service.run(), type(service).__name__.lower(), lasting=True)

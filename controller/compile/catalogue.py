"""The edge services that a domain can have, and what it has in the WAN: the `FEATURE` of each file.

`features.py` says what one is.
"""

from __future__ import annotations

from controller.compile.features import Feature
from controller.compile.services import (
    balancing,
    bridging,
    exporting,
    floating,
    forwarding,
    mirror,
    punts,
    qos,
    routes,
    shared,
    source_nat,
    virtual_ip,
)
from controller.compile.services.probed import probed
from controller.compile.wan import entrance, gateways, machines
from controller.compile.wan import routes as remote_routes

__all__ = ["FEATURES", "SERVICES"]

SERVICES: tuple[Feature, ...] = (
    punts.FEATURE,
    bridging.FEATURE,
    floating.FEATURE,
    source_nat.FEATURE,
    shared.FEATURE,
    routes.FEATURE,
    forwarding.FEATURE,
    balancing.FEATURE,
    virtual_ip.FEATURE,
    qos.FEATURE,
    mirror.FEATURE,
    exporting.FEATURE,
    machines.FEATURE,
    remote_routes.FEATURE,
    entrance.FEATURE,
    gateways.FEATURE,
)
FEATURES: tuple[Feature, ...] = (*SERVICES, probed(SERVICES))

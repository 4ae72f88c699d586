"""The edge services that a domain can have: the `FEATURE` of each file (`features.py` says what one is)."""

from __future__ import annotations

from controller.compile.features import Feature
from controller.compile.services import (
    balancing,
    bridging,
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
)
FEATURES: tuple[Feature, ...] = (*SERVICES, probed(SERVICES))

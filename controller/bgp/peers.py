"""From the configuration to the neighbours that the speaker is given. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Peer
from data.addresses import address
from data.configuration import Configuration
from data.schema.objects import Controller
from data.schema.wan import Bgp, Neighbor

__all__ = ["FOLLOWED", "listened", "peers", "waited_for_at"]

FOLLOWED = frozenset({"bgp", "bgp-neighbor", "controller", "dvrs"})
"""Top keywords of the configuration that sessions and policies are made of."""


def peers(view: Configuration) -> list[Peer]:
    """The neighbours of the acting configuration; none without a number of our own. Those that lack something that is
    mandatory are left out: what it depends on is deactivated."""
    return sorted(_peers(view), key=lambda peer: peer.name)


def _peers(view: Configuration) -> Iterator[Peer]:
    settings, controller = view.settings(Bgp), view.settings(Controller)
    if settings.autonomous_system is None:
        return
    for path, one in view.objects(Neighbor):
        local = one.local_address or controller.listen_address
        if not one.address or not one.autonomous_system or address(local).version != address(one.address).version:
            continue
        router_id = settings.router_id or (local if address(local).version == 4 else None)
        if router_id is None:
            continue
        underlay = one.role == "underlay"
        yield Peer(
            name=path[-1],
            address=one.address,
            local_address=local,
            local_as=settings.autonomous_system,
            peer_as=one.autonomous_system,
            router_id=router_id,
            families=tuple(map(Family, one.families)),
            port=one.port,
            passive=one.passive,
            hold_time=one.hold_time or settings.hold_time,
            restart_time=settings.restart_time,
            multihop=one.multihop,
            ttl_security=one.ttl_security,
            password=one.password,
            listens_only=underlay,
        )


def waited_for_at(some: list[Peer]) -> list[str]:
    """The addresses of ours where neighbours are waited for: no port is open for those that we dial."""
    return sorted({peer.local_address for peer in some if peer.passive})


def listened(view: Configuration) -> int:
    """The TCP port on which they are waited for."""
    return view.settings(Bgp).port

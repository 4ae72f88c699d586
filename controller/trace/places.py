"""Where a packet that leaves our hypervisors goes to, in words: which PE, VTEP or other site."""

from __future__ import annotations

from controller.trace.machine import End, What
from controller.trace.scene import Scene
from data.addresses import Ip, address
from data.schema.wan import Neighbor

__all__ = ["endpoint_of", "endpoint_words", "named"]


def endpoint_of(end: End) -> Ip:
    """The tunnel's other end."""
    six = end.packet.get("tun_ipv6_dst", 0)
    return Ip(6, six) if six else Ip(4, end.packet.get("tun_ipv4_dst", 0))


def named(scene: Scene, endpoint: Ip) -> str | None:
    """The BGP neighbor that has an endpoint as its address."""
    for path, body in scene.state.view.objects(Neighbor):
        if body.address is not None and address(body.address) == endpoint:
            return path[-1]
    return None


def endpoint_words(scene: Scene, end: End) -> str:
    """'PE pe1 (192.0.2.1), MPLS label 300' or 'VTEP 172.31.0.9, VXLAN vni 900'."""
    endpoint = endpoint_of(end)
    name = named(scene, endpoint) if scene.underlay else None
    where = f" {name} ({endpoint})" if name else f" {endpoint}" if scene.underlay else ""
    if end.what is What.MPLS:
        label = f", MPLS label {end.packet.get('mpls_label', 0)}" if scene.underlay else ""
        return f"PE{where}{label}" if where else "a PE"
    number = f", VXLAN vni {end.packet.get('tunnel_id', 0)}" if scene.underlay else ""
    return f"{'VTEP' if name is None else 'neighbor'}{where}{number}" if where else "a place outside"

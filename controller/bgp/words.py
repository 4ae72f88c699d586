"""Routes as `commit check` names them: one line each.

+ type 2 mac 02:00:0a:01:01:0b 10.1.1.11   vni 10100   by 172.31.0.1
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.bgp.rib.views import kind, label, what
from controller.bgp.routes import Family, Route

__all__ = ["route_text", "told_lines"]


def route_text(route: Route) -> str:
    """One route in words."""
    number, noun = label(route), "vni" if route.family is Family.EVPN else "label"
    parts = [f"{kind(route.nlri)} {what(route.nlri)}", f"{noun} {number}" if number else ""]
    return "   ".join(part for part in (*parts, f"by {route.attributes.next_hop}") if part)


def told_lines(announced: Sequence[Route], withdrawn: Sequence[Route], most: int) -> list[str]:
    """What a neighbour is told and what is taken back; `most` of them, and how many there are more."""
    texts = sorted(f"- {route_text(route)}" for route in withdrawn) + sorted(
        f"+ {route_text(route)}" for route in announced
    )
    left = len(texts) - most
    return texts[:most] + ([f"  and {left} more"] if left > 0 else [])

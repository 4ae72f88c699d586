"""Which of several ways to one destination is taken (RFC 4271 section 9.1.2.2, RFC 7432 section 15), and why.

The steps are data: each throws out of the ways that are left those that are worse, so the result does not depend on the
order in which they came (comparing two at a time does, because of the MED: RFC 4271 section 9.1.2.2 c). What is left
after the cost of the way to the next hop is equally good and shares the flows; the rest decides which is shown first.
Stale routes are as good as others (RFC 4724 section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.bgp.rib.settings import Underlay
from controller.bgp.rib.table import Heard
from controller.bgp.routes import LOCAL_PREFERENCE, MacIp, Unicast

__all__ = ["STEPS", "UNREACHABLE", "Step", "choose", "explain", "mobility"]

UNREACHABLE = "its next hop is not reachable"
_FAR = 1 << 62

Eliminate = Callable[[Sequence[Heard], Underlay], Sequence[Heard]]


@dataclass(frozen=True, slots=True)
class Step:
    """`lost` is why a way is out after it; `equal`: ways that survive it are taken together; `of_macs`: it is asked of
    MAC addresses alone."""

    lost: str
    keep: Eliminate
    equal: bool = False
    of_macs: bool = False


def _lowest(rank: Callable[[Heard, Underlay], Any]) -> Eliminate:
    def keep(left: Sequence[Heard], underlay: Underlay) -> Sequence[Heard]:
        ranks = [rank(one, underlay) for one in left]
        least = min(ranks)
        return [one for one, its in zip(left, ranks, strict=True) if its == least]

    return keep


def mobility(heard: Heard) -> tuple[int, bool]:
    """Sequence number and whether it is static; without the community 0 (RFC 7432 section 15)."""
    return heard.route.attributes.mobility or (0, False)


def _preference(heard: Heard) -> int:
    """Of eBGP routes nobody else's counts (RFC 4271 section 5.1.5)."""
    said = heard.route.attributes.local_preference if heard.source.internal else None
    return LOCAL_PREFERENCE if said is None else said


def _lowest_med(left: Sequence[Heard], underlay: Underlay) -> Sequence[Heard]:
    least: dict[int, int] = {}
    for one in left:
        group, its = _neighbour_as(one), one.route.attributes.med or 0
        least[group] = min(its, least.get(group, its))
    return [one for one in left if (one.route.attributes.med or 0) == least[_neighbour_as(one)]]


def _neighbour_as(heard: Heard) -> int:
    """The AS that gave it into ours; 0 is our own."""
    path = heard.route.attributes.as_path
    return path[0] if path else 0


def _cost(heard: Heard, underlay: Underlay) -> int:
    if isinstance(heard.route.nlri, Unicast):
        return 0  # a route of the underlay itself
    cost = underlay.cost(heard.route.attributes.next_hop)
    return _FAR if cost is None else cost


STEPS: tuple[Step, ...] = (
    Step("not static, another is", _lowest(lambda one, _: not mobility(one)[1]), of_macs=True),
    Step("lower MAC mobility sequence", _lowest(lambda one, _: -mobility(one)[0]), of_macs=True),
    Step("higher next hop of the same MAC mobility sequence",
         _lowest(lambda one, _: one.route.attributes.next_hop), of_macs=True),
    Step("lower local preference", _lowest(lambda one, _: -_preference(one))),
    Step("longer AS path", _lowest(lambda one, _: one.route.attributes.as_path_length)),
    Step("worse origin", _lowest(lambda one, _: one.route.attributes.origin)),
    Step("higher MED", _lowest_med),
    Step("iBGP, another is eBGP", _lowest(lambda one, _: one.source.internal)),
    Step("costlier way to its next hop", _lowest(_cost), equal=True),
    Step("higher router id", _lowest(lambda one, _: one.route.attributes.originator_id or one.source.router_id)),
    Step("longer cluster list", _lowest(lambda one, _: len(one.route.attributes.cluster_list))),
    Step("higher neighbour address", _lowest(lambda one, _: one.source.address)),
    Step("higher route distinguisher", _lowest(lambda one, _: one.distinguisher)),
)  # fmt: skip
"""In their order. The last one tells routes apart that several owners' distinguishers keep apart."""


def _usable(heard: Heard, underlay: Underlay) -> bool:
    """A next hop of the underlay's own routes is a router beside the neighbour: nobody can say more of it."""
    return isinstance(heard.route.nlri, Unicast) or underlay.usable(heard.route.attributes.next_hop)


def choose(ways: Iterable[Heard], underlay: Underlay) -> tuple[Heard, ...]:
    """The best way, and behind it those that are equally good and have other next hops; () when none is usable."""
    left: Sequence[Heard] = [one for one in ways if _usable(one, underlay)]
    if len(left) < 2:
        return tuple(left)
    of_macs = all(isinstance(one.route.nlri, MacIp) for one in left)
    equal: Sequence[Heard] = ()
    for step in STEPS:
        if step.of_macs and not of_macs:
            continue
        left = step.keep(left, underlay)
        if step.equal:
            equal = left
        if len(left) == 1:
            break
    best = left[0] if len(left) == 1 else min(left, key=_place)
    if of_macs or len(equal) < 2:
        return (best,)
    others = {one.route.attributes.next_hop: one for one in sorted(equal, key=_place, reverse=True)}
    others.pop(best.route.attributes.next_hop, None)
    return (best, *sorted(others.values(), key=_place))


def _place(heard: Heard) -> tuple[Any, ...]:
    """Any order will do, if only it is one."""
    return heard.route.attributes.next_hop, heard.source.name, heard.distinguisher, str(heard.route)


def explain(ways: Sequence[Heard], underlay: Underlay) -> dict[int, str]:
    """id of each way -> "best", "equally good", or why it lost."""
    left: Sequence[Heard] = [one for one in ways if _usable(one, underlay)]
    found = {id(one): UNREACHABLE for one in ways}
    of_macs = all(isinstance(one.route.nlri, MacIp) for one in left)
    taken = {id(one) for one in choose(ways, underlay)}
    for step in STEPS:
        if len(left) > 1 and (of_macs or not step.of_macs):
            kept = step.keep(left, underlay)
            still = set(map(id, kept))
            found.update((id(one), f"lost: {step.lost}") for one in left if id(one) not in still)
            left = kept
    found.update((identity, "equally good") for identity in taken)
    if left:
        found[id(min(left, key=_place))] = "best"
    return found

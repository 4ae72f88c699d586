"""Which numbers an object has, for its flows and for BGP, and which it gives back.

    object   everything that flows are made of
    vni      subnets, l2-domains and mirrors: the one that the configuration fixes, or the next; domains in the WAN
    label    domains in the WAN: one for each IP version, by "UUID VERSION"
    wan      what is in the WAN: for its route distinguisher
    trunk    vports behind an uplink by VLAN

A plan gives them in a fork (`controller/numbers.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.numbers import Numbers
from controller.pipeline import TRUNK_SLOTS
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Domain, Entry, L2Domain, Object, Subnet, Vport
from data.schema.seen import FlowExport
from data.schema.services import (
    FloatingIp,
    LoadBalancer,
    Mirror,
    Redirect,
    RedirectionTarget,
    SourceNat,
    StaticRoute,
    VirtualIp,
)
from data.steps import Steps

__all__ = ["fixed_vni", "in_wan", "number_edits", "number_objects"]

_NUMBERED = (Domain, L2Domain, Subnet, Vport, Entry, Redirect, StaticRoute, VirtualIp, FloatingIp, SourceNat,
             LoadBalancer, RedirectionTarget, Mirror, FlowExport)  # fmt: skip
TRUNK_LIMIT = 0x7FFF - TRUNK_SLOTS
WAN_LIMIT = 0xFFFF
_SEGMENTS = (Subnet, L2Domain, Mirror)


def in_wan(body: Object) -> bool:
    """Whether a domain, subnet or l2-domain is told to BGP, and takes routes from it."""
    if isinstance(body, Domain):
        return bool(body.imports or body.exports)
    return isinstance(body, Subnet | L2Domain) and (bool(body.route_target) or body.vni is not None)


def fixed_vni(body: Object | None) -> int | None:
    """The VNI that the configuration fixes."""
    return body.vni if isinstance(body, Subnet | L2Domain) else None


def number_objects(numbers: Numbers, body: Object) -> None:
    """Give an object the numbers its flows will carry.

    Raises CommandFailed when a pool is used up, or another object has the VNI that this one shall have.
    """
    if isinstance(body, _NUMBERED):
        numbers.get("object", body.uuid)
        fixed = fixed_vni(body)
        if fixed is not None and numbers.find("vni", body.uuid) != fixed:
            numbers.reserve("vni", body.uuid, fixed)
        if in_wan(body):
            numbers.get("wan", body.uuid, WAN_LIMIT)
            if isinstance(body, Domain):
                numbers.get("vni", body.uuid)
                for version in (4, 6):
                    numbers.get("label", f"{body.uuid} {version}")
        if isinstance(body, _SEGMENTS):
            numbers.get("vni", body.uuid)
        elif isinstance(body, Vport) and body.vlan is not None:
            numbers.get("trunk", body.uuid, TRUNK_LIMIT)


def _free(numbers: Numbers, before: Object, body: Object | None) -> None:
    """Take back the numbers that an object has no more; `body` is what it is now, wherever, None when it is gone."""
    if isinstance(before, Vport) and before.vlan is not None and body is None:
        numbers.free("trunk", before.uuid)
    fixed = fixed_vni(before)
    if fixed is not None and (body is None or fixed_vni(body) not in (None, fixed)):
        numbers.free("vni", before.uuid)
    if body is None and isinstance(before, Domain | Subnet | L2Domain):
        numbers.free("wan", before.uuid)


def number_edits(
    numbers: Numbers, edits: Mapping[Path, Object | None], old: Configuration, new: Configuration
) -> Steps[None]:
    """What edits change of all this. Raises as `number_objects`."""
    for path in edits:
        before = old.get(path)
        if before is not None:
            where = new.by_uuid(before.uuid)
            _free(numbers, before, None if where is None else new.get(where))
    for fixed in (True, False):  # those first that have no choice
        for body in edits.values():
            if body is not None and (fixed_vni(body) is not None) == fixed:
                number_objects(numbers, body)
                yield

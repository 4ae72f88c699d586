"""What a vport is attached to: type, uplink and VLAN go together, and it has the leaves that its domain asks for."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.nodes import node_of
from data.schema.objects import Vport

BEHIND_UPLINKS = ("host", "bridge")


@rule(Vport)
def leaves_that_a_vport_needs(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    node = node_of(path)
    needed: list[tuple[str, object]] = []
    if path[-4] == "domain":
        needed.append(("subnet", vport.subnet))
    if vport.type != "bridge":
        needed.append(("mac", vport.mac))
        if path[-4] == "domain":
            needed.append(("address", vport.address))
    for keyword, value in needed:
        if not value:
            words = path_text((*path, keyword))
            yield problem(path, keyword, f"{keyword} is missing", f"set {words} {node.leaves[keyword].type.hint}")


@rule(Vport)
def uplinks_are_for_hosts_and_bridges(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    """A host may also be at an interface that carries its iface-id, as machines are."""
    here = path_text(path)
    if vport.type == "bridge" and not vport.uplink:
        cause = "a bridge vport is behind an uplink, and none is set"
        yield problem(path, "uplink", cause, f"set {here} uplink <name>, the name of the physical port")
    if vport.uplink and vport.type not in BEHIND_UPLINKS:
        cause = f"a {vport.type} vport has no uplink"
        yield problem(path, "uplink", cause, f"set {here} type host or type bridge, or delete uplink")
    if vport.vlan is not None and not vport.uplink:
        yield problem(
            path, "vlan", "vlan is that on an uplink, and none is set", f"set {here} uplink <name>, or delete vlan"
        )
    if node_of(path).fields["mac_limit"].is_set(vport.mac_limit) and vport.type != "bridge":
        cause = f"behind a {vport.type} vport no MAC addresses are learned"
        yield problem(path, "mac-limit", cause, f"set {here} type bridge, or delete mac-limit")


@rule(Vport)
def a_vlan_of_an_uplink_is_one_vport(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    if not vport.uplink:
        return
    vlan = "untagged" if vport.vlan is None else f"vlan {vport.vlan}"
    for other in _others(check, path, "uplink+vlan", (), (vport.uplink, vport.vlan)):
        same = path[1] == other[1]
        said = path_text(other) if same else "a vport of another enterprise"
        cause = f"uplink {vport.uplink} {vlan} is already that of {said}"
        yield problem(path, "vlan", cause, "choose another vlan or uplink")
        return
    scope = node_of(path).scope(path, "domain")
    for other in _others(check, path, "uplink+subnet", scope, (vport.uplink, vport.subnet)):
        segment = f"subnet {vport.subnet}" if vport.subnet else path_text(scope[-2:])
        cause = f"{segment} is already on uplink {vport.uplink}, by vport {other[-1]}: frames could go round in a loop"
        yield problem(path, "uplink", cause, "choose another uplink, or another subnet")
        return


def _others(check: Check, path: Path, name: str, scope: Path, value: object) -> list[Path]:
    holders = check.view.holders("vport", name, scope, value)
    return [one for one in holders if one != path and not check.said_there(path, one)]

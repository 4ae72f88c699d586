"""Routes as zebra and bgpd have them, in NAPALM's model. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

ASKED_LIMIT = 64  # BGP prefixes of one answer that are asked about one by one, 20 ms each

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


def age(uptime: str) -> int:
    """Seconds of FRR's 00:00:07, 1d02h03m, 01w2d03h or 02y14w3d."""
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)", uptime)
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([ywdhms])", uptime))


def routes(
    found: Mapping[str, Any], paths: Mapping[str, Sequence[Mapping[str, Any]]], local_as: int
) -> dict[str, list[dict[str, Any]]]:
    """`show ip route … json`, with the paths of `show bgp … json` by prefix: one entry per next hop."""
    by_prefix: dict[str, list[dict[str, Any]]] = {}
    for prefix, entries in found.items():
        rows = by_prefix.setdefault(prefix, [])
        for entry in entries:
            active = bool(entry.get("selected", False))
            for hop in entry.get("nexthops", ()):
                address = str(hop.get("ip", ""))
                rows.append(
                    {
                        "protocol": entry["protocol"],
                        "current_active": active,
                        "last_active": active,
                        "age": age(entry.get("uptime", "")),
                        "next_hop": address,
                        "outgoing_interface": hop.get("interfaceName", "Null0" if hop.get("blackhole") else ""),
                        "selected_next_hop": bool(hop.get("fib", False)),
                        "preference": int(entry.get("distance", 0)),
                        "inactive_reason": "" if active else "not selected",
                        "routing_table": entry.get("vrfName", "default"),
                        "protocol_attributes": _attributes(entry, address, paths.get(prefix, ()), local_as),
                    }
                )
    return by_prefix


def _attributes(
    entry: Mapping[str, Any], address: str, paths: Sequence[Mapping[str, Any]], local_as: int
) -> dict[str, Any]:
    if entry["protocol"] != "bgp":
        return {}
    path = next((one for one in paths if address in [hop.get("ip") for hop in one.get("nexthops", ())]), None)
    if path is None:
        return {}
    segments = path.get("aspath", {}).get("segments", ())
    first = segments[0]["list"][0] if segments and segments[0].get("list") else local_as
    return {
        "local_as": local_as,
        "remote_as": int(first),
        "peer_id": path.get("peer", {}).get("peerId", ""),
        "as_path": path.get("aspath", {}).get("string", ""),
        "communities": list(path.get("community", {}).get("list", ())),
        "local_preference": int(path.get("locPrf", 100)),
        "preference2": -1 - int(path.get("locPrf", 100)),
        "metric": int(path.get("metric", 0)),
        "metric2": -1,
    }


def local_as_of(neighbors: Mapping[str, Any], vrf: str) -> int:
    """The AS number that a VRF's bgpd instance shows its neighbours, from `show bgp vrf all neighbors json`."""
    content = neighbors.get(vrf, {})
    return next((int(one["localAs"]) for one in content.values() if isinstance(one, dict) and "localAs" in one), 0)

"""Facts, interfaces, neighbours on the wire and network instances, as NAPALM's models want them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import netaddr  # type: ignore[import-untyped]

UNKNOWN = -1.0  # what NAPALM's models say of a time or a speed that nobody knows
ZEBRA_TIME = "%Y/%m/%d %H:%M:%S"  # of `show interface json`, in the router's local time
UNKNOWN_SPEED = 0xFFFF_FFFF  # Mbit/s, of zebra for an interface that has none


def facts(version: str, uptime: str, names: str, hardware: str, interfaces: Mapping[str, Any]) -> dict[str, Any]:
    """`show version`, /proc/uptime, `hostname` and `hostname -f`, DMI's product and serial number."""
    number = re.search(r"FRRouting (\S+)", version)
    hostname, _, fqdn = names.strip().partition("\n")
    product, _, serial = hardware.partition("\n")
    return {
        "uptime": float(uptime.split()[0]) if uptime.split() else UNKNOWN,
        "vendor": "FRRouting",
        "os_version": number[1] if number else "",
        "serial_number": serial.strip(),
        "model": product.strip() or "FRR",
        "hostname": hostname.strip(),
        "fqdn": fqdn.strip() or hostname.strip(),
        "interface_list": sorted(interfaces),
    }


def interfaces(found: Mapping[str, Any], now: str) -> dict[str, Any]:
    """`show interface vrf all json` and the router's clock in zebra's format."""
    return {
        name: {
            "is_up": one.get("operationalStatus") == "up",
            "is_enabled": one.get("administrativeStatus") == "up",
            "description": one.get("description", ""),
            "last_flapped": _flapped(one, now),
            "mtu": int(one.get("mtu", 0)),
            "speed": _speed(int(one.get("speed", 0))),
            "mac_address": one.get("hardwareAddress", "").upper(),
        }
        for name, one in found.items()
    }


def _flapped(interface: Mapping[str, Any], now: str) -> float:
    """Seconds since the interface last went up or down."""
    times = [interface[key] for key in ("lastLinkUp", "lastLinkDown") if key in interface]
    if not times:
        return UNKNOWN
    latest = max(datetime.strptime(one.partition(".")[0], ZEBRA_TIME) for one in times)
    return max(0.0, (datetime.strptime(now.strip(), ZEBRA_TIME) - latest).total_seconds())


def _speed(speed: int) -> float:
    return float(speed) if 0 < speed < UNKNOWN_SPEED else UNKNOWN


def addresses(found: Mapping[str, Any]) -> dict[str, Any]:
    """`show interface vrf all json`: interfaces that have addresses, by family."""
    by_interface: dict[str, Any] = {}
    for name, one in found.items():
        for entry in one.get("ipAddresses", ()):
            prefix = netaddr.IPNetwork(entry["address"])
            family = by_interface.setdefault(name, {}).setdefault(f"ipv{prefix.version}", {})
            family[str(prefix.ip)] = {"prefix_length": prefix.prefixlen}
    return by_interface


def counters(links: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`ip -json -statistics link show`; Linux counts multicast only as received, and broadcast not at all."""
    by_interface = {}
    for link in links:
        received, sent = link["stats64"]["rx"], link["stats64"]["tx"]
        multicast = int(received.get("multicast", 0))
        by_interface[link["ifname"]] = {
            "tx_errors": int(sent["errors"]),
            "rx_errors": int(received["errors"]),
            "tx_discards": int(sent["dropped"]),
            "rx_discards": int(received["dropped"]),
            "tx_octets": int(sent["bytes"]),
            "rx_octets": int(received["bytes"]),
            "tx_unicast_packets": int(sent["packets"]),
            "rx_unicast_packets": int(received["packets"]) - multicast,
            "tx_multicast_packets": -1,
            "rx_multicast_packets": multicast,
            "tx_broadcast_packets": -1,
            "rx_broadcast_packets": -1,
        }
    return by_interface


def neighbours(entries: Iterable[Mapping[str, Any]], *, states: bool) -> list[dict[str, Any]]:
    """`ip -json -statistics neighbor show` of one family, with their state if asked; the failed ones left out."""
    table = []
    for entry in entries:
        if "lladdr" not in entry:
            continue
        row = {
            "interface": entry["dev"],
            "mac": entry["lladdr"].upper(),
            "ip": entry["dst"],
            "age": float(entry.get("updated", UNKNOWN)),
        }
        table.append({**row, "state": ",".join(entry.get("state", ()))} if states else row)
    return table


def mac_addresses(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`bridge -json fdb show`: what bridges and VXLAN interfaces know, FRR's own entries among them."""
    return [
        {
            "mac": entry["mac"].upper(),
            "interface": entry["ifname"],
            "vlan": int(entry.get("vlan", 0)),
            "static": entry.get("state") in ("permanent", "static"),
            "active": entry.get("state") != "stale",
            "moves": -1,
            "last_move": UNKNOWN,
        }
        for entry in entries
        if "ifname" in entry
    ]


def network_instances(
    vrfs: Iterable[str], distinguishers: Mapping[str, str], found: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Each VRF and the default one, with its route distinguisher and its interfaces."""
    instances: dict[str, dict[str, Any]] = {}
    for vrf in ("default", *vrfs):
        members = [name for name, one in found.items() if one.get("vrfName", "default") == vrf]
        instances[vrf] = {
            "name": vrf,
            "type": "DEFAULT_INSTANCE" if vrf == "default" else "L3VRF",
            "state": {"route_distinguisher": distinguishers.get(vrf, "")},
            "interfaces": {"interface": {name: {} for name in sorted(members)}},
        }
    return instances


def vrf_names(text: str) -> list[str]:
    """`show vrf`: lines that begin `vrf NAME`."""
    return re.findall(r"^vrf (\S+)", text, re.MULTILINE)


def vrf_namespaces(text: str) -> list[str]:
    """The same of VRFs that are network namespaces: lines `vrf NAME id N netns PATH`."""
    return re.findall(r"^vrf (\S+) .*netns ", text, re.MULTILINE)

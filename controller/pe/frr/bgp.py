"""BGP neighbours as FRR's JSON has them, and BGP configuration as its text has it, in NAPALM's models. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NO_GROUP = "_"  # NAPALM's name for neighbours of no group
INET = {"ipv4": "inet", "ipv6": "inet6", "l2vpn": "l2vpn"}  # NAPALM's families of a prefix limit
MILLISECONDS = 1000  # FRR gives its timers in thousandths of a second


def _peers(vrf: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The neighbours among the keys of one VRF in `show bgp vrf all neighbors json`."""
    return {name: one for name, one in vrf.items() if isinstance(one, dict) and "bgpState" in one}


def _family(name: str) -> str:
    """FRR's ipv4Unicast as NAPALM's ipv4; families it has no name for keep theirs, in words."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.removesuffix(" unicast")


def neighbors(found: Mapping[str, Any], router_ids: Mapping[str, str]) -> dict[str, Any]:
    """`show bgp vrf all neighbors json`: by VRF, the default one as `global`.

    `received_prefixes` are those kept: FRR does not count what an inbound policy has dropped.
    """
    vrfs = {}
    for vrf, content in found.items():
        peers = {}
        for address, peer in _peers(content).items():
            up = peer["bgpState"] == "Established"
            families = {}
            for family, told in peer.get("addressFamilyInfo", {}).items():
                accepted = int(told.get("acceptedPrefixCounter", 0)) if up else -1
                sent = int(told.get("sentPrefixCounter", 0)) if up else -1
                families[_family(family)] = {
                    "received_prefixes": accepted,
                    "accepted_prefixes": accepted,
                    "sent_prefixes": sent,
                }
            peers[address] = {
                "local_as": int(peer.get("localAs", 0)),
                "remote_as": int(peer.get("remoteAs", 0)),
                "remote_id": peer.get("remoteRouterId", "0.0.0.0"),
                "is_up": up,
                "is_enabled": not peer.get("adminShutDown", False),
                "description": peer.get("nbrDesc", ""),
                "uptime": int(peer.get("bgpTimerUpMsec", 0)) // MILLISECONDS if up else -1,
                "address_family": families,
            }
        name = "global" if vrf == "default" else vrf
        vrfs[name] = {"router_id": router_ids.get(vrf, ""), "peers": peers}
    return vrfs


def neighbors_detail(found: Mapping[str, Any], wanted: str = "") -> dict[str, dict[int, list[dict[str, Any]]]]:
    """The same command: by VRF and remote AS, or of one neighbour only."""
    vrfs: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for vrf, content in found.items():
        for address, peer in _peers(content).items():
            if wanted and address != wanted:
                continue
            name = "global" if vrf == "default" else vrf
            by_as = vrfs.setdefault(name, {}).setdefault(int(peer.get("remoteAs", 0)), [])
            by_as.append(_detail(name, address, peer))
    return vrfs


def _detail(vrf: str, address: str, peer: Mapping[str, Any]) -> dict[str, Any]:
    up = peer["bgpState"] == "Established"
    families = peer.get("addressFamilyInfo", {}).values()
    messages = peer.get("messageStats", {})
    accepted = sum(int(one.get("acceptedPrefixCounter", 0)) for one in families) if up else 0
    local = str(peer.get("hostLocal", ""))
    return {
        "up": up,
        "local_as": int(peer.get("localAs", 0)),
        "remote_as": int(peer.get("remoteAs", 0)),
        "router_id": peer.get("localRouterId", ""),
        "local_address": "" if local == "Unknown" else local,
        "routing_table": vrf,
        "local_address_configured": "updateSource" in peer,
        "local_port": int(peer.get("portLocal", -1)),
        "remote_address": address,
        "remote_port": int(peer.get("portForeign", -1)),
        "multihop": int(peer.get("externalBgpNbrMaxHopsAway", 1)) > 1,
        "multipath": any(one.get("addpathTxAllPaths", False) for one in families),
        "remove_private_as": any(one.get("privateAsNumsRemovedInUpdatesToNbr", False) for one in families),
        "import_policy": _first(families, "routeMapForIncomingAdvertisements"),
        "export_policy": _first(families, "routeMapForOutgoingAdvertisements"),
        "input_messages": int(messages.get("totalRecv", 0)),
        "output_messages": int(messages.get("totalSent", 0)),
        "input_updates": int(messages.get("updatesRecv", 0)),
        "output_updates": int(messages.get("updatesSent", 0)),
        "messages_queued_out": int(messages.get("depthOutq", 0)),
        "connection_state": peer["bgpState"],
        "previous_connection_state": "",
        "last_event": peer.get("lastResetDueTo", ""),
        "suppress_4byte_as": "4byteAs" not in peer.get("neighborCapabilities", {"4byteAs": ""}),
        "local_as_prepend": "localAsNoPrepend" not in peer and "localAsReplaceAs" in peer,
        "holdtime": int(peer.get("bgpTimerHoldTimeMsecs", 0)) // MILLISECONDS,
        "configured_holdtime": int(peer.get("bgpTimerConfiguredHoldTimeMsecs", 0)) // MILLISECONDS,
        "keepalive": int(peer.get("bgpTimerKeepAliveIntervalMsecs", 0)) // MILLISECONDS,
        "configured_keepalive": int(peer.get("bgpTimerConfiguredKeepAliveIntervalMsecs", 0)) // MILLISECONDS,
        "active_prefix_count": accepted,
        "received_prefix_count": accepted,
        "accepted_prefix_count": accepted,
        "suppressed_prefix_count": 0,
        "advertised_prefix_count": sum(int(one.get("sentPrefixCounter", 0)) for one in families) if up else 0,
        "flap_count": int(peer.get("connectionsDropped", 0)),
    }


def _first(families: Iterable[Mapping[str, Any]], key: str) -> str:
    return next((str(one[key]) for one in families if key in one), "")


@dataclass(slots=True)
class _Settings:
    """The `neighbor NAME …` lines of one neighbour or peer-group, by what follows the name."""

    lines: dict[str, str] = field(default_factory=dict)  # first word -> the rest
    limits: dict[str, Any] = field(default_factory=dict)

    def number(self, word: str) -> int:
        value = self.lines.get(word, "").split(" ")[0]
        return int(value) if value.isdecimal() else 0

    def policy(self, direction: str) -> str:
        return self.lines.get(f"route-map {direction}", "")


def configuration(running: str, group: str = "", neighbor: str = "") -> dict[str, Any]:
    """The default instance's peer-groups with their neighbours; those of no group are in `_`."""
    local_as, named = _read(running)
    groups = {name: one for name, one in named.items() if one.lines.get("peer-group") == ""}
    shown = {name: _group(one, local_as) for name, one in groups.items()}
    for address, one in named.items():
        if address in groups or (neighbor and address != neighbor):
            continue
        place = one.lines.get("peer-group") or NO_GROUP
        of = groups.get(place, _Settings())
        shown.setdefault(place, _group(of, local_as))["neighbors"][address] = _neighbor(one, of, local_as)
    return {
        name: one
        for name, one in shown.items()
        if (not group or name == group) and (not neighbor or neighbor in one["neighbors"])
    }


def _read(running: str) -> tuple[int, dict[str, _Settings]]:
    local_as, family, inside = 0, "ipv4 unicast", False
    named: dict[str, _Settings] = {}
    for line in running.splitlines():
        words = line.split()
        if not line.startswith(" "):
            if words[:2] == ["router", "bgp"]:
                inside, local_as = len(words) == 3, int(words[2]) if len(words) == 3 else local_as
            elif words and words != ["!"]:
                inside = False
        elif inside and words[:1] == ["address-family"]:
            family = " ".join(words[1:])
        elif inside and words[:1] == ["neighbor"] and len(words) > 2:
            _note(named.setdefault(words[1], _Settings()), words[2], words[3:], family)
    return local_as, named


def _note(settings: _Settings, word: str, rest: list[str], family: str) -> None:
    if word == "maximum-prefix" and rest[:1] and rest[0].isdecimal():
        first, _, second = family.partition(" ")
        limit: dict[str, Any] = {"limit": int(rest[0])}
        if rest[1:] and rest[1].isdecimal():
            limit["teardown"] = {"threshold": int(rest[1]), "timeout": _after(rest, "restart")}
        settings.limits.setdefault(INET.get(first, first), {})[second] = limit
    elif word == "route-map" and len(rest) == 2:
        settings.lines.setdefault(f"route-map {rest[1]}", rest[0])
    elif word == "interface" and rest[:1] == ["peer-group"]:
        settings.lines["peer-group"] = " ".join(rest[1:])
    else:
        settings.lines.setdefault(word, " ".join(rest))


def _after(words: list[str], word: str) -> int:
    place = words.index(word) + 1 if word in words else len(words)
    return int(words[place]) if place < len(words) and words[place].isdecimal() else 0


def _type(settings: _Settings, local_as: int) -> str:
    """internal or external; nothing for a group whose members have their own AS numbers."""
    remote = settings.lines.get("remote-as", "")
    if remote.isdecimal():
        return "internal" if int(remote) == local_as else "external"
    return remote


def _group(settings: _Settings, local_as: int) -> dict[str, Any]:
    return {
        "type": _type(settings, local_as),
        "description": settings.lines.get("description", ""),
        "apply_groups": [],
        "multihop_ttl": settings.number("ebgp-multihop"),
        "multipath": False,
        "local_address": settings.lines.get("update-source", ""),
        "local_as": settings.number("local-as"),
        "remote_as": settings.number("remote-as"),
        "import_policy": settings.policy("in"),
        "export_policy": settings.policy("out"),
        "remove_private_as": "remove-private-AS" in settings.lines,
        "prefix_limit": settings.limits,
        "neighbors": {},
    }


def _neighbor(own: _Settings, group: _Settings, local_as: int) -> dict[str, Any]:
    both = _Settings({**group.lines, **own.lines}, own.limits or group.limits)
    return {
        "description": both.lines.get("description", ""),
        "import_policy": both.policy("in"),
        "export_policy": both.policy("out"),
        "local_address": both.lines.get("update-source", ""),
        "authentication_key": both.lines.get("password", ""),
        "nhs": "next-hop-self" in both.lines,
        "route_reflector_client": "route-reflector-client" in both.lines,
        "local_as": both.number("local-as") or local_as,
        "remote_as": both.number("remote-as") or (local_as if _type(both, local_as) == "internal" else 0),
        "prefix_limit": both.limits,
    }


def distinguishers(running: str) -> dict[str, str]:
    """The route distinguisher of each VRF: `rd vpn export RD`, or `rd RD` of EVPN."""
    found: dict[str, str] = {}
    vrf = "default"
    for line in running.splitlines():
        words = line.split()
        if words[:2] == ["router", "bgp"]:
            vrf = words[4] if words[3:4] == ["vrf"] and len(words) > 4 else "default"
        elif line.startswith(" ") and words[:1] == ["rd"]:
            found.setdefault(vrf, words[-1])
    return found

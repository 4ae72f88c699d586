"""The tunnel's way out: the underlay NIC in bridge br-phy, the tunnel address on the bridge itself.

Open vSwitch's userspace datapath routes its own tunnels only when the NIC is a port of a bridge and the
tunnel address sits on that bridge's local port ("native tunnel routing failed" otherwise).  So the NIC's
addresses and routes move to br-phy.  What was moved is written into the switch's database, so that `leave`
puts it back, and so that `restore` sets it again when a restart of vswitchd took br-phy's interface away.
With the userspace datapath the kernel is kept off the NIC (kernel_stack.py).
"""

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from agent import kernel_stack
from agent.host import Ovs, quoted, run
from agent.steps import Step
from data.errors import CommandFailed

BRIDGE = "br-phy"
RECORD = "nshell-uplink"  # external_ids key of the Open_vSwitch row


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the uplink, as recorded: enough to set it again and to undo it."""

    nic: str
    tunnel_address: str  # ADDRESS/LENGTH
    addresses: tuple[str, ...] = ()  # ADDRESS/LENGTH that the NIC had
    routes: tuple[tuple[str, ...], ...] = ()  # words of `ip route`, without the device
    settings: dict[str, str] = {}  # of the NIC, as they were before the kernel was kept off it


@dataclass(frozen=True, slots=True)
class NicFacts:
    """The NIC as found before it moves."""

    mac: str
    addresses: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]


def recorded(ovs: Ovs) -> Uplink | None:
    """The uplink this host was joined with."""
    text = ovs.root()["external_ids"].get(RECORD)
    return msgspec.json.decode(text, type=Uplink) if text else None


def facts_of(nic: str) -> NicFacts:
    """Read an interface's MAC, addresses and routes; CommandFailed when it does not exist.

    Of IPv6 only what somebody set: link-local and advertised addresses and routes come to br-phy by themselves.
    """
    found = [one for one in _ip("address", "show") if one["ifname"] == nic]
    if not found:
        raise CommandFailed(f"interface {nic}", "there is no such interface", "see 'ip link'")
    addresses = tuple(
        f"{one['local']}/{one['prefixlen']}"
        for one in found[0]["addr_info"]
        if one["family"] == "inet" or (one["scope"] == "global" and not one.get("dynamic"))
    )
    routes = tuple(
        _route_words(one)
        for family in ("-4", "-6")
        for one in _ip(family, "route", "show", "dev", nic)
        if one.get("protocol") not in ("kernel", "ra")
    )
    return NicFacts(found[0]["address"], addresses, routes)


def check(ovs: Ovs, nic: str) -> None:
    """Refuse an interface that another bridge owns."""
    for bridge in ovs.bridges():
        if bridge != BRIDGE and nic in ovs.vsctl("list-ports", bridge).split():
            raise CommandFailed(
                f"interface {nic}",
                f"it is a port of bridge {bridge}",
                f"ovs-vsctl del-port {bridge} {nic}, or choose another uplink",
            )
    if BRIDGE in ovs.bridges():
        ports = [port for port in ovs.vsctl("list-ports", BRIDGE).split() if port != nic]
        if ports and recorded(ovs) is None:
            raise CommandFailed(
                BRIDGE,
                f"somebody else made it, with {', '.join(ports)}",
                f"rename that bridge, or add {nic} to it by hand and join without --uplink",
            )


def plan(ovs: Ovs, nic: str, tunnel_address: str, datapath: str) -> list[Step]:
    """The steps that put the NIC into br-phy and the addresses onto it; none when it is so already."""
    tunnel_address = str(ipaddress.ip_interface(tunnel_address))  # as `ip` will show it
    before = recorded(ovs)
    if before is not None and (before.nic, before.tunnel_address) == (nic, tunnel_address):
        return [Step(f"{BRIDGE} holds {tunnel_address} still", lambda: restore(ovs))]
    if before is not None:
        raise CommandFailed(
            "uplink",
            f"this host joined with {before.nic} and {before.tunnel_address}",
            "nshell agent leave, then join again",
        )
    facts = facts_of(nic)
    settings = kernel_stack.read(nic, kernel_stack.MUTE) if datapath == "netdev" else {}
    uplink = Uplink(
        nic=nic, tunnel_address=tunnel_address, addresses=facts.addresses, routes=facts.routes, settings=settings
    )
    text = msgspec.json.encode(uplink).decode()

    def make() -> None:
        # one transaction: the record is there whenever the bridge is
        ovs.vsctl(
            "set",
            "Open_vSwitch",
            ".",
            f"external_ids:{RECORD}={quoted(text)}",
            "--",
            "--may-exist",
            "add-br",
            BRIDGE,
            "--",
            "set",
            "Bridge",
            BRIDGE,
            f"datapath_type={datapath}",
            "fail_mode=standalone",
            f"other_config:hwaddr={quoted(facts.mac)}",
            "--",
            "--may-exist",
            "add-port",
            BRIDGE,
            nic,
        )

    return [
        Step(f"{nic} in {BRIDGE}", make, lambda: _drop_bridge(ovs)),
        Step(
            f"{tunnel_address} on {BRIDGE}",
            lambda: _move_addresses(uplink),
            lambda: _return_addresses(uplink),
        ),
    ]


def restore(ovs: Ovs) -> bool:
    """Set br-phy's addresses and routes again when they are missing; give whether that was needed."""
    uplink = recorded(ovs)
    if uplink is None:
        return False
    here = [one for one in _ip("address", "show") if one["ifname"] == BRIDGE]
    held = {f"{info['local']}/{info['prefixlen']}" for one in here for info in one["addr_info"]}
    if here and "UP" in here[0]["flags"] and {uplink.tunnel_address, *uplink.addresses} <= held:
        return False
    if not here:
        raise CommandFailed(BRIDGE, "its interface is not there yet", "start ovs-vswitchd")
    _move_addresses(uplink)
    return True


def undo(ovs: Ovs) -> list[str]:
    """Take br-phy away and give the NIC back what it had; give what was done in words."""
    uplink = recorded(ovs)
    if uplink is None:
        return []
    _drop_bridge(ovs)
    _return_addresses(uplink)
    return [f"{BRIDGE} removed, {uplink.nic} has its addresses and routes again"]


def _drop_bridge(ovs: Ovs) -> None:
    ovs.vsctl("--if-exists", "del-br", BRIDGE, "--", "remove", "Open_vSwitch", ".", "external_ids", RECORD)


def _move_addresses(uplink: Uplink) -> None:
    run(["ip", "link", "set", "dev", uplink.nic, "up"])
    _flush(uplink.nic)
    if uplink.settings:
        kernel_stack.write(uplink.nic, {key: kernel_stack.MUTE[key] for key in uplink.settings})
    run(["ip", "link", "set", "dev", BRIDGE, "up"])
    for address in dict.fromkeys((*uplink.addresses, uplink.tunnel_address)):
        _replace(address, BRIDGE)
    for words in uplink.routes:
        run(["ip", _family(words), "route", "replace", *words, "dev", BRIDGE])


def _return_addresses(uplink: Uplink) -> None:
    if BRIDGE in {one["ifname"] for one in _ip("link", "show")}:
        _flush(BRIDGE)
    run(["ip", "link", "set", "dev", uplink.nic, "up"])
    kernel_stack.write(uplink.nic, uplink.settings)
    for address in uplink.addresses:
        _replace(address, uplink.nic)
    for words in uplink.routes:
        run(["ip", _family(words), "route", "replace", *words, "dev", uplink.nic])


def _flush(nic: str) -> None:
    run(["ip", "-4", "address", "flush", "dev", nic])
    run(["ip", "-6", "address", "flush", "dev", nic, "scope", "global"])


def _replace(address: str, nic: str) -> None:
    # nodad: tunnels would find no source address for the second that duplicate address detection takes
    run(["ip", "address", "replace", address, "dev", nic, *(["nodad"] if ":" in address else [])])


def _family(words: tuple[str, ...]) -> str:
    return "-6" if any(":" in word for word in words) else "-4"


def _route_words(route: dict[str, Any]) -> tuple[str, ...]:
    words = [str(route["dst"])]
    for key, word in (("gateway", "via"), ("prefsrc", "src"), ("metric", "metric")):
        if key in route:
            words += [word, str(route[key])]
    return tuple(words)


def _ip(*args: str) -> list[dict[str, Any]]:
    answer = json.loads(run(["ip", "-json", *args]) or "[]")
    return [one for one in answer if one]  # older iproute2 writes {} for what it filtered out

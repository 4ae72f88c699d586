"""Plugging a workload in as a virtual port, and taking it out again.

```
  network namespace, container            br-nsh (Open vSwitch)
  ┌──────────────────────┐  veth pair    ┌──────────────────────────────────────┐
  │ eth0  MAC, address    ├──────────────┤ HOST END  external_ids:iface-id=VPORT │
  └──────────────────────┘               └──────────────────────────────────────┘
  a tap that something else made (a virtual machine's) is only added to the bridge
```
`external_ids:iface-id` is what the controller resolves the vport by; it needs nothing else from here.
"""

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path

from agent import kernel_stack, namespaces, offload
from agent.host import Ovs, quoted, run
from agent.steps import Step, carry_out
from data.errors import CommandFailed

BRIDGE = "br-nsh"
LINK_NAME_LIMIT = 15  # characters, IFNAMSIZ less the closing zero
TENANT_MTU = 1450  # bytes: 1500 of the underlay less 50 of outer Ethernet, IPv4, UDP and VXLAN
MADE_BY_US = "nshell-attached"  # external_ids key: how the port was attached, and so how it is taken out

_VPORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")
_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is attached: a namespace by name, a container by process, or a tap by interface name."""

    kind: str  # "netns", "container" or "tap"
    name: str

    @property
    def namespace(self) -> Path:
        """The network namespace that gets the interface."""
        return namespaces.of_process(int(self.name)) if self.kind == "container" else namespaces.of_name(self.name)


@dataclass(frozen=True, slots=True)
class Interface:
    """How the interface inside the workload shall be set; None leaves a setting to whoever runs there."""

    name: str = "eth0"
    mac: str | None = None
    addresses: tuple[str, ...] = ()  # ADDRESS/LENGTH
    gateways: tuple[str, ...] = ()  # at most one of each family
    mtu: int = TENANT_MTU  # bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A vport found attached in the switch's database."""

    vport: str
    port: str  # name of the interface in the bridge
    kind: str
    workload: str
    mac: str | None


def host_end(vport: str) -> str:
    """The name of the veth's end in the bridge: the same for the same vport, at most 15 characters."""
    return "vp" + hashlib.sha256(vport.encode()).hexdigest()[:12]


def attached(ovs: Ovs) -> list[Attachment]:
    """The vports attached here, as the switch's own database has them."""
    found = []
    for row in ovs.rows("Interface", "name", "external_ids"):
        ids = row["external_ids"]
        if "iface-id" in ids:
            kind, _, workload = ids.get(MADE_BY_US, "tap:" + row["name"]).partition(":")
            found.append(Attachment(ids["iface-id"], row["name"], kind, workload, ids.get("attached-mac")))
    return found


def attach(
    ovs: Ovs,
    workload: Workload,
    vport: str,
    interface: Interface | None = None,
    port: str | None = None,
    *,
    keep_link: bool = False,
) -> list[str]:
    """Plug a workload in as `vport`, or set again what is plugged in already; give what was done in words.

    `port` names the end in the bridge; with `keep_link` that end is there already and set (it came in a live
    move), so that only the bridge is told.  Raises CommandFailed with everything new taken back.
    """
    wanted = interface or Interface()
    name = workload.name if workload.kind == "tap" else port or host_end(vport)
    _check(workload, vport, wanted, name)
    now = {one.vport: one for one in attached(ovs)}
    mine = now.get(vport)
    if mine is not None and (mine.kind, mine.workload, mine.port) != (workload.kind, workload.name, name):
        raise CommandFailed(
            f"vport {vport}",
            f"it is attached already: {mine.kind} {mine.workload} as {mine.port}",
            f"nshell agent detach {vport}",
        )
    for other in now.values():
        if other.port == name and other.vport != vport:
            raise CommandFailed(
                f"interface {name}",
                f"it is attached as vport {other.vport}",
                f"nshell agent detach {other.vport}",
            )
    return carry_out(_plan(ovs, workload, vport, wanted, name, fresh=mine is None, keep_link=keep_link))


def detach(ovs: Ovs, vport: str, *, keep_link: bool = False) -> list[str]:
    """Take a vport out; give what was done in words, nothing when it was not attached.

    The veth pair we made goes too, unless `keep_link` (a live move takes it along).
    """
    done = []
    for one in attached(ovs):
        if one.vport != vport:
            continue
        ovs.vsctl("--if-exists", "del-port", one.port)
        done.append(f"{one.port} removed from {BRIDGE}")
        if one.kind != "tap" and not keep_link and _link_exists(one.port):
            run(["ip", "link", "del", "dev", one.port])
            done.append(f"veth {one.port} deleted")
    return done


def _check(workload: Workload, vport: str, interface: Interface, port: str) -> None:
    """Refuse what could not work, before anything is touched."""
    if not _VPORT.fullmatch(vport):
        raise CommandFailed("vport", f"{vport!r} is neither a UUID nor ENTERPRISE/DOMAIN/NAME", "give one of them")
    for name in (port, interface.name):
        if not _LINK.fullmatch(name):
            raise CommandFailed(
                "interface",
                f"{name!r} cannot name an interface",
                f"use at most {LINK_NAME_LIMIT} letters, digits, '.', '_' and '-'",
            )
    if interface.mac is not None and not _MAC.fullmatch(interface.mac):
        raise CommandFailed(
            "mac", f"{interface.mac!r} is not a MAC address in lower case", "write it as 02:00:0a:01:01:0b"
        )
    try:
        for one in interface.addresses:
            ipaddress.ip_interface(one)
        families = [ipaddress.ip_address(one).version for one in interface.gateways]
    except ValueError as problem:
        raise CommandFailed(
            "address", str(problem), "write addresses as 10.1.1.11/24, the gateway as 10.1.1.1"
        ) from None
    if len(families) != len(set(families)):
        raise CommandFailed(
            "gateway", f"{' and '.join(interface.gateways)} are of one family", "give one of IPv4 and one of IPv6"
        )
    if not 576 <= interface.mtu <= 9216:
        raise CommandFailed("mtu", f"{interface.mtu} bytes", "choose 576 to 9216 bytes")
    if workload.kind == "tap":
        if not _link_exists(workload.name):
            raise CommandFailed(f"interface {workload.name}", "there is no such interface", "see 'ip link'")
        return
    if workload.kind == "container" and not workload.name.isdecimal():
        raise CommandFailed("container", f"{workload.name!r} is not a process number", "give the container's main pid")
    if not workload.namespace.exists():
        raise CommandFailed(
            f"{workload.kind} {workload.name}", "it has no network namespace here", "see 'ip netns list'"
        )


def _plan(
    ovs: Ovs, workload: Workload, vport: str, interface: Interface, port: str, *, fresh: bool, keep_link: bool
) -> list[Step]:
    """The steps from whatever is there to a plugged-in workload; only what is `fresh` is ever taken back."""

    def drop_link() -> None:
        if _link_exists(port):
            run(["ip", "link", "del", "dev", port])

    def drop_port() -> None:
        ovs.vsctl("--if-exists", "del-port", BRIDGE, port)

    def make_pair() -> None:
        drop_port()  # its veth died with an earlier workload, the row stayed
        argv = ["ip", "link", "add", "name", port, "type", "veth", "peer", "name", interface.name]
        argv += ["mtu", str(interface.mtu)] + (["address", interface.mac] if interface.mac else [])
        run([*argv, "netns", str(workload.namespace)])

    steps = []
    if workload.kind != "tap" and not keep_link:
        if fresh and _link_exists(port):
            steps.append(Step(f"left-over veth {port} deleted", drop_link))
        if fresh or not _link_exists(port):
            steps.append(
                Step(
                    f"veth {port} made, {interface.name} in {workload.kind} {workload.name}",
                    make_pair,
                    drop_link,
                )
            )
        steps.append(
            Step(
                f"{interface.name} set: {' '.join(interface.addresses) or 'no address'}",
                lambda: namespaces.inside(workload.namespace, lambda: _set_inside(interface)),
            )
        )
    add = Step(
        f"{port} added to {BRIDGE} as vport {vport}",
        lambda: _add_port(ovs, workload, vport, interface.mac, port),
        drop_port,
    )
    steps.append(add if fresh else Step(add.words, add.apply))
    return steps


def _set_inside(interface: Interface) -> None:
    """Set the workload's end; runs in a thread inside its namespace."""
    name = interface.name
    if interface.mac:
        run(["ip", "link", "set", "dev", name, "address", interface.mac])
    run(["ip", "link", "set", "dev", name, "mtu", str(interface.mtu), "up"])
    offload.switch_off(name)
    for address in interface.addresses:
        # nodad: an address that is not usable before a second has passed would lose the first packets
        run(["ip", "address", "replace", address, "dev", name, *(["nodad"] if ":" in address else [])])
    for gateway in interface.gateways:
        family = "-6" if ":" in gateway else "-4"
        run(["ip", family, "route", "replace", "default", "via", gateway, "dev", name])


def _add_port(ovs: Ovs, workload: Workload, vport: str, mac: str | None, port: str) -> None:
    """Bring the end up and give it to the bridge with the identity the controller resolves it by."""
    kernel_stack.write(port, kernel_stack.MUTE)
    run(["ip", "link", "set", "dev", port, "up"])
    ids = {"iface-id": vport, MADE_BY_US: f"{workload.kind}:{workload.name}"}
    if mac:
        ids["attached-mac"] = mac
    settings = [f"external_ids:{key}={quoted(value)}" for key, value in ids.items()]
    ovs.vsctl("--may-exist", "add-port", BRIDGE, port, "--", "set", "Interface", port, *settings)
    number = ovs.vsctl("get", "Interface", port, "ofport").strip()
    if number in ("-1", "[]"):
        reason = ovs.vsctl("get", "Interface", port, "error").strip()
        raise CommandFailed(f"interface {port}", f"Open vSwitch cannot open it: {reason}", "see its log")


def _link_exists(name: str) -> bool:
    """Whether the calling thread's namespace has this interface."""
    links = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    return any(one["ifname"] == name for one in links)

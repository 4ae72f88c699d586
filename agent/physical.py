"""Giving br-nsh a NIC of the physical network, for host and bridge vports, NAT and static routes to reach it by.

```
  br-nsh ── NIC  external_ids:uplink=NAME ── physical switch: VLANs, routers, hosts
```
A vport with `uplink NAME` is wherever a hypervisor has an interface of that name, so nothing else is told from here.
The NIC is the bridge's alone: the kernel's addresses would be cut off, and the underlay's NIC belongs to br-phy
(uplink.py).  What the kernel had set is written down beside it, and put back by `detach`.
"""

import json
import re
from dataclasses import dataclass

from agent import kernel_stack, uplink
from agent.attach import BRIDGE
from agent.host import Ovs, quoted, run
from agent.steps import Step, carry_out
from data.errors import CommandFailed

KEY = "uplink"  # external_ids key that the controller reads
SETTINGS = "nshell-settings"  # external_ids key: the NIC's settings as they were

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # what an object of the configuration may be called


@dataclass(frozen=True, slots=True)
class Attached:
    """A NIC found attached in the switch's database."""

    name: str
    nic: str
    settings: dict[str, str]


def attached(ovs: Ovs) -> list[Attached]:
    """The physical networks attached here, as the switch's own database has them."""
    rows = ovs.rows("Interface", "name", "external_ids")
    return [
        Attached(row["external_ids"][KEY], row["name"], json.loads(row["external_ids"].get(SETTINGS, "{}")))
        for row in rows
        if KEY in row["external_ids"]
    ]


def attach(ovs: Ovs, nic: str, name: str) -> list[str]:
    """Make a NIC the uplink `name` of this host, or set it again; give what was done in words.

    Raises CommandFailed when the NIC is in use for something else, with everything taken back.
    """
    now = attached(ovs)
    _check(ovs, nic, name, now)
    before = next((one.settings for one in now if one.nic == nic), None)
    userspace = ovs.root()["external_ids"].get("nshell-datapath") == "netdev"
    settings = before if before is not None else kernel_stack.read(nic, kernel_stack.MUTE) if userspace else {}
    ids = [f"external_ids:{KEY}={quoted(name)}", f"external_ids:{SETTINGS}={quoted(json.dumps(settings))}"]

    def silence() -> None:
        if userspace:
            kernel_stack.write(nic, kernel_stack.MUTE)
        run(["ip", "link", "set", "dev", nic, "up"])

    def add() -> None:
        ovs.vsctl("--may-exist", "add-port", BRIDGE, nic, "--", "set", "Interface", nic, *ids)
        if ovs.vsctl("get", "Interface", nic, "ofport").strip() in ("-1", "[]"):
            reason = ovs.vsctl("get", "Interface", nic, "error").strip()
            raise CommandFailed(f"interface {nic}", f"Open vSwitch cannot open it: {reason}", "see its log")

    def drop() -> None:
        ovs.vsctl("--if-exists", "del-port", BRIDGE, nic)

    # the failed port's row stays in the database, so adding takes itself back, too
    def add_or_nothing() -> None:
        try:
            add()
        except CommandFailed:
            if before is None:
                drop()
            raise

    quiet = Step(f"{nic} is up", silence, lambda: kernel_stack.write(nic, settings))
    added = Step(f"{nic} in {BRIDGE} as uplink {name}", add_or_nothing, drop)
    return carry_out([quiet, added] if before is None else [Step(one.words, one.apply) for one in (quiet, added)])


def detach(ovs: Ovs, name: str) -> list[str]:
    """Take an uplink out and give its NIC back; give what was done in words, nothing when it was not attached."""
    done = []
    for one in attached(ovs):
        if one.name == name:
            ovs.vsctl("--if-exists", "del-port", BRIDGE, one.nic)
            kernel_stack.write(one.nic, one.settings)
            done.append(f"{one.nic} removed from {BRIDGE}")
    return done


def _check(ovs: Ovs, nic: str, name: str, now: list[Attached]) -> None:
    """Refuse what could not work or would cut something off, before anything is touched."""
    where = f"interface {nic}"
    if not _NAME.fullmatch(name):
        raise CommandFailed(
            "uplink",
            f"{name!r} cannot name an uplink",
            "use at most 63 letters, digits, '.', '_' and '-', starting with a letter or a digit",
        )
    bridges = ovs.bridges()
    if BRIDGE not in bridges:
        raise CommandFailed(BRIDGE, "there is none: this host has not joined a fabric", "nshell agent join")
    links = {one["ifname"]: one for one in json.loads(run(["ip", "-json", "address", "show"]) or "[]") if one}
    if nic not in links:
        raise CommandFailed(where, "there is no such interface", "see 'ip link'")
    for one in now:
        if (one.nic == nic) != (one.name == name):
            raise CommandFailed(
                where, f"{one.nic} is uplink {one.name} already", f"nshell agent detach-uplink {one.name}"
            )
    underlay = uplink.recorded(ovs)
    if nic in bridges or nic == uplink.BRIDGE or (underlay is not None and underlay.nic == nic):
        raise CommandFailed(where, "it belongs to the underlay: tunnels go over it", "choose another NIC")
    rows = ovs.rows("Interface", "name", "external_ids")
    if any(row["name"] == nic and "iface-id" in row["external_ids"] for row in rows):
        raise CommandFailed(where, "a workload is attached by it", "choose another NIC, see 'nshell agent status'")
    for bridge in bridges:
        if bridge != BRIDGE and nic in ovs.vsctl("list-ports", bridge).split():
            raise CommandFailed(
                where, f"it is a port of bridge {bridge}", f"ovs-vsctl del-port {bridge} {nic}, or choose another NIC"
            )
    if "master" in links[nic]:
        raise CommandFailed(
            where, f"it is a port of {links[nic]['master']}", f"ip link set dev {nic} nomaster, or choose another NIC"
        )
    held = [f"{info['local']}/{info['prefixlen']}" for info in links[nic]["addr_info"] if info["scope"] != "link"]
    if held:
        raise CommandFailed(
            where, f"it carries {', '.join(held)}, which would be cut off", "move the address, or choose another NIC"
        )

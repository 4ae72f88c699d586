"""Joining a host to the fabric, and leaving it.

Join sets, in the switch's own database, where the controllers are and who this host is:
- key and certificate of this host (trust.py), unless the controllers are on this very host;
- Open_vSwitch external_ids: system-id, nshell-datapath, nshell-controllers; a Manager row per controller;
- bridge br-nsh: fail_mode secure, OpenFlow 1.4 only, a Controller row per controller;
- with an uplink: br-phy (uplink.py).
Everything else about the bridge is the controller's business.  Leave takes back exactly this.
"""

import ipaddress
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent import attach, physical, uplink
from agent.host import Ovs, as_list, quoted
from agent.steps import Step, carry_out
from agent.trust import Files, Signer
from data.errors import CommandFailed

BRIDGE = attach.BRIDGE
PROBE_INTERVAL = 5000  # milliseconds without a word before Open vSwitch asks whether the controller lives
MAX_BACKOFF = 1000  # milliseconds; the default, 8 s, is what a restarted controller would wait for its switches
OVSDB_PORT = 6640
OPENFLOW_PORT = 6653
AGENT_PORT = 6641
DATAPATHS = ("system", "netdev")
OURS = "nshell-controllers"  # external_ids key: the endpoints we dial, as JSON
SYSTEM_ID_FILE = Path("/etc/openvswitch/system-id.conf")  # read by the distribution's start script at boot


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A controller as this host dials it."""

    host: str
    ovsdb_port: int = OVSDB_PORT
    openflow_port: int = OPENFLOW_PORT
    agent_port: int = AGENT_PORT
    tls: bool = False  # whether it is dialled with TLS; a controller demands it of all but its own machine

    @property
    def manager(self) -> str:
        """The target of OVSDB, in Open vSwitch's notation."""
        return f"{self._scheme}:{_bracketed(self.host)}:{self.ovsdb_port}"

    @property
    def controller(self) -> str:
        """The target of OpenFlow, in Open vSwitch's notation."""
        return f"{self._scheme}:{_bracketed(self.host)}:{self.openflow_port}"

    @property
    def _scheme(self) -> str:
        return "ssl" if self.tls else "tcp"


@dataclass(frozen=True, slots=True)
class Membership:
    """What a host says when it joins."""

    controllers: tuple[Endpoint, ...]
    system_id: str | None = None  # None keeps the one the host has
    datapath: str = "system"
    nic: str | None = None
    tunnel_address: str | None = None  # ADDRESS/LENGTH
    sign: Signer | None = None  # who gives a certificate; None keeps the one the host has


def endpoints(ovs: Ovs) -> tuple[Endpoint, ...]:
    """The controllers this host was joined to; empty when it is not joined."""
    text = ovs.root()["external_ids"].get(OURS)
    return tuple(Endpoint(*one) for one in json.loads(text)) if text else ()


def system_id(ovs: Ovs) -> str | None:
    """Who this host is in the fabric."""
    found = ovs.root()["external_ids"].get("system-id")
    return str(found) if found else None


def join(ovs: Ovs, membership: Membership) -> list[str]:
    """Check, plan and apply a membership; give what was done in words.  Running it twice changes nothing.

    Raises CommandFailed, with everything taken back.
    """
    root = ovs.root()
    _check(ovs, membership, root)
    return carry_out(_plan(ovs, membership, root))


def leave(ovs: Ovs) -> list[str]:
    """Take back what join did, and every attached vport and uplink; give what was done in words."""
    root = ovs.root()
    ids = root["external_ids"]
    done = []
    for one in attach.attached(ovs):
        done += attach.detach(ovs, one.vport)
    for network in physical.attached(ovs):
        done += physical.detach(ovs, network.name)
    if BRIDGE in ovs.bridges():
        ovs.vsctl("--if-exists", "del-br", BRIDGE)
        done.append(f"{BRIDGE} removed")
    done += uplink.undo(ovs)
    done += Files(ovs.location).undo(ovs)
    ours = {endpoint.manager for endpoint in endpoints(ovs)}
    for row in ovs.rows("Manager", "_uuid", "target"):
        if row["target"] in ours:
            ovs.vsctl("remove", "Open_vSwitch", ".", "manager_options", row["_uuid"])
            done.append(f"manager {row['target']} removed")
    if OURS in ids:
        ovs.vsctl("remove", "Open_vSwitch", ".", "external_ids", OURS, "nshell-datapath")
        done.append("left the fabric")
    return done


def _check(ovs: Ovs, membership: Membership, root: dict[str, Any]) -> None:
    """Refuse what could not work, before anything is touched."""
    if not membership.controllers:
        raise CommandFailed("controller", "none is named", "nshell agent join --controller HOST")
    for endpoint in membership.controllers:
        if not all(1 <= port <= 65535 for port in (endpoint.ovsdb_port, endpoint.openflow_port, endpoint.agent_port)):
            raise CommandFailed(f"controller {endpoint.host}", "a port is outside 1-65535", "correct it")
    if membership.datapath not in DATAPATHS:
        raise CommandFailed("datapath", f"{membership.datapath!r} is unknown", f"choose {' or '.join(DATAPATHS)}")
    known = as_list(root["datapath_types"])
    if membership.datapath not in known:
        raise CommandFailed(
            "datapath",
            f"this Open vSwitch has {', '.join(known) or 'none running'}, not {membership.datapath}",
            "choose one it has, or start ovs-vswitchd",
        )
    if membership.system_id is None and "system-id" not in root["external_ids"]:
        raise CommandFailed("system-id", "this host has none yet", "nshell agent join --system-id NAME")
    if (membership.nic is None) != (membership.tunnel_address is None):
        raise CommandFailed(
            "uplink",
            "an uplink and its tunnel address belong together",
            "give --uplink NIC and --tunnel-address ADDRESS/LENGTH, or neither",
        )
    if membership.nic is not None and membership.tunnel_address is not None:
        try:
            ipaddress.ip_interface(membership.tunnel_address)
        except ValueError as problem:
            raise CommandFailed("tunnel-address", str(problem), "write it as 172.31.0.1/24") from None
        uplink.facts_of(membership.nic)
        uplink.check(ovs, membership.nic)


def _plan(ovs: Ovs, membership: Membership, root: dict[str, Any]) -> list[Step]:
    """The steps from what the database holds to the membership."""
    before = root["external_ids"]
    name = membership.system_id or before["system-id"]
    ids = {
        "system-id": name,
        "nshell-datapath": membership.datapath,
        OURS: json.dumps(
            [[one.host, one.ovsdb_port, one.openflow_port, one.agent_port, one.tls] for one in membership.controllers]
        ),
    }
    steps = []
    if membership.nic is not None and membership.tunnel_address is not None:
        steps += uplink.plan(ovs, membership.nic, membership.tunnel_address, membership.datapath)
    # a token works once: it is used after what fails more easily, and before anything dials
    if any(endpoint.tls for endpoint in membership.controllers):
        steps += Files(ovs.location).steps(ovs, name, membership.sign)
    if any(before.get(key) != value for key, value in ids.items()):
        steps.append(
            Step(
                f"identity {name}",
                lambda: _write_ids(ovs, ids),
                lambda: _write_ids(ovs, {key: before.get(key) for key in ids}),
            )
        )
    if ovs.location.is_system_default and SYSTEM_ID_FILE.exists() and before.get("system-id") != name:
        former = SYSTEM_ID_FILE.read_text()
        steps.append(
            Step(
                f"{SYSTEM_ID_FILE} says {name}",
                lambda: SYSTEM_ID_FILE.write_text(name + "\n"),
                lambda: SYSTEM_ID_FILE.write_text(former),
            )
        )
    if BRIDGE not in ovs.bridges():
        steps.append(
            Step(
                f"{BRIDGE} made",
                lambda: _make_bridge(ovs, membership),
                lambda: ovs.vsctl("--if-exists", "del-br", BRIDGE),
            )
        )
    else:
        steps.append(Step(f"{BRIDGE} set", lambda: _make_bridge(ovs, membership)))
    steps += _manager_steps(ovs, membership, before)
    return steps


def _write_ids(ovs: Ovs, ids: dict[str, str | None]) -> None:
    words = []
    for key, value in ids.items():
        if value is None:
            words += ["--", "remove", "Open_vSwitch", ".", "external_ids", key]
        else:
            words += ["--", "set", "Open_vSwitch", ".", f"external_ids:{key}={quoted(value)}"]
    ovs.vsctl(*words)


def _make_bridge(ovs: Ovs, membership: Membership) -> None:
    """Create br-nsh or set it again; its OpenFlow targets only when they are others than wanted."""
    wanted = [endpoint.controller for endpoint in membership.controllers]
    words = [
        "--may-exist",
        "add-br",
        BRIDGE,
        "--",
        "set",
        "Bridge",
        BRIDGE,
        f"datapath_type={membership.datapath}",
        "fail_mode=secure",
        "protocols=OpenFlow14",
        "other_config:disable-in-band=true",
    ]
    if BRIDGE not in ovs.bridges() or sorted(ovs.vsctl("get-controller", BRIDGE).split()) != sorted(wanted):
        for number, target in enumerate(wanted):
            words += [
                "--",
                f"--id=@c{number}",
                "create",
                "Controller",
                f"target={quoted(target)}",
                f"inactivity_probe={PROBE_INTERVAL}",
                f"max_backoff={MAX_BACKOFF}",
                "connection_mode=out-of-band",
            ]
        words += [
            "--",
            "set",
            "Bridge",
            BRIDGE,
            "controller=" + ",".join(f"@c{n}" for n in range(len(wanted))),
        ]
    ovs.vsctl(*words)


def _manager_steps(ovs: Ovs, membership: Membership, before: dict[str, str]) -> list[Step]:
    """A Manager row per controller; rows of others (OVN, OpenStack) stay, rows of ours no longer wanted go."""
    wanted = [endpoint.manager for endpoint in membership.controllers]
    formerly = {Endpoint(*one).manager for one in json.loads(before.get(OURS, "[]"))}
    present = {row["target"]: row["_uuid"] for row in ovs.rows("Manager", "_uuid", "target")}
    added = [target for target in wanted if target not in present]
    dropped = [target for target in sorted(formerly - set(wanted)) if target in present]
    return [
        *(
            Step(f"manager {target}", partial(_add_manager, ovs, target), partial(_drop_manager, ovs, target))
            for target in added
        ),
        *(
            Step(
                f"manager {target} removed",
                partial(_drop_manager, ovs, target),
                partial(_add_manager, ovs, target),
            )
            for target in dropped
        ),
    ]


def _add_manager(ovs: Ovs, target: str) -> None:
    ovs.vsctl(
        "--",
        "--id=@m",
        "create",
        "Manager",
        f"target={quoted(target)}",
        f"inactivity_probe={PROBE_INTERVAL}",
        f"max_backoff={MAX_BACKOFF}",
        "--",
        "add",
        "Open_vSwitch",
        ".",
        "manager_options",
        "@m",
    )


def _drop_manager(ovs: Ovs, target: str) -> None:
    for row in ovs.rows("Manager", "_uuid", "target"):
        if row["target"] == target:
            ovs.vsctl("remove", "Open_vSwitch", ".", "manager_options", row["_uuid"])


def _bracketed(host: str) -> str:
    """An IPv6 address as Open vSwitch wants it in a target."""
    return f"[{host}]" if ":" in host else host

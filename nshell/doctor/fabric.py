"""A hypervisor's place in the fabric: joined, connected, with an underlay that takes its packets."""

from __future__ import annotations

import json
from pathlib import Path

from agent.attach import TENANT_MTU
from agent.join import endpoints, system_id
from agent.uplink import recorded
from data.errors import CommandFailed
from nshell.doctor.daemon import expiry
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Machine

OVERHEAD = 50
"""Bytes that VXLAN over IPv4 puts around a packet (RFC 7348, section 4)."""
SETTLE = 5.5
"""Seconds until Open vSwitch has written down that a connection came up: it looks every five."""


def answers(machine: Machine) -> bool:
    """Whether Open vSwitch can be asked; the checks of switch.py say why not."""
    try:
        machine.ovs.root()
    except CommandFailed:
        return False
    return True


def joined(machine: Machine) -> Finding | None:
    """Whether this host knows who it is and whom to dial."""
    if not answers(machine):
        return None
    name, targets = system_id(machine.ovs), endpoints(machine.ovs)
    if name is None or not targets:
        return warning(
            "agent",
            "this host has not joined",
            "no controller programs it",
            "'request dvrs NAME join-token' at the controller prints what to type here",
        )
    return ok("agent", f"joined as {name}: {', '.join(one.host for one in targets)}")


def connected(machine: Machine) -> Finding | None:
    """Whether every controller is reached."""
    if not answers(machine) or not endpoints(machine.ovs):
        return None
    for wait in (SETTLE, 0.0):
        rows = [row for table in ("Manager", "Controller") for row in machine.ovs.rows(table, "target", "is_connected")]
        down = [str(row["target"]) for row in rows if not row["is_connected"]]
        if not down:
            break
        machine.wait(wait)
    if down:
        return missing(
            "connections",
            f"{down[0]} is not connected",
            "workloads keep their network; changes do not arrive",
            "see 'nshell doctor' and 'show dvrs' at the controller, and firewalls between",
        )
    return ok("connections", f"{len(rows)} to the controller")


def agent_runs(machine: Machine) -> Finding | None:
    """Whether the agent looks after the uplink and answers diagnostics."""
    if not answers(machine) or not endpoints(machine.ovs):
        return None
    for pid, words in machine.processes():
        if words[-2:] == ["agent", "run"] or ("agent" in words and "run" in words and "nshell" in " ".join(words)):
            return ok("agent process", f"pid {pid}")
    return missing(
        "agent process",
        "none runs",
        "tunnels of the userspace datapath fail, and 'trace' and 'tools' do not reach this host",
        "systemctl enable --now nshell-agent",
    )


def underlay(machine: Machine) -> Finding | None:
    """Whether a tenant's packet with its tunnel header fits through the NIC."""
    nic = underlay_nic(machine)
    if nic is None:
        return None
    mtu = int(machine.text(f"/sys/class/net/{nic}/mtu") or 0)
    found = f"{nic} takes {mtu} bytes, {mtu - OVERHEAD} of a tenant's"
    if mtu < TENANT_MTU + OVERHEAD:
        return missing(
            "underlay MTU",
            found,
            f"packets of {TENANT_MTU} bytes, which workloads send, are lost",
            f"ip link set dev {nic} mtu {TENANT_MTU + OVERHEAD}; else attach workloads with --mtu {mtu - OVERHEAD}",
        )
    return ok("underlay MTU", found)


def underlay_nic(machine: Machine) -> str | None:
    """The NIC that tunnels leave by: the one the host joined with, else that of the default route."""
    if answers(machine) and (uplink := recorded(machine.ovs)) is not None:
        return uplink.nic
    code, text = machine.run("ip", "-json", "route", "show", "default")
    routes = json.loads(text or "[]") if code == 0 else []
    return str(routes[0]["dev"]) if routes else None


def certificates(machine: Machine) -> Finding | None:
    """How long this host's own certificate is good."""
    if not answers(machine):
        return None
    files = [
        Path(str(row[column]))
        for row in machine.ovs.rows("SSL", "certificate", "ca_cert")
        for column in ("certificate", "ca_cert")
    ]
    return expiry(machine, "switch certificates", files, "nshell agent join with a new token")

"""A hypervisor's Open vSwitch: installed, running, new enough, with a datapath; and the tools beside it."""

from __future__ import annotations

import os

from agent.host import as_list
from data.errors import CommandFailed
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Machine

TOOLS = {
    "ip": "iproute2",
    "tc": "iproute2",
    "ethtool": "ethtool",
    "tcpdump": "tcpdump",
}
"""What the agent and the diagnostics run: program -> Debian package."""
OLDEST = (2, 13)
"""Open vSwitch's first release with everything the pipeline uses; tested with 3.1."""


def installed(machine: Machine) -> Finding:
    """The programs."""
    absent = [name for name in ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl") if not machine.program(name)]
    if absent:
        return missing(
            "Open vSwitch",
            f"without {', '.join(absent)}",
            "this cannot be a hypervisor",
            "apt install openvswitch-switch",
        )
    return ok("Open vSwitch", "installed")


def running(machine: Machine) -> Finding | None:
    """Whether it answers, its version and what it can forward with."""
    if not machine.program("ovs-vsctl"):
        return None
    try:
        root = machine.ovs.root()
        version = machine.ovs.control("version").split()[-1]
    except CommandFailed as problem:
        return missing("ovs-vswitchd", problem.cause, "no workload here has a network", problem.remedy)
    found = f"{version}; datapaths {', '.join(map(str, as_list(root['datapath_types'])))}"
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST:
        return missing("ovs-vswitchd", found, "flows are refused", "install Open vSwitch 2.13 or newer")
    return ok("ovs-vswitchd", found)


def datapath(machine: Machine) -> Finding | None:
    """The kernel's module, or the one in userspace."""
    if not machine.program("ovs-vswitchd"):
        return None
    release = os.uname().release
    if machine.exists("/sys/module/openvswitch"):
        return ok("kernel datapath", "module openvswitch is loaded")
    modules = machine.text(f"/lib/modules/{release}/modules.dep") + machine.text(
        f"/lib/modules/{release}/modules.builtin"
    )
    if "/openvswitch.ko" in modules:
        return ok("kernel datapath", "module openvswitch can be loaded")
    return warning(
        "kernel datapath",
        f"kernel {release} has no module openvswitch",
        "packets are forwarded in userspace: slower, and the uplink must be given to the agent",
        "apt install linux-image-amd64 and reboot, or join with --datapath netdev",
    )


def tools(machine: Machine) -> Finding:
    """What the agent and the diagnostics run."""
    absent = [name for name in TOOLS if not machine.program(name)]
    if absent:
        packages = sorted({TOOLS[name] for name in absent})
        return missing(
            "tools", f"without {', '.join(absent)}", "attach and captures fail", f"apt install {' '.join(packages)}"
        )
    return ok("tools", ", ".join(TOOLS))

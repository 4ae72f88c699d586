"""Every check, in the order of the report, and whom it concerns."""

from __future__ import annotations

from nshell.doctor import daemon, fabric, program, state, switch, wan
from nshell.doctor.finding import Check, Finding, missing
from nshell.doctor.machine import Machine

CONTROLLER, HYPERVISOR = "controller", "hypervisor"
ROLES = (CONTROLLER, HYPERVISOR)
BOTH = ""

CHECKS: tuple[tuple[str, Check], ...] = (
    (BOTH, program.python),
    (BOTH, program.packages),
    (BOTH, program.clock),
    (BOTH, program.locale),
    (BOTH, program.terminal),
    (CONTROLLER, state.directory),
    (CONTROLLER, state.space),
    (CONTROLLER, state.filesystem),
    (CONTROLLER, state.store),
    (CONTROLLER, state.daemon_settings),
    (CONTROLLER, state.group),
    (CONTROLLER, daemon.answers),
    (CONTROLLER, daemon.service),
    (CONTROLLER, daemon.descriptors),
    (CONTROLLER, daemon.ports),
    (CONTROLLER, daemon.certificates),
    (CONTROLLER, wan.bgp),
    (CONTROLLER, wan.listeners),
    (HYPERVISOR, switch.installed),
    (HYPERVISOR, switch.running),
    (HYPERVISOR, switch.datapath),
    (HYPERVISOR, switch.tools),
    (HYPERVISOR, fabric.underlay),
    (HYPERVISOR, fabric.joined),
    (HYPERVISOR, fabric.connected),
    (HYPERVISOR, fabric.agent_runs),
    (HYPERVISOR, fabric.certificates),
)


def examine(machine: Machine, role: str = BOTH) -> list[Finding]:
    """What the checks of a role find, of both roles without one. A check that fails is a finding too."""
    findings = []
    for concerns, check in CHECKS:
        if role and concerns not in (BOTH, role):
            continue
        try:
            found = check(machine)
        except Exception as problem:
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            said = f"{type(problem).__name__}: {problem}"
            found = missing(name, said, "this check could not be made", "please report it")
        if found is not None:
            findings.append(found)
    return findings

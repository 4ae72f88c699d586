"""One hypervisor of the lab: its own ovsdb-server and ovs-vswitchd in a namespace, joined as any host is.

The daemons are started by daemons.py.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from agent import namespaces, uplink
from agent.join import Endpoint, Membership, join
from agent.trust import Files
from nshell.lab import processes
from nshell.lab.authority import LabAuthority
from nshell.lab.daemons import Daemons
from nshell.lab.processes import Process
from nshell.lab.underlay import Names

STOP_TIMEOUT = 3.0  # seconds that a daemon has to end by itself
PACKAGES = Path(__file__).resolve().parents[2]  # where `agent` is imported from

T = TypeVar("T")


class HypervisorState(msgspec.Struct):
    """What is recorded of a hypervisor: its number and the processes it runs."""

    number: int
    database: Process | None = None  # ovsdb-server
    switch: Process | None = None  # ovs-vswitchd
    agent: Process | None = None

    @property
    def name(self) -> str:
        """Its name and system-id."""
        return f"hv{self.number}"

    @property
    def processes(self) -> list[Process]:
        """What is recorded as running."""
        return [one for one in (self.agent, self.switch, self.database) if one is not None]


class Hypervisor:
    """Starts and stops what one hypervisor runs.  `state` is changed in place; the lab saves it."""

    def __init__(self, names: Names, directory: Path, state: HypervisorState) -> None:
        self.state = state
        self.names = names
        self.namespace = names.hypervisor(state.number)
        self.rundir = directory / state.name
        self._daemons = Daemons(state.name, self.namespace, self.rundir)
        self.ovs = self._daemons.ovs

    def inside(self, work: Callable[[], T]) -> T:
        """Call `work` in the hypervisor's namespace."""
        return namespaces.inside(namespaces.of_name(self.namespace), work)

    @property
    def tunnel_address(self) -> str:
        """Its address on the underlay."""
        return self.names.tunnel_address(self.state.number)

    def start(self, endpoint: Endpoint, authority: LabAuthority | None, *, agent: bool) -> None:
        """Start whatever does not run, and join the controller; with TLS if there is an authority."""
        self.start_database()
        self.start_switch()
        sign = None
        if authority is not None and not authority.has_signed(Files(self.ovs.location), self.state.name):
            sign = authority.sign
        tunnel = f"{self.tunnel_address}/{self.names.tunnel_length}"
        membership = Membership((endpoint,), self.state.name, "netdev", "eth0", tunnel, sign)
        self.inside(lambda: join(self.ovs, membership))
        if agent:
            self.start_agent()

    def start_database(self) -> None:
        """Start ovsdb-server when it does not run."""
        if processes.is_alive(self.state.database):
            return
        self.state.database = self._daemons.database()

    def start_switch(self) -> None:
        """Start ovs-vswitchd when it does not run; its uplink gets the addresses that went with the old one."""
        if processes.is_alive(self.state.switch):
            return
        self.state.switch = self._daemons.switch()
        self.inside(lambda: uplink.restore(self.ovs))

    def stop_switch(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Stop ovs-vswitchd: SIGTERM lets it end in order, SIGKILL is a crash."""
        processes.end([self.state.switch], sign, STOP_TIMEOUT)
        self.state.switch = None

    def start_agent(self) -> None:
        """Start `nshell agent run` when it does not run."""
        if processes.is_alive(self.state.agent):
            return
        environment = {**os.environ, "PYTHONPATH": str(PACKAGES), "PYTHONUNBUFFERED": "1"}
        with open(self.rundir / "agent.log", "ab") as log:
            child = self.inside(
                lambda: subprocess.Popen(
                    [sys.executable, "-m", "agent", "run", "--rundir", str(self.rundir)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd="/",
                    env=environment,
                )
            )
        self.state.agent = processes.look(child.pid)
        _children[child.pid] = child

    def stop_agent(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Stop the agent: SIGTERM lets it end in order, SIGKILL is a crash."""
        processes.end([self.state.agent], sign, STOP_TIMEOUT)
        if self.state.agent is not None:
            _children.pop(self.state.agent.pid, None)
        self.state.agent = None

    def remove_files(self) -> None:
        """Delete the run directory."""
        shutil.rmtree(self.rundir, ignore_errors=True)


_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Agents started by this process, kept so that their Popen objects are not collected while they run."""

"""One hypervisor of the lab: its own ovsdb-server and ovs-vswitchd in a namespace, joined as any host is.

Starting takes about 0.3 s and 25 MB.  The datapath is the userspace one (netdev): the kernel needs no module.
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
from agent.host import Ovs, OvsLocation, run
from agent.join import Endpoint, Membership, join
from agent.trust import Files
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab.authority import LabAuthority
from nshell.lab.processes import Process
from nshell.lab.underlay import Names, tunnel_address

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
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
        self.ovs = Ovs(OvsLocation.choose(str(self.rundir), environ={}))

    def inside(self, work: Callable[[], T]) -> T:
        """Call `work` in the hypervisor's namespace."""
        return namespaces.inside(namespaces.of_name(self.namespace), work)

    @property
    def tunnel_address(self) -> str:
        """Its address on the underlay."""
        return tunnel_address(self.state.number)

    def start(self, endpoint: Endpoint, authority: LabAuthority | None, *, agent: bool) -> None:
        """Start whatever does not run, and join the controller; with TLS if there is an authority."""
        self.start_database()
        self.start_switch()
        sign = None
        if authority is not None and not authority.has_signed(Files(self.ovs.location), self.state.name):
            sign = authority.sign
        membership = Membership((endpoint,), self.state.name, "netdev", "eth0", f"{self.tunnel_address}/24", sign)
        self.inside(lambda: join(self.ovs, membership))
        if agent:
            self.start_agent()

    def start_database(self) -> None:
        """Start ovsdb-server when it does not run."""
        if processes.is_alive(self.state.database):
            return
        self.rundir.mkdir(parents=True, exist_ok=True)
        database = self.rundir / "conf.db"
        if not database.exists():
            if not SCHEMA.exists():
                raise CommandFailed("ovsdb-server", f"{SCHEMA} is missing", "apt-get install openvswitch-switch")
            run(["ovsdb-tool", "create", str(database), str(SCHEMA)])
        self._detached(
            [
                "ovsdb-server",
                str(database),
                f"--remote=punix:{self.rundir}/db.sock",
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                "--private-key=db:Open_vSwitch,SSL,private_key",
                "--certificate=db:Open_vSwitch,SSL,certificate",
                "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
                f"--pidfile={self.rundir}/ovsdb-server.pid",
                f"--log-file={self.rundir}/ovsdb-server.log",
            ]
        )
        self.state.database = self._recorded("ovsdb-server")
        # vswitchd is not there yet to wait for
        self.ovs.vsctl(
            "--no-wait",
            "init",
            "--",
            "set",
            "Open_vSwitch",
            ".",
            f"external_ids:system-id={self.state.name}",
            f"external_ids:hostname={self.state.name}",
        )

    def start_switch(self) -> None:
        """Start ovs-vswitchd when it does not run; its uplink gets the addresses that went with the old one."""
        if processes.is_alive(self.state.switch):
            return
        self._detached(
            [
                "ovs-vswitchd",
                f"unix:{self.rundir}/db.sock",
                "--disable-system",
                f"--pidfile={self.rundir}/ovs-vswitchd.pid",
                f"--log-file={self.rundir}/ovs-vswitchd.log",
            ]
        )
        self.state.switch = self._recorded("ovs-vswitchd")
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

    def _detached(self, argv: list[str]) -> None:
        """Start an Open vSwitch daemon in the namespace; it returns when it is ready."""
        place = str(self.rundir)
        environment = {
            **os.environ,
            "OVS_RUNDIR": place,
            "OVS_LOGDIR": place,
            "OVS_DBDIR": place,
            "OVS_SYSCONFDIR": place,
        }
        argv = [*argv, "--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"]
        done = self.inside(
            lambda: subprocess.run(
                argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
            )
        )
        if done.returncode != 0:
            raise CommandFailed(
                f"{self.state.name}: {argv[0]}",
                done.stderr.strip() or "did not start",
                f"see {self.rundir}/{argv[0]}.log",
            )

    def _recorded(self, daemon: str) -> Process:
        process = processes.look(int((self.rundir / f"{daemon}.pid").read_text()))
        if process is None:
            raise CommandFailed(f"{self.state.name}: {daemon}", "it ended at once", f"see {self.rundir}/{daemon}.log")
        return process


_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Agents started by this process, kept so that their Popen objects are not collected while they run."""

"""One Open vSwitch of the lab: an ovsdb-server and an ovs-vswitchd of its own, in a namespace and a directory.

Hypervisors have one each (hypervisor.py), and so has the physical network (physical.py).  Starting takes about 0.3 s
and 25 MB.  The datapath is the userspace one (netdev): the kernel needs no module.
"""

import os
import subprocess
from pathlib import Path

from agent import namespaces
from agent.host import Ovs, OvsLocation, run
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab.processes import Process

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class Daemons:
    """Starts both daemons; `name` is the system-id, and what messages call it."""

    def __init__(self, name: str, namespace: str, rundir: Path) -> None:
        self.name = name
        self.namespace = namespaces.of_name(namespace)
        self.rundir = rundir
        self.ovs = Ovs(OvsLocation.choose(str(rundir), environ={}))

    def database(self) -> Process:
        """Start ovsdb-server on the database that is there, or a new one."""
        self.rundir.mkdir(parents=True, exist_ok=True)
        database = self.rundir / "conf.db"
        if not database.exists():
            if not SCHEMA.exists():
                raise CommandFailed("ovsdb-server", f"{SCHEMA} is missing", "apt-get install openvswitch-switch")
            run(["ovsdb-tool", "create", str(database), str(SCHEMA)])
        started = self._detached(
            "ovsdb-server",
            str(database),
            f"--remote=punix:{self.rundir}/db.sock",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
            "--private-key=db:Open_vSwitch,SSL,private_key",
            "--certificate=db:Open_vSwitch,SSL,certificate",
            "--ca-cert=db:Open_vSwitch,SSL,ca_cert",
        )
        # vswitchd is not there yet to wait for
        names = [f"external_ids:{key}={self.name}" for key in ("system-id", "hostname")]
        self.ovs.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", *names)
        return started

    def switch(self) -> Process:
        """Start ovs-vswitchd."""
        return self._detached("ovs-vswitchd", f"unix:{self.rundir}/db.sock", "--disable-system")

    def _detached(self, daemon: str, *args: str) -> Process:
        """Start a daemon in the namespace; it returns when it is ready."""
        place = str(self.rundir)
        environment = {
            **os.environ,
            "OVS_RUNDIR": place,
            "OVS_LOGDIR": place,
            "OVS_DBDIR": place,
            "OVS_SYSCONFDIR": place,
        }
        log = f"{place}/{daemon}.log"
        argv = [daemon, *args, f"--pidfile={place}/{daemon}.pid", f"--log-file={log}"]
        argv += ["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"]
        done = namespaces.inside(
            self.namespace,
            lambda: subprocess.run(
                argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
            ),
        )
        if done.returncode != 0:
            raise CommandFailed(f"{self.name}: {daemon}", done.stderr.strip() or "did not start", f"see {log}")
        process = processes.look(int((self.rundir / f"{daemon}.pid").read_text()))
        if process is None:
            raise CommandFailed(f"{self.name}: {daemon}", "it ended at once", f"see {log}")
        return process

"""Real Open vSwitch without a data plane: ovsdb-server and ovs-vswitchd on the dummy datapath.

The dummy datapath forwards nothing, so no privilege, namespace or NIC is needed and twenty fit on a laptop;
everything above it (OVSDB, OpenFlow, classifier, bundles) is the real program. Ports are `type=dummy`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Processes, run, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PORTS_A_CALL = 200  # ports in one ovs-vsctl call: well under the kernel's limit on arguments


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """One Open vSwitch of its own: `directory` holds its database, sockets and logs."""

    name: str
    directory: Path
    env: dict[str, str]
    vswitchd: subprocess.Popen[bytes]

    @property
    def database(self) -> str:
        return f"unix:{self.directory}/db.sock"

    def vsctl(self, *words: str, wait: bool = True) -> str:
        """ovs-vsctl on its database; with `wait`, returns when ovs-vswitchd has done what was asked."""
        return run("ovs-vsctl", f"--db={self.database}", *(() if wait else ("--no-wait",)), *words, env=self.env)

    def ofctl(
        self, command: str, bridge: str, *words: str, options: tuple[str, ...] = (), text: str | None = None
    ) -> str:
        """ovs-ofctl on the bridge's own management socket."""
        target = f"unix:{self.directory}/{bridge}.mgmt"
        return run("ovs-ofctl", "-O", "OpenFlow14", *options, command, target, *words, env=self.env, text=text)

    def appctl(self, *words: str) -> str:
        return run("ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *words, env=self.env)

    def flow_count(self, bridge: str) -> int:
        return int(self.ofctl("dump-aggregate", bridge).split("flow_count=")[1].split()[0])

    def has_bridge(self, bridge: str) -> bool:
        return (self.directory / f"{bridge}.mgmt").exists()

    def plug(self, bridge: str, ports: Iterable[tuple[str, str]], wait: bool = True) -> None:
        """Add dummy ports: pairs of interface name and `external_ids:iface-id`."""
        pending = list(ports)
        for start in range(0, len(pending), PORTS_A_CALL):
            words: list[str] = []
            for interface, iface_id in pending[start : start + PORTS_A_CALL]:
                words += [
                    "--",
                    "add-port",
                    bridge,
                    interface,
                    "--",
                    "set",
                    "interface",
                    interface,
                    "type=dummy",
                    f'external-ids:iface-id="{iface_id}"',
                ]
            self.vsctl(*words[1:], wait=wait)


def start_hypervisor(processes: Processes, name: str, external_ids: dict[str, str]) -> Hypervisor:
    """Start one Open vSwitch. `external_ids` go into its Open_vSwitch row, beside system-id=`name`."""
    directory = processes.directory / name
    directory.mkdir()
    env = dict(os.environ)
    for variable in ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR", "OVN_RUNDIR", "OVN_LOGDIR"):
        env[variable] = str(directory)
    env["PATH"] = f"{env.get('PATH', '')}:/usr/sbin:/sbin"
    run("ovsdb-tool", "create", f"{directory}/conf.db", SCHEMA, env=env)
    processes.start(
        "ovsdb-server",
        f"--remote=punix:{directory}/db.sock",
        "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
        f"--unixctl={directory}/ovsdb.ctl",
        f"{directory}/conf.db",
        env=env,
    )
    wait_until((directory / "db.sock").exists, f"ovsdb-server of {name}")
    vsctl = ("ovs-vsctl", f"--db=unix:{directory}/db.sock", "--no-wait")
    run(*vsctl, "init", env=env)
    run(
        *vsctl,
        "set",
        "open",
        ".",
        *(f'external-ids:{key}="{value}"' for key, value in {"system-id": name, **external_ids}.items()),
        env=env,
    )
    vswitchd = processes.start(
        "ovs-vswitchd",
        "-vconsole:off",
        f"--log-file={directory}/vswitchd.log",
        "--enable-dummy=override",
        "--disable-system",
        f"--unixctl={directory}/vswitchd.ctl",
        f"unix:{directory}/db.sock",
        env=env,
    )
    wait_until((directory / "vswitchd.ctl").exists, f"ovs-vswitchd of {name}")
    return Hypervisor(name, directory, env, vswitchd)

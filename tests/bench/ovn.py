"""The peer: OVN, complete, on the workload. Its own central databases, ovn-northd and four ovn-controllers.

    ovn-nbctl ──> northbound ──> ovn-northd ──> southbound ──> ovn-controller ──> ovs-vswitchd   (× 4)

Everything runs from the Debian packages ovn-central and ovn-host, in a temporary directory, without the
system's services. `--wait=hv` returns when every ovn-controller has reported that its switch obeys the
northbound change.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from subprocess import Popen

from tests.bench import workload
from tests.bench.measure import Processes, Unavailable, cpu_seconds, resident, run, timed, wait_until
from tests.bench.switches import Hypervisor, start_hypervisor
from tests.bench.workload import Port, Rule

BRIDGE = "br-int"
GROUP = "pg0"
PROGRAMS = ("ovn-northd", "ovn-nbctl", "ovn-controller", "ovsdb-server", "ovs-vswitchd")


def version() -> str:
    """The version of the OVN that is installed, such as 23.03.1; Unavailable when there is none."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if absent := [program for program in PROGRAMS if shutil.which(program, path=path) is None]:
        raise Unavailable(
            f"OVN is not complete here: no {', '.join(absent)} (make bench installs ovn-central, ovn-host)"
        )
    found = re.search(r"[\d.]+\d", run("ovn-nbctl", "--version"))
    return found.group() if found else "unknown"


class Ovn:
    """OVN with its hypervisors running and nothing configured."""

    def __init__(self, processes: Processes) -> None:
        self.central = processes.directory / "central"
        self.central.mkdir()
        env = dict(os.environ, PATH=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        for variable in ("OVN_RUNDIR", "OVS_RUNDIR", "OVN_DBDIR", "OVS_LOGDIR", "OVN_LOGDIR"):
            env[variable] = str(self.central)
        for database in ("nb", "sb"):
            run(
                "ovsdb-tool",
                "create",
                f"{self.central}/{database}.db",
                f"/usr/share/ovn/ovn-{database}.ovsschema",
                env=env,
            )
            processes.start(
                "ovsdb-server",
                f"--remote=punix:{self.central}/{database}.sock",
                f"--unixctl={self.central}/{database}.ctl",
                f"{self.central}/{database}.db",
                env=env,
            )
            wait_until((self.central / f"{database}.sock").exists, f"OVN's {database} database")
        self.env = env
        self.northbound = f"unix:{self.central}/nb.sock"
        southbound = f"unix:{self.central}/sb.sock"
        self.northd = processes.start(
            "ovn-northd",
            f"--ovnnb-db={self.northbound}",
            f"--ovnsb-db={southbound}",
            f"--unixctl={self.central}/northd.ctl",
            "-vconsole:off",
            f"--log-file={self.central}/northd.log",
            env=env,
        )
        self.hypervisors: list[Hypervisor] = []
        self.controllers: list[Popen[bytes]] = []
        for number in range(workload.HYPERVISORS):
            hypervisor = start_hypervisor(
                processes,
                f"hv{number}",
                {
                    "ovn-remote": southbound,
                    "ovn-encap-type": "geneve",
                    "ovn-encap-ip": f"172.31.0.{number + 1}",
                },
            )
            hypervisor.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "fail-mode=secure", "datapath-type=dummy")
            self.hypervisors.append(hypervisor)
            self.controllers.append(
                processes.start(
                    "ovn-controller",
                    "-vconsole:off",
                    f"--log-file={hypervisor.directory}/controller.log",
                    hypervisor.database,
                    env=hypervisor.env,
                )
            )
        self.nbctl("init")
        wait_until(lambda: len(self.chassis(southbound)) == workload.HYPERVISORS, "ovn-controllers to register")

    def chassis(self, southbound: str) -> list[str]:
        return run(
            "ovn-sbctl", f"--db={southbound}", "--bare", "--columns=name", "list", "chassis", env=self.env
        ).split()

    def nbctl(self, *words: str) -> str:
        return run("ovn-nbctl", f"--db={self.northbound}", "--timeout=300", *words, env=self.env)

    def plug(self, ports: Sequence[Port]) -> None:
        """Plug the ports' interfaces on their hypervisors, before OVN knows any of them."""
        for number, hypervisor in enumerate(self.hypervisors):
            hypervisor.plug(BRIDGE, [(port.interface, port.name) for port in ports if port.hypervisor == number])

    def configure(self, ports: Sequence[Port], rules: Sequence[Rule]) -> float:
        """The whole workload as one northbound transaction. Seconds until all obey and every port is up."""
        words = ["--wait=hv", "lr-add", "r0"]
        for subnet in range(workload.SUBNETS):
            words += [
                "--",
                "ls-add",
                f"s{subnet}",
                "--",
                "lrp-add",
                "r0",
                f"r0-s{subnet}",
                f"02:00:00:01:{subnet:02x}:01",
                f"{workload.gateway(subnet)}/16",
                "--",
                "lsp-add",
                f"s{subnet}",
                f"s{subnet}-r0",
                "--",
                "lsp-set-type",
                f"s{subnet}-r0",
                "router",
                "--",
                "lsp-set-addresses",
                f"s{subnet}-r0",
                "router",
                "--",
                "lsp-set-options",
                f"s{subnet}-r0",
                f"router-port=r0-s{subnet}",
            ]
        for port in ports:
            words += [
                "--",
                "lsp-add",
                f"s{port.subnet}",
                port.name,
                "--",
                "lsp-set-addresses",
                port.name,
                f"{port.mac} {port.address}",
                "--",
                "lsp-set-port-security",
                port.name,
                f"{port.mac} {port.address}",
            ]
        words += ["--", "pg-add", GROUP, *(port.name for port in ports)]
        for rule in rules:
            words += ["--", *self.acl(rule)]
        words += ["--", "acl-add", GROUP, "to-lport", "900", f"outport == @{GROUP} && ip4", "drop"]

        def apply() -> None:
            self.nbctl(*words)
            wait_until(lambda: self.ports_up() >= len(ports), "all of OVN's ports to be up", timeout=300)

        return timed(apply)

    def ports_up(self) -> int:
        names = self.nbctl("--bare", "--columns=name", "find", "Logical_Switch_Port", "up=true").split()
        return sum(1 for name in names if name.startswith("p"))

    def acl(self, rule: Rule) -> list[str]:
        return [
            "acl-add",
            GROUP,
            "to-lport",
            str(1000 + rule.number),
            f"outport == @{GROUP} && ip4.src == {rule.source} && tcp.dst == {rule.port}",
            "allow-related",
        ]

    def add_port(self, port: Port) -> float:
        """One more port of the group, already plugged. Seconds until every hypervisor obeys."""
        addresses = f'"{port.mac} {port.address}"'
        return timed(
            lambda: self.nbctl(
                "--wait=hv",
                "--id=@port",
                "create",
                "logical_switch_port",
                f"name={port.name}",
                f"addresses={addresses}",
                f"port_security={addresses}",
                "--",
                "add",
                "logical_switch",
                f"s{port.subnet}",
                "ports",
                "@port",
                "--",
                "add",
                "port_group",
                GROUP,
                "ports",
                "@port",
            )
        )

    def add_rule(self, rule: Rule) -> float:
        """One more rule on the group. Seconds until every hypervisor obeys."""
        return timed(lambda: self.nbctl("--wait=hv", *self.acl(rule)))

    def empty_command(self) -> float:
        """Seconds of an ovn-nbctl that changes nothing and waits for nothing."""
        return timed(lambda: self.nbctl("get-connection"))

    def flow_counts(self) -> list[int]:
        return [hypervisor.flow_count(BRIDGE) for hypervisor in self.hypervisors]

    def cpu(self) -> float:
        """CPU seconds so far of ovn-northd and all ovn-controllers together."""
        return sum(cpu_seconds(process.pid) for process in (self.northd, *self.controllers))

    def memory(self) -> float:
        """Resident MiB of ovn-northd and all ovn-controllers together."""
        return sum(resident(process.pid) for process in (self.northd, *self.controllers))

"""A whole network for tests: the lab's hypervisors and machines, a daemon, and an operator at its command line."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nshell.lab import Lab, Machine
from nshell.lab.probing import wait_until
from tests.transcripts.shell import Shell

PATIENCE = 30.0  # seconds
_COUNTERS = re.compile(r" (duration|n_packets|n_bytes|idle_age|hard_age)=[^ ]*")

MACHINES = (("web-1", "hv1", 1, 11), ("web-2", "hv2", 1, 12), ("app-1", "hv1", 2, 11), ("app-2", "hv3", 2, 12))
POLICY = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set dvrs hv3 tunnel-address 172.31.0.3
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
""" + "".join(
    f"set enterprise acme domain prod vport {name} subnet {'web1' if net == 1 else 'app1'} "
    f"mac 02:00:0a:01:{net:02x}:{host:02x} address 10.1.{net}.{host}\n"
    for name, _, net, host in MACHINES
)


def machine(name: str, hypervisor: str, net: int, host: int) -> Machine:
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=f"02:00:0a:01:{net:02x}:{host:02x}",
        address=(f"10.1.{net}.{host}/24",), gateway=f"10.1.{net}.1",
    )  # fmt: skip


class Network:
    """Three hypervisors, four machines of one tenant, the daemon; everything is up when it is made."""

    def __init__(self, folder: Path, prefix: str, *, agents: bool = True, state: Path | None = None) -> None:
        self.lab = Lab(prefix, folder / "lab")
        self.lab.down()
        self.shell = Shell(folder / "shell", state=state)
        try:
            self._build(agents)
        except BaseException:
            self.close()
            raise

    def _build(self, agents: bool) -> None:
        openflow, ovsdb, agent = self.shell.ports
        trusted = {"openflow_port": openflow, "ovsdb_port": ovsdb, "agent_port": agent}
        trusted["controller_state"] = self.shell.state
        self.lab.up(3, [machine(*row) for row in MACHINES], agents=False, **trusted)
        self.run(f"set controller listen-address {self.lab.controller_address}", "commit")
        self.batch(POLICY + "commit\n")
        if agents:  # only now is there something that admits them: a refused one would dial again after seconds
            self.lab.up(3, agents=True, **trusted)
        self.ready()
        if agents:
            assert wait_until(self.neighbours_resolved, PATIENCE, 0.1)

    def close(self) -> None:
        self.shell.end()
        self.lab.down()

    def run(self, *lines: str, code: int = 0) -> str:
        """Type command lines in one session; what was printed. The exit code must be as expected."""
        done = self.shell.commands(*lines)
        assert done.returncode == code, f"{lines} gave {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def batch(self, text: str, code: int = 0) -> str:
        done = self.shell.run(text=text)
        assert done.returncode == code, f"gave {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def rows(self, command: str) -> list[Mapping[str, Any]]:
        """The rows of a table, as data."""
        rows: list[Mapping[str, Any]] = json.loads(self.shell.run("--json", "-c", command).stdout)["rows"]
        return rows

    def ready(self) -> None:
        """Return when every hypervisor is ready and every vport that is plugged in is up."""

        def all_ready() -> bool:
            return all(row["state"] == "ready" for row in self.rows("show dvrs")) and all(
                row["state"] == "up" for row in self.rows("show vports") if row["name"] in self.lab.machines
            )

        assert wait_until(all_ready, PATIENCE, 0.1), self.run("show dvrs", "show vports", "show system events")

    def neighbours_resolved(self) -> bool:
        """Whether every hypervisor knows the MAC of every other's tunnel address, so that no first packet is lost."""
        addresses = [self.lab.tunnel_address(name) for name in self.lab.hypervisors]
        return all(
            address in self.lab.ovs(name).control("tnl/neigh/show")
            for name in self.lab.hypervisors
            for address in addresses
            if address != self.lab.tunnel_address(name)
        )

    def flows(self, hypervisor: str) -> frozenset[str]:
        """The flows a hypervisor holds, without their counters."""
        lines = self.lab.ofctl(hypervisor, "dump-flows", "--no-names").splitlines()
        return frozenset(_COUNTERS.sub("", line) for line in lines if "table=" in line)

    def all_flows(self) -> dict[str, frozenset[str]]:
        return {name: self.flows(name) for name in self.lab.hypervisors}

    def kill(self) -> None:
        """kill -9 the daemon."""
        pid = self.shell.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 5)

    @contextmanager
    def pinging(self, source: str, destination: str) -> Iterator[dict[str, Any]]:
        """100 echo requests a second meanwhile; the report is in the dictionary afterwards."""
        report: dict[str, Any] = {}
        with self.lab.ping_stream(source, destination, rate=100.0) as stream:
            time.sleep(0.3)
            yield report
            time.sleep(0.3)
            report.update(stream.stop())


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True

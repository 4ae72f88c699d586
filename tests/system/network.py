"""A whole network for tests: the lab's hypervisors and machines, a daemon, and an operator at its command line."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nshell.lab import Lab, Machine, Outside, Uplink
from nshell.lab.probing import wait_until
from nshell.lab.wan.plan import Wan
from tests.transcripts.shell import Shell

PATIENCE = 30.0  # seconds
_COUNTERS = re.compile(r" (duration|n_packets|n_bytes|idle_age|hard_age)=[^ ]*")

MACHINES = (("web-1", "hv1", 1, 11), ("web-2", "hv2", 1, 12), ("app-1", "hv1", 2, 11), ("app-2", "hv3", 2, 12))
POLICY = """
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


def dual_stack(name: str, hypervisor: str, host: int) -> Machine:
    """A machine of acme/prod in 10.1.1.0/24 and 2001:db8:1::/64."""
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=f"02:00:0a:01:01:{host:02x}",
        address=(f"10.1.1.{host}/24", f"2001:db8:1::{host}/64"), gateway=("10.1.1.1", "2001:db8:1::1"),
    )  # fmt: skip


class Network:
    """Hypervisors hv1 ..., machines, the daemon; everything is up when it is made.

    By default three hypervisors and four machines of one tenant. `policy` is the set lines (those of the hypervisors
    are added); the machines' vports are in it, and every one that it names and that is plugged in comes up. `uplinks`
    are physical networks with the hosts `outside` on them; `underlay` is what tunnels go over, "ipv4" or "ipv6", and
    `wan` the routers that it is part of. `lab` is one that is prepared, such as a second site.
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        *,
        machines: Iterable[Machine] | None = None,
        policy: str | Iterable[str] = POLICY,
        hypervisors: int = 3,
        uplinks: Iterable[Uplink] = (),
        outside: Iterable[Outside] = (),
        underlay: str = "ipv4",
        wan: Wan | None = None,
        agents: bool = True,
        state: Path | None = None,
        lab: Lab | None = None,
    ) -> None:
        if lab is None:
            lab = Lab(prefix, folder / "lab")
            lab.down()
        self.lab = lab
        self.shell = Shell(folder / "shell", state=state)
        self._count = hypervisors
        openflow, ovsdb, agent = self.shell.ports
        self._trusted: dict[str, Any] = {"openflow_port": openflow, "ovsdb_port": ovsdb, "agent_port": agent}
        self._trusted["controller_state"] = self.shell.state
        placed = tuple(machine(*row) for row in MACHINES) if machines is None else tuple(machines)
        text = policy if isinstance(policy, str) else "\n".join(policy)
        try:
            self.lab.up(
                hypervisors, placed, uplinks=uplinks, outside=outside, underlay=underlay, wan=wan, agents=False,
                **self._trusted,
            )  # fmt: skip
            self._start(text, agents)
        except BaseException:
            self.close()
            raise

    def _start(self, policy: str, agents: bool) -> None:
        self.run(f"set controller listen-address {self.lab.controller_address}", "commit")
        addresses = {name: self.lab.tunnel_address(name) for name in self.lab.hypervisors}
        dvrs = "".join(f"set dvrs {name} tunnel-address {address}\n" for name, address in addresses.items())
        self.batch(f"{dvrs}{policy}\ncommit\n")
        if agents:  # only now is there something that admits them: a refused one would dial again after seconds
            self.lab.up(self._count, agents=True, **self._trusted)
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

    def commit(self, *lines: str) -> str:
        """Commit these command lines (set, delete, rollback) and wait until every vport that is plugged in is up."""
        said = self.batch("\n".join(["configure", *lines, "commit", ""]))
        self.ready()
        return said

    def restart_controller(self, *, kill: bool = True) -> None:
        """The daemon ends, by kill -9 or in order, and a new one is ready; what the state directory holds remains."""
        if kill:
            self.kill()
        else:
            self.shell.end()
        self.start_controller()

    def start_controller(self) -> None:
        """A daemon where none runs, as the first client starts it, and it is ready."""
        self.run("show version")
        self.ready()

    def rows(self, command: str) -> list[Mapping[str, Any]]:
        """The rows of a table, as data."""
        rows: list[Mapping[str, Any]] = json.loads(self.shell.run("--json", "-c", command).stdout)["rows"]
        return rows

    def ready(self, *others: str) -> None:
        """Return when every hypervisor is ready and every vport that a machine is plugged in as is up, and `others`
        (ENTERPRISE/DOMAIN/NAME, those behind uplinks), too. A machine without a vport in the policy is not waited for.
        """
        plugged = {one["vport"] for one in self.lab.status()["machines"] if one["state"] == "plugged"}

        def all_ready() -> bool:
            states = self.vport_states()
            return (
                all(row["state"] == "ready" for row in self.rows("show dvrs"))
                and all(state == "up" for name, state in states.items() if name in plugged)
                and all(states.get(name) == "up" for name in others)
            )

        assert wait_until(all_ready, PATIENCE, 0.1), self.run("show dvrs", "show vports", "show system events")

    def vport_states(self) -> dict[str, str]:
        """What `show vports` says of each: "up", "unresolved" and so on, by ENTERPRISE/DOMAIN/NAME."""
        rows = self.rows("show vports")
        return {"/".join([*row["place"].split("/")[:2], row["name"]]): row["state"] for row in rows}

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

    def stale_flows(self) -> dict[str, list[str]]:
        """What hypervisors hold otherwise than a fresh compile says, by hypervisor: empty when all is right.

        A new daemon compiles everything from the store, compares it with what it reads back from every switch and
        makes that so: what is different afterwards was stale (too many) or missing (too few).
        """
        before = self.all_flows()
        self.restart_controller()
        after = self.all_flows()
        wrong = {
            name: [
                *(f"stale: {flow}" for flow in sorted(before[name] - after[name])),
                *(f"missing: {flow}" for flow in sorted(after[name] - before[name])),
            ]
            for name in before
        }
        return {name: lines for name, lines in wrong.items() if lines}

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

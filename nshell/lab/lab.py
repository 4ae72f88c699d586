"""The lab's interface: bring a fabric up, plug machines in, break things, take everything down.

    lab = Lab("nsh")
    lab.up(3, read_machines(Path("examples/demo/vms.toml")), controller_state=Path("/var/lib/nshell"))
    lab.ping("acme-web-1", "acme-db-1").ok
    lab.move("acme-web-1", "hv2")
    lab.down()

Every method is synchronous.  State is a file in the state directory, read at each call and written after each
change, so several programs may use one lab, and `down` works whatever became of the program that called `up`.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent import attach, namespaces
from agent.host import Ovs, run
from agent.join import AGENT_PORT, OPENFLOW_PORT, OVSDB_PORT
from data.errors import CommandFailed
from nshell.lab import processes, underlay
from nshell.lab.assembly import Assembly, wipe
from nshell.lab.capture import Capture
from nshell.lab.machines import Machine, check_machines
from nshell.lab.probing import Probing
from nshell.lab.record import STATES, LabState, Record

PREFIX = "nsh"  # of the lab that is meant when none is named


class Lab(Probing):
    """A fabric of hypervisors and virtual machines on this machine.  Needs root."""

    def __init__(self, prefix: str = PREFIX, state_dir: Path | str | None = None) -> None:
        if not underlay.PREFIX.fullmatch(prefix):
            raise CommandFailed("lab", f"{prefix!r} cannot be a prefix", "use at most 8 lower-case letters and digits")
        self.prefix = prefix
        self.state_dir = Path(state_dir) if state_dir is not None else STATES / prefix
        self._record = Record(self.state_dir, self.command("down"))

    def command(self, verb: str) -> str:
        """The command line that does something to this very lab."""
        words = ["nshell", "lab"]
        if self.prefix != PREFIX:
            words += ["--prefix", self.prefix]
        if self.state_dir != STATES / self.prefix:
            words += ["--state-dir", str(self.state_dir)]
        return f"{shlex.join(words)} {verb}"

    # ------------------------------------------------------------------ whole lab

    def up(
        self,
        hypervisors: int = 3,
        machines: Iterable[Machine] | None = None,
        *,
        agents: bool = True,
        controller_state: Path | None = None,
        ovsdb_port: int = OVSDB_PORT,
        openflow_port: int = OPENFLOW_PORT,
        agent_port: int = AGENT_PORT,
    ) -> None:
        """Make the lab so, from nothing or from whatever is there; what is right already is not touched.

        `machines` None leaves the machines as they are; else exactly these are plugged in.
        `controller_state` is the state directory of the controller, on this machine, whose authority gives the
        hypervisors their certificates; without one they dial in the clear, which a controller does not let in. The
        ports are those of the controller, which every hypervisor dials at `controller_address`.
        """
        wanted = None if machines is None else tuple(machines)
        if not 1 <= hypervisors <= underlay.HYPERVISORS_MAX:
            raise CommandFailed("lab", f"{hypervisors} hypervisors", f"choose 1 to {underlay.HYPERVISORS_MAX}")
        if wanted is not None:
            check_machines(wanted)
        with self._changing(create=True) as lab:
            lab.state.ports, lab.state.agents = (ovsdb_port, openflow_port, agent_port), agents
            lab.state.controller_state = "" if controller_state is None else str(controller_state.absolute())
            lab.build(hypervisors)
            if wanted is not None:
                lab.set_machines(wanted)

    def down(self) -> None:
        """Remove everything a lab of this prefix ever made; nothing is left also when there was no lab."""
        self._need_root("down")
        with self._record.locked():
            try:
                state = self._record.load()
            except CommandFailed:
                state = None  # unreadable: what it named is found by name
            wipe(self.prefix, state)
            self._record.remove()

    @property
    def is_up(self) -> bool:
        """Whether a lab is recorded in the state directory."""
        return self._record.load() is not None

    @property
    def controller_address(self) -> str:
        """The address, in the root namespace, at which hypervisors reach the controller."""
        return self._look().names.controller_address

    @property
    def hypervisors(self) -> list[str]:
        """Names (and system-ids) of the hypervisors: hv1, hv2, …"""
        return list(self._look().state.hypervisors)

    @property
    def machines(self) -> dict[str, Machine]:
        """The machines by name, each with the hypervisor it is on now."""
        return dict(self._look().state.machines)

    def status(self) -> dict[str, Any]:
        """What is there and what runs, as plain data."""
        if not self.is_up:
            return {"up": False, "prefix": self.prefix}

        def word(process: processes.Process | None) -> str:
            return "runs" if processes.is_alive(process) else "stopped"

        lab = self._look()
        hosts = [lab.hypervisor(name) for name in lab.state.hypervisors]
        return {
            "up": True,
            "prefix": self.prefix,
            "controller_address": lab.names.controller_address,
            "hypervisors": [
                {
                    "name": one.state.name,
                    "namespace": one.namespace,
                    "tunnel_address": one.tunnel_address,
                    "database": word(one.state.database),
                    "switch": word(one.state.switch),
                    "agent": word(one.state.agent),
                }
                for one in hosts
            ],
            "machines": [
                {
                    **msgspec.to_builtins(one),
                    "state": "unplugged" if one.name in lab.state.unplugged else "plugged",
                }
                for one in lab.state.machines.values()
            ],
        }

    # ------------------------------------------------------------------ machines

    def add(self, machine: Machine) -> None:
        """Make one more machine and plug it in."""
        with self._changing() as lab:
            if machine.name in lab.state.machines:
                raise CommandFailed(f"vm {machine.name}", "there is one already", "move it, or remove it first")
            check_machines((*lab.state.machines.values(), machine))
            lab.place([machine])

    def remove(self, name: str) -> None:
        """Unplug a machine and delete it."""
        with self._changing() as lab:
            lab.unplug(lab.state.machine(name))
            lab.drop_machine(name)

    def unplug(self, name: str) -> None:
        """Take a machine's interface away, as when it is shut down; the machine itself stays."""
        with self._changing() as lab:
            lab.unplug(lab.state.machine(name))
            lab.state.unplugged.add(name)

    def plug(self, name: str, hypervisor: str | None = None) -> None:
        """Plug an unplugged machine in again, on the same hypervisor or another."""
        with self._changing() as lab:
            machine = lab.state.machine(name)
            if name not in lab.state.unplugged:
                raise CommandFailed(f"vm {name}", f"it is plugged in on {machine.hypervisor}", "move or unplug it")
            lab.place([msgspec.structs.replace(machine, hypervisor=hypervisor or machine.hypervisor)])

    def move(self, name: str, hypervisor: str) -> None:
        """Live migration: the same interface, its addresses and connections, on another hypervisor."""
        with self._changing() as lab:
            machine = lab.state.machine(name)
            if name in lab.state.unplugged:
                raise CommandFailed(f"vm {name}", "it is unplugged", "plug it in there")
            if machine.hypervisor != hypervisor:
                lab.move(machine, hypervisor)
                lab.state.machines[name] = msgspec.structs.replace(machine, hypervisor=hypervisor)

    # ------------------------------------------------------------------ hypervisors

    def ovs(self, hypervisor: str) -> Ovs:
        """A hypervisor's Open vSwitch: `.vsctl(…)`, `.control(…)`, `.location.rundir`."""
        return self._look().hypervisor(hypervisor).ovs

    def ofctl(self, hypervisor: str, command: str, *args: str, bridge: str = attach.BRIDGE) -> str:
        """Run `ovs-ofctl -O OpenFlow14 COMMAND BRIDGE ARGS` on a hypervisor's bridge."""
        rundir = self.ovs(hypervisor).location.rundir
        return run(["ovs-ofctl", "-O", "OpenFlow14", command, f"unix:{rundir}/{bridge}.mgmt", *args])

    def tunnel_address(self, hypervisor: str) -> str:
        """A hypervisor's address on the underlay."""
        return self._look().hypervisor(hypervisor).tunnel_address

    def on_hypervisor(self, hypervisor: str, argv: Sequence[str], timeout: float = 30.0) -> str:
        """Run a command in a hypervisor's namespace, give its output; CommandFailed when it fails."""
        return self._look().hypervisor(hypervisor).inside(lambda: run(argv, timeout=timeout))

    def stop_switch(self, hypervisor: str) -> None:
        """End ovs-vswitchd in order."""
        with self._changing() as lab:
            lab.hypervisor(hypervisor).stop_switch()

    def kill_switch(self, hypervisor: str) -> None:
        """kill -9 ovs-vswitchd."""
        with self._changing() as lab:
            lab.hypervisor(hypervisor).stop_switch(signal.SIGKILL)

    def start_switch(self, hypervisor: str) -> None:
        """Start ovs-vswitchd again; it returns when it runs and the uplink has its addresses."""
        with self._changing() as lab:
            lab.hypervisor(hypervisor).start_switch()

    def restart_switch(self, hypervisor: str) -> None:
        """Stop and start ovs-vswitchd, as a package upgrade does."""
        with self._changing() as lab:
            one = lab.hypervisor(hypervisor)
            one.stop_switch()
            one.start_switch()

    def start_agent(self, hypervisor: str) -> None:
        """Start the hypervisor's agent."""
        with self._changing() as lab:
            lab.hypervisor(hypervisor).start_agent()

    def stop_agent(self, hypervisor: str, *, kill: bool = False) -> None:
        """Stop the hypervisor's agent, in order or by kill -9."""
        with self._changing() as lab:
            lab.hypervisor(hypervisor).stop_agent(signal.SIGKILL if kill else signal.SIGTERM)

    def cut_management(self, hypervisor: str) -> None:
        """Take the wire to the controller away without a word: connections become half open."""
        lab = self._look()
        port = lab.names.management_port(lab.hypervisor(hypervisor).state.number)
        run(["ip", "link", "set", "dev", port, "nomaster"])

    def mend_management(self, hypervisor: str) -> None:
        """Put the wire to the controller back."""
        lab = self._look()
        port = lab.names.management_port(lab.hypervisor(hypervisor).state.number)
        run(["ip", "link", "set", "dev", port, "master", lab.names.management])

    def capture(self, hypervisor: str, expression: str = "", nic: str = "eth0") -> Capture:
        """Start tcpdump on a hypervisor's interface; it returns when packets are really being seen."""
        space = namespaces.of_name(self._look().hypervisor(hypervisor).namespace)
        return Capture.start(space, nic, expression, self._record.captures())

    # ------------------------------------------------------------------ inside machines

    def namespace(self, name: str) -> str:
        """The network namespace of a machine."""
        lab = self._look()
        return lab.names.machine(lab.state.machine(name).name)

    def address(self, name: str) -> str:
        """A machine's first address; a name that is no machine is taken as an address."""
        machine = self._look().state.machines.get(name)
        return name if machine is None else machine.ip

    def exec(self, name: str, argv: Sequence[str], *, timeout: float = 30.0) -> "subprocess.CompletedProcess[str]":
        """Run a command inside a machine and wait for it; its exit code is the caller's to judge."""
        space = namespaces.of_name(self.namespace(name))
        try:
            return namespaces.inside(
                space,
                lambda: subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout),
            )
        except FileNotFoundError:
            raise CommandFailed(f"vm {name}", f"{argv[0]} is not installed", "install it on this machine") from None
        except subprocess.TimeoutExpired:
            raise CommandFailed(
                f"vm {name}", f"no end within {timeout:g} s: {' '.join(argv)}", "give it longer"
            ) from None

    # ------------------------------------------------------------------ state

    def _look(self) -> Assembly:
        """The lab as it is recorded, to be looked at."""
        state = self._record.load()
        if state is None:
            raise CommandFailed(f"lab {self.prefix}", f"it is not up (nothing in {self.state_dir})", self.command("up"))
        return Assembly(self._record, state)

    @contextmanager
    def _changing(self, *, create: bool = False) -> Iterator[Assembly]:
        """The lab, to be changed; its state is saved also when the change fails halfway."""
        self._need_root("up" if create else "…")
        with self._record.locked():
            if create and self._record.load() is None:
                self._begin()
            lab = self._look()
            try:
                yield lab
            finally:
                self._record.save(lab.state)

    def _begin(self) -> None:
        """Write a new record, after removing what a lab of this prefix left whose record is lost."""
        wipe(self.prefix, None)
        with underlay.machine_wide_lock():
            state = LabState(self.prefix, underlay.free_subnet(self.prefix))
            underlay.make_management(Assembly(self._record, state).names)
        self._record.save(state)

    def _need_root(self, verb: str) -> None:
        if os.geteuid() != 0:
            raise CommandFailed(f"lab {self.prefix}", "network namespaces need root", f"sudo {self.command(verb)}")

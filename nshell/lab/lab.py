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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agent.join import AGENT_PORT, OPENFLOW_PORT, OVSDB_PORT
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab import underlay as wires
from nshell.lab.across import Across
from nshell.lab.assembly import Assembly, wipe
from nshell.lab.hosts import Hosts
from nshell.lab.inside import Inside
from nshell.lab.machines import Machine, check_machines
from nshell.lab.outside import Outside, Uplink
from nshell.lab.record import STATES, LabState, Record
from nshell.lab.underlay import Names
from nshell.lab.wan.plan import Wan

STYLES = ("live", "cold")  # of a move
UNDERLAYS = {"ipv4": 4, "ipv6": 6}
PREFIX = "nsh"  # of the lab that is meant when none is named


class Lab(Hosts, Inside, Across):
    """A fabric of hypervisors and virtual machines on this machine.  Needs root."""

    def __init__(self, prefix: str = PREFIX, state_dir: Path | str | None = None, *, site: int = 1) -> None:
        if not wires.PREFIX.fullmatch(prefix):
            raise CommandFailed("lab", f"{prefix!r} cannot be a prefix", "use at most 8 lower-case letters and digits")
        self.prefix = prefix
        self._site = site
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
        uplinks: Iterable[Uplink] | None = None,
        outside: Iterable[Outside] | None = None,
        underlay: str | None = None,
        wan: Wan | None = None,
        agents: bool = True,
        controller_state: Path | None = None,
        ovsdb_port: int = OVSDB_PORT,
        openflow_port: int = OPENFLOW_PORT,
        agent_port: int = AGENT_PORT,
    ) -> None:
        """Make the lab so, from nothing or from whatever is there; what is right already is not touched.

        `machines` None leaves the machines as they are; else exactly these are plugged in.  So do `uplinks`, the
        physical networks, and `outside`, the hosts on them.  `underlay` is "ipv4" or "ipv6": what tunnels go over.
        `wan` is the wide area network that there shall be besides; None leaves what there is of it as it is.
        `controller_state` is the state directory of the controller, on this machine, whose authority gives the
        hypervisors their certificates; without one they dial in the clear, which a controller does not let in. The
        ports are those of the controller, which every hypervisor dials at `controller_address`.
        """
        wanted = None if machines is None else tuple(machines)
        if not 1 <= hypervisors <= wires.HYPERVISORS_MAX:
            raise CommandFailed("lab", f"{hypervisors} hypervisors", f"choose 1 to {wires.HYPERVISORS_MAX}")
        if wanted is not None:
            check_machines(wanted)
        if wan is not None:
            self._check_wan(wan)
        if underlay not in (None, *UNDERLAYS):
            raise CommandFailed("lab", f"an underlay of {underlay}", f"choose {' or '.join(UNDERLAYS)}")
        with self._changing(create=True) as lab:
            if underlay is not None and UNDERLAYS[underlay] != lab.state.underlay:
                if lab.state.hypervisors:
                    raise CommandFailed("lab", f"it has an underlay of IPv{lab.state.underlay}", self.command("down"))
                lab.state.underlay = UNDERLAYS[underlay]
                lab.names = Names(lab.state.prefix, lab.state.subnet, lab.state.underlay, lab.state.site)
            lab.state.ports, lab.state.agents = (ovsdb_port, openflow_port, agent_port), agents
            lab.state.controller_state = "" if controller_state is None else str(controller_state.absolute())
            lab.build(hypervisors)
            if wanted is not None:
                lab.set_machines(wanted)
            now = lab.state.physical
            lab.set_outside(
                tuple(now.uplinks.values() if uplinks is None else uplinks),
                tuple(now.hosts.values() if outside is None else outside),
            )
            if wan is not None:
                self._build_wan(lab, wan)

    def down(self) -> None:
        """Remove everything a lab of this prefix ever made; nothing is left also when there was no lab."""
        self._need_root("down")
        if self._holds_second():
            self._second().down()
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
    def outside(self) -> dict[str, Outside]:
        """The hosts on physical networks, by name."""
        return dict(self._look().state.physical.hosts)

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
            "uplinks": [msgspec.to_builtins(one) for one in lab.state.physical.uplinks.values()],
            "outside": [msgspec.to_builtins(one) for one in lab.state.physical.hosts.values()],
            "wan": self.wan.status() if lab.state.wan is not None else None,
            "site": lab.state.site,
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

    def move(
        self, name: str, hypervisor: str, *, style: str = "live", overlap: float = 0.0, downtime: float = 0.0
    ) -> None:
        """Migration: the machine, its addresses and connections, on another hypervisor.

        "live": the interface appears there before it vanishes here, and both are there `overlap` seconds more; the
        machine sends by the new one as soon as that is a port.  "cold": it vanishes here, and appears there `downtime`
        seconds later; the machine runs on all the while.
        """
        if style not in STYLES:
            raise CommandFailed("lab", f"a {style} move", f"choose {' or '.join(STYLES)}")
        if style == "live":
            with self.migrating(name, hypervisor, overlap=overlap):
                return
        with self._changing() as lab:
            machine = self._movable(lab, name)
            if machine.hypervisor != hypervisor:
                lab.move_cold(machine, hypervisor, downtime)

    @contextmanager
    def migrating(self, name: str, hypervisor: str, *, overlap: float = 0.0) -> Iterator[None]:
        """A live migration in two halves: meanwhile the vport is on both hypervisors, and the machine receives from
        either but sends by the old one; afterwards it is on the new one alone.
        """
        with self._changing() as lab:
            machine = self._movable(lab, name)
            number = 0 if machine.hypervisor == hypervisor else lab.begin_move(machine, hypervisor)
        try:
            yield
        finally:
            if number:
                with self._changing() as lab:
                    lab.finish_move(machine, hypervisor, number, overlap)

    def _movable(self, lab: Assembly, name: str) -> Machine:
        if name in lab.state.unplugged:
            raise CommandFailed(f"vm {name}", "it is unplugged", "plug it in there")
        return lab.state.machine(name)

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
        with wires.machine_wide_lock():
            state = LabState(self.prefix, wires.free_subnet(self.prefix), site=self._site)
            wires.make_management(Assembly(self._record, state).names)
        self._record.save(state)

    def _need_root(self, verb: str) -> None:
        if os.geteuid() != 0:
            raise CommandFailed(f"lab {self.prefix}", "network namespaces need root", f"sudo {self.command(verb)}")

"""How a lab is put together from its parts, and from whatever an interrupted `up` left.

Each step looks at what is there and adds what is missing, and the record is written before and after, so a lab
that was killed halfway is completed by the next `up` and removed whole by `down`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from agent import attach, namespaces
from agent.host import run
from agent.join import Endpoint
from data.errors import CommandFailed
from nshell.lab import migration, processes, spaces, underlay
from nshell.lab.authority import LabAuthority
from nshell.lab.hypervisor import Hypervisor, HypervisorState
from nshell.lab.machines import Machine
from nshell.lab.outside import Outside, Uplink, check_outside
from nshell.lab.physical import Physical
from nshell.lab.processes import Process
from nshell.lab.record import LabState, Record
from nshell.lab.spaces import Ipv6
from nshell.lab.underlay import Names
from nshell.lab.wan import between, wide
from nshell.lab.wan.wide import Wide

SIDE_BY_SIDE = 16  # hypervisors started at the same time


def wipe(prefix: str, state: LabState | None) -> None:
    """End every process and remove every link and namespace of a lab, recorded or found by name."""
    recorded: list[Process] = []
    if state is not None:
        recorded = [one for host in state.hypervisors.values() for one in host.processes]
        recorded += state.physical.processes
        if state.wan is not None:
            between.mend(state.subnet)
    spaces = [namespaces.of_name(name) for name in underlay.existing(prefix)]
    processes.end([*recorded, *processes.in_namespaces(spaces)])
    underlay.remove(prefix)
    wide.wipe(prefix)


class Assembly:
    """One lab being changed: its state in memory, its record, its parts."""

    def __init__(self, record: Record, state: LabState) -> None:
        self.record = record
        self.state = state
        self.names = Names(state.prefix, state.subnet, state.underlay, state.site)

    def hypervisor(self, name: str) -> Hypervisor:
        """One hypervisor; CommandFailed when there is none of that name."""
        found = self.state.hypervisors.get(name)
        if found is None:
            known = ", ".join(self.state.hypervisors) or "none"
            raise CommandFailed(f"hypervisor {name}", f"the lab has {known}", "name one of them")
        return Hypervisor(self.names, self.record.directory, found)

    @property
    def physical(self) -> Physical:
        """What is outside the fabric."""
        save = partial(self.record.save, self.state)
        return Physical(self.names, self.record.directory, self.state.physical, save)

    @property
    def wan_hosts(self) -> dict[str, tuple[str, ...]]:
        """The hosts behind the PE and the VTEP with their addresses; none without a wide area network."""
        return {} if self.state.wan is None else self.state.wan.wan.hosts

    def wan(self, second: Names | None = None) -> Wide:
        """The wide area network; CommandFailed when there is none. `second` is the lab of the second site."""
        if self.state.wan is None:
            raise CommandFailed(f"lab {self.state.prefix}", "it has no wide area network", "up it with one: --wan")
        sites = {1: self.names} | ({} if second is None else {2: second})
        return Wide(self.state.wan, self.names, self.record.directory, sites)

    def uplink(self, name: str) -> Uplink:
        """One physical network; CommandFailed when there is none of that name."""
        found = self.state.physical.uplinks.get(name)
        if found is None:
            known = ", ".join(self.state.physical.uplinks) or "none"
            raise CommandFailed(f"uplink {name}", f"the lab has {known}", "name one of them")
        return found

    def set_outside(self, uplinks: Sequence[Uplink], hosts: Sequence[Outside]) -> None:
        """Exactly these physical networks and hosts on them."""
        check_outside(uplinks, hosts, self.state.hypervisors, self.state.machines)
        self.physical.build(uplinks, hosts, self.hypervisor, tuple(self.state.hypervisors))

    def build(self, count: int) -> None:
        """Hypervisors hv1 to hv`count`, wired, running and joined; machines of rebuilt ones plugged in again."""
        state, names = self.state, self.names
        wanted = {f"hv{number}": number for number in range(1, count + 1)}
        for name in [one for one in state.hypervisors if one not in wanted]:
            self.drop_hypervisor(name)
        present = set(underlay.existing(state.prefix))
        if names.fabric not in present:
            state.hypervisors.clear()  # their wires went with it
        fresh = [
            name
            for name, number in wanted.items()
            if name not in state.hypervisors
            or names.hypervisor(number) not in present
            or state.hypervisors[name].database is None  # an `up` was killed while it started what runs there
        ]
        stale = {names.hypervisor(wanted[name]) for name in fresh} & present  # an `up` was killed halfway
        processes.end(processes.in_namespaces(namespaces.of_name(space) for space in stale))
        spaces.batch([f"netns del {space}" for space in stale])
        kind = Ipv6.OFF if state.underlay == 4 else Ipv6.STATIC
        spaces.ensure_namespaces([names.fabric])
        spaces.ensure({names.hypervisor(wanted[name]): (kind, False) for name in fresh})
        underlay.make_management(names)
        underlay.make_fabric(names)
        for name in fresh:
            underlay.wire_hypervisor(names, wanted[name])
            state.hypervisors[name] = HypervisorState(wanted[name])
        self.record.save(state)
        ovsdb, openflow, agent = state.ports
        authority = LabAuthority(Path(state.controller_state)) if state.controller_state else None
        endpoint = Endpoint(names.controller_address, ovsdb, openflow, agent, authority is not None)
        _together([partial(self.hypervisor(name).start, endpoint, authority, agent=state.agents) for name in wanted])
        guests = [one for one in state.machines.values() if one.hypervisor in fresh and one.name not in state.unplugged]
        for one in guests:
            self._forget_legs(one)
        self.place(guests)

    def set_machines(self, wanted: Sequence[Machine]) -> None:
        """Exactly these machines, plugged in."""
        target = {one.name: one for one in wanted}
        for name, machine in list(self.state.machines.items()):
            if target.get(name) != machine:
                self.unplug(machine)
            if name not in target:
                self.drop_machine(name)
        self.place(wanted)

    def place(self, machines: Sequence[Machine]) -> None:
        """Create what is missing of these machines and plug them in, hypervisors side by side."""
        if not machines:
            return
        hosts = {name: self.hypervisor(name) for name in {one.hypervisor for one in machines}}
        spaces.ensure({self.names.machine(one.name): (one.ipv6, one.forward) for one in machines})
        for one in machines:
            self.state.machines[one.name] = one
            self.state.unplugged.discard(one.name)
        self.record.save(self.state)

        def plug_all(host: Hypervisor) -> None:
            for guest in machines:
                if guest.hypervisor == host.state.name:
                    self.attach(host, guest)

        _together([partial(host.inside, partial(plug_all, host)) for host in hosts.values()])

    def attach(self, host: Hypervisor, machine: Machine, *, keep_link: bool = False) -> None:
        """Plug a machine in; runs in the hypervisor's namespace."""
        workload = attach.Workload("netns", self.names.machine(machine.name))
        interface = attach.Interface("eth0", machine.mac, machine.address, machine.gateways, machine.mtu)
        attach.attach(host.ovs, workload, machine.vport, interface, machine.port, keep_link=keep_link)
        if machine.routes and not keep_link:
            space = namespaces.of_name(self.names.machine(machine.name))
            lines = [f"route replace {one}" for one in machine.routes]
            namespaces.inside(space, partial(spaces.batch, lines))

    def unplug(self, machine: Machine) -> None:
        """Take a machine's interface away."""
        if machine.hypervisor in self.state.hypervisors and machine.name not in self.state.unplugged:
            one = self.hypervisor(machine.hypervisor)
            one.inside(lambda: attach.detach(one.ovs, machine.vport))
            self._forget_legs(machine)

    def move_cold(self, machine: Machine, hypervisor: str, downtime: float) -> None:
        """Carry a machine's interface over to another hypervisor: gone here, `downtime` seconds later there."""
        old, new = self.hypervisor(machine.hypervisor), self.hypervisor(hypervisor)
        old.inside(lambda: attach.detach(old.ovs, machine.vport, keep_link=True))
        time.sleep(downtime)
        migration.carry(machine, self.names.machine(machine.name), old, new)
        new.inside(lambda: self.attach(new, machine, keep_link=True))
        self._is_on(machine, hypervisor)

    def begin_move(self, machine: Machine, hypervisor: str) -> int:
        """Let the interface appear on another hypervisor as well; the number of the leg, for `finish_move`."""
        number = self.state.legs.get(machine.name, 0) + 1
        migration.appear(machine, self.names.machine(machine.name), self.hypervisor(hypervisor), number)
        return number

    def finish_move(self, machine: Machine, hypervisor: str, number: int, overlap: float) -> None:
        """Send by that leg, and after `overlap` seconds take the old interface away."""
        space = self.names.machine(machine.name)
        migration.switch_over(space, number)
        self.state.legs[machine.name] = number
        time.sleep(overlap)
        migration.vanish(machine, space, self.hypervisor(machine.hypervisor), number)
        self._is_on(machine, hypervisor)

    def _is_on(self, machine: Machine, hypervisor: str) -> None:
        self.state.machines[machine.name] = msgspec.structs.replace(machine, hypervisor=hypervisor)
        self.record.save(self.state)

    def _forget_legs(self, machine: Machine) -> None:
        """A machine whose leg has gone has an eth0 that leads nowhere."""
        if self.state.legs.pop(machine.name, 0):
            migration.forget(self.names.machine(machine.name))

    def drop_machine(self, name: str) -> None:
        """Delete an unplugged machine and whatever runs in it."""
        space = self.names.machine(name)
        processes.end(processes.in_namespaces([namespaces.of_name(space)]))
        if space in underlay.existing(self.state.prefix):
            run(["ip", "netns", "del", space])
        del self.state.machines[name]
        self.state.legs.pop(name, None)
        self.state.unplugged.discard(name)

    def drop_hypervisor(self, name: str) -> None:
        """Delete a hypervisor that holds no machine."""
        guests = [one.name for one in self.state.machines.values() if one.hypervisor == name]
        if guests:
            raise CommandFailed(f"hypervisor {name}", f"it holds {', '.join(guests)}", "move or remove them first")
        one = self.hypervisor(name)
        processes.end(one.state.processes)
        spaces.batch(
            [f"link del dev {self.names.management_port(one.state.number)}", f"netns del {one.namespace}"],
            force=True,
        )
        one.remove_files()
        del self.state.hypervisors[name]


def _together(work: Sequence[Callable[[], None]]) -> None:
    """Do things side by side, one thread each; raise the first failure when all have ended."""
    if not work:
        return
    with ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(work))) as pool:
        running = [pool.submit(one) for one in work]
    for one in running:
        one.result()

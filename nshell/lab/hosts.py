"""The part of the lab's interface that is about hypervisors: their Open vSwitch, and breaking what runs on them."""

import abc
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager

from agent import attach, namespaces
from agent.host import Ovs, run
from nshell.lab.assembly import Assembly
from nshell.lab.capture import Capture
from nshell.lab.wan.wires import space_of


class Hosts(abc.ABC):
    """Hypervisors by name, and the wires that lead to them."""

    @abc.abstractmethod
    def _look(self) -> Assembly:
        """The lab as it is recorded, to be looked at."""

    @abc.abstractmethod
    def _changing(self, *, create: bool = False) -> AbstractContextManager[Assembly]:
        """The lab, to be changed."""

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

    def capture(self, place: str, expression: str = "", nic: str = "eth0") -> Capture:
        """Start tcpdump on an interface of a hypervisor, a machine or a host outside; it returns when packets are
        really being seen."""
        lab = self._look()
        if place in lab.state.machines:
            space = lab.names.machine(place)
        elif place in lab.state.physical.hosts:
            space = lab.names.outside(place)
        elif lab.state.wan is not None and place in (*lab.state.wan.wan.nodes, *lab.wan_hosts):
            space = space_of(lab.names.prefix, place)
        else:
            space = lab.hypervisor(place).namespace
        return Capture.start(namespaces.of_name(space), nic, expression, lab.record.captures())

    def cut_uplink(self, hypervisor: str, uplink: str) -> None:
        """Take the physical switch's port towards a hypervisor down: the uplink there loses its carrier."""
        lab = self._look()
        lab.physical.set_link(lab.uplink(uplink).port(lab.hypervisor(hypervisor).state.name), up=False)

    def mend_uplink(self, hypervisor: str, uplink: str) -> None:
        """Bring that port up again."""
        lab = self._look()
        lab.physical.set_link(lab.uplink(uplink).port(lab.hypervisor(hypervisor).state.name), up=True)

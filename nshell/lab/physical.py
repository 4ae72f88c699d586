"""The physical network of a lab: one Open vSwitch of its own in PREFIX-phys, an ordinary learning switch per uplink.

```
  PREFIX-hv1                  PREFIX-phys                    PREFIX-out-router1
  br-nsh ── up-wan ── veth ── hv1-wan ── sw-wan ── o-router1 ── veth ── eth0 192.0.2.1/24
                              trunk of `vlans`     access port of `vlan`
```
Open vSwitch, because not every kernel has bridges that filter VLANs.  It knows nothing of the controller.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from agent import namespaces, offload, physical
from agent.host import run
from nshell.lab import processes, spaces
from nshell.lab.daemons import Daemons
from nshell.lab.hypervisor import Hypervisor
from nshell.lab.outside import Outside, Uplink
from nshell.lab.processes import Process
from nshell.lab.underlay import Names

DIRECTORY = "phys"  # of its database and logs, in the lab's state directory


class PhysicalState(msgspec.Struct):
    """What is recorded of the physical network."""

    database: Process | None = None
    switch: Process | None = None
    uplinks: dict[str, Uplink] = {}
    hosts: dict[str, Outside] = {}

    @property
    def processes(self) -> list[Process]:
        """What is recorded as running."""
        return [one for one in (self.switch, self.database) if one is not None]


class Physical:
    """Builds and changes it.  `state` is changed in place; `save` writes it down."""

    def __init__(self, names: Names, directory: Path, state: PhysicalState, save: Callable[[], None]) -> None:
        self.state = state
        self._names = names
        self._save = save
        self._space = namespaces.of_name(names.physical)
        self._daemons = Daemons(DIRECTORY, names.physical, directory / DIRECTORY)

    def build(
        self,
        uplinks: Sequence[Uplink],
        hosts: Sequence[Outside],
        hypervisor: Callable[[str], Hypervisor],
        present: Sequence[str],
    ) -> None:
        """Exactly these networks and hosts, from whatever is there; `present` are the hypervisors that exist."""
        if uplinks or self.state.uplinks:
            self._start()
        wanted, wanted_hosts = {one.name: one for one in uplinks}, {one.name: one for one in hosts}
        for host in list(self.state.hosts.values()):
            if wanted_hosts.get(host.name) != host or host.uplink not in wanted:
                self._drop_host(host)
        for network in list(self.state.uplinks.values()):
            if wanted.get(network.name) != network:
                self._drop(network, hypervisor, present)
        for network in wanted.values():
            self.state.uplinks[network.name] = network
            self._save()
            self._add(network, hypervisor)
        spaces.ensure({self._names.outside(name): (one.ipv6, one.forward) for name, one in wanted_hosts.items()})
        for host in wanted_hosts.values():
            self.state.hosts[host.name] = host
            self._save()
            self._add_host(host, wanted[host.uplink])

    def set_link(self, port: str, *, up: bool) -> None:
        """Take a port of the switch down, or up again: the other end loses its carrier."""
        self._inside(lambda: run(["ip", "link", "set", "dev", port, "up" if up else "down"]))

    def _inside(self, work: Callable[[], object]) -> None:
        namespaces.inside(self._space, work)

    def _start(self) -> None:
        spaces.ensure_namespaces([self._names.physical])
        if not processes.is_alive(self.state.database):
            self.state.database = self._daemons.database()
            self._save()
        if not processes.is_alive(self.state.switch):
            self.state.switch = self._daemons.switch()
            self._save()

    def _add(self, network: Uplink, hypervisor: Callable[[str], Hypervisor]) -> None:
        """The switch, and its wires to hypervisors; what is right already stays."""
        bridge = ["set", "Bridge", network.bridge, "datapath_type=netdev", "fail_mode=standalone"]
        self._daemons.ovs.vsctl("--may-exist", "add-br", network.bridge, "--", *bridge)
        carried = [*([0] if network.untagged else []), *network.vlans]
        # a port without `trunks` would carry every VLAN: VLAN 4095 is reserved and never sent
        trunks = "trunks=" + ",".join(map(str, carried or [4095]))
        for name in network.hypervisors:
            host, port = hypervisor(name), network.port(name)
            self._wire(port, host.namespace, network.nic)
            self._plug(network, port, trunks)
            host.inside(partial(physical.attach, host.ovs, network.nic, network.name))

    def _add_host(self, host: Outside, network: Uplink) -> None:
        space = self._names.outside(host.name)
        self._wire(host.port, space, "eth0", host.mtu)
        self._plug(network, host.port, f"tag={host.vlan or 0}")

        def inside() -> None:
            offload.switch_off("eth0")
            spaces.batch(
                [
                    f"link set dev eth0 address {host.hardware} up",
                    *(f"address replace {one} dev eth0{_dad(one)}" for one in host.address),
                    *(f"address replace {one} dev lo{_dad(one)}" for one in host.loopback),
                    *(f"route replace default via {one}" for one in host.gateways),
                    *(f"route replace {one}" for one in host.routes),
                ]
            )

        namespaces.inside(namespaces.of_name(space), inside)

    def _wire(self, port: str, space: str, nic: str, mtu: int = 1500) -> None:
        """A veth from the switch to a namespace, made anew when either end is missing."""
        far = namespaces.of_name(space)
        ends = {self._space: port, far: nic}
        found = {place for place, end in ends.items() if end in _links(place)}
        if len(found) == 2:
            return
        for place in found:
            namespaces.inside(place, partial(run, ["ip", "link", "del", "dev", ends[place]]))
        run(
            ["ip", "link", "add", "name", nic, "mtu", str(mtu), "netns", space, "type", "veth",
             "peer", "name", port, "mtu", str(mtu), "netns", self._names.physical]
        )  # fmt: skip

    def _plug(self, network: Uplink, port: str, vlans: str) -> None:
        self._inside(lambda: run(["ip", "link", "set", "dev", port, "up"]))
        self._daemons.ovs.vsctl("--may-exist", "add-port", network.bridge, port, "--", "set", "Port", port, vlans)

    def _drop(self, network: Uplink, hypervisor: Callable[[str], Hypervisor], present: Sequence[str]) -> None:
        for name in network.hypervisors:
            if name in present:
                host = hypervisor(name)
                host.inside(partial(physical.detach, host.ovs, network.name))
            if network.port(name) in _links(self._space):
                self._inside(partial(run, ["ip", "link", "del", "dev", network.port(name)]))
        self._daemons.ovs.vsctl("--if-exists", "del-br", network.bridge)
        del self.state.uplinks[network.name]
        self._save()

    def _drop_host(self, host: Outside) -> None:
        space = self._names.outside(host.name)
        processes.end(processes.in_namespaces([namespaces.of_name(space)]))
        self._daemons.ovs.vsctl("--if-exists", "del-port", host.port)
        if host.port in _links(self._space):
            self._inside(lambda: run(["ip", "link", "del", "dev", host.port]))
        if namespaces.of_name(space).exists():
            run(["ip", "netns", "del", space])
        del self.state.hosts[host.name]
        self._save()


def _links(space: Path) -> Mapping[str, object]:
    """The links of a namespace, by name."""
    if not space.exists():
        return {}
    return namespaces.inside(
        space, lambda: {one["ifname"]: one for one in json.loads(run(["ip", "-json", "link", "show"]) or "[]")}
    )


def _dad(address: str) -> str:
    return " nodad" if ":" in address else ""

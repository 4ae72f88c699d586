"""The PE router: FRR decides, Open vSwitch carries the labels that the kernel here cannot.

```
  PREFIX-wan-pe                                                 PREFIX-vrf-pe-acme         PREFIX-wan-ce-acme
    r2 ── br-r2 (172.31.255.11) ┐ GRE, protocol 0x8847
    r3 ── br-r3 (172.31.255.11) ┴ br-label ── v-acme ── veth ── wan0  ce0 10.9.0.1 ── veth ── eth0 10.9.0.10
```
The kernel need not have VRF devices, nor MPLS routing.  A VRF is a network namespace (vrfs.py); bgpd leaks, imports and
allots labels as it does anywhere, and what it decides is carried out by labels.py.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent import namespaces
from agent.host import run
from nshell.lab import processes, spaces
from nshell.lab.daemons import Daemons
from nshell.lab.hypervisor import PACKAGES
from nshell.lab.processes import Process
from nshell.lab.spaces import Ipv6, batch
from nshell.lab.wan import plan, vrfs
from nshell.lab.wan.labels import BRIDGE, GRE_PORT, ROUTER_MAC, VRF_MAC
from nshell.lab.wan.plan import Customer, Wan
from nshell.lab.wan.wires import mute, space_of, switch_off_offloads

DIRECTORY = "pe"  # of its database and logs, in the lab's state directory
ROUTER = ("169.254.1.1", "fe80::1")  # next hops in a VRF that stand for br-label
T = TypeVar("T")


class Pe:
    """The PE of one lab; `directory` is the lab's."""

    def __init__(self, prefix: str, directory: Path, wan: Wan) -> None:
        self.prefix = prefix
        self.wan = wan
        self.space = space_of(prefix, "pe")
        self.rundir = directory / DIRECTORY
        self._daemons = Daemons(DIRECTORY, self.space, self.rundir)
        self.ovs = self._daemons.ovs

    @property
    def vrfs(self) -> dict[str, str]:
        """The namespaces that are the customers' VRFs."""
        return {one.name: vrfs.space_of(self.prefix, "pe", one.name) for one in self.wan.customers}

    def start(self) -> None:
        """Open vSwitch, the VRFs and the hosts behind them; FRR comes after it, by the caller, then `follow`."""
        self._daemons.database()
        self._daemons.switch()
        bridges = [f"br-{neighbour}" for neighbour, _ in plan.ends(self.wan, "pe")]
        words: list[str] = []
        for bridge in [*bridges, BRIDGE]:
            words += ["--", "--may-exist", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev"]
        for neighbour, _ in plan.ends(self.wan, "pe"):
            words += ["--", "--may-exist", "add-port", f"br-{neighbour}", neighbour]
        words += ["--", "set", "Bridge", BRIDGE, "fail_mode=secure"]
        # legacy_l3: what comes out is the labelled packet itself, without an Ethernet header
        words += ["--", "--may-exist", "add-port", BRIDGE, "gre", "--", "set", "Interface", "gre", "type=gre"]
        words += ["options:remote_ip=flow", "options:packet_type=legacy_l3", f"ofport_request={GRE_PORT}"]
        self._inside(self._wires_up)
        self.ovs.vsctl(*words[1:])
        self._inside(self._addresses_up)
        for number, customer in enumerate(self.wan.customers, 1):
            self._customer(number, customer)

    def follow(self) -> Process | None:
        """Start what carries FRR's decisions over into Open vSwitch (labels.py)."""
        argv = [sys.executable, "-m", "nshell.lab.wan.labels", self.space, str(self.rundir)]
        argv += [one.name for one in self.wan.customers]
        with open(self.rundir / "labels.log", "ab") as log:
            child = self._inside(
                lambda: subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=PACKAGES, start_new_session=True
                )
            )
        _children[child.pid] = child
        return processes.look(child.pid)

    def _inside(self, work: Callable[[], T]) -> T:
        return namespaces.inside(namespaces.of_name(self.space), work)

    def _wires_up(self) -> None:
        for neighbour, _ in plan.ends(self.wan, "pe"):
            run(["ip", "link", "set", "dev", neighbour, "up"])
            mute(neighbour)

    def _addresses_up(self) -> None:
        text = []
        for neighbour, address in plan.ends(self.wan, "pe"):
            text += [f"address replace {address}/30 dev br-{neighbour}", f"link set dev br-{neighbour} up"]
            # Open vSwitch ends a tunnel at the address of the bridge that the packet came in by, whichever that is
            text += [f"address replace {plan.loopback('pe')}/32 dev br-{neighbour}"]
        batch(text)

    def _customer(self, number: int, customer: Customer) -> None:
        """The VRF, its wire to br-label, and the host behind it."""
        vrf, host = self.vrfs[customer.name], space_of(self.prefix, customer.host)
        six = any(":" in one for one in customer.network)
        spaces.ensure({vrf: (Ipv6.STATIC, True), host: (Ipv6.STATIC if six else Ipv6.OFF, False)})
        port = f"v-{customer.name}"
        batch(
            [
                f"link add name wan0 netns {vrf} address {VRF_MAC} type veth peer name {port} netns {self.space}",
                f"link add name ce0 netns {vrf} type veth peer name eth0 netns {host}",
            ]
        )

        def in_pe() -> None:
            run(["ip", "link", "set", "dev", port, "up"])
            mute(port)

        def in_vrf() -> None:
            batch(["link set dev wan0 up", "link set dev ce0 up"])
            text = [f"address replace {one} dev ce0{_dad(one)}" for one in customer.addresses(1)]
            for gateway in ROUTER:
                text += [f"neighbour replace {gateway} lladdr {ROUTER_MAC} dev wan0 nud permanent"]
                family = "-6 " if ":" in gateway else ""
                text += [f"{family}route replace default via {gateway} dev wan0 onlink"]
            batch(line.removeprefix("-6 ") for line in text)

        def in_host() -> None:
            gateways = [one.partition("/")[0] for one in customer.addresses(1)]
            batch(
                [
                    "link set dev eth0 up",
                    *(f"address replace {one} dev eth0{_dad(one)}" for one in customer.addresses(10)),
                    *(f"route replace default via {one}" for one in gateways),
                ]
            )

        self._inside(in_pe)
        namespaces.inside(namespaces.of_name(vrf), in_vrf)
        namespaces.inside(namespaces.of_name(host), in_host)
        switch_off_offloads(vrf, ["wan0", "ce0"])
        switch_off_offloads(host, ["eth0"])
        self.ovs.vsctl(
            "--may-exist", "add-port", BRIDGE, port, "--", "set", "Interface", port, f"ofport_request={number}"
        )


def _dad(address: str) -> str:
    return " nodad" if ":" in address else ""


_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Label switches started by this process, kept so that their Popen objects are not collected while they run."""

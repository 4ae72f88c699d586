"""The lab's fabric with a controller in this process, and on one more server a PE router and VTEP made by hand.

The far server is a hypervisor of the lab that the controller does not know: Open vSwitch with ports and flows of our
own, and a network namespace behind it. So what arrives there is what the fabric really sends, label, VNI and MAC
addresses included, and what it sends is under our control, wrong packets too.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path as FilePath
from typing import Any, TypeVar

import msgspec

from agent import namespaces, offload
from controller.compile import Observed, State
from controller.compile.remote import Remote, RemoteKey
from controller.topology import Standing
from data.addresses import Ip, address
from data.candidate import Candidate
from nshell.lab import Lab, Machine
from nshell.lab.probing import Probing, wait_until
from tests.system.site import Site

PATIENCE = 40.0  # seconds
FAR = "hv3"
CE_MAC, PE_MAC = "02:00:00:00:99:02", "02:00:00:00:99:01"
T = TypeVar("T")


class Behind(Probing):
    """Probes in a network namespace by its name, to addresses as they are."""

    def namespace(self, name: str) -> str:
        return name

    def address(self, name: str) -> str:
        return name

    def address6(self, name: str) -> str:
        return name


class Wan(Site):
    """Two hypervisors with machines, and the far server. `behind` are the addresses of the machine there."""

    def __init__(
        self, folder: FilePath, prefix: str, machines: Iterable[Machine], policy: str, underlay: str = "ipv4"
    ) -> None:
        super().__init__(folder / "state")
        self.lab = Lab(prefix, folder / "lab")
        self.lab.down()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._open(tuple(machines), policy, underlay)
        except BaseException:
            self.close_all()
            raise

    def _open(self, machines: tuple[Machine, ...], policy: str, underlay: str) -> None:
        self.do(self.start())
        ports = {
            "openflow_port": self.settings.openflow_port, "ovsdb_port": self.settings.ovsdb_port,
            "agent_port": self.settings.agent_port,
        }  # fmt: skip
        self.lab.up(3, (), underlay=underlay, agents=False, controller_state=self.directory, **ports)
        self.settings = msgspec.structs.replace(self.settings, listen_address=self.lab.controller_address)
        self.do(self.commit({("controller",): self.settings}))
        dvrs = "".join(f"set dvrs {name} tunnel-address {self.lab.tunnel_address(name)}\n" for name in ("hv1", "hv2"))
        self.configure(*(dvrs + policy).splitlines())
        self.until_true(lambda: self._ready(("hv1", "hv2")), "hypervisors are ready")
        self._far()
        for machine in machines:
            self.lab.add(machine)
        self.until_true(lambda: self._up(machines), "vports are up")
        for name in ("hv1", "hv2", FAR):
            for other in ("hv1", "hv2", FAR):
                if name != other:
                    self.lab.on_hypervisor(name, ["ping", "-c", "1", "-W", "5", self.lab.tunnel_address(other)])

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs something in the controller's loop."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(120)

    def close_all(self) -> None:
        """Ends everything."""
        try:
            if hasattr(self, "fabric"):
                self.do(self.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self.lab.down()

    def configure(self, *lines: str) -> None:
        """Commits set lines and such."""

        async def work() -> None:
            candidate = Candidate(self.fabric.running, "ops")
            candidate.apply_batch(lines, "test")
            await self.commit(candidate.merge())

        self.do(work())

    def observe(self, facts: Mapping[RemoteKey, Remote | None]) -> None:
        """What other places are like, as BGP would tell; returns when the switches have it."""

        async def work() -> None:
            self.fabric._upkeep.observe(Observed(remote=dict(facts)))
            await self.fabric._upkeep.idle()

        self.do(work())

    def forget(self) -> None:
        """Withdraws every fact."""
        self.observe({key: None for key, _ in self.state_now.placement.all_remote()})

    @property
    def state_now(self) -> State:
        return self.fabric.network.state

    def uuid(self, *path: str) -> str:
        body = self.state_now.view.get(path)
        assert body is not None
        return body.uuid

    def until_true(self, condition: Callable[[], object], what: str) -> None:
        if not wait_until(condition, PATIENCE, 0.1):
            told = "\n".join(event.text for event in self.fabric.events)
            raise AssertionError(f"not within {PATIENCE:g} s: {what}\n{told}")

    def _ready(self, names: Sequence[str]) -> bool:
        known = self.fabric.topology.hypervisors
        return all(name in known and known[name].state is Standing.READY for name in names)

    def _up(self, machines: Iterable[Machine]) -> bool:
        view = self.state_now.view
        paths = (view.vport_by_name(machine.vport) for machine in machines)
        return all(path is not None and self.state_now.place(path) is not None for path in paths)

    def flows(self, name: str) -> list[str]:
        """Flows of a switch with their counters."""
        return [line for line in self.lab.ofctl(name, "dump-flows", "--no-names").splitlines() if "table=" in line]

    def counted(self, name: str, feature: int) -> int:
        """Packets that met flows of a feature on a hypervisor."""
        found = (line for line in self.flows(name) if "cookie=0x6e" in line)
        marked = (line for line in found if int(line.split("cookie=")[1].split(",")[0], 16) >> 40 & 0xFF == feature)
        return sum(int(line.split("n_packets=")[1].split(",")[0]) for line in marked)

    # The far server -----------------------------------------------------------------------------------------

    @property
    def far_address(self) -> Ip:
        return address(self.lab.tunnel_address(FAR))

    @property
    def space(self) -> str:
        """The namespace behind the far server."""
        return f"{self.lab.prefix}-out-far"

    def _far(self) -> None:
        vsctl, local = self.lab.ovs(FAR).vsctl, f"options:local_ip={self.lab.tunnel_address(FAR)}"
        vsctl("--may-exist", "add-br", "br-far", "--", "set", "Bridge", "br-far", "datapath_type=netdev",
              "fail_mode=secure", "protocols=OpenFlow14")  # fmt: skip
        vsctl("add-port", "br-far", "far-vxlan", "--", "set", "Interface", "far-vxlan", "type=vxlan",
              "ofport_request=2", "options:remote_ip=flow", "options:key=flow", local)  # fmt: skip
        vsctl("add-port", "br-far", "far-gre", "--", "set", "Interface", "far-gre", "type=gre", "ofport_request=3",
              "options:remote_ip=flow", "options:packet_type=legacy_l3", local)  # fmt: skip
        server = f"{self.lab.prefix}-{FAR}"
        self._ip("netns", "add", self.space)
        self._ip("link", "add", "far0", "netns", server, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        self._ip("-n", server, "link", "set", "far0", "up")
        self._ip("-n", self.space, "link", "set", "eth0", "address", CE_MAC, "up")
        self._ip("-n", self.space, "link", "set", "lo", "up")
        namespaces.inside(namespaces.of_name(self.space), lambda: offload.switch_off("eth0"))
        vsctl("add-port", "br-far", "far0", "--", "set", "Interface", "far0", "ofport_request=1")

    def to(self, hypervisor: str) -> str:
        """The action that sends to a hypervisor's tunnel address."""
        at = self.lab.tunnel_address(hypervisor)
        return f"set_field:{at}->{'tun_ipv6_dst' if ':' in at else 'tun_dst'}"

    def far_flows(self, *lines: str) -> None:
        """The far server does this alone."""
        self.lab.ofctl(FAR, "del-flows", bridge="br-far")
        for line in lines:
            self.lab.ofctl(FAR, "add-flow", line, bridge="br-far")

    def far_routed(self, *addresses: str) -> None:
        """The machine behind the far server has these addresses and a router for everything else."""
        self.inside("ip", "address", "flush", "dev", "eth0", "scope", "global")
        for text in addresses:
            nodad = ["nodad"] if ":" in text else []
            self.inside("ip", "address", "replace", text, "dev", "eth0", *nodad)
        self.inside("ip", "route", "replace", "default", "dev", "eth0", "via", "169.254.77.1", "onlink")
        self.inside("ip", "neigh", "replace", "169.254.77.1", "lladdr", PE_MAC, "dev", "eth0")
        self.inside("ip", "-6", "route", "replace", "default", "dev", "eth0", "via", "fe80::77", "onlink")
        self.inside("ip", "neigh", "replace", "fe80::77", "lladdr", PE_MAC, "dev", "eth0")

    def inside(self, *words: str, check: bool = True) -> str:
        """Runs a command at the machine behind the far server."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.space, *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def far_pings(self, to: str, count: int = 3) -> int:
        """How many of the machine's echo requests were answered."""
        said = self.inside("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", to, check=False)
        return int(said.split(" received")[0].split()[-1])

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)

"""The wide area network of one lab: building it, breaking it, looking at it.

lab.up(2, wan=Wan(reflector=True))
lab.wan.converged() or lab.wan.wait_converged()
lab.wan.router("pe").show("show bgp ipv4 vpn json")
lab.wan.cut_link("r1", "r2"); lab.wan.lose("r3"); lab.wan.kill("vtep"); lab.wan.restart("vtep")
lab.wan.partition(); lab.wan.heal()          # site 2 and everything else
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agent import namespaces
from agent.host import Ovs, run
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab.probing import wait_until
from nshell.lab.processes import Process
from nshell.lab.spaces import batch
from nshell.lab.underlay import GATEWAY, Names
from nshell.lab.wan import between, frr, plan, routing, vrfs, vtep, wires
from nshell.lab.wan.frr import Frr
from nshell.lab.wan.pe import Pe
from nshell.lab.wan.plan import SITES, Wan
from nshell.lab.wan.wires import space_of

CONVERGE_TIMEOUT = 120.0  # seconds, on a machine that does much else


class WanState(msgspec.Struct):
    """What is recorded of a wide area network; FRR's daemons write their process numbers down themselves."""

    wan: Wan
    complete: bool = False  # `up` came to its end
    labels: Process | None = None


class Wide:
    """The WAN of one lab. `sites` are the labs that it joins, by number; `directory` is the first's."""

    def __init__(self, state: WanState, names: Names, directory: Path, sites: Mapping[int, Names]) -> None:
        self.state = state
        self.wan = state.wan
        self.names = names
        self.sites = dict(sites)
        self._directory = directory
        self._pe = Pe(names.prefix, directory, state.wan)

    # ------------------------------------------------------------------ whole

    def build(self) -> None:
        """Everything, from nothing: the caller has removed what an interrupted `up` left, and made the fabrics."""
        wires.make(self.names, self.wan, self.sites)
        work: list[Callable[[], None]] = [partial(self._start, node) for node in self.wan.nodes]
        with ThreadPoolExecutor(max_workers=len(work)) as pool:
            running = [pool.submit(one) for one in work]
        for one in running:
            one.result()
        self.state.complete = True

    def _start(self, node: str) -> None:
        if node == "pe":
            self._pe.start()
        if node == "vtep":
            vtep.make(self.names.prefix, self.wan)
        self.router(node).start(routing.lines(self.wan, node, self._place))
        if node == "pe":
            self.state.labels = self._pe.follow()

    @property
    def _place(self) -> routing.Place:
        controllers = [self.sites[number].controller_address for number in sorted(self.sites)]
        return routing.Place(controllers, {node: self.address(node) for node in self.wan.nodes})

    def runs(self) -> bool:
        """Whether every namespace is there and everything runs in it."""
        spaces = {space_of(self.names.prefix, name) for name in (*self.wan.nodes, *self.wan.hosts)}
        routers = [self.router(node) for node in self.wan.nodes]
        switches = not self.wan.pe or processes.is_alive(self.state.labels)
        return (
            switches
            and spaces <= set(_namespaces())
            and all(router.runs(daemon) for router in routers for daemon in router.daemons)
        )

    def router(self, node: str) -> Frr:
        """The FRR of a node: r1 … r4, pe, vtep, rr. CommandFailed when there is none of that name."""
        if node not in self.wan.nodes:
            raise CommandFailed(f"wan node {node}", f"the lab has {', '.join(self.wan.nodes)}", "name one of them")
        name = space_of(self.names.prefix, node)
        options: dict[str, tuple[str, ...]] = {}
        wrapper: tuple[str, ...] = ()
        if node == "pe":
            # one path each: Open vSwitch reads the kernel's routes and cannot make use of several next hops
            options, wrapper = {"zebra": ("-n", "-e", "1")}, vrfs.wrapper(frr.RUNDIRS / name, self._pe.vrfs)
        if node == "vtep" and self.wan.tenants:
            tenants = vtep.vrf_spaces(self.names.prefix, self.wan)
            options, wrapper = {"zebra": ("-n",)}, vrfs.wrapper(frr.RUNDIRS / name, tenants)
        return Frr(name, namespaces.of_name(name), routing.daemons(self.wan, node), options, wrapper)

    @property
    def pe_switch(self) -> Ovs:
        """The Open vSwitch of the PE; its labels are in bridge br-label."""
        return self._pe.ovs

    def address(self, node: str) -> str:
        """A node's address in the management network: what a BGP session with it goes to."""
        return plan.management_address(self.names.subnet, node)

    def loopback(self, node: str) -> str:
        """A node's address on the underlay: of PE and VTEP the tunnel address, and the BGP next hop."""
        return plan.loopback(node)

    def namespace(self, name: str) -> str:
        """The namespace of a node, or of a host behind one."""
        return space_of(self.names.prefix, name)

    def inside(self, name: str, *argv: str) -> str:
        """Run a command in the namespace of a node or a host; what it prints."""
        return namespaces.inside(namespaces.of_name(self.namespace(name)), partial(run, argv))

    # ------------------------------------------------------------------ convergence

    def converged(self) -> bool:
        """Whether every node has a route to every loopback and to every site's hypervisors."""
        networks = {f"{plan.loopback(node)}/32" for node in self.wan.nodes}
        networks |= {f"{lab.tunnel_address(0)}/24" for lab in self.sites.values()}
        try:
            return all(networks <= set(self.router(node).show("show ip route json")) for node in self.wan.nodes)
        except CommandFailed:
            return False  # a killed zebra

    def wait_converged(self, timeout: float = CONVERGE_TIMEOUT) -> None:
        """Return when it is; CommandFailed when it takes too long."""
        if not wait_until(self.converged, timeout, 0.05):
            raise CommandFailed("wan", f"the underlay has not converged within {timeout:g} s", "nshell lab status")

    def established(self, node: str, address: str) -> bool:
        """Whether a node's BGP session with that address is up."""
        found = self.router(node).show(f"show bgp neighbors {address} json")
        return bool(found.get(address, {}).get("bgpState") == "Established")

    # ------------------------------------------------------------------ faults

    def cut_link(self, one: str, other: str) -> None:
        """Take the wire between two nodes down: both lose the carrier."""
        self._set_link(one, other, "down")

    def mend_link(self, one: str, other: str) -> None:
        """Bring it up again."""
        self._set_link(one, other, "up")

    def lose(self, node: str) -> None:
        """Take all wires of a node down, the management network's too: its neighbours see no carrier."""
        self._set_all(node, "down")

    def recover(self, node: str) -> None:
        """Bring them up again."""
        self._set_all(node, "up")

    def cut_management(self, node: str) -> None:
        """Take the management network from a node without a word: BGP sessions become half open."""
        run(["ip", "link", "set", "dev", plan.management_port(self.names.prefix, node), "nomaster"])

    def mend_management(self, node: str) -> None:
        """Give it back."""
        port = plan.management_port(self.names.prefix, node)
        run(["ip", "link", "set", "dev", port, "master", self.names.management])

    def kill(self, node: str, daemon: str = "bgpd") -> None:
        """kill -9 one of a node's daemons."""
        self.router(node).kill(daemon)

    def restart(self, node: str, daemon: str = "bgpd") -> None:
        """Start it again, with the configuration that is written down."""
        self.router(node).restart(daemon)

    def partition(self) -> None:
        """Cut site 2 off: its gateway's wires, and its controller's sessions, which become half open."""
        self._need_second()
        for core in ("r2", "r3"):
            self.cut_link(core, "r4")
        network = f"169.254.{self.sites[2].subnet}.0/24"
        for node in self.wan.nodes:
            wires.inside(self.names.prefix, node, [f"route replace blackhole {network}"])
        between.cut(self.sites[1], self.sites[2])

    def heal(self) -> None:
        """Undo that."""
        self._need_second()
        between.mend(self.sites[1].subnet)
        network = f"169.254.{self.sites[2].subnet}.0/24"
        for node in self.wan.nodes:
            wires.inside(self.names.prefix, node, [f"route replace {network} via {self.names.controller_address}"])
        for core in ("r2", "r3"):
            self.mend_link(core, "r4")

    def _need_second(self) -> None:
        if 2 not in self.sites:
            raise CommandFailed("wan", "it has no second site", "lab.up(…, wan=Wan(second_site=True))")

    def _set_link(self, one: str, other: str, word: str) -> None:
        if (one, other) not in self.wan.links and (other, one) not in self.wan.links:
            raise CommandFailed("wan", f"there is no wire between {one} and {other}", "see 'nshell lab status'")
        wires.inside(self.names.prefix, one, [f"link set dev {other} {word}"])

    def _set_all(self, node: str, word: str) -> None:
        names = [neighbour for neighbour, _ in plan.ends(self.wan, node)]
        names += ["lan"] if node in SITES.values() and node in {SITES[site] for site in self.sites} else []
        wires.inside(self.names.prefix, node, [f"link set dev {name} {word}" for name in names])
        run(["ip", "link", "set", "dev", plan.management_port(self.names.prefix, node), word])
        if word == "up":
            # the kernel dropped what went by mgmt0 when its carrier went
            wires.inside(
                self.names.prefix,
                node,
                [
                    f"route replace 169.254.{lab.subnet}.0/24 via {self.names.controller_address}"
                    for lab in self.sites.values()
                    if lab.subnet != self.names.subnet
                ],
            )

    # ------------------------------------------------------------------ looking

    def status(self) -> dict[str, Any]:
        """What is there and what runs, as plain data."""
        return {
            "igp": self.wan.igp,
            "complete": self.state.complete,
            "labels": "runs" if processes.is_alive(self.state.labels) else "stopped",
            "nodes": [self._status_of(node) for node in self.wan.nodes],
            "links": [{"ends": list(link), "state": self._link_state(link)} for link in self.wan.links],
            "hosts": [{"name": name, "address": list(held)} for name, held in self.wan.hosts.items()],
            "gateways": {str(site): lab.tunnel_address(GATEWAY) for site, lab in self.sites.items()},
        }

    def _status_of(self, node: str) -> dict[str, Any]:
        router = self.router(node)
        return {
            "name": node,
            "namespace": self.namespace(node),
            "management_address": self.address(node),
            "loopback": plan.loopback(node),
            "daemons": {one: "runs" if router.runs(one) else "stopped" for one in router.daemons},
        }

    def _link_state(self, link: tuple[str, str]) -> str:
        first, second = link
        try:
            found = json.loads(self.inside(first, "ip", "-json", "link", "show", "dev", second))
        except CommandFailed:
            return "missing"
        return str(found[0]["operstate"]).lower()


def wipe(prefix: str) -> None:
    """Remove what is not in a namespace, FRR's directories; its processes are ended before, by namespace."""
    for name in frr.instances(f"{prefix}-wan-"):
        frr.remove(name)


def clear(prefix: str) -> None:
    """Delete the namespaces of a WAN and end what runs in them: before building it, after whatever happened."""
    mine = [one for one in _namespaces() if wires.is_of_wan(prefix, one)]
    processes.end(processes.in_namespaces(namespaces.of_name(one) for one in mine))
    batch([f"link del dev {plan.management_port(prefix, node)}" for node in plan.LOOPBACKS], force=True)
    batch([f"netns del {one}" for one in mine], force=True)
    wipe(prefix)


def _namespaces() -> list[str]:
    place = namespaces.NAMED
    return [one.name for one in place.iterdir()] if place.is_dir() else []

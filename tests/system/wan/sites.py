"""Two sites for tests: each a lab's hypervisors and machines, a daemon and an operator, joined by MP-BGP over a WAN.

```
west: hv1 hv2 ── r1 ──┬── r2 ──┬── r4 ── hv1 hv2 :east     10.1.1.0/24, 2001:db8:1::/64   web1: at both, VNI 10101
      controller      └── r3 ──┘         controller        10.1.2.0/24, 2001:db8:2::/64   app1: at west alone
           └───────── session ───────────────┘             10.1.3.0/24, 2001:db8:3::/64   app2: at east alone
```
Both know the same tenant: whatever vport may go over is configured at both, and is where its machine is plugged in.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nshell.lab import Machine
from nshell.lab.probing import wait_until
from nshell.lab.wan.plan import Wan
from tests.system.network import Network

PATIENCE = 60.0  # seconds
SETTLING = 5.0  # seconds after a restart until facts that nobody confirmed are swept
AUTONOMOUS_SYSTEM = 65000
DOMAIN = "enterprise acme domain prod"
WEST, EAST = "west", "east"
STRETCHED = 10101  # VNI
NETS = {1: "web1", 2: "app1", 3: "app2"}
COMMON = (
    f"set {DOMAIN} route-target 65000:77",
    f"set {DOMAIN} zone web subnet web1 prefix 10.1.1.0/24",
    f"set {DOMAIN} zone web subnet web1 ipv6-prefix 2001:db8:1::/64",
    f"set {DOMAIN} zone web subnet web1 vni {STRETCHED}",
)


def of_one_site(net: int) -> tuple[str, str]:
    """The lines of a subnet that is at one site alone."""
    name = f"set {DOMAIN} zone app subnet {NETS[net]}"
    return f"{name} prefix 10.1.{net}.0/24", f"{name} ipv6-prefix 2001:db8:{net}::/64"


def machine(name: str, hypervisor: str, net: int, host: int) -> Machine:
    """A machine of both families in one of the NETS."""
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=mac(net, host),
        address=(f"10.1.{net}.{host}/24", f"2001:db8:{net}::{host}/64"),
        gateway=(f"10.1.{net}.1", f"2001:db8:{net}::1"),
    )  # fmt: skip


def mac(net: int, host: int) -> str:
    return f"02:00:0a:01:{net:02x}:{host:02x}"


def vport(name: str, net: int, host: int) -> str:
    """The line of its vport."""
    addresses = f"address 10.1.{net}.{host} address 2001:db8:{net}::{host}"
    return f"set {DOMAIN} vport {name} subnet {NETS[net]} mac {mac(net, host)} {addresses}"


class Site(Network):
    """One of the two. `other` is what it calls the neighbour: the other site, or the reflector."""

    other = ""

    def neighbour(self, name: str = "") -> Mapping[str, Any]:
        """What `show bgp summary` says of a neighbour."""
        return next(row for row in self.rows("show bgp summary") if row["name"] == (name or self.other))

    def flaps(self) -> int:
        """How often its session was lost."""
        return int(json.loads(self.shell.run("--json", "-c", f"show bgp neighbors {self.other}").stdout)["flaps"])

    def routes(self, *words: str) -> list[Mapping[str, Any]]:
        """Its routes, in detail."""
        return self.rows(" ".join(("show bgp routes", *words, "detail")))

    def taken(self, what: str, neighbour: str) -> bool:
        """Whether the best route to a destination is of that neighbour ("ours")."""
        return any(
            one["destination"] == what and one["neighbor"] == neighbour and str(one["standing"]).startswith("best")
            for one in self.routes()
        )

    def mobility(self, hardware: str) -> int | None:
        """The sequence number with which a MAC address is in force."""
        found = [
            one["mobility"] or 0 for one in self.routes("family evpn")
            if str(one["destination"]).split()[0] == hardware and str(one["standing"]).startswith("best")
        ]  # fmt: skip
        return max(found, default=None)

    def events(self, kind: str) -> list[str]:
        """The texts of its events of one kind."""
        return [str(row["text"]) for row in self.rows("show system events") if row["kind"] == kind]

    def speaker(self) -> int:
        """The process that speaks BGP for it."""
        daemon = self.shell.pid
        assert daemon is not None
        return next(one for one in _children(daemon) if "bgp.speaker" in _command_line(one))

    def kill_speaker(self) -> None:
        """kill -9."""
        os.kill(self.speaker(), signal.SIGKILL)


class Sites:
    """Both, up and joined. With `reflector` each has a session with rr alone, else one with the other, for which east
    waits. `machines` are by site; `lines` what else is committed at both."""

    def __init__(
        self,
        folder: Path,
        prefix: str,
        machines: Mapping[str, Sequence[Machine]],
        lines: Mapping[str, Iterable[str]],
        *,
        reflector: bool = False,
        hypervisors: int = 2,
        bgp: Iterable[str] = (),
    ) -> None:
        wan = Wan(second_site=True, reflector=reflector, pe=False, vtep=False)
        self.reflector = reflector
        self.west = Site(
            folder / WEST, prefix, hypervisors=hypervisors, wan=wan, agents=False, machines=machines[WEST],
            policy=(*COMMON, *lines[WEST]),
        )  # fmt: skip
        try:
            self.wan = self.west.lab.wan
            self.east = Site(
                folder / EAST, f"{prefix}b", hypervisors=hypervisors, agents=False, machines=machines[EAST],
                policy=(*COMMON, *lines[EAST]), lab=self.west.lab.second,
            )  # fmt: skip
        except BaseException:
            self.west.close()
            raise
        try:
            self._join(tuple(bgp))
        except BaseException:
            self.close()
            raise

    def _join(self, bgp: tuple[str, ...]) -> None:
        self.wan.wait_converged(PATIENCE)
        for site, other, passive in ((self.west, self.east, ""), (self.east, self.west, " passive")):
            here = site.lab.controller_address
            name = EAST if site is self.west else WEST
            address = other.lab.controller_address
            if self.reflector:
                name, address, passive = "rr", self.wan.address("rr"), ""
            site.other = name
            session = f"autonomous-system {AUTONOMOUS_SYSTEM} local-address {here}{passive}"
            site.batch("\n".join((
                "configure", f"set bgp autonomous-system {AUTONOMOUS_SYSTEM} hold-time 9", *bgp,
                f"set bgp-neighbor {name} address {address} {session}", "commit", "",
            )))  # fmt: skip
        self.joined()

    @property
    def both(self) -> tuple[Site, Site]:
        return self.west, self.east

    def close(self) -> None:
        """Everything ends."""
        try:
            self.east.close()
        finally:
            self.west.close()

    def established(self) -> bool:
        return all(site.neighbour()["state"] == "established" for site in self.both)

    def exchanged(self) -> bool:
        """Whether each has heard what the other tells. FRR reflects to each its own routes as well."""
        said = [site.neighbour() for site in self.both]
        told = [int(one["advertised"]) for one in said]
        expected = [sum(told)] * 2 if self.reflector else told[::-1]
        return (
            not any(one["stale"] for one in said) and [int(one["received"]) for one in said] == expected and all(told)
        )

    def joined(self, patience: float = PATIENCE) -> None:
        """Wait until both have told each other everything."""
        done = wait_until(lambda: self.established() and self.exchanged(), patience, 0.1)
        assert done, [site.run("show bgp summary", "show system events") for site in self.both]

    def until_at(self, name: str, here: Site, hardware: str) -> None:
        """Wait until a vport is up at a site, and the other knows."""
        there = self.east if here is self.west else self.west

        def known() -> bool:
            up = here.vport_states().get(f"acme/prod/{name}") == "up"
            return up and here.taken(hardware, "ours") and there.taken(hardware, there.other)

        assert wait_until(known, PATIENCE, 0.1), [
            site.run("show vports", "show bgp routes family evpn detail", "show system events") for site in self.both
        ]

    def wrong_flows(self) -> list[str]:
        """What switches hold otherwise than they should: stale, or missing. Both controllers are killed and started
        again; each compiles everything anew, hears everything anew, and makes what it reads back from switches so."""
        before = [site.all_flows() for site in self.both]
        for site in self.both:
            site.restart_controller()
        self.joined()
        said: list[str] = []

        def settled() -> bool:
            said.clear()
            for site, flows in zip(self.both, before, strict=True):
                for name, after in site.all_flows().items():
                    said.extend(f"{site.other}'s other side, {name}: stale {one}" for one in flows[name] - after)
                    said.extend(f"{site.other}'s other side, {name}: missing {one}" for one in after - flows[name])
            return not said

        wait_until(settled, SETTLING, 0.2)
        return said


def _children(pid: int) -> list[int]:
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                parent = int((one / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.append(int(one.name))
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def listening(site: Site, name: str, port: int) -> Iterator[None]:
    """A machine that echoes what it gets by TCP, wherever it goes meanwhile."""
    server = site.lab.tcp_server(name, port)
    try:
        yield
    finally:
        server.stop()

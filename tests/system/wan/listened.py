"""An underlay of real FRR routers with a listener at it, for the tests of `controller/underlay/`.

                    ┌── r2 ──┐          r1 … r4   routers, OSPF or IS-IS, all links of metric 10
         li ── r1 ──┤        ├── r4               r4 has 192.0.2.4/32 (the tunnel endpoint that comes and goes)
          :         └── r3 ──┘                    r2 has 192.0.2.2/32
          └┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ r4        li        the listener; the second link is in use where a test says so

The listener is configured with exactly what `show underlay listener NAME configuration` prints.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agent import namespaces
from agent.host import run
from controller.events import Events
from controller.underlay.listen_only import configuration
from controller.underlay.listener import Place
from controller.underlay.service import Underlay
from data.addresses import Ip, address
from nshell.lab import spaces
from nshell.lab.wan.frr import Frr
from tests.unit.data.examples import running

ROUTERS = ("r1", "r2", "r3", "r4")
LISTENER = "li"
LINKS = {("r1", "r2"): "10.0.12", ("r1", "r3"): "10.0.13", ("r2", "r4"): "10.0.24", ("r3", "r4"): "10.0.34",
         ("li", "r1"): "10.0.51", ("li", "r4"): "10.0.54"}  # fmt: skip
FAR, NEAR = address("192.0.2.4"), address("192.0.2.2")
PATIENCE = 90.0  # seconds for the routers to agree, on a machine that does much else
DAEMONS = {"ospf": "ospfd", "isis": "isisd"}


class Listened:
    """The lab of one protocol, up from construction to `close`."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.prefix = f"ul{protocol[0]}{os.getpid() % 10000}"
        self.routers = {
            name: Frr(self.space(name), namespaces.of_name(self.space(name)), ("zebra", DAEMONS[protocol]))
            for name in (*ROUTERS, LISTENER)
        }
        self.place = Place(protocol, self.space(LISTENER))
        try:
            self._up()
        except BaseException:
            self.close()
            raise

    def space(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def number(self, name: str) -> int:
        return 9 if name == LISTENER else int(name[1])

    def router_id(self, name: str) -> str:
        return f"10.255.0.{self.number(name)}"

    def key(self, name: str) -> str:
        """What the topology calls it."""
        return self.router_id(name) if self.protocol == "ospf" else f"0000.0000.000{self.number(name)}"

    def ip(self, name: str, command: str) -> None:
        """An `ip` command in the namespace of a router."""
        run(["ip", "-n", self.space(name), *command.split()])

    def link(self, here: str, there: str, up: bool) -> None:
        """Takes the wire between two routers away, or puts it back."""
        self.ip(here, f"link set dev {there} {'up' if up else 'down'}")

    def far_is_there(self, there: bool) -> None:
        """r4 has the tunnel endpoint, or has it no more."""
        self.ip("r4", f"address {'add' if there else 'del'} {FAR}/32 dev lo")

    def close(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Frr.stop, self.routers.values()))
        spaces.batch([f"netns delete {self.space(name)}" for name in self.routers], force=True)

    def underlay(self, events: Events, *lines: str) -> Underlay:
        """The service, listening here, with two hypervisors behind r4 and r2."""
        own = ["set dvrs far tunnel-address 192.0.2.4", "set dvrs near tunnel-address 192.0.2.2",
               "set underlay poll-interval 100",
               f"set underlay-listener core protocol {self.protocol} instance {self.space(LISTENER)}"]  # fmt: skip
        state = running("\n".join([*own, *lines]))
        return Underlay(events, lambda: state)

    def ask(self, router: str, command: str) -> str:
        return self.routers[router].ask(command)

    def show(self, router: str, command: str) -> Any:
        return self.routers[router].show(command)

    def _up(self) -> None:
        spaces.ensure({self.space(name): (spaces.Ipv6.STATIC, True) for name in self.routers})
        lines = [
            f"link add name {there} netns {self.space(here)} type veth peer name {here} netns {self.space(there)}"
            for here, there in LINKS
        ]
        spaces.batch(lines)
        for (here, there), net in LINKS.items():
            # IS-IS has link-local addresses on the listener's side, and announces none.
            if not (here == LISTENER and self.protocol == "isis"):
                self.ip(here, f"address add {net}.1/24 dev {there}")
            self.ip(there, f"address add {net}.2/24 dev {here}")
            if (here, there) != (LISTENER, "r4"):
                self.ip(here, f"link set dev {there} up")
            self.ip(there, f"link set dev {here} up")
        for name in ROUTERS:
            self.ip(name, f"address add {self.router_id(name)}/32 dev lo")
        self.far_is_there(True)
        self.ip("r2", f"address add {NEAR}/32 dev lo")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.routers[name].start(self._configuration(name)), self.routers))

    def _configuration(self, name: str) -> Iterable[str]:
        return self._listening() if name == LISTENER else self._routing(name)

    def _listening(self) -> Iterable[str]:
        """What nshell prints, with its blanks filled in, for both interfaces; and the timers of the lab."""
        blanks = {
            "<area>": "0" if self.protocol == "ospf" else "49.0001",
            "<an unused router ID>": self.router_id(LISTENER),
            "<an unused system ID>": self.key(LISTENER),
            "<level-1, level-2-only or level-1-2, as its neighbours>": "level-2-only",
        }
        block: list[str] = []
        inside = False
        for line in configuration(self.place):
            for blank, filled in blanks.items():
                line = line.replace(blank, filled)
            if line.startswith("interface <"):
                inside = True
                block = [*self._timers()]
            elif inside and line == "exit":
                inside = False
                for neighbour in ("r1", "r4"):
                    yield from (f"interface {neighbour}", *block, "exit")
            elif inside:
                block.append(line)
            else:
                yield line
        if self.protocol == "ospf":
            yield from ("router ospf", " timers lsa min-arrival 50", "exit")

    def _routing(self, name: str) -> Iterable[str]:
        ospf = self.protocol == "ospf"
        neighbours = [pair[0] if pair[1] == name else pair[1] for pair in LINKS if name in pair]
        for one in neighbours:
            yield f"interface {one}"
            yield from self._timers()
            yield " ip ospf area 0" if ospf else " ip router isis core"
            if one == LISTENER and not ospf:
                yield " ipv6 router isis core"
            if not ospf or one != LISTENER:
                yield " ip ospf network point-to-point" if ospf else " isis network point-to-point"
            yield "exit"
        yield from ("interface lo", " ip ospf area 0" if ospf else " ip router isis core")
        yield from ([] if ospf else [" isis passive"])
        yield "exit"
        if ospf:
            yield from (
                "router ospf", f" ospf router-id {self.router_id(name)}", " timers throttle lsa all 50",
                " timers lsa min-arrival 50", " timers throttle spf 0 50 500", "exit",
            )  # fmt: skip
        else:
            yield f"hostname {name}"
            yield from (
                "router isis core", f" net 49.0001.{self.key(name)}.00", " is-type level-2-only",
                " metric-style wide", " lsp-gen-interval 1", " spf-interval 1", "exit",
            )  # fmt: skip

    def _timers(self) -> Iterable[str]:
        if self.protocol == "ospf":
            return (" ip ospf hello-interval 1", " ip ospf dead-interval 10")
        return (" isis hello-interval 1", " isis hello-multiplier 10")


async def until(condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> float:
    """Waits until it is true; seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + timeout, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


def endpoint(underlay: Underlay, which: Ip = FAR) -> Any:
    """What is known of a tunnel endpoint."""
    return next(one for one in underlay.endpoints if one.address == which)

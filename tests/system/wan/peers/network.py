"""Namespaces for routers, all on one bridge with the root namespace: what a BGP speaker there has for peers.

```
  root namespace: PREFIX-peers 169.254.X.1/24, fd00:32:X::1/64 (bridge) ── pN ── eth0 PREFIX-peer-NAME  .11, .12 ...
```
Without Open vSwitch and without the lab: it is made in 0.1 s.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from agent import namespaces
from agent.host import run
from nshell.lab import processes, spaces, underlay
from nshell.lab.spaces import Ipv6
from nshell.lab.wan import frr
from nshell.lab.wan.frr import Frr
from tests.system.wan.peers.bird import Bird
from tests.system.wan.peers.gobgp import GoBgp


class PeerNetwork:
    """Routers by name. `prefix`: at most 8 lower-case letters and digits, the test's own.

    As a context manager it is made on entry and everything of it removed at the end; `remove` does so for what an
    interrupted run left, and is called on entry too.
    """

    def __init__(self, prefix: str) -> None:
        assert underlay.PREFIX.fullmatch(prefix), prefix
        self.prefix = prefix
        self.bridge = f"{prefix}-peers"
        self.subnet = 0
        self.numbers: dict[str, int] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.remove()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{self.prefix}-peers-")
        try:
            with underlay.machine_wide_lock():
                self.subnet = underlay.free_subnet(self.prefix)
                own = f"address 02:6e:73:68:00:{self.subnet:02x}"  # a port more must not change it
                spaces.batch(
                    [
                        f"link add name {self.bridge} {own} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                        f"address replace {self.here}/24 dev {self.bridge}",
                        f"link set dev {self.bridge} up",
                        f"address replace {self.here6}/64 dev {self.bridge} nodad",
                    ]
                )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def here(self) -> str:
        """The root namespace's own address, which routers peer with."""
        return f"169.254.{self.subnet}.1"

    @property
    def here6(self) -> str:
        return f"fd00:32:{self.subnet:x}::1"

    def add(self, name: str) -> str:
        """A namespace that routes, on the bridge; its address. It is there already: just its address."""
        if name not in self.numbers:
            assert re.fullmatch(r"[a-z0-9]{1,8}", name), name
            number = self.numbers[name] = len(self.numbers) + 1
            space = self.space_name(name)
            spaces.ensure({space: (Ipv6.STATIC, True)})
            spaces.batch(
                [
                    f"link add name {self.prefix}-p{number} type veth peer name eth0 netns {space}",
                    f"link set dev {self.prefix}-p{number} master {self.bridge} up",
                ]
            )
            inside = [
                f"address replace {self.address(name)}/24 dev eth0",
                f"address replace {self.address6(name)}/64 dev eth0 nodad",
                "link set dev eth0 up",
            ]
            namespaces.inside(self.space(name), lambda: spaces.batch(inside))
        return self.address(name)

    def address(self, name: str) -> str:
        """A router's address on the bridge."""
        return f"169.254.{self.subnet}.{10 + self.numbers[name]}"

    def address6(self, name: str) -> str:
        return f"fd00:32:{self.subnet:x}::{10 + self.numbers[name]:x}"

    def space_name(self, name: str) -> str:
        return f"{self.prefix}-peer-{name}"

    def space(self, name: str) -> Path:
        """A router's namespace."""
        return namespaces.of_name(self.space_name(name))

    def directory(self, name: str) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / name

    def frr(self, name: str, *lines: str, daemons: tuple[str, ...] = ("zebra", "bgpd")) -> Frr:
        """An FRR router, running with these lines of configuration.

        Say `bgp router-id`: FRR makes none of a link-local address, and peers refuse 0.0.0.0.
        """
        self.add(name)
        router = Frr(self.space_name(name), self.space(name), daemons)
        router.start(lines or ["! nothing yet"])
        return router

    def gobgp(self, name: str, configuration: str) -> GoBgp:
        """A GoBGP, running with this TOML."""
        self.add(name)
        router = GoBgp(self.space(name), self.directory(name), configuration)
        router.start()
        return router

    def bird(self, name: str, configuration: str) -> Bird:
        """A BIRD, running with this configuration."""
        self.add(name)
        router = Bird(self.space(name), self.directory(name), configuration)
        router.start()
        return router

    def run(self, name: str, *argv: str) -> str:
        """A command in a router's namespace; what it prints."""
        return namespaces.inside(self.space(name), lambda: run(argv))

    def cut(self, name: str) -> None:
        """Take a router's wire away without a word: sessions become half open."""
        run(["ip", "link", "set", "dev", f"{self.prefix}-p{self.numbers[name]}", "nomaster"])

    def mend(self, name: str) -> None:
        run(["ip", "link", "set", "dev", f"{self.prefix}-p{self.numbers[name]}", "master", self.bridge])

    def close(self) -> None:
        self.remove()
        if self._folder is not None:
            self._folder.cleanup()

    def remove(self) -> None:
        """Remove everything of this prefix, whoever made it."""
        mine = re.compile(rf"{self.prefix}-peer-[a-z0-9]+")
        found = [name for name in os.listdir(namespaces.NAMED) if mine.fullmatch(name)] if _any() else []
        processes.end(processes.in_namespaces(namespaces.of_name(name) for name in found))
        links = [f"link del dev {name}" for name in os.listdir("/sys/class/net") if self._is_mine(name)]
        spaces.batch([*links, *(f"netns del {name}" for name in found)], force=True)
        for name in frr.instances(f"{self.prefix}-peer-"):
            frr.remove(name)
        self.numbers.clear()

    def _is_mine(self, link: str) -> bool:
        return re.fullmatch(rf"{self.prefix}-(peers|p[0-9]+)", link) is not None


def _any() -> bool:
    return namespaces.NAMED.is_dir()

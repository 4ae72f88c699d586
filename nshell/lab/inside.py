"""The part of the lab's interface that acts inside machines and hosts outside: addresses, commands, announcements."""

import abc
import json
import subprocess
from collections.abc import Sequence

from agent import namespaces
from data.errors import CommandFailed
from nshell.lab import packets
from nshell.lab.assembly import Assembly
from nshell.lab.probing import Probing
from nshell.lab.wan.wires import space_of


class Inside(Probing):
    """Machines and hosts outside, by name."""

    @abc.abstractmethod
    def _look(self) -> Assembly:
        """The lab as it is recorded, to be looked at."""

    def namespace(self, name: str) -> str:
        """The network namespace of a machine, or of a host outside."""
        lab = self._look()
        if name in lab.state.physical.hosts:
            return lab.names.outside(name)
        if name in lab.wan_hosts:
            return space_of(lab.names.prefix, name)
        return lab.names.machine(lab.state.machine(name).name)

    def address(self, name: str) -> str:
        """The first address of a machine or a host outside; a name that is neither is taken as an address.

        A machine without a static address is asked: CommandFailed when it has none (yet).
        """
        lab = self._look()
        state = lab.state
        if name in lab.wan_hosts:
            return lab.wan_hosts[name][0].partition("/")[0]
        host = state.physical.hosts.get(name)
        machine = state.machines.get(name)
        if host is not None:
            return host.ip
        if machine is None:
            return name
        if machine.address:
            return machine.ip
        held = self.addresses(name)
        if not held:
            raise CommandFailed(f"vm {name}", "it has no address", "configure one, or wait until it has been given one")
        return held[0].partition("/")[0]

    def address6(self, name: str) -> str:
        """The first IPv6 address of a machine or a host outside; a name that is neither is taken as an address."""
        lab = self._look()
        if name not in lab.state.machines and name not in lab.state.physical.hosts and name not in lab.wan_hosts:
            return name
        for one in self.addresses(name):
            if ":" in one:
                return one.partition("/")[0]
        raise CommandFailed(f"vm {name}", "it has no IPv6 address", "give it one, or wait until it has one")

    def addresses(self, name: str, interface: str = "eth0") -> list[str]:
        """The addresses that a machine has now, ADDRESS/LENGTH, IPv4 first; neither link-local nor tentative ones."""
        links = json.loads(self.exec(name, ["ip", "-json", "address", "show", "dev", interface]).stdout or "[]")
        infos = [info for one in links for info in one.get("addr_info", ())]
        usable = [info for info in infos if info["scope"] == "global" and not info.get("tentative")]
        return [f"{info['local']}/{info['prefixlen']}" for info in usable]

    def add_address(self, name: str, address: str, *, announce: bool = False) -> None:
        """Give a machine one more address (ADDRESS/LENGTH), as whoever holds a virtual IP does."""
        self._ip(name, "address", "replace", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        if announce:
            self.announce(name, address.partition("/")[0])

    def remove_address(self, name: str, address: str) -> None:
        """Take it away again."""
        self._ip(name, "address", "del", address, "dev", "eth0")

    def announce(self, name: str, address: str, *, count: int = 1) -> None:
        """Tell the wire who holds an address: gratuitous ARP, or an unsolicited neighbour advertisement."""
        mac = json.loads(self.exec(name, ["ip", "-json", "link", "show", "dev", "eth0"]).stdout)[0]["address"]
        self.send_frames(name, [packets.announcement(mac, address)], count=count)

    def _ip(self, name: str, *words: str) -> None:
        done = self.exec(name, ["ip", *words])
        if done.returncode:
            raise CommandFailed(f"vm {name}", done.stderr.strip(), f"ip {' '.join(words)}")

    def exec(self, name: str, argv: Sequence[str], *, timeout: float = 30.0) -> "subprocess.CompletedProcess[str]":
        """Run a command inside a machine and wait for it; its exit code is the caller's to judge."""
        space = namespaces.of_name(self.namespace(name))
        try:
            return namespaces.inside(
                space,
                lambda: subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout),
            )
        except FileNotFoundError:
            raise CommandFailed(f"vm {name}", f"{argv[0]} is not installed", "install it on this machine") from None
        except subprocess.TimeoutExpired:
            raise CommandFailed(
                f"vm {name}", f"no end within {timeout:g} s: {' '.join(argv)}", "give it longer"
            ) from None

"""Keeping tunnel neighbours resolved, so that the first packet to a hypervisor is not lost.

The userspace datapath has its own table of tunnel neighbours.  What is not in it is asked for by ARP while
the packet that needed it is dropped, and an entry ages out after 900 seconds.  So for each peer:
1. make the kernel resolve the next hop, by ARP or neighbour discovery: a datagram to the discard port (RFC 863)
   through br-phy;
2. read the MAC from the kernel's table, and write it into the switch's (`tnl/neigh/set`);
3. look every CHECK_INTERVAL whether it is still there (a restart of vswitchd empties the table), and resolve
   again after REFRESH seconds, in case a peer's MAC changed.
The kernel datapath uses the kernel's table, so there step 1 is all.  An agent that was restarted while the
controller is away goes on with the neighbours the switch already has.
"""

import contextlib
import ipaddress
import json
import logging
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

from agent.host import Ovs, run
from agent.uplink import BRIDGE
from data.errors import CommandFailed, NshellError

CHECK_INTERVAL = 2.0  # seconds
REFRESH = 240.0  # seconds, well before the switch forgets at 900
RESOLVE_TIMEOUT = 1.0  # seconds for the kernel to hear an answer
DISCARD_PORT = 9
PEERS_MAX = 5000  # tunnel endpoints

_ENTRY = re.compile(r"^(\S+)\s+((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\s+(\S+)", re.MULTILINE)
log = logging.getLogger("nshell.agent")


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where packets to a peer go first: the peer itself on the same link, else a gateway."""

    address: str
    device: str

    @property
    def zoned(self) -> str:
        """The address as a socket takes it: a link-local one is good on one link alone."""
        return f"{self.address}%{self.device}" if ipaddress.ip_address(self.address).is_link_local else self.address


class Neighbours:
    """The tunnel neighbours of one hypervisor.  Works in the namespace of the calling thread."""

    def __init__(self, ovs: Ovs, *, userspace: bool) -> None:
        self._ovs = ovs
        self._userspace = userspace
        self._peers: tuple[str, ...] | None = None  # None: not told yet
        self._resolved: dict[str, float] = {}  # next hop -> when it was last resolved, monotonic seconds

    def set_peers(self, peers: Iterable[object]) -> tuple[str, ...]:
        """Say which tunnel addresses to keep resolved; raises CommandFailed for what is not an address."""
        wanted = []
        for one in peers:
            try:
                wanted.append(str(ipaddress.ip_address(str(one))))
            except ValueError as problem:
                raise CommandFailed("neighbours", str(problem), "send IPv4 or IPv6 addresses") from None
        if len(wanted) > PEERS_MAX:
            raise CommandFailed("neighbours", f"{len(wanted)} peers", f"send at most {PEERS_MAX}")
        self._peers = tuple(dict.fromkeys(wanted))
        return self._peers

    def table(self) -> dict[str, str]:
        """The switch's own table: address to MAC, on the uplink's bridge."""
        text = self._ovs.control("tnl/neigh/show")
        return {_plain(address): mac for address, mac, bridge in _ENTRY.findall(text) if bridge == BRIDGE}

    def keep(self) -> list[str]:
        """One round: resolve what is missing or old; give the next hops that were resolved now."""
        held = self.table() if self._userspace else {}
        # what the switch has heard by itself of link-local addresses (RFC 4291 section 2.5.6) is no tunnel endpoint
        heard = tuple(one for one in held if not ipaddress.ip_address(one).is_link_local)
        peers = heard if self._peers is None else self._peers
        now = time.monotonic()
        hops = {hop.address: hop for peer in peers if (hop := _next_hop(peer)) is not None}
        due = [
            hop
            for hop in hops.values()
            if (self._userspace and hop.address not in held)
            or now - self._resolved.get(hop.address, -REFRESH) >= REFRESH
        ]
        self._resolved = {address: when for address, when in self._resolved.items() if address in hops}
        found = resolve(due)
        for address, mac in found.items():
            self._resolved[address] = now
            if self._userspace and held.get(address) != mac:
                self._ovs.control("tnl/neigh/set", BRIDGE, address, mac)
        return sorted(found)


def resolve(hops: Iterable[NextHop], timeout: float = RESOLVE_TIMEOUT) -> dict[str, str]:
    """Make the kernel resolve next hops, all at once; those that answered within `timeout` seconds, with MACs."""
    wanted = {hop.address: hop for hop in hops}
    found: dict[str, str] = {}
    if not wanted:
        return found
    families = {"-6" if ":" in address else "-4" for address in wanted}
    for family in families:
        with socket.socket(socket.AF_INET6 if family == "-6" else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for hop in wanted.values():
                if (":" in hop.address) != (family == "-6"):
                    continue
                # an unreachable answer to an earlier datagram may come up here; this one is still tried next round
                with contextlib.suppress(OSError):
                    probe.sendto(b"", socket.getaddrinfo(hop.zoned, DISCARD_PORT, type=socket.SOCK_DGRAM)[0][4])
    deadline = time.monotonic() + timeout
    while True:
        for family in families:
            for device in {hop.device for hop in wanted.values()}:
                for one in json.loads(run(["ip", "-json", family, "neighbour", "show", "dev", device]) or "[]"):
                    usable = not {"FAILED", "INCOMPLETE"} & set(one.get("state", ()))
                    if one["dst"] in wanted and usable and "lladdr" in one:
                        found[one["dst"]] = one["lladdr"]
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _next_hop(peer: str) -> NextHop | None:
    """Where the kernel would send packets to a peer; None for this host's own address or without a route."""
    try:
        route = json.loads(run(["ip", "-json", "-6" if ":" in peer else "-4", "route", "get", peer]))[0]
    except (NshellError, ValueError, IndexError):
        return None
    if route.get("type") == "local" or route.get("dev") == "lo":
        return None
    return NextHop(route.get("gateway", peer), route["dev"])


def _plain(address: str) -> str:
    """An address in the notation of RFC 5952, whichever Open vSwitch writes."""
    return str(ipaddress.ip_address(address))

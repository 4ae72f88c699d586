"""What other parts of the network told about places outside our hypervisors: what flows towards them are made of.

Facts about one segment (subnet or l2-domain) or domain, by its UUID:

    ("mac", MAC)           RemoteMac       a machine behind another VTEP or at another site
    ("flood", endpoint)    RemoteFlood     who else gets copies of broadcast, unknown unicast and multicast
    ("prefix", Prefix)     RemotePrefix    a route of the domain, to a PE or a VTEP

They are told by `Upkeep.observe(Observed(remote={RemoteKey(...): fact or None}))`, are in force when the switches have
them, a few milliseconds later, and are remembered over a restart of the controller: `Placement.remotes` and
`Placement.all_remote` give them back, to be confirmed or withdrawn. A fact about an owner that does not exist (any
more) has no flows; nobody but who told it withdraws it.

What others need to know to send to us is `State.vni` of a segment, `State.l3_vni` and `State.label` of a domain, and
`router_mac` of a hypervisor. Read next: `wan/`, which makes the flows.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from data.addresses import Ip, Prefix

__all__ = ["MPLS", "VXLAN", "NextHop", "Remote", "RemoteFlood", "RemoteKey", "RemoteMac", "RemotePrefix", "Tunnel",
           "What", "router_mac"]  # fmt: skip

VXLAN = "vxlan"
MPLS = "mpls"  # over GRE (RFC 4023)


class Tunnel(NamedTuple):
    """How packets get there. `number`: the VNI or label that the receiver chose (RFC 8365 section 5.1.3)."""

    endpoint: Ip
    encapsulation: str
    number: int


class NextHop(NamedTuple):
    """One way to a prefix; `mac` is the router's behind a VXLAN tunnel (RFC 9135), None with MPLS."""

    tunnel: Tunnel
    mac: bytes | None


@dataclass(frozen=True, slots=True)
class RemoteMac:
    """A machine elsewhere. It goes before a vport of ours that is resolved here with this MAC address: whoever makes
    the fact has compared their sequence numbers (RFC 7432 section 15)."""

    tunnel: Tunnel
    addresses: tuple[Ip, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteFlood:
    """A VTEP that wants copies (RFC 7432 section 7.3), with its VNI of the segment."""

    tunnel: Tunnel


@dataclass(frozen=True, slots=True)
class RemotePrefix:
    """A route; several next hops share its flows. Sorted."""

    next_hops: tuple[NextHop, ...]


Remote = RemoteMac | RemoteFlood | RemotePrefix


What = bytes | Ip | Prefix
"""A MAC address, the endpoint that wants copies, or a prefix."""


class RemoteKey(NamedTuple):
    """Whose fact, of which of the three kinds, about what."""

    owner: str  # UUID of the subnet, l2-domain or domain
    kind: str  # mac, flood, prefix
    what: What


def router_mac(tunnel_address: Ip) -> bytes:
    """The MAC address of the router of the hypervisor with this tunnel address: what it sends routed packets from, and
    tells others to send them to (RFC 9135 section 6.1). Locally administered (IEEE 802): 02:bf and four bytes that
    are the IPv4 address itself, or a hash of the IPv6 address."""
    packed = tunnel_address.packed
    return b"\x02\xbf" + (packed if tunnel_address.version == 4 else blake2b(packed, digest_size=4).digest())

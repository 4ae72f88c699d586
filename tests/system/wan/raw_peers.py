"""Raw BGP peers beside a whole network: what a test says to the daemon byte by byte, from a thread of its own.

with RawPeers("fap") as peers:
    network.commit(*peers.neighbour("bad"))                    # passive: the peer connects to the daemon
    bad = peers.connected("bad"); bad.send(update(...)); ...; peers.close(bad)
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.system.wan.peers.network import PeerNetwork
from tests.system.wan.peers.raw_peer import PATIENCE, RawPeer, attribute, update

VPNV4, EVPN = (1, 128), (25, 70)
OPTIONAL, TRANSITIVE, LONG = 0x80, 0x40, 0x10
ORIGIN, AS_PATH, LOCAL_PREF, MP_REACH, MP_UNREACH, EXTENDED = 1, 2, 5, 14, 15, 16
PER_MESSAGE = 240  # VPNv4 routes of 16 bytes each in one message of 4096

T = TypeVar("T")


class RawPeers:
    """Peers by name, each in a namespace of its own, that speak from one loop in a thread."""

    def __init__(self, prefix: str, asn: int = 65000) -> None:
        self.net = PeerNetwork(prefix)
        self.asn = asn
        self._all: list[RawPeer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.net.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peer in self._all:
            self.close(peer, reset=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self.net.close()

    def neighbour(self, name: str, *more: str, passive: bool = True) -> list[str]:
        """The command line that makes it a neighbour of the daemon."""
        address = self.net.add(name)
        words = ["passive", *more] if passive else list(more)
        return [
            f"set bgp-neighbor {name} address {address} autonomous-system {self.asn} local-address {self.net.here} "
            + " ".join(words)
        ]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Something of a peer, to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(4 * PATIENCE)

    def call(self, work: Callable[..., object], *arguments: object) -> None:
        """Something of a peer that is no coroutine, in its loop."""

        async def called() -> None:
            work(*arguments)

        self.do(called())

    def raw(self, name: str, **settings: Any) -> RawPeer:
        """A peer that is not connected."""
        settings.setdefault("asn", self.asn)
        settings.setdefault("hold", 9)
        peer = RawPeer(self.net.space(name), self.net.address(name), **settings)
        self._all.append(peer)
        return peer

    def connected(self, name: str, **settings: Any) -> RawPeer:
        """Its TCP connection alone."""
        peer = self.raw(name, **settings)
        self.do(peer.connect(self.net.here))
        return peer

    def established(self, name: str, families: Sequence[tuple[int, int]] = (VPNV4, EVPN), **settings: Any) -> RawPeer:
        """Its session."""
        peer = self.connected(name, **settings)
        last = self.net.numbers[name]
        self.do(peer.establish(families, router_id=f"9.9.9.{last}"))
        return peer

    def send(self, peer: RawPeer, data: bytes) -> None:
        """Bytes, given to the kernel as far as it takes them."""
        self._loop.call_soon_threadsafe(peer.send, data)

    def silence(self, peer: RawPeer) -> None:
        """No keepalives any more; it still hears."""
        self.call(peer.silence)

    def close(self, peer: RawPeer, *, reset: bool = False) -> None:
        self.do(peer.close(reset=reset))

    def hop(self, name: str) -> bytes:
        """Its own address as a next hop."""
        return bytes(map(int, self.net.address(name).split(".")))


def target(autonomous_system: int, number: int) -> bytes:
    """A route target of AS:NUMBER."""
    return b"\0\2" + struct.pack("!HI", autonomous_system, number)


def common(*targets: bytes, preference: bytes = b"\0\0\0\x64") -> bytes:
    """The attributes of a route of our own autonomous system, but for where it leads."""
    said = attribute(TRANSITIVE, ORIGIN, b"\0") + attribute(TRANSITIVE, AS_PATH, b"")
    said += attribute(TRANSITIVE, LOCAL_PREF, preference)
    return said + (attribute(OPTIONAL | TRANSITIVE, EXTENDED, b"".join(targets)) if targets else b"")


def vpn(prefix: bytes, bits: int, label: int = 100, rd: int = 1) -> bytes:
    """A VPNv4 NLRI (RFC 4364 section 4.3.4); `prefix` is as many bytes as `bits` need."""
    return bytes([88 + bits]) + (label << 4 | 1).to_bytes(3, "big") + struct.pack("!HHI", 0, 65009, rd) + prefix


def mac_ip(mac: bytes, vni: int, rd: int = 1) -> bytes:
    """An EVPN type 2 NLRI of a MAC address alone (RFC 7432 section 7.2)."""
    value = struct.pack("!HHI", 0, 65009, rd) + bytes(10) + bytes(4) + b"\x30" + mac + b"\0" + vni.to_bytes(3, "big")
    return bytes([2, len(value)]) + value


def reach(family: tuple[int, int], hop: bytes, nlri: bytes) -> bytes:
    """MP_REACH_NLRI (RFC 4760 section 3); of VPNv4 the next hop has a distinguisher of zeros."""
    full = bytes(8) + hop if family == VPNV4 else hop
    return attribute(OPTIONAL | LONG, MP_REACH, struct.pack("!HBB", *family, len(full)) + full + b"\0" + nlri)


def unreach(family: tuple[int, int], nlri: bytes) -> bytes:
    """A whole UPDATE that takes these back; without any it is the end of the RIB (RFC 4724 section 2)."""
    return update(attribute(OPTIONAL | LONG, MP_UNREACH, struct.pack("!HB", *family) + nlri))


def announced(hop: bytes, nlri: bytes, *targets: bytes, family: tuple[int, int] = VPNV4) -> bytes:
    """A whole UPDATE that tells these."""
    return update(reach(family, hop, nlri) + common(*targets))


def withdrawn(prefix: bytes, bits: int, rd: int = 1) -> bytes:
    """A VPNv4 NLRI as it is withdrawn (RFC 8277 section 2.4)."""
    return bytes([88 + bits]) + b"\x80\0\0" + struct.pack("!HHI", 0, 65009, rd) + prefix


def many(count: int, hop: bytes, *targets: bytes, rd: int = 1) -> Iterator[bytes]:
    """UPDATEs that tell so many different host routes from 20.0.0.0 on, 240 in each."""
    first = 20 << 24
    for start in range(0, count, PER_MESSAGE):
        some = range(first + start, first + min(start + PER_MESSAGE, count))
        yield announced(hop, b"".join(vpn(one.to_bytes(4, "big"), 32, rd=rd) for one in some), *targets)

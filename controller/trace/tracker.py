"""What connection tracking would say of a packet: zones of one switch that remember what is committed to them.

A trace begins with nothing remembered, so its packet begins a connection; the answer meets what it left behind. Of a
packet that is said to be of a connection that there is, every zone of a policy knows it; what a service translates is
not guessed. States are those of Open vSwitch's userspace tracker (`lib/conntrack.c`): a connection is new until an
answer was seen, an ICMP message that asks nothing, or has a code, belongs to none, a protocol without ports is known by
its addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import NamedTuple

from controller.openflow import wire
from controller.pipeline import SERVICE_ZONE
from controller.trace.parts import Nat
from controller.trace.question import Connection

__all__ = ["Tracker"]

_PORTS = {wire.IP_TCP: "tcp", wire.IP_UDP: "udp", wire.IP_SCTP: "sctp"}
_ASKED = {8: 0, 13: 14, 15: 16, 17: 18}  # RFC 792: request -> reply
_ASKED_6 = {128: 129}  # RFC 4443
_SYN, _ACK = 0x02, 0x10  # RFC 9293


class _Ends(NamedTuple):
    """Who speaks to whom: addresses and ports; of ICMP, ports are the type of the request."""

    version: int
    protocol: int
    source: int
    destination: int
    source_port: int
    destination_port: int

    def back(self) -> _Ends:
        return self._replace(
            source=self.destination, destination=self.source, source_port=self.destination_port,
            destination_port=self.source_port,
        )  # fmt: skip


@dataclass(slots=True)
class _Connection:
    """`there` as its first packet came, `back` as its answers come: of a translated one these do not mirror."""

    there: _Ends
    back: _Ends
    translates: str | None = None
    answered: bool = False


class Tracker:
    """Connections by zone."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[int, _Ends], _Connection] = {}

    def track(
        self,
        packet: MutableMapping[str, int],
        zone: int,
        commit: bool,
        nat: Nat | None,
        said: Connection = Connection.NEW,
    ) -> None:
        """Sets ct_state and ct_zone of a packet, translates it where `nat` says so, remembers it on `commit`. `said`:
        of which connection a packet is that the zone of a policy does not remember."""
        packet["ct_zone"], packet["ct_state"] = zone, wire.CT_TRACKED
        if said is Connection.RELATED and not zone & SERVICE_ZONE:
            packet["ct_state"] |= wire.CT_RELATED
            return
        ends = _ends(packet)
        if ends is None:
            packet["ct_state"] |= wire.CT_INVALID
            return
        known = self._known.get((zone, ends))
        if known is None:
            known = None if zone & SERVICE_ZONE else self._said(packet, zone, ends, said)
        if known is None:
            if not _begins(packet, ends):
                packet["ct_state"] |= wire.CT_INVALID
                return
            packet["ct_state"] |= wire.CT_NEW
            if commit:
                self._remember(packet, zone, ends, nat)
            return
        reply = ends == known.back
        known.answered = known.answered or reply
        packet["ct_state"] |= wire.CT_ESTABLISHED if known.answered else wire.CT_NEW
        if reply:
            packet["ct_state"] |= wire.CT_REPLY
        if nat is not None and known.translates is not None:
            self._translate(packet, known, reply)

    def _said(self, packet: Mapping[str, int], zone: int, ends: _Ends, said: Connection) -> _Connection | None:
        """The connection that a packet is said to be of, as if it had been remembered; None for a packet that cannot
        be of one."""
        there = ends.back() if said is Connection.ANSWER else ends
        if said is Connection.NEW or not _begins(packet, there):
            return None
        known = _Connection(there, there.back(), answered=True)
        self._known[zone, known.there] = self._known[zone, known.back] = known
        return known

    def _remember(self, packet: MutableMapping[str, int], zone: int, ends: _Ends, nat: Nat | None) -> None:
        after = ends
        if nat is not None and nat.direction == "source":
            after = ends._replace(source=nat.address or 0, source_port=nat.port or ends.source_port)
        elif nat is not None and nat.direction == "destination":
            after = ends._replace(destination=nat.address or 0, destination_port=nat.port or ends.destination_port)
        connection = _Connection(ends, after.back(), None if nat is None else nat.direction)
        self._known[zone, connection.there] = self._known[zone, connection.back] = connection
        if connection.translates is not None:
            self._translate(packet, connection, reply=False)

    def _translate(self, packet: MutableMapping[str, int], connection: _Connection, reply: bool) -> None:
        onward = connection.there.back() if reply else connection.back.back()
        bit = {"source": wire.CT_SRC_NAT, "destination": wire.CT_DST_NAT}
        if connection.translates in bit:
            other = {"source": "destination", "destination": "source"}[str(connection.translates)]
            packet["ct_state"] |= bit[other if reply else str(connection.translates)]
        family = f"ipv{onward.version}"
        packet[f"{family}_src"], packet[f"{family}_dst"] = onward.source, onward.destination
        name = _PORTS.get(onward.protocol)
        if name is not None:
            packet[f"{name}_src"], packet[f"{name}_dst"] = onward.source_port, onward.destination_port


def _ends(packet: Mapping[str, int]) -> _Ends | None:
    """Of an IP packet; None for an ICMP message that neither asks nor answers (these have the code 0)."""
    version = {wire.ETH_IPV4: 4, wire.ETH_IPV6: 6}.get(packet.get("eth_type", 0))
    if version is None:
        return None
    protocol, family = packet.get("ip_proto", 0), f"ipv{version}"
    source, destination = packet.get(f"{family}_src", 0), packet.get(f"{family}_dst", 0)
    name = _PORTS.get(protocol)
    if name is not None:
        ports = packet.get(f"{name}_src", 0), packet.get(f"{name}_dst", 0)
        return _Ends(version, protocol, source, destination, *ports)
    asked = _asked(version, protocol)
    if asked is None:
        return _Ends(version, protocol, source, destination, 0, 0)
    kind = packet.get(f"icmpv{version}_type", 0)
    if packet.get(f"icmpv{version}_code", 0):
        return None
    if kind in asked:
        return _Ends(version, protocol, source, destination, kind, asked[kind])
    request = next((one for one, reply in asked.items() if reply == kind), None)
    return None if request is None else _Ends(version, protocol, source, destination, kind, request)


def _asked(version: int, protocol: int) -> Mapping[int, int] | None:
    if (version, protocol) == (4, wire.IP_ICMP):
        return _ASKED
    return _ASKED_6 if (version, protocol) == (6, wire.IP_ICMPV6) else None


def _begins(packet: Mapping[str, int], ends: _Ends) -> bool:
    """Whether a packet can begin a connection: no TCP answer, no ICMP answer, nor ICMP of the other family."""
    if ends.protocol == wire.IP_TCP:
        return packet.get("tcp_flags", 0) & (_SYN | _ACK) != _SYN | _ACK
    asked = _asked(ends.version, ends.protocol)
    return ends.protocol not in (wire.IP_ICMP, wire.IP_ICMPV6) if asked is None else ends.source_port in asked

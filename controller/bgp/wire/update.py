"""The body of an UPDATE message to routes, and what is wrong with it as values: RFC 4271 section 4.3, RFC 7606.

::

    body ──lengths──> attributes, raw ──┬── all but the NLRI ──remembered──> Attributes, faults of theirs
                                        └── NLRI ──────────────────────────> routes, withdrawals

What a peer sends is at most 64 KiB, every loop goes forward in it, and what is remembered is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.bgp.routes import NO_ESI, Attributes, Encapsulation, Family, IpPrefix, Nlri, Route
from controller.bgp.wire.attributes import EXTENDED, FLAGS, OPTIONAL, TRANSITIVE, Kind
from controller.bgp.wire.families import FAMILIES, decode_next_hop
from controller.bgp.wire.faults import Action, Fault, WireError, bounded
from controller.bgp.wire.messages import EXTENDED_MESSAGE, HEADER
from controller.bgp.wire.nlri import decode_field
from controller.bgp.wire.reading import read_attributes
from data.addresses import Ip

__all__ = ["Decoder", "Update", "decode_update"]

_REMEMBERED = 1024
"""Sets of attributes of one session."""
_REMEMBERED_BYTES = 1 << 20
"""Of all of them together, on the wire: a peer can make one set 64 KiB long."""

_Read = tuple[Attributes | None, tuple[Fault, ...]]


class Update(NamedTuple):
    """What one message said. With a fault that is RESET there are no routes. `withdrawn` has nothing of `announced`
    (RFC 4271 section 4.3), by key."""

    announced: tuple[Route, ...]
    withdrawn: tuple[Nlri, ...]
    faults: tuple[Fault, ...] = ()
    end_of_rib: Family | None = None

    @property
    def action(self) -> Action | None:
        """The strongest of what was done about faults; None when all is well."""
        return max((fault.action for fault in self.faults), default=None)


class _Reset(Exception):
    """Nothing can be said about the message; the text is the reason."""


class Decoder:
    """Reads the messages of one session; of equal attributes all its routes share one value."""

    def __init__(
        self,
        *,
        internal: bool = True,
        as4: bool = True,
        encapsulation: Encapsulation = Encapsulation.VXLAN,
        families: Iterable[Family] = Family,
    ) -> None:
        """`internal`: the peer has our autonomous system. `as4`: both ends know those of 4 bytes (RFC 6793).
        `encapsulation`: of EVPN routes that do not say. `families`: what the session carries; others are left out."""
        self.internal = internal
        self.as4 = as4
        self.encapsulation = encapsulation
        self.families = frozenset(families)
        self._remembered: dict[tuple[bytes, Ip | None, bool], _Read] = {}
        self._bytes = 0

    def update(self, body: bytes) -> Update:
        """What a message says; `body` is without the header. Never raises for what is in it."""
        try:
            return self._update(body)
        except _Reset as reason:
            return Update((), (), (Fault(Action.RESET, str(reason)),))

    def _update(self, body: bytes) -> Update:
        withdrawn_field, block, announced_field = _fields(body)
        if not (withdrawn_field or block or announced_field):
            return Update((), (), (), Family.IPV4 if Family.IPV4 in self.families else None)
        raw, rest, faults = _walk(block)
        withdrawn: list[Nlri] = []
        if withdrawn_field:
            withdrawn += self._nlri(Family.IPV4, withdrawn_field, self.encapsulation, True, faults)
        if Kind.MP_UNREACH_NLRI in raw:
            family, field = self._unreachable(raw[Kind.MP_UNREACH_NLRI][1], faults)
            if family is not None:
                if not field and len(raw) == 1 and len(block) <= 7 and not (withdrawn_field or announced_field):
                    return Update((), (), bounded(faults), family)
                withdrawn += self._nlri(family, field, self.encapsulation, True, faults)
        announced: list[Route] = []
        reachable = False
        if Kind.MP_REACH_NLRI in raw:
            reachable = True
            self._reachable(raw, rest, announced, withdrawn, faults)
        if announced_field:
            reachable = True
            self._announce(Family.IPV4, announced_field, raw, rest, None, announced, withdrawn, faults)
        if not reachable and rest:
            # RFC 7606 section 5.2: the routes may be in an attribute that could not be found.
            faults += self._attributes(raw, rest, None, announces=False)[1]
            worst = max(faults, key=lambda fault: fault.action, default=None)
            if worst is not None and worst.action > Action.DISCARD:
                raise _Reset(f"{worst.reason}; and no route is announced that could be withdrawn for it")
        if announced and withdrawn:
            kept = {route.nlri.key for route in announced}
            withdrawn = [one for one in withdrawn if one.key not in kept]
        return Update(tuple(announced), tuple(withdrawn), bounded(faults))

    def _unreachable(self, value: bytes, faults: list[Fault]) -> tuple[Family | None, bytes]:
        """The family of MP_UNREACH_NLRI, None when the session does not carry it, and the routes."""
        if len(value) < 3:
            raise _Reset(f"MP_UNREACH_NLRI of {len(value)} bytes")
        return self._family("MP_UNREACH_NLRI", value, faults), value[3:]

    def _reachable(
        self,
        raw: dict[int, tuple[int, bytes]],
        rest: bytes,
        announced: list[Route],
        withdrawn: list[Nlri],
        faults: list[Fault],
    ) -> None:
        value = raw[Kind.MP_REACH_NLRI][1]
        if len(value) < 5 or len(value) < 5 + value[3]:
            raise _Reset(f"MP_REACH_NLRI of {len(value)} bytes")
        family = self._family("MP_REACH_NLRI", value, faults)
        if family is None:
            return
        behind = 4 + value[3]
        try:
            next_hop = decode_next_hop(family, value[4:behind])
        except WireError as problem:
            raise _Reset(f"MP_REACH_NLRI: {problem}") from None
        self._announce(family, value[behind + 1 :], raw, rest, next_hop, announced, withdrawn, faults)

    def _family(self, name: str, value: bytes, faults: list[Fault]) -> Family | None:
        afi, safi = int.from_bytes(value[:2], "big"), value[2]
        family = FAMILIES.get((afi, safi))
        if family in self.families:
            return family
        faults.append(Fault(Action.DISCARD, f"{name}: the session does not carry AFI {afi} SAFI {safi}"))
        return None

    def _announce(
        self,
        family: Family,
        field: bytes,
        raw: dict[int, tuple[int, bytes]],
        rest: bytes,
        next_hop: Ip | None,
        announced: list[Route],
        withdrawn: list[Nlri],
        faults: list[Fault],
    ) -> None:
        """One field of routes with the attributes that go with it; withdrawn they are when those are malformed."""
        attributes, wrong = self._attributes(raw, rest, next_hop, announces=True)
        malformed = attributes is None or any(fault.action > Action.DISCARD for fault in faults)
        spoken = (attributes and attributes.encapsulation) or self.encapsulation
        routes = self._nlri(family, field, spoken, False, faults)
        if attributes is None or malformed:
            taken = tuple(routes)
            withdrawn += taken
            faults += wrong
            at = next(at for at, fault in enumerate(faults) if fault.action > Action.DISCARD)
            faults[at] = Fault(faults[at].action, faults[at].reason, faults[at].nlri + taken)
            return
        faults += wrong
        if family is Family.EVPN:
            routes = _without_double_index(routes, withdrawn, faults)
        announced += [Route(nlri, attributes) for nlri in routes]

    def _nlri(
        self, family: Family, field: bytes, encapsulation: Encapsulation, withdrawal: bool, faults: list[Fault]
    ) -> Sequence[Nlri]:
        if family not in self.families:
            faults.append(Fault(Action.DISCARD, f"the session does not carry {family}"))
            return ()
        try:
            found, left_out = decode_field(family, field, encapsulation, withdrawal)
        except WireError as problem:
            raise _Reset(f"{problem}") from None
        faults += [Fault(Action.DISCARD, reason) for reason in left_out]
        return found

    def _attributes(
        self, raw: dict[int, tuple[int, bytes]], rest: bytes, next_hop: Ip | None, *, announces: bool
    ) -> _Read:
        mark = rest, next_hop, announces
        found = self._remembered.get(mark)
        if found is None:
            found = read_attributes(
                raw,
                next_hop,
                announces=announces,
                internal=self.internal,
                as4=self.as4,
                encapsulation=self.encapsulation,
            )
            self._remembered[mark] = found
            self._bytes += len(rest)
            while len(self._remembered) > _REMEMBERED or self._bytes > _REMEMBERED_BYTES:
                oldest = next(iter(self._remembered))
                del self._remembered[oldest]
                self._bytes -= len(oldest[0])
        return found


def decode_update(
    body: bytes,
    *,
    internal: bool = True,
    as4: bool = True,
    encapsulation: Encapsulation = Encapsulation.VXLAN,
    families: Iterable[Family] = Family,
) -> Update:
    """What one message says, as `Decoder.update` without a memory."""
    return Decoder(internal=internal, as4=as4, encapsulation=encapsulation, families=families).update(body)


def _fields(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Withdrawn routes, attributes, NLRI. Raises _Reset when lengths are wrong (RFC 7606 section 3 b)."""
    if len(body) > EXTENDED_MESSAGE - HEADER:
        raise _Reset(f"a message of {len(body) + HEADER} bytes")
    first = 2 + int.from_bytes(body[:2], "big")
    if len(body) < first + 2:
        raise _Reset(f"withdrawn routes of {first - 2} bytes in a message of {len(body) + HEADER}")
    second = first + 2 + int.from_bytes(body[first : first + 2], "big")
    if len(body) < second:
        raise _Reset(f"attributes of {second - first - 2} bytes in a message of {len(body) + HEADER}")
    return body[2:first], body[first + 2 : second], body[second:]


def _walk(block: bytes) -> tuple[dict[int, tuple[int, bytes]], bytes, list[Fault]]:
    """Attributes by type, the bytes of all but MP_REACH_NLRI and MP_UNREACH_NLRI, and what is wrong (RFC 7606
    sections 3 g and 4). Raises _Reset for a second MP_REACH_NLRI or MP_UNREACH_NLRI."""
    raw: dict[int, tuple[int, bytes]] = {}
    rest: list[bytes] = []
    faults: list[Fault] = []
    at, end = 0, len(block)
    while at < end:
        head = at + 4 if block[at] & EXTENDED else at + 3
        after = head + int.from_bytes(block[at + 2 : head], "big")
        if head > end or after > end:
            faults.append(Fault(Action.WITHDRAW, f"an attribute is cut off {end - at} bytes behind its beginning"))
            rest.append(block[at:])
            break
        flags, number = block[at], block[at + 1]
        reaches = number in (Kind.MP_REACH_NLRI, Kind.MP_UNREACH_NLRI)
        if number in raw:
            if reaches:
                raise _Reset(f"two attributes are {Kind(number).name}")
            faults.append(Fault(Action.DISCARD, f"attribute {number} stands there twice, the first one counts"))
        else:
            raw[number] = flags, block[head:after]
            if not reaches:
                rest.append(block[at:after])
            elif (flags ^ FLAGS[Kind(number)]) & (OPTIONAL | TRANSITIVE):
                faults.append(Fault(Action.WITHDRAW, f"{Kind(number).name}: flags {flags:#04x} are not its own"))
        at = after
    return raw, b"".join(rest), faults


def _without_double_index(routes: Sequence[Nlri], withdrawn: list[Nlri], faults: list[Fault]) -> Sequence[Nlri]:
    """A prefix whose overlay index is both a gateway and an Ethernet segment is withdrawn (RFC 9136 section 3.1)."""
    wrong = tuple(filter(_doubly_indexed, routes))
    if not wrong:
        return routes
    withdrawn += wrong
    faults.append(Fault(Action.WITHDRAW, "a prefix has both a gateway and an Ethernet segment", wrong))
    return [one for one in routes if not _doubly_indexed(one)]


def _doubly_indexed(nlri: Nlri) -> bool:
    return type(nlri) is IpPrefix and nlri.gateway is not None and nlri.esi != NO_ESI

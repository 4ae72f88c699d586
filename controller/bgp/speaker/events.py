"""What the speaker process says, as events; remembers what each session agreed on, and decodes its UPDATEs."""

from __future__ import annotations

import ipaddress
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.bgp.routes import Encapsulation, Family
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Event, Peer, Refresh, Refused, Up
from controller.bgp.speaker.frames import FrameError, Kind
from controller.bgp.wire import NUMBERS, Action, Decoder, update_body

__all__ = ["Sessions", "Told", "canonical"]

log = logging.getLogger(__name__)

_FAMILIES = {numbers: family for family, numbers in NUMBERS.items()}
_HEADER = 19  # bytes of a BGP message before its body
REASON_LIMIT = 300  # characters of what a peer says about itself


@dataclass(slots=True)
class Told:
    """An established session. `muted` once it is to be reset: nothing more of it is told but its end, for this
    `reason` if there is one."""

    number: int
    peer: Peer
    families: frozenset[Family]
    as4: bool
    size: int
    decoder: Decoder
    muted: bool = False
    reason: str = ""


@dataclass(slots=True)
class Sessions:
    """All sessions of one run of the process. `peers` are by address, as they were configured; `broken` are sessions
    of which a message could not be read at all and which must be reset (RFC 7606 section 2), with the reason;
    `failures` why sessions did not come up, by neighbour; `heard` and `said` count UPDATE messages by neighbour."""

    peers: Mapping[str, Peer]
    encapsulation: Encapsulation = Encapsulation.VXLAN
    by_name: dict[str, Told] = field(default_factory=dict)
    by_number: dict[int, Told] = field(default_factory=dict)
    broken: list[tuple[Told, str]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)

    def events(self, kind: Kind, payload: bytes) -> Iterator[Event]:
        """The events of one frame. Raises FrameError for one that is no event."""
        if kind is Kind.UPDATES:
            yield from self._updates(payload)
        elif kind is Kind.UP:
            yield from self._up(json.loads(payload))
        elif kind is Kind.DOWN:
            yield from self._down(payload)
        elif kind is Kind.REFRESH:
            yield from self._refresh(payload)
        elif kind is Kind.FAILED:
            self._failed(json.loads(payload))
        else:
            raise FrameError(f"{kind.name} is not an event")

    def _failed(self, said: Mapping[str, object]) -> None:
        peer = self.peers.get(str(said["address"]))
        if peer is not None:
            reason = _plain(str(said["reason"]))
            if self.failures.get(peer.name) != reason:
                log.info("neighbor %s: no session: %s", peer.name, reason)
            self.failures[peer.name] = reason

    def lost(self, reason: str) -> Iterator[Event]:
        """The process died: every session is down. No NOTIFICATION was sent, so routes may be kept."""
        for told in list(self.by_number.values()):
            self._forget(told)
            yield Down(told.peer.name, reason, ours=True)

    def _up(self, said: Mapping[str, object]) -> Iterator[Event]:
        peer = self.peers.get(str(said["address"]))
        if peer is None:
            return  # taken out of the configuration while it came up; its end is on the way
        families = _families(said["families"])
        told = Told(
            number=_number(said["session"]),
            peer=peer,
            families=families,
            as4=bool(said["as4"]),
            size=_number(said["size"]),
            decoder=Decoder(
                internal=peer.local_as == peer.peer_as,
                as4=bool(said["as4"]),
                encapsulation=self.encapsulation,
                families=families,
            ),
        )
        former = self.by_name.get(peer.name)
        if former is not None:
            raise FrameError(f"two sessions with neighbor {peer.name}")
        self.by_name[peer.name] = self.by_number[told.number] = told
        self.failures.pop(peer.name, None)
        yield Up(
            peer.name,
            families,
            _number(said["hold"]),
            str(said["router_id"]),
            _number(said["restart"]) if "restart" in said else None,
            _families(said.get("forwarding", [])),
            bool(said.get("restarted", False)),
        )

    def _down(self, payload: bytes) -> Iterator[Event]:
        told = self.by_number.get(int.from_bytes(payload[:4], "big"))
        if told is not None:
            self._forget(told)
            reason = told.reason or _plain(payload[5:].decode(errors="replace"))
            yield Down(told.peer.name, reason, bool(payload[4]))

    def _forget(self, told: Told) -> None:
        del self.by_number[told.number]
        del self.by_name[told.peer.name]

    def _refresh(self, payload: bytes) -> Iterator[Event]:
        told = self.by_number.get(int.from_bytes(payload[:4], "big"))
        family = _FAMILIES.get((int.from_bytes(payload[4:6], "big"), payload[7]))
        if told is None or told.muted or payload[6] != 0:
            return
        if family in told.families:  # RFC 2918 section 4: others are ignored
            yield Refresh(told.peer.name, family)

    def _updates(self, payload: bytes) -> Iterator[Event]:
        told = self.by_number.get(int.from_bytes(payload[:4], "big"))
        at = 4
        while told is not None and not told.muted and at < len(payload):
            end = at + int.from_bytes(payload[at + 16 : at + 18], "big")
            self.heard[told.peer.name] += 1
            yield from self._update(told, update_body(payload[at:end]))
            at = end

    def _update(self, told: Told, body: bytes) -> Iterator[Event]:
        name = told.peer.name
        update = told.decoder.update(body)
        for fault in update.faults:
            if fault.action is Action.RESET:
                told.muted = True
                self.broken.append((told, fault.reason))
            yield Refused(name, fault.reason, fault.nlri)
        if update.announced or update.withdrawn:
            yield Changed(name, update.announced, update.withdrawn)
        if update.end_of_rib is not None:
            yield EndOfRib(name, update.end_of_rib)


def _families(said: object) -> frozenset[Family]:
    assert isinstance(said, list)
    return frozenset(_FAMILIES[afi, safi] for afi, safi in said if (afi, safi) in _FAMILIES)


def _number(said: object) -> int:
    assert isinstance(said, int)
    return said


def _plain(text: str) -> str:
    """A peer's words on one line, without what a terminal would obey."""
    return "".join(one if one.isprintable() else " " for one in text)[:REASON_LIMIT]


def canonical(address: str) -> str:
    """An address as the process writes it."""
    return str(ipaddress.ip_address(address))

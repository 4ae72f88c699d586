"""Whose a MAC address is, here or elsewhere, and with which sequence number we say so (RFC 7432 section 15).

    becomes local here, a route for it is known from elsewhere,  ours is announced with a number one higher
    or was the last that was known of it
    a higher number comes from elsewhere                         it is there: ours is withdrawn
    the same number                                              each site keeps its own, third ones take the lower
                                                                 next hop
    moves from one hypervisor of ours to another                 one higher: receivers see two places for a moment

An address that goes back and forth MOVES times within WINDOW seconds is in two places at once (section 15.1): it is
frozen. While it is, our own vport keeps it in our fabric, what others say of it is not looked at, and our number rises
no more, so that the storm of routes ends; it stays so for FROZEN seconds or until an operator clears it. An address
that is not ours is not frozen here: who has it does that.

A route that went away counts as well: a third site may not have heard that yet, or keep it as stale for minutes, and
would take the lower next hop of two equal numbers.

Numbers last over a restart, as `kept`; only those that are not zero are worth keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from data.addresses import Ip

__all__ = ["FROZEN", "LIMIT", "MOVES", "WINDOW", "MacKey", "Mobility", "Standing"]

MOVES = 5  # N and M of RFC 7432 section 15.1
WINDOW = 180.0  # seconds
FROZEN = 1800.0  # seconds
LIMIT = 10_000  # addresses that are remembered after they left, ours that moved and others' of any number
HIGHEST = 0xFFFFFFFF
DUPLICATE = "duplicate address {} is in two places at once: frozen here (RFC 7432 section 15.1)"
LET_GO = "duplicate address {} may move again (RFC 7432 section 15.1)"


class MacKey(NamedTuple):
    """A MAC address in a segment, by its UUID."""

    segment: str
    mac: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an address is: ours is announced with this number, or (None) another's is in force."""

    sequence: int | None
    frozen: bool = False


@dataclass(slots=True)
class _Known:
    sequence: int = 0
    endpoint: Ip | None = None  # of ours, while it is local
    elsewhere: bool = False  # another's is in force
    moves: tuple[float, ...] = ()
    frozen_until: float | None = None

    @property
    def worth_keeping(self) -> bool:
        return bool(self.sequence or self.moves or self.frozen_until)


class Mobility:
    """All of it. `clock` gives seconds. `tell` hears of an address that is in two places, frozen, or is not any more:
    the address takes the place of the {} in what it is told."""

    def __init__(
        self, clock: Callable[[], float], tell: Callable[[MacKey, str], None], kept: Mapping[str, int] | None = None
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._local: dict[MacKey, _Known] = {}
        self._gone: dict[MacKey, _Known] = {}  # not here (any more); the one that left first is forgotten first
        self._theirs: dict[MacKey, int] = {}  # the numbers of those that are elsewhere and not here
        self._left: dict[MacKey, int] = {}  # of those that are not there any more, in the order in which they left
        self._changed: set[MacKey] = set()
        for text, sequence in (kept or {}).items():
            segment, _, mac = text.rpartition(" ")
            self._gone[MacKey(segment, bytes.fromhex(mac))] = _Known(min(max(sequence, 0), HIGHEST))

    def judge(self, key: MacKey, local: Ip | None, remote: tuple[int, bool] | None) -> Standing:
        """Where the address is now: `local` is our tunnel address that it is behind, `remote` the number of the best
        route from elsewhere and whether it is static."""
        if local is None:
            self._note(key, remote)
            return self._absent(key)
        known = self._local.get(key)
        last = max(self._theirs.pop(key, -1), self._left.pop(key, -1))
        if known is None:
            known = self._local[key] = self._gone.pop(key) if key in self._gone else _Known()
        self._thaw(key, known)
        arrived, before = known.endpoint != local, known.endpoint
        known.endpoint = local
        if known.frozen_until is not None:
            known.elsewhere = False
            return Standing(known.sequence, frozen=True)
        theirs = last if remote is None else remote[0]
        if arrived and before is not None:
            self._raise(key, known, max(known.sequence, theirs) + 1)
        elif arrived and theirs >= 0:
            self._move(key, known)
            if known.frozen_until is None:
                self._raise(key, known, max(known.sequence, theirs + 1))
        elif theirs > known.sequence and not known.elsewhere:
            self._move(key, known)
            if known.frozen_until is None:
                self._tell(key, f"address {{}} is here and, with the higher sequence number {theirs}, at another site")
        known.elsewhere = known.frozen_until is None and theirs > known.sequence
        return Standing(None if known.elsewhere else known.sequence, known.frozen_until is not None)

    def _note(self, key: MacKey, remote: tuple[int, bool] | None) -> None:
        """What is said elsewhere of an address that is not here."""
        if remote is not None:
            self._theirs[key] = remote[0]
            self._left.pop(key, None)
        elif key in self._theirs:
            self._left[key] = self._theirs.pop(key)
            if len(self._left) > LIMIT:
                del self._left[next(iter(self._left))]

    def _absent(self, key: MacKey) -> Standing:
        """It is not here. A number that was given is remembered: it may come back."""
        known = self._local.pop(key, None)
        if known is not None and known.worth_keeping:
            known.endpoint, known.elsewhere = None, False
            self._gone[key] = known
            if len(self._gone) > LIMIT:
                oldest = next(iter(self._gone))
                if self._gone.pop(oldest).sequence:
                    self._changed.add(oldest)
        return Standing(None)

    def expected(self, key: MacKey, local: Ip) -> int | None:
        """With which number ours would be announced if it were there now; nothing changes by asking."""
        known = self._find(key)
        if known is None:
            return 0
        if known.elsewhere:
            return None
        return known.sequence + (known.endpoint not in (None, local) and known.frozen_until is None)

    def _find(self, key: MacKey) -> _Known | None:
        return self._local.get(key) or self._gone.get(key)

    def _raise(self, key: MacKey, known: _Known, sequence: int) -> None:
        if sequence != known.sequence:
            known.sequence = min(sequence, HIGHEST)
            self._changed.add(key)

    def _move(self, key: MacKey, known: _Known) -> None:
        now = self._clock()
        known.moves = (*(moved for moved in known.moves if moved > now - WINDOW), now)
        if len(known.moves) >= MOVES:
            known.frozen_until = now + FROZEN
            self._tell(key, DUPLICATE)

    def _thaw(self, key: MacKey, known: _Known) -> None:
        if known.frozen_until is not None and known.frozen_until <= self._clock():
            self._clear(key, known)

    def _clear(self, key: MacKey, known: _Known) -> None:
        known.frozen_until = None
        known.moves = ()
        self._tell(key, LET_GO)

    def clear(self, key: MacKey) -> bool:
        """An operator's: it may move again. Whether it was frozen; judge it anew then."""
        known = self._find(key)
        if known is None or known.frozen_until is None:
            return False
        self._clear(key, known)
        return True

    def _all(self) -> Iterator[tuple[MacKey, _Known]]:
        yield from self._local.items()
        yield from self._gone.items()

    def frozen(self) -> Iterator[tuple[MacKey, float]]:
        """Each frozen address of ours and until when."""
        for key, known in self._local.items():
            if known.frozen_until is not None:
                yield key, known.frozen_until

    def due(self) -> list[MacKey]:
        """Those whose time is over: judge them anew."""
        now = self._clock()
        return [key for key, until in self.frozen() if until <= now]

    def changes(self) -> dict[str, int]:
        """What must be kept and was not handed out yet: "segment mac" -> number, 0 when it need not be kept."""
        found = {}
        for key in self._changed:
            known = self._find(key)
            found[f"{key.segment} {key.mac.hex()}"] = 0 if known is None else known.sequence
        self._changed.clear()
        return found

    def kept(self) -> dict[str, int]:
        """All that must be kept."""
        return {f"{key.segment} {key.mac.hex()}": known.sequence for key, known in self._all() if known.sequence}

    def forget(self, segments: set[str]) -> None:
        """Segments that are gone for good."""
        for numbers in (self._theirs, self._left):
            for key in [key for key in numbers if key.segment in segments]:
                del numbers[key]
        for held in (self._local, self._gone):
            for key in [key for key in held if key.segment in segments]:
                if held.pop(key).sequence:
                    self._changed.add(key)

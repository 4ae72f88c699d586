"""Routes -> the messages that a session gets, in parcels; pure but for giving others their turn.

What a session owes its peer is added here: our autonomous system in front of AS_PATH for an external peer, which gets
neither LOCAL_PREF nor what route reflectors add; an internal one always gets LOCAL_PREF (RFC 4271 section 5.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from controller.bgp.routes import LOCAL_PREFERENCE, Attributes, Encapsulation, Family, Nlri, Route, family_of
from controller.bgp.wire import encode_updates, encode_withdrawals

__all__ = ["Manner", "announcements", "parcels", "withdrawals"]

ENCODED_AT_ONCE = 1000  # routes, about 10 ms; then others have their turn
PARCEL = 1 << 16  # bytes of messages in one command

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a session is spoken to: neighbours with the same one get the same bytes. `internal`: the peer has our
    autonomous system; `as4`: it knows those of 4 bytes; `size`: bytes of a message at most."""

    local_as: int
    internal: bool
    as4: bool
    size: int
    families: frozenset[Family]
    encapsulation: Encapsulation


async def announcements(manner: Manner, routes: Iterable[Route]) -> list[bytes]:
    """Whole messages; of routes with one key the last counts, families that the session does not carry are left out.
    Raises ValueError naming what cannot be said."""
    owed = _Owed(manner)

    def encoded(some: Sequence[Route]) -> list[bytes]:
        said = [Route(one.nlri, owed(one.attributes)) for one in some if family_of(one.nlri) in manner.families]
        return encode_updates(said, manner.size, as4=manner.as4, encapsulation=manner.encapsulation)

    return await _in_turns(_together({route.nlri.key: route for route in routes}.values()), encoded)


async def withdrawals(manner: Manner, routes: Sequence[Nlri]) -> list[bytes]:
    """Whole messages. Raises as `announcements`."""

    def encoded(some: Sequence[Nlri]) -> list[bytes]:
        return encode_withdrawals([one for one in some if family_of(one) in manner.families], manner.size)

    return await _in_turns(routes, encoded)


def parcels(messages: Sequence[bytes]) -> Iterator[bytes]:
    """Messages joined into as few pieces as may be."""
    some: list[bytes] = []
    size = 0
    for message in messages:
        if some and size + len(message) > PARCEL:
            yield b"".join(some)
            some, size = [], 0
        some.append(message)
        size += len(message)
    if some:
        yield b"".join(some)


class _Owed:
    """Attributes as the peer gets them; equal ones are mostly one object, so each is made once."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._known: dict[int, tuple[Attributes, Attributes]] = {}

    def __call__(self, attributes: Attributes) -> Attributes:
        found = self._known.get(id(attributes))
        if found is None:
            found = self._known[id(attributes)] = (attributes, self._made(attributes))
        return found[1]

    def _made(self, said: Attributes) -> Attributes:
        if self._manner.internal:
            if said.local_preference is None:
                return replace(said, local_preference=LOCAL_PREFERENCE)
            return said
        path, length = said.as_path, said.as_path_length
        if path[:1] != (self._manner.local_as,):
            path, length = (self._manner.local_as, *path), length + 1
        return replace(
            said, as_path=path, as_path_length=length, local_preference=None, originator_id=None, cluster_list=()
        )


def _together(routes: Iterable[Route]) -> list[Route]:
    """Those that share attributes beside each other, so that they share messages."""
    groups: dict[int, list[Route]] = {}
    for route in routes:
        groups.setdefault(id(route.attributes), []).append(route)
    return [route for group in groups.values() for route in group]


async def _in_turns(items: Sequence[Item], encoded: Callable[[Sequence[Item]], list[bytes]]) -> list[bytes]:
    messages: list[bytes] = []
    for at in range(0, len(items), ENCODED_AT_ONCE):
        messages += encoded(items[at : at + ENCODED_AT_ONCE])
        await asyncio.sleep(0)
    return messages

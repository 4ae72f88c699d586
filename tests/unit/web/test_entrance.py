"""Connections of many strangers: each gives way to who comes after, and nobody who is known does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from nshell.web.entrance import CONNECTIONS, NEIGHBOURS, Entrance, Entrances


class Line:
    """A connection as far as it is counted."""

    def __init__(self, network: str, known: bool = False) -> None:
        self.network, self.known, self.origin = network, known, f"web {network}:1"
        self.here: Entrances | None = None

    def abort(self) -> None:
        assert self.here is not None
        self.here.left(cast(Entrance, self))


@pytest.fixture
async def entrances() -> AsyncIterator[Entrances]:
    made = Entrances(cast(Any, None), cast(Any, None))
    yield made
    made._sweeping.cancel()
    await asyncio.gather(made._sweeping, return_exceptions=True)


def come(entrances: Entrances, network: str, known: bool = False) -> Line | None:
    """A connection from a network, None when it is not let in."""
    line = Line(network, known)
    line.here = entrances
    return line if entrances.arrived(cast(Entrance, line)) else None


async def test_who_is_longest_in_the_network_that_most_are_from_gives_way(entrances: Entrances) -> None:
    few = [come(entrances, "192.0.2.1") for _ in range(3)]
    known = [come(entrances, "198.51.100.1", known=True)]
    crowd = [come(entrances, f"203.0.113.{n // 60}") for n in range(CONNECTIONS - 4)]
    assert len(entrances) == CONNECTIONS
    assert come(entrances, "192.0.2.2") is not None
    assert len(entrances) == CONNECTIONS and crowd[0] not in entrances._here
    assert all(one in entrances._here for one in [*few, *known, crowd[1]])


async def test_in_a_crowded_network_a_stranger_of_the_same_gives_way_and_nobody_who_is_known(
    entrances: Entrances,
) -> None:
    elsewhere = come(entrances, "198.51.100.1")
    known = [come(entrances, "192.0.2.1", known=True) for _ in range(NEIGHBOURS - 1)]
    stranger = come(entrances, "192.0.2.1")
    assert (last := come(entrances, "192.0.2.1", known=True)) is not None
    assert stranger not in entrances._here and all(one in entrances._here for one in [*known, elsewhere])
    assert come(entrances, "192.0.2.1") is None, "all there are known"
    assert last in entrances._here and come(entrances, "192.0.2.2") is not None


async def test_networks_that_are_gone_are_forgotten(entrances: Entrances) -> None:
    lines = [come(entrances, f"192.0.2.{n}") for n in range(100)]
    for line in lines:
        assert line is not None
        line.abort()
    assert not len(entrances) and not entrances._networks

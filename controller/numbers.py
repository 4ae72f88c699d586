"""Numbers that never change: VNIs, domain and object numbers, identities, rule priorities.

A flow is made of small numbers, the policy of names and UUIDs. Once given out, a number stays with its key for good
(restarts, rollbacks), because a renumbering would rewrite flows under running traffic. A plan allocates in a `fork`;
the commit writes what is `new` in the same transaction as the policy, and only then `adopt`s it. Only the places of
rules that are gone are given out again, and those of small pools. A VNI that the configuration fixes is reserved: it is
never given to another, and not reserved while another has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data.errors import CommandFailed

__all__ = ["POOLS", "Numbers"]

POOLS: dict[str, tuple[int, int]] = {
    "object": (1, 0xFFFFFEFF),  # cookies, metadata of a domain, conjunction ids; above them pipeline.REMOTE_SHARED
    "vni": (5000, 0xFFFFFF),  # RFC 7348 section 5: 24 bits; the small ones are left to the operator's own VXLANs
    "wan": (1, 0xFFFF),  # of route distinguishers: segments and domains that are told to BGP (RFC 4364 section 4.2)
    "label": (16, 0xFFFFF),  # MPLS: two for each domain in the WAN (RFC 3032 section 2.1: 0 to 15 are reserved)
    "trunk": (1, 0x2FFE),  # vports behind an uplink by VLAN: their slots, see pipeline.TRUNK_SLOTS
    "access": (1, 0xFFFFFFFF),  # one pool per shared domain: the vports of its users, see compile/shared.py
    "identity": (1, 0xFFFFFFFF),  # one pool per domain: "identity/<uuid of the domain>"
}


_RESERVED = frozenset(("vni",))
"""Pools some of whose numbers the configuration fixes: who has which number is known there."""


class Numbers:
    """A register of numbers by (pool, key), with forks for plans that may be thrown away.

    A pool's range is that of its name up to the first slash, see POOLS.
    """

    __slots__ = ("_base", "_held", "_next", "_taken", "new")

    def __init__(self, held: Mapping[tuple[str, str], int] | None = None) -> None:
        self._base: Numbers | None = None
        self._held: dict[tuple[str, str], int | None] = {}
        self._next: dict[str, int] = {}
        self._taken: dict[tuple[str, int], str | None] = {}  # of the pools in _RESERVED: (pool, number) -> key
        self.new: dict[tuple[str, str], int | None] = {}
        self.adopt(held or {})

    def fork(self) -> Numbers:
        """A register that reads through to this one and keeps its own allocations apart in `new`."""
        child = Numbers()
        child._base = self
        return child

    def get(self, pool: str, key: str, limit: int | None = None) -> int:
        """The number of `key`, allocating the next free one of the pool when it has none; `limit` makes it smaller.

        Raises CommandFailed when the pool is used up.
        """
        found = self.find(pool, key)
        if found is not None:
            return found
        low, high = POOLS[pool.partition("/")[0]]
        high = high if limit is None else min(high, limit)
        number = max(low, self._following(pool))
        while pool in _RESERVED and self._holder(pool, number) is not None:
            number += 1
        if number > high and pool in _RESERVED:  # the last ones are fixed
            number = next((free for free in range(low, high + 1) if self._holder(pool, free) is None), number)
        if number > high and limit is not None:  # a small pool, whose keys come and go
            taken = self.keys(pool)
            number = next((free for free in range(low, high + 1) if free not in taken), number)
        if number > high:
            raise CommandFailed(pool, f"all numbers up to {high} are taken", "remove objects that are no longer used")
        self._next[pool] = max(number + 1, self._next.get(pool, 0))
        self.put(pool, key, number)
        return number

    def find(self, pool: str, key: str) -> int | None:
        """The number of `key` if it has one."""
        at: Numbers | None = self
        name = (pool, key)
        while at is not None:
            if name in at._held:
                return at._held[name]
            at = at._base
        return None

    def reserve(self, pool: str, key: str, number: int) -> None:
        """Give `key` this number of a pool in which the configuration may fix numbers.

        Raises CommandFailed when another key has it.
        """
        holder = self._holder(pool, number)
        if holder not in (None, key):
            raise CommandFailed(f"{pool} {number}", "another object has it", f"choose another {pool}")
        self.put(pool, key, number)

    def put(self, pool: str, key: str, number: int) -> None:
        """Give `key` this number (rule priorities, which are placed between others)."""
        self._note(pool, key, number)
        self._held[pool, key] = self.new[pool, key] = number

    def free(self, pool: str, key: str) -> None:
        """Take a number back (rule priorities of entries that are gone: others may be placed there)."""
        if self.find(pool, key) is not None:
            self._note(pool, key, None)
            self._held[pool, key] = self.new[pool, key] = None

    def adopt(self, allocations: Mapping[tuple[str, str], int | None]) -> None:
        """Take over the allocations of a fork whose plan was committed; None frees one."""
        for (pool, key), number in allocations.items():
            self._note(pool, key, None)
            if number is None:
                self._held.pop((pool, key), None)
                continue
            self._held[pool, key] = number
        for (pool, key), number in allocations.items():
            if number is None:
                continue
            self._note(pool, key, number)
            if pool not in _RESERVED and number >= self._next.get(pool, 0):
                self._next[pool] = number + 1
        for pool in _RESERVED:  # behind those given out, not behind the highest that is fixed
            following = max(POOLS[pool][0], self._next.get(pool, 0))
            while self._holder(pool, following) is not None:
                following += 1
            self._next[pool] = following

    def items(self) -> Iterator[tuple[tuple[str, str], int]]:
        """((pool, key), number) of everything this register itself holds, what is below a fork left out."""
        for name, number in self._held.items():
            if number is not None:
                yield name, number

    def keys(self, pool: str) -> dict[int, str]:
        """number -> key of one pool, for explaining cookies."""
        found = {} if self._base is None else self._base.keys(pool)
        own = [(key, number) for (of, key), number in self._held.items() if of == pool]
        freed = {key for key, number in own if number is None}
        if freed:
            found = {number: key for number, key in found.items() if key not in freed}
        found.update({number: key for key, number in own if number is not None})
        return found

    def _holder(self, pool: str, number: int) -> str | None:
        """Who has a number of a pool in _RESERVED."""
        at: Numbers | None = self
        while at is not None:
            if (pool, number) in at._taken:
                return at._taken[pool, number]
            at = at._base
        return None

    def _note(self, pool: str, key: str, number: int | None) -> None:
        """Keeps who has which number, before `key` gets this one."""
        if pool not in _RESERVED:
            return
        had = self.find(pool, key)
        if had is not None and self._holder(pool, had) == key:
            self._taken[pool, had] = None
        if number is not None:
            self._taken[pool, number] = key

    def _following(self, pool: str) -> int:
        own = self._next.get(pool, 0)
        return own if self._base is None else max(own, self._base._following(pool))

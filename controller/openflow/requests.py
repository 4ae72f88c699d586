"""Which answer belongs to which request of a connection: transaction numbers, futures, answers in several parts.

``connection.py`` writes what ``question`` makes and tells this class what came back.
"""

from __future__ import annotations

import asyncio

from controller.openflow import wire
from controller.openflow.errors import RequestRefused, SwitchGone

_PARTS_LIMIT = 8192  # messages of one answer, 64 KiB each: 3,000,000 flows

Answer = asyncio.Future[list[bytes]]


class Requests:
    """The requests of one connection that are not answered yet."""

    __slots__ = ("_loop", "_parts", "_pending", "_xid")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: dict[int, Answer] = {}
        self._parts: dict[int, list[bytes]] = {}
        self._xid = 0

    def __contains__(self, xid: int) -> bool:
        return xid in self._pending

    def __len__(self) -> int:
        return len(self._pending)

    def next_xid(self) -> int:
        """A number that no request of the last billion had, below FLOW_XID."""
        self._xid = self._xid % 0x3FFFFFFF + 1
        return self._xid

    def question(self, kind: int, body: bytes) -> tuple[bytes, Answer]:
        """A request to be written, and its answer to come: the bodies of its parts."""
        xid = self.next_xid()
        answer = self._pending[xid] = self._loop.create_future()

        def settled(answer: Answer) -> None:
            self._pending.pop(xid, None)
            self._parts.pop(xid, None)
            if not answer.cancelled():
                answer.exception()  # somebody else's failure may be told first; this one is known then

        answer.add_done_callback(settled)
        return wire.message(kind, xid, body), answer

    def answered(self, xid: int, bodies: list[bytes]) -> None:
        """The whole answer is there."""
        answer = self._pending.get(xid)
        if answer is not None and not answer.done():
            answer.set_result(bodies)

    def part(self, xid: int, body: bytes, more: bool) -> None:
        """A part of an answer. Raises ValueError when there are too many."""
        parts = self._parts.setdefault(xid, [])
        parts.append(body)
        if len(parts) > _PARTS_LIMIT:
            raise ValueError(f"an answer of more than {_PARTS_LIMIT} parts")
        if not more:
            self.answered(xid, parts)

    def refused(self, xid: int, error: RequestRefused) -> bool:
        """An error; False when it answers no request."""
        answer = self._pending.get(xid)
        if answer is None or answer.done():
            return False
        answer.set_exception(error)
        return True

    def lost(self, reason: str) -> None:
        """The connection is gone: nobody gets an answer any more."""
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(SwitchGone(reason))

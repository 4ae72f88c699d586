"""A bundle: flow-mods that the switch takes all together or not at all.

``open`` and ``add`` fill it, ``close`` is *prepare* (every flow-mod has been looked at), ``commit`` applies
it, and ``discard`` takes it back. A switch that refuses a flow-mod while the bundle is filled would still
commit the others: so any error while filling discards the bundle. Some errors (a missing group) show only at
commit. An open bundle that nothing happens to is dropped by Open vSwitch after 10 s (Open_vSwitch
other_config:bundle-idle-timeout).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from controller.openflow import wire
from controller.openflow.errors import BundleRefused, RequestRefused, SwitchGone
from data.steps import Pace

if TYPE_CHECKING:
    from controller.openflow.connection import Switch

OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6  # ofp_bundle_ctrl_type, requests
_FLAGS = 1 | 2  # OFPBF_ATOMIC, OFPBF_ORDERED
_CONTROL: Final = struct.Struct("!IHH")
_BLOB = 128 * 1024  # bytes per write: one blob instead of one write per message is ten times as fast
_STEP = 64  # flow-mods between two looks at the clock


class Bundle:
    """One bundle on one connection; several may be open at the same time. Made by Switch.bundle()."""

    __slots__ = ("_messages", "_opened", "_sent", "_switch", "_unsent", "count", "error", "number")

    def __init__(self, switch: Switch, number: int) -> None:
        self._switch = switch
        self._messages: list[bytes] = []  # what was added, until it is closed: to name the flow an error is about
        self._opened: asyncio.Future[list[bytes]] | None = None
        self._unsent: list[bytes] = []
        self._sent = False
        self.number = number
        self.count = 0
        self.error: RequestRefused | None = None

    def _body(self, kind: int) -> bytes:
        return _CONTROL.pack(self.number, kind, _FLAGS)

    async def open(self) -> None:
        """Begin. Raises SwitchGone.

        Nothing is sent yet. OPEN, flow-mods and CLOSE go out in one piece as far as they fit in one blob, and
        their answers are awaited together: a turn of ovs-vswitchd's main loop costs 2 ms with 250 interfaces.
        """
        message, self._opened = self._switch.question(wire.BUNDLE_CONTROL, self._body(OPEN))
        self._unsent.append(message)

    async def add(self, flow_mods: Iterable[bytes]) -> None:
        """Fill with flow-mods, each of them bearing FLOW_XID; may be called again.

        Yields to the event loop every few milliseconds and waits while the connection is full. When the
        switch refuses a flow-mod the rest is not sent; ``close`` then raises. Raises SwitchGone. When it is
        cancelled, or ``flow_mods`` raises, the bundle is thrown away.
        """
        try:
            await self._fill(flow_mods)
        except BaseException:
            self._abandon()
            raise
        self.count = len(self._messages)

    async def _fill(self, flow_mods: Iterable[bytes]) -> None:
        messages, pace = self._messages, Pace()
        tail = _CONTROL.pack(self.number, 0, _FLAGS)
        heads: dict[int, bytes] = {}
        blob = self._unsent
        held = step = 0
        for msg in flow_mods:
            length = len(msg)
            head = heads.get(length)
            if head is None:
                prefix = wire.HEADER.pack(wire.VERSION, wire.BUNDLE_ADD, 16 + length, wire.FLOW_XID)
                head = heads[length] = prefix + tail
            blob.append(head)
            blob.append(msg)
            messages.append(msg)
            held += 16 + length
            step += 1
            if held >= _BLOB:
                await self._flush()
                held = 0
            if step == _STEP:
                step = 0
                if self.error is not None:
                    return
                await pace.breathe()

    async def _flush(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._sent = True
        await self._switch.write(data)

    async def close(self) -> None:
        """Prepare: the switch takes every flow-mod, or the bundle is discarded and BundleRefused raised."""
        assert self._opened is not None, "open() first"
        try:
            message, closed = self._switch.question(wire.BUNDLE_CONTROL, self._body(CLOSE))
            self._unsent.append(message)
            await self._flush()
            opening, closing = await asyncio.gather(self._opened, closed, return_exceptions=True)
            for answer in (opening, closing):
                if isinstance(answer, BaseException) and not isinstance(answer, RequestRefused):
                    raise answer
            # A refused opening is the cause of all that follows it, a refused closing their consequence.
            refusals = (opening, self.error, closing)
            self.error = next((answer for answer in refusals if isinstance(answer, RequestRefused)), None)
        except BaseException:
            self._abandon()
            raise
        if self.error is not None:
            problem = self._refusal(self.error)
            await self.discard()
            raise problem

    async def commit(self) -> None:
        """Apply, and return when the switch has done so: a barrier follows in the same piece.

        Raises BundleRefused (nothing was applied), SwitchGone (unknown: read back on return).
        """
        try:
            # In two pieces they would cost two turns of ovs-vswitchd's main loop.
            commit, committed = self._switch.question(wire.BUNDLE_CONTROL, self._body(COMMIT))
            barrier, done = self._switch.question(wire.BARRIER_REQUEST)
            await self._switch.write(commit + barrier)
            await asyncio.gather(committed, done)
        except RequestRefused as refusal:
            raise self._refusal(self.error or refusal) from None
        finally:
            self._messages = []
            self._switch.forget(self)

    async def discard(self) -> None:
        """Throw it away; a bundle that the switch no longer knows counts as thrown away."""
        self._messages = []
        if not self._sent:
            self._abandon()
            return
        try:
            await self._switch.request(wire.BUNDLE_CONTROL, self._body(DISCARD))
        except (RequestRefused, SwitchGone):
            return
        finally:
            self._switch.forget(self)

    def _abandon(self) -> None:
        """Discard without waiting for the answer: whoever filled it was cancelled or failed."""
        self._messages, self._unsent = [], []
        self._switch.forget(self)
        if self._opened is not None:
            self._opened.cancel()
        if self._sent:
            self._switch.tell(wire.BUNDLE_CONTROL, self._body(DISCARD))

    def _refusal(self, cause: RequestRefused) -> BundleRefused:
        flow = self._find(cause.data)
        return BundleRefused(cause, flow, self._switch.describe(flow) if flow else "")

    def _find(self, data: bytes) -> bytes | None:
        """The added flow-mod that ``data``, the start of a refused message (64 bytes or more), belongs to."""
        if len(data) >= 8 and data[1] == wire.BUNDLE_ADD:
            data = data[16:]
        if len(data) < 32 or data[1] != wire.FLOW_MOD_TYPE:
            return None
        return next((msg for msg in self._messages if msg.startswith(data)), None)

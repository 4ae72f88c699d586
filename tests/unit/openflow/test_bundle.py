"""A bundle against a scripted peer: refused while filled, a peer that does not read, a cancelled task."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Iterator

import pytest

from controller.openflow import wire
from controller.openflow.errors import BundleRefused, SwitchGone
from controller.openflow.wire import message
from tests.unit.openflow.peer import FLOW, serving


async def test_an_error_while_filling_discards_the_bundle() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()

        async def fill() -> None:
            await bundle.open()
            await bundle.add([FLOW])
            await bundle.close()

        task = asyncio.create_task(fill())
        xid, body = await peer.expect(wire.BUNDLE_CONTROL)
        assert body == struct.pack("!IHH", 1, 0, 3)
        peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, 1, 3))
        xid, body = await peer.expect(wire.BUNDLE_ADD)
        assert (xid, body) == (wire.FLOW_XID, struct.pack("!IHH", 1, 0, 3) + FLOW)
        refused = message(wire.BUNDLE_ADD, xid, body)[:64]  # the specification's minimum
        peer.send(wire.ERROR, xid, struct.pack("!HH", 4, 9) + refused)
        xid, body = await peer.expect(wire.BUNDLE_CONTROL)
        assert body == struct.pack("!IHH", 1, 2, 3)
        peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, 3, 3))
        xid, body = await peer.expect(wire.BUNDLE_CONTROL)
        assert body == struct.pack("!IHH", 1, 6, 3)
        peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, 7, 3))
        with pytest.raises(BundleRefused) as refusal:
            await task
        assert refusal.value.flow == FLOW
        assert refusal.value.reason == "bad match: prerequisite missing"
        assert "in_port=1 actions=goto_table:4" in str(refusal.value)


async def test_filling_waits_for_a_switch_that_does_not_read() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()
        await bundle.open()
        filling = asyncio.create_task(bundle.add([FLOW] * 200_000))
        xid, _ = await peer.expect(wire.BUNDLE_CONTROL)
        peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, 1, 3))
        await asyncio.sleep(0.3)
        before = switch.sent
        await asyncio.sleep(0.1)
        assert not filling.done()
        assert switch.sent == before
        switch.close("enough")
        with pytest.raises(SwitchGone, match="enough"):
            await filling


async def test_a_fill_that_is_cancelled_leaves_no_bundle_open() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()

        def failing() -> Iterator[bytes]:
            yield from itertools.repeat(FLOW, 10_000)
            raise LookupError("a mistake of the compiler")

        for number, flows, wanted in (
            (1, failing(), LookupError),
            (2, (FLOW for _ in itertools.count()), asyncio.CancelledError),
        ):
            bundle = switch.bundle()
            await bundle.open()
            filling = asyncio.create_task(bundle.add(flows))
            xid, _ = await peer.expect(wire.BUNDLE_CONTROL)
            peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", number, 1, 3))
            await asyncio.sleep(0.05)
            filling.cancel()
            with pytest.raises(wanted):
                await filling
            while (message := await peer.receive())[0] == wire.BUNDLE_ADD:
                pass
            assert (message[0], message[2]) == (wire.BUNDLE_CONTROL, struct.pack("!IHH", number, 6, 3))


async def test_a_small_bundle_is_filled_and_prepared_in_one_round_trip() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()
        await bundle.open()
        await bundle.add([FLOW])
        closing = asyncio.create_task(bundle.close())
        opened, _ = await peer.expect(wire.BUNDLE_CONTROL)
        await peer.expect(wire.BUNDLE_ADD)
        closed, _ = await peer.expect(wire.BUNDLE_CONTROL)
        for kind, xid in ((1, opened), (3, closed)):
            peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, kind, 3))
        await closing


async def test_a_bundle_whose_filling_fails_before_anything_was_sent_sends_nothing() -> None:
    async with serving() as place:
        _, switch = await place.greeted()
        before = switch.sent
        bundle = switch.bundle()
        await bundle.open()
        with pytest.raises(LookupError):
            await bundle.add({}[number] for number in [1])
        assert switch.sent == before


async def test_a_switch_that_opens_no_bundle_refuses_it_when_it_is_prepared() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()
        await bundle.open()
        await bundle.add([FLOW])
        closing = asyncio.create_task(bundle.close())
        xid, body = await peer.expect(wire.BUNDLE_CONTROL)
        too_many = struct.pack("!HH", 17, 3)
        peer.send(wire.ERROR, xid, too_many + message(wire.BUNDLE_CONTROL, xid, body))
        await peer.expect(wire.BUNDLE_ADD)
        for kind in (3, 7):
            xid, _ = await peer.expect(wire.BUNDLE_CONTROL)
            peer.send(wire.BUNDLE_CONTROL, xid, struct.pack("!IHH", 1, kind, 3))
        with pytest.raises(BundleRefused):
            await closing


async def test_a_bundle_is_carried_out_when_the_barrier_behind_it_is_answered() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        for refused in (False, True):
            bundle = switch.bundle()
            carrying = asyncio.create_task(bundle.commit())
            commit, body = await peer.expect(wire.BUNDLE_CONTROL)
            assert body == struct.pack("!IHH", bundle.number, 4, 3)
            barrier, _ = await peer.expect(wire.BARRIER_REQUEST)
            if refused:
                failed = struct.pack("!HH", 17, 13)
                peer.send(wire.ERROR, commit, failed + message(wire.BUNDLE_CONTROL, commit, body))
                with pytest.raises(BundleRefused):
                    await carrying
            else:
                peer.send(wire.BUNDLE_CONTROL, commit, struct.pack("!IHH", bundle.number, 5, 3))
                await asyncio.sleep(0.05)
                assert not carrying.done()
            peer.send(wire.BARRIER_REPLY, barrier)
            if not refused:
                await carrying
        assert switch.connected


async def test_errors_of_flows_that_follow_a_refused_opening_do_not_hide_its_cause() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()
        await bundle.open()
        await bundle.add([FLOW, FLOW])
        closing = asyncio.create_task(bundle.close())
        received = [await peer.receive() for _ in range(4)]
        assert [kind for kind, _, _ in received] == [33, 34, 34, 33]
        for (kind, xid, body), code in zip(received, (5, 2, 2, 2), strict=True):
            start = message(kind, xid, body)[:64]
            peer.send(wire.ERROR, xid, struct.pack("!HH", 17, code) + start)
        xid, body = await peer.expect(wire.BUNDLE_CONTROL)
        assert body == struct.pack("!IHH", 1, 6, 3), "discarded, whether it exists or not"
        peer.send(wire.ERROR, xid, struct.pack("!HH", 17, 2) + message(wire.BUNDLE_CONTROL, xid, body))
        with pytest.raises(BundleRefused, match="out of bundles"):
            await closing
        assert switch.connected


async def test_a_connection_lost_between_opening_and_preparation_is_a_lost_switch() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        bundle = switch.bundle()
        await bundle.open()
        await bundle.add([FLOW])
        closing = asyncio.create_task(bundle.close())
        await peer.expect(wire.BUNDLE_CONTROL)
        peer.writer.close()
        with pytest.raises(SwitchGone):
            await closing

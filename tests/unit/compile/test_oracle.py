"""Every flow the compiler emits reads the same to os-ken, which makes the same bytes of it again."""

from __future__ import annotations

import random

import pytest
from os_ken.ofproto import ofproto_parser
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from controller.openflow import wire
from controller.openflow.packed import as_delete_strict
from tests.unit.compile.fabric_model import Model, base
from tests.unit.compile.test_incremental import random_edit

SWITCH = ProtocolDesc(version=wire.VERSION)


def made_again(flow: bytes) -> bytes:
    """Parsed by os-ken and serialised by it from what it understood."""
    version, kind, length, xid = wire.HEADER.unpack_from(flow)
    assert length == len(flow)
    message = ofproto_parser.msg(SWITCH, version, kind, length, xid, flow)
    parser = SWITCH.ofproto_parser
    again = parser.OFPFlowMod(
        SWITCH,
        cookie=message.cookie,
        cookie_mask=message.cookie_mask,
        table_id=message.table_id,
        command=message.command,
        idle_timeout=message.idle_timeout,
        hard_timeout=message.hard_timeout,
        priority=message.priority,
        buffer_id=message.buffer_id,
        out_port=message.out_port,
        out_group=message.out_group,
        flags=message.flags,
        importance=message.importance,
        match=parser.OFPMatch(_ordered_fields=message.match.items()),
        instructions=message.instructions,
    )
    again.set_xid(xid)
    again.serialize()
    return bytes(again.buf)


@pytest.mark.parametrize("seed", range(4))
def test_os_ken_understands_every_flow_of_a_random_fabric(seed: int) -> None:
    model, dice = Model(seed), random.Random(seed)
    model.commit(base(model))
    seen: set[bytes] = set()
    for _ in range(80):
        edits, places = random_edit(model, dice)
        if edits:
            model.commit(edits, places)
        elif places:
            model.move(places)
        for flows in model.touched.values():
            seen.update(flows)
    assert len(seen) > 500
    for flow in seen:
        assert made_again(flow) == flow
        assert made_again(as_delete_strict(flow)) == as_delete_strict(flow)

"""Flows in the words that people know from the other views."""

from __future__ import annotations

from controller.flow_words import change_line, flow_text
from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import meters, packed
from controller.pipeline import Register, Table

VNI = 5001
FLOW = packed.flow(
    Table.CLASSIFY, 7, 0, [m.field("tunnel_id", VNI)], [a.set_reg(Register.SUBNET, VNI)], goto=Table.SWITCH
)


def test_a_vni_is_written_in_decimal_as_show_subnets_prints_it() -> None:
    text = flow_text(7, packed.flow_key(FLOW)[3:], packed.instructions(FLOW))
    assert text == "priority=7,tun_id=5001 actions=set_field:5001->subnet,goto_table:switch"
    assert text in change_line(FLOW, lambda cookie: None)
    assert "subnet=5001" in flow_text(7, packed.flow_key(packed.flow(0, 7, 0, [m.reg(Register.SUBNET, VNI)]))[3:], b"")


def test_a_meter_is_told_as_a_change_of_the_table_meters() -> None:
    limit = meters.meter_mod(meters.ADD, 8, 10_000, 1000)
    changed = [" ".join(change_line(mod, lambda cookie: None).split()) for mod in
               (limit, meters.as_modify(limit), meters.as_delete(limit))]  # fmt: skip
    assert changed == [
        "+ meters meter=8 kbps burst bands=type=drop rate=10000 burst_size=1000",
        "+ meters modify meter=8 kbps burst bands=type=drop rate=10000 burst_size=1000",
        "- meters meter=8",
    ]

"""What the agent lets through to Open vSwitch, without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.diagnostics import APPCTL, OUTPUT_LIMIT, Diagnostics
from agent.host import Ovs, OvsLocation
from data.errors import CommandFailed


class Recorder(Ovs):
    """An Open vSwitch that answers with what it was asked."""

    def __init__(self, answer: str = "") -> None:
        super().__init__(OvsLocation(Path("/nonexistent"), "unix:/nonexistent/db.sock"))
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []

    def control(self, command: str, *args: str, timeout: float = 10.0) -> str:
        self.asked.append((command, *args))
        return self.answer


@pytest.mark.parametrize(
    "flow",
    [
        "in_port=5,icmp,nw_src=10.1.1.11,nw_dst=10.1.2.11,nw_ttl=64",
        "tcp,in_port=LOCAL,dl_src=02:00:00:00:00:01,tcp_dst=8443,tcp_flags=+syn-ack",
        "ipv6,ipv6_dst=2001:db8::1,reg0=0x1/0xff,NXM_NX_TUN_ID[]=7",
    ],
)
def test_a_flow_goes_through_as_one_argument(flow: str) -> None:
    ovs = Recorder("ok")
    assert Diagnostics(ovs).trace({"flow": flow}) == {"output": "ok", "truncated": False}
    assert ovs.asked == [("ofproto/trace", "br-nsh", flow)]


@pytest.mark.parametrize(
    "flow",
    [
        "",
        "-generate",
        "--ct-next trk",
        "icmp actions=drop",
        "a\nb",
        "icmp`id`",
        "icmp;id",
        "icmp$(id)",
        "x" * 2001,
        None,
        7,
    ],
)
def test_what_is_not_a_flow_never_reaches_the_switch(flow: Any) -> None:
    ovs = Recorder()
    with pytest.raises(CommandFailed):
        Diagnostics(ovs).trace({"flow": flow})
    assert ovs.asked == []


def test_only_reading_commands_are_on_the_list() -> None:
    changing = {
        "exit",
        "tnl/neigh/set",
        "fdb/flush",
        "vlog/set",
        "dpctl/del-flows",
        "dpctl/flush-conntrack",
        "revalidator/purge",
    }
    assert not changing & set(APPCTL)
    ovs = Recorder()
    for command in changing:
        with pytest.raises(CommandFailed):
            Diagnostics(ovs).appctl({"command": [command]})
    assert ovs.asked == []


def test_a_long_answer_is_cut_and_says_so() -> None:
    answer = Diagnostics(Recorder("x" * (OUTPUT_LIMIT + 1))).conntrack({})
    assert len(answer["output"]) == OUTPUT_LIMIT and answer["truncated"] is True

"""OpenFlow with a real Open vSwitch: flows come back as sent, bundles are atomic, drift is seen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from controller.hypervisors.channel import Channel
from controller.hypervisors.reconcile import reconcile
from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import messages, meters, packed, wire
from controller.openflow.connection import Switch
from controller.openflow.errors import BundleRefused, MeterRefused, RequestRefused, SwitchGone
from controller.openflow.packed import Template, flow
from controller.openflow.packets import PacketIn
from controller.openflow.readback import FlowEvent
from controller.openflow.server import OpenFlowServer
from controller.openflow.text import describe
from controller.openflow.wire import Field
from tests.system.ovs import RealOvs
from tests.unit.openflow.elements import ACTIONS, MATCHES

ROUTE = Template(
    table=20,
    priority=132,
    cookie=Field("cookie", 8),
    match=[m.metadata(Field("domain")), m.eth_type(wire.ETH_IPV4), m.ipv4_dst(Field("address"))],
    actions=[
        a.set_field("eth_dst", Field("mac")),
        a.set_field("tunnel_id", Field("vni")),
        a.set_field("tun_ipv4_dst", Field("peer")),
        a.output(1),
    ],
)
PATIENCE = 20.0  # seconds until something is there, on a machine that does much else
MAC = bytes.fromhex("020000000001")
ARP = "ffffffffffff0200000000010806000108000604000102000000000a0a0101010000000000000a010102"
GROUP_MISSING = flow(50, 200, 0xBAD, [m.in_port(7)], [a.group(99999)])
PREREQUISITE_MISSING = flow(50, 201, 0xBAD, [m.tcp_dst(80)], [a.output(1)])
GOTO_BACKWARDS = flow(50, 202, 0xBAD, [m.in_port(9)], [], goto=10)


def routes(count: int, start: int = 0) -> list[bytes]:
    pack = ROUTE.pack
    return [pack(n, 1, (10 << 24) + n, MAC, 5001, 0xAC1F0002) for n in range(start, start + count)]


@pytest.fixture(scope="module")
def ovs() -> Iterator[RealOvs]:
    with RealOvs() as running:
        running.add_bridge()
        yield running


@contextlib.asynccontextmanager
async def dialled(ovs: RealOvs, probe_interval: float = 5.0) -> AsyncIterator[Switch]:
    """A server that the bridge dials into, and the switch once it is connected."""
    arrived: asyncio.Queue[Switch] = asyncio.Queue()
    server = OpenFlowServer(arrived.put, probe_interval=probe_interval)
    port = await server.start("127.0.0.1", 0)
    ovs.vsctl("--no-wait", "set-controller", "br-nsh", f"tcp:127.0.0.1:{port}")
    ovs.vsctl("--no-wait", "set", "controller", "br-nsh", "connection_mode=out-of-band", "max_backoff=1000")
    try:
        yield await asyncio.wait_for(arrived.get(), PATIENCE)
    finally:
        ovs.vsctl("--no-wait", "del-controller", "br-nsh")
        await server.close()


@pytest.fixture
async def switch(ovs: RealOvs) -> AsyncIterator[Switch]:
    ovs.ofctl("del-flows")
    async with dialled(ovs) as connected:
        yield connected


async def push(switch: Switch, messages: list[bytes]) -> None:
    bundle = switch.bundle()
    await bundle.open()
    await bundle.add(messages)
    await bundle.close()
    await bundle.commit()


async def test_a_switch_says_who_it_is(ovs: RealOvs, switch: Switch) -> None:
    assert f"{switch.datapath_id:016x}" == ovs.vsctl("get", "bridge", "br-nsh", "datapath_id").strip().strip('"')
    assert switch.version == 5
    assert switch.peer.startswith("127.0.0.1:")
    assert switch.connected
    assert switch.last_error is None
    await switch.barrier()


async def test_every_match_and_action_comes_back_byte_by_byte_and_reads_as_in_ovs_ofctl(
    ovs: RealOvs, switch: Switch
) -> None:
    ovs.ofctl("add-group", "group_id=5,type=all,bucket=output:1")
    conjunctions = [name for name in ACTIONS if name.startswith("conjunction")]
    sent: dict[str, bytes] = {}
    for number, (name, elements) in enumerate(MATCHES.items()):
        sent[f"match {name}"] = flow(4, 1000 + number, number, elements, [a.output(1)], goto=7)
    for number, (name, (elements, acts)) in enumerate(ACTIONS.items()):
        goto = None if name in conjunctions else 8
        sent[f"action {name}"] = flow(5, 3000 + number, number, elements, acts, goto=goto)
    for name, msg in sent.items():
        try:
            await push(switch, [msg])
        except BundleRefused as refusal:
            pytest.fail(f"{name}: {refusal}")
    entries = {entry.key: entry for entry in await switch.flows()}
    assert len(entries) == len(sent)
    printed = {line.split("priority=")[1].split(",")[0].split(" ")[0]: line for line in ovs.dump()}
    for name, msg in sent.items():
        entry = entries.get(packed.flow_key(msg))
        assert entry is not None, f"{name}: its match came back different"
        assert entry.instructions == packed.instructions(msg), name
        assert entry.cookie == packed.cookie(msg)
        assert entry.flow_mod() == msg
        line = printed[str(packed.priority_of(msg))]
        assert describe(msg).split("priority=")[1] == line.split("priority=")[1], name
    assert await switch.flow_count() == len(sent)
    assert await switch.flow_count(4) == len(MATCHES)
    await push(switch, [packed.as_delete_strict(msg) for msg in sent.values()])
    assert await switch.flow_count() == 0


@pytest.mark.parametrize("number", range(4))
async def test_a_bad_flow_makes_the_whole_bundle_fail_and_is_named(switch: Switch, number: int) -> None:
    bad, reason, when = [
        (PREREQUISITE_MISSING, "bad match: prerequisite missing", "close"),
        (GOTO_BACKWARDS, "bad instruction: wrong table", "close"),
        (GROUP_MISSING, "bad action: group does not exist", "commit"),
        (flow(50, 203, 0, [m.in_port(1)], [a.output(0xFFFFFF01)]), "bad action: wrong output port", "close"),
    ][number]
    await push(switch, routes(5))
    bundle = switch.bundle()
    await bundle.open()
    await bundle.add([*routes(500, 100), bad, *routes(500, 1000)])
    with pytest.raises(BundleRefused) as refusal:
        await bundle.close()
        assert when == "commit"
        await bundle.commit()
    assert refusal.value.reason == reason
    assert refusal.value.flow == bad
    assert f"{reason}: {describe(bad)}" == str(refusal.value)
    assert await switch.flow_count() == 5
    await push(switch, routes(7, 100))
    assert await switch.flow_count() == 12
    assert switch.last_error is None


async def test_several_bundles_are_filled_side_by_side_and_only_the_bad_one_fails(switch: Switch) -> None:
    good, bad, late = (switch.bundle() for _ in range(3))
    for bundle in (good, bad, late):
        await bundle.open()
    await asyncio.gather(
        good.add(routes(3000)),
        bad.add([*routes(100, 5000), PREREQUISITE_MISSING]),
        late.add(routes(10, 9000)),
    )
    results = await asyncio.gather(good.close(), bad.close(), late.close(), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), BundleRefused, type(None)]
    await late.discard()
    await good.commit()
    assert await switch.flow_count() == 3000
    with pytest.raises(BundleRefused, match="wrong identifier"):
        await late.commit()


async def test_a_bundle_dies_with_its_connection(ovs: RealOvs, switch: Switch) -> None:
    bundle = switch.bundle()
    await bundle.open()
    await bundle.add(routes(10))
    await bundle.close()
    switch.close("test")
    with pytest.raises(SwitchGone, match="test"):
        await bundle.commit()
    with pytest.raises(SwitchGone, match="test"):
        await switch.barrier()
    await bundle.discard()
    assert ovs.dump() == []


async def test_changes_by_others_are_reported_and_own_ones_are_not(ovs: RealOvs, switch: Switch) -> None:
    events: asyncio.Queue[FlowEvent] = asyncio.Queue()
    await push(switch, routes(3))
    await switch.monitor(events.put_nowait)
    await push(switch, routes(3, 10))
    mine = routes(1)[0]

    async def next_event() -> FlowEvent:
        return await asyncio.wait_for(events.get(), PATIENCE)

    ovs.ofctl("--strict", "del-flows", "table=20,priority=132,ip,metadata=1,nw_dst=10.0.0.0")
    removed = await next_event()
    assert (removed.change, removed.key, removed.cookie) == ("removed", packed.flow_key(mine), 0)
    ovs.ofctl("add-flow", "table=20,priority=132,ip,metadata=1,nw_dst=10.0.0.0,actions=output:2")
    added = await next_event()
    assert (added.change, added.key) == ("added", packed.flow_key(mine))
    assert describe(added).endswith("actions=output:2")
    ovs.ofctl("mod-flows", "table=20,ip,metadata=1,nw_dst=10.0.0.0,actions=drop")
    modified = await next_event()
    assert (modified.change, modified.instructions) == ("modified", b"")
    assert events.empty()


async def test_a_packet_for_the_controller_arrives_with_its_cookie(ovs: RealOvs, switch: Switch) -> None:
    arrived: asyncio.Queue[PacketIn] = asyncio.Queue()
    switch.on_packet_in = arrived.put_nowait
    await push(switch, [flow(0, 1, 7, [], [], goto=3), flow(3, 1, 0xABCDEF0123, [m.in_port(1)], [a.controller()])])
    await ovs.receive("p1", ARP, arrived.qsize)
    packet = arrived.get_nowait()
    assert (packet.cookie, packet.table, packet.in_port) == (0xABCDEF0123, 3, 1)
    assert packet.total_length == len(packet.frame)
    assert packet.frame.hex().startswith(ARP)


async def test_a_packet_for_the_controller_brings_the_registers_along(ovs: RealOvs, switch: Switch) -> None:
    arrived: asyncio.Queue[PacketIn] = asyncio.Queue()
    switch.on_packet_in = arrived.put_nowait
    knows = [a.set_reg(number, 0xF0000000 + number) for number in range(16)]
    knows += [a.set_metadata(1 << 63), a.set_field("tunnel_id", 5001), a.load_in_port(), a.controller()]
    await push(switch, [flow(0, 1, 7, [], knows)])
    await ovs.receive("p1", ARP, arrived.qsize)
    packet = arrived.get_nowait()
    assert [packet.register(number) for number in range(16)] == [0xF0000000 + number for number in range(16)]
    assert (packet.metadata, packet.tunnel_id, packet.in_port) == (1 << 63, 5001, 0)


async def test_a_packet_of_the_controller_passes_the_pipeline_and_leaves_by_a_port(
    ovs: RealOvs, switch: Switch
) -> None:
    arrived: asyncio.Queue[PacketIn] = asyncio.Queue()
    switch.on_packet_in = arrived.put_nowait
    await push(switch, [flow(9, 1, 7, [m.reg(5, 6)], [a.output(2), a.controller()])])
    before = transmitted(ovs, "p2")
    assert switch.packet_out(bytes.fromhex(ARP), [a.set_reg(5, 6), a.set_metadata(3), a.resubmit(9)])
    packet = await asyncio.wait_for(arrived.get(), PATIENCE)
    assert (packet.frame.hex(), packet.metadata, packet.in_port) == (ARP, 3, wire.PORT_CONTROLLER)
    assert switch.packet_out(bytes.fromhex(ARP), [a.output(2)])
    assert switch.packet_out(bytes.fromhex(ARP), [a.output(0xFFFFFF01)])
    await switch.barrier()
    assert transmitted(ovs, "p2") == before + 2
    assert switch.packets_refused == 1 and switch.last_error == "a packet was not sent: bad action: wrong output port"


def transmitted(ovs: RealOvs, port: str) -> int:
    """Packets that left by a port."""
    line = next(line for line in ovs.ofctl("dump-ports", port).splitlines() if "tx pkts=" in line)
    return int(line.split("tx pkts=")[1].split(",")[0])


async def test_meters_come_back_byte_by_byte_and_read_as_in_ovs_ofctl(ovs: RealOvs, switch: Switch) -> None:
    limits = [
        meters.meter_mod(meters.ADD, number, rate, burst)
        for number, rate, burst in ((1, 1000, 100), (2, 1, 1), (meters.MAX_ID, 0xFFFFFFFF, 0xFFFFFFFF), (7, 5, 900))
    ]
    assert await switch.send(limits) == [None] * 4
    assert sorted(await switch.meters()) == sorted(limits)
    printed = ovs.ofctl("dump-meters").replace("bands=\n", "bands=")
    for limit in limits:
        assert describe(limit) in printed.splitlines()
    changed = meters.meter_mod(meters.ADD, 1, 2000, 300)
    assert await switch.send([meters.as_modify(changed)]) == [None]
    assert sorted(await switch.meters()) == sorted([changed, *limits[1:]])
    exists, unknown, none = await switch.send(
        [limits[0], meters.as_modify(meters.meter_mod(0, 50, 1, 1)), meters.meter_mod(meters.DELETE, 51)]
    )
    assert exists is not None and unknown is not None and none is None
    assert meters.instead(limits[0], exists) and str(unknown) == "meter-mod failed: unknown meter"
    assert await switch.send([meters.as_delete(limit) for limit in limits]) == [None] * 4
    assert await switch.meters() == []


async def test_flows_with_meters_come_back_byte_by_byte_and_go_with_their_meter(ovs: RealOvs, switch: Switch) -> None:
    channel = Channel("hv1")
    channel.connected(switch)
    limits = [meters.meter_mod(meters.ADD, number, 1000 * number, 100) for number in (1, 2)]
    flows = [
        flow(0, 1, 1, [m.in_port(1)], [a.set_reg(1, 2), a.output(2)], goto=3, meter=1),
        flow(0, 1, 2, [m.in_port(2)], [a.output(1)], meter=2),
        flow(0, 1, 3, [m.in_port(3)], goto=3, meter=2),
        flow(0, 1, 4, [m.in_port(4)], meter=2),
    ]
    await channel.push([*flows, *limits])
    assert sorted(entry.flow_mod() for entry in await switch.flows()) == sorted(flows)
    printed = {line.split(" actions=")[1] for line in ovs.dump()}
    assert printed == {describe(msg).split(" actions=")[1] for msg in flows}
    contents = {messages.key(msg): msg for msg in (*flows, *limits)}
    ovs.ofctl("del-meter", "meter=2")
    assert await switch.flow_count() == 1

    async def compile_all(_: str) -> dict[bytes, bytes]:
        return contents

    done = await reconcile(channel, compile_all, asyncio.Lock())
    assert (done.difference.missing, done.difference.wrong, done.difference.alien) == (4, 0, 0)
    with pytest.raises(BundleRefused, match=r"wrong meter: .*in_port=5 actions=meter:77"):
        await channel.push([flow(0, 1, 9, [m.in_port(5)], meter=77), meters.meter_mod(meters.ADD, 3, 1, 1)])
    again = await reconcile(channel, compile_all, asyncio.Lock())
    assert not again.difference and again.difference.equal == 6
    await channel.push([messages.as_delete(msg) for msg in contents.values()])
    assert (await switch.flow_count(), await switch.meters()) == (0, [])
    with pytest.raises(MeterRefused, match=r"^meter-mod failed: .*: meter=4294901760 kbps"):
        await channel.push([meters.as_modify(meters.meter_mod(meters.ADD, 1, 5, 5)), bad_meter()])
    assert await switch.meters() == []


def bad_meter() -> bytes:
    """A meter that limits packets instead of bytes and kilobytes at once, which no switch takes."""
    good = meters.meter_mod(meters.ADD, meters.MAX_ID, 5, 5)
    return good[:10] + (1 | 2 | 4).to_bytes(2, "big") + good[12:]


async def test_conntrack_of_a_zone_is_flushed(ovs: RealOvs, switch: Switch) -> None:
    ip = m.eth_type(wire.ETH_IPV4)
    await push(switch, [flow(0, 1, 0, [ip], [a.ct(zone=7, commit=True)])])
    udp = (
        "in_port(1),eth(src=02:00:00:00:00:02,dst=02:00:00:00:00:01),eth_type(0x0800),"
        "ipv4(src=10.1.1.1,dst=10.1.1.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1025,dst=1026)"
    )
    await ovs.receive("p1", udp, lambda: "10.1.1.1" in ovs.appctl("dpctl/dump-conntrack"))
    await switch.flush_conntrack(8)
    assert "10.1.1.1" in ovs.appctl("dpctl/dump-conntrack")
    await switch.flush_conntrack(7)
    assert "10.1.1.1" not in ovs.appctl("dpctl/dump-conntrack")


async def test_an_error_answer_reaches_the_request_that_caused_it(switch: Switch) -> None:
    with pytest.raises(RequestRefused, match="bad request: experimenter not supported"):
        await switch.request(wire.EXPERIMENTER, bytes.fromhex("0000dead00000001"))
    with pytest.raises(RequestRefused, match="multipart type not supported"):
        await switch.multipart(77, b"")
    await switch.barrier()


async def test_a_hundred_thousand_flows_are_pushed_and_read_back_without_stalling_the_loop(
    switch: Switch,
) -> None:
    messages = routes(100_000)
    worst, beating = 0.0, True

    async def beat() -> None:
        nonlocal worst
        while beating:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - before - 0.001)

    task = asyncio.create_task(beat())
    begin = time.perf_counter()
    await push(switch, messages)
    pushed = time.perf_counter()
    entries = await switch.flows()
    read = time.perf_counter()
    beating = False
    await task
    assert {entry.key for entry in entries} == {packed.flow_key(msg) for msg in messages}
    print(f"push {pushed - begin:.2f} s, read back {read - pushed:.2f} s, worst stall {worst * 1000:.1f} ms")
    assert worst < 0.1  # 5 ms on an idle machine; a loaded one takes the processor away meanwhile


async def test_a_switch_that_answers_no_probe_is_given_up(ovs: RealOvs) -> None:
    import os
    import signal

    async with dialled(ovs, probe_interval=0.2) as switch:
        await asyncio.sleep(1)
        assert switch.connected, "an idle switch that answers stays"
        os.kill(ovs.pid, signal.SIGSTOP)
        try:
            with pytest.raises(SwitchGone, match="no answer to 3 echo requests"):
                await asyncio.wait_for(switch.barrier(), 5)
        finally:
            os.kill(ovs.pid, signal.SIGCONT)


async def test_a_switch_of_another_version_is_refused_with_the_remedy(
    ovs: RealOvs, caplog: pytest.LogCaptureFixture
) -> None:
    arrived: asyncio.Queue[Switch] = asyncio.Queue()
    server = OpenFlowServer(arrived.put)
    port = await server.start("127.0.0.1", 0)
    ovs.vsctl("set", "bridge", "br-nsh", "protocols=OpenFlow10,OpenFlow13")
    ovs.vsctl("--no-wait", "set-controller", "br-nsh", f"tcp:127.0.0.1:{port}")
    try:
        async with asyncio.timeout(PATIENCE):
            while "the switch offers 1.0, 1.3: set protocols=OpenFlow14" not in caplog.text:
                await asyncio.sleep(0.05)
        assert arrived.empty()
    finally:
        ovs.vsctl("--no-wait", "del-controller", "br-nsh")
        ovs.vsctl("set", "bridge", "br-nsh", "protocols=OpenFlow14")
        await server.close()

"""A real ovsdb-server dials in: its bridge is set up once, changes arrive, what is foreign stays."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from controller.openflow.connection import Switch
from controller.openflow.server import OpenFlowServer
from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import OvsdbRefused, SetupConflict
from controller.ovsdb.model import Change
from controller.ovsdb.server import OvsdbServer
from controller.ovsdb.setup import BridgeSetup, difference, ensure, remove, setup_for
from tests.system.ovs import RealOvs


@pytest.fixture
def ovs() -> Iterator[RealOvs]:
    with RealOvs(system_id="hv7") as running:
        running.vsctl("set", "Open_vSwitch", ".", "external-ids:nshell-datapath=dummy", "ovs_version=3.1.0")
        running.vsctl("add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=dummy")
        yield running


@contextlib.asynccontextmanager
async def dialled(ovs: RealOvs) -> AsyncIterator[Hypervisor]:
    arrived: asyncio.Queue[Hypervisor] = asyncio.Queue()
    server = OvsdbServer(arrived.put)
    port = await server.start("127.0.0.1", 0)
    ovs.vsctl("--no-wait", "set-manager", f"tcp:127.0.0.1:{port}")
    try:
        yield await asyncio.wait_for(arrived.get(), 10)
    finally:
        ovs.vsctl("--no-wait", "del-manager")
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def setup(hypervisor: Hypervisor, openflow_port: int = 6653) -> BridgeSetup:
    return setup_for(
        hypervisor, tunnel_address="172.31.0.7", datapath_id=0x00112233445566AA, openflow_port=openflow_port
    )


async def test_the_bridge_is_set_up_once_and_its_switch_dials_in(ovs: RealOvs) -> None:
    switches: asyncio.Queue[Switch] = asyncio.Queue()
    openflow = OpenFlowServer(switches.put)
    port = await openflow.start("127.0.0.1", 0)
    async with dialled(ovs) as hypervisor:
        assert hypervisor.system_id == "hv7"
        assert hypervisor.ovs_version == "3.1.0"
        wanted = setup(hypervisor, port)
        assert wanted.datapath_type == "dummy"
        assert wanted.controllers == (f"tcp:127.0.0.1:{port}",)
        foreign = ovs.vsctl("--columns=name,other_config,fail_mode", "list", "Bridge", "br-phy")
        began = time.perf_counter()
        assert await ensure(hypervisor, wanted)
        switch = await asyncio.wait_for(switches.get(), 10)
        print(f"from ensure to the switch: {(time.perf_counter() - began) * 1000:.0f} ms")
        assert switch.datapath_id == 0x00112233445566AA
        settled = lambda: hypervisor.tables.root["cur_cfg"] == hypervisor.tables.root["next_cfg"]  # noqa: E731
        await until(settled)
        steps = 1
        while await ensure(hypervisor, wanted):  # the port of ERSPAN comes when the others are there
            await until(settled)
            steps += 1
        assert steps == 3
        configured = hypervisor.tables.root["next_cfg"]
        assert not await ensure(hypervisor, wanted)
        assert difference(hypervisor.tables, wanted) == []
        assert hypervisor.tables.root["next_cfg"] == configured
        assert hypervisor.tunnel_port == 65000
        assert [each.name for each in hypervisor.tables.interfaces("br-nsh")] == [
            "br-nsh", "nsh-erspan", "nsh-gre", "nsh-mpls", "nsh-vxlan",
        ]  # fmt: skip
        assert all(each.error is None for each in hypervisor.tables.interfaces("br-nsh"))
        assert "remote_ip=flow" in ovs.vsctl("get", "Interface", "nsh-vxlan", "options")
        assert ovs.vsctl("get", "Bridge", "br-nsh", "protocols").strip() == "[OpenFlow14]"
        assert "65000" in ovs.appctl("dpif/show")
        assert ovs.vsctl("--columns=name,other_config,fail_mode", "list", "Bridge", "br-phy") == foreign
    await openflow.close()


async def finished(hypervisor: Hypervisor, wanted: BridgeSetup) -> None:
    """Step after step, as often as there is something left to do."""
    async with asyncio.timeout(20):
        while await ensure(hypervisor, wanted) or difference(hypervisor.tables, wanted):
            await asyncio.sleep(0.05)


async def test_what_somebody_changed_is_put_right_and_the_rest_is_left_alone(ovs: RealOvs) -> None:
    async with dialled(ovs) as hypervisor:
        wanted = setup(hypervisor)
        await finished(hypervisor, wanted)
        ovs.vsctl("--no-wait", "add-port", "br-nsh", "tap1",
                  "--", "set", "Bridge", "br-nsh", "fail_mode=standalone", "other_config:mac-table-size=99",
                  "--", "remove", "Bridge", "br-nsh", "other_config", "datapath-id",
                  "--", "set-controller", "br-nsh", "tcp:127.0.0.1:1", "tcp:127.0.0.1:2",
                  "--", "set", "Interface", "nsh-vxlan", "options:local_ip=9.9.9.9")  # fmt: skip
        await until(lambda: len(hypervisor.tables.tables["Controller"]) == 2)
        assert await ensure(hypervisor, wanted)
        await finished(hypervisor, wanted)
        assert difference(hypervisor.tables, wanted) == []
        assert ovs.vsctl("get-controller", "br-nsh").split() == list(wanted.controllers)
        assert ovs.vsctl("get-fail-mode", "br-nsh").strip() == "secure"
        assert ovs.vsctl("get", "Bridge", "br-nsh", "other_config:mac-table-size").strip() == '"99"'
        assert "tap1" in ovs.vsctl("list-ports", "br-nsh")
        ovs.vsctl("--no-wait", "del-port", "br-nsh", "nsh-vxlan")
        await until(lambda: hypervisor.tables.find("Port", "nsh-vxlan") is None)
        assert await ensure(hypervisor, wanted)
        assert "nsh-vxlan" in ovs.vsctl("list-ports", "br-nsh")


async def test_a_workload_that_appears_moves_and_vanishes_is_seen(ovs: RealOvs) -> None:
    async with dialled(ovs) as hypervisor:
        await ensure(hypervisor, setup(hypervisor))
        batches: list[list[Change]] = []
        hypervisor.on_change = lambda _, changes: batches.append(changes)
        ovs.vsctl("add-port", "br-nsh", "vm1", "--", "set", "Interface", "vm1", "type=dummy",
                  "external-ids:iface-id=acme/prod/web-1", "ofport_request=7")  # fmt: skip
        await until(lambda: hypervisor.attached() == {"vm1": ("acme/prod/web-1", 7)})
        ovs.vsctl("set", "Interface", "vm1", "external-ids:iface-id=acme/prod/web-2")
        await until(lambda: hypervisor.attached() == {"vm1": ("acme/prod/web-2", 7)})
        ovs.vsctl("add-port", "br-nsh", "broken", "--", "set", "Interface", "broken", "type=patch")
        await until(lambda: any(each.error for each in hypervisor.tables.interfaces("br-nsh")))
        ovs.vsctl("del-port", "br-nsh", "vm1")
        await until(lambda: hypervisor.attached() == {})
        names = {change.table for batch in batches for change in batch}
        assert {"Interface", "Port", "Bridge"} <= names


async def test_a_transaction_that_is_refused_says_why_and_changes_nothing(ovs: RealOvs) -> None:
    async with dialled(ovs) as hypervisor:
        rename = {
            "op": "update",
            "table": "Bridge",
            "where": [["name", "==", "br-phy"]],
            "row": {"fail_mode": "no"},
        }
        with pytest.raises(OvsdbRefused, match=r"constraint violation: .*no"):
            await hypervisor.transact([rename])
        with pytest.raises(OvsdbRefused, match="No table named Nothing"):
            await hypervisor.transact([{"op": "select", "table": "Nothing", "where": []}])
        await hypervisor.echo()
        ovs.vsctl("--no-wait", "add-port", "br-phy", "nsh-vxlan")
        await until(lambda: hypervisor.tables.find("Port", "nsh-vxlan") is not None)
        with pytest.raises(SetupConflict, match="nsh-vxlan belongs to bridge br-phy"):
            await ensure(hypervisor, setup(hypervisor))
        assert ovs.vsctl("list-br").split() == ["br-phy"]


async def test_remove_takes_our_bridge_away_and_nothing_else(ovs: RealOvs) -> None:
    async with dialled(ovs) as hypervisor:
        await ensure(hypervisor, setup(hypervisor))
        assert set(ovs.vsctl("list-br").split()) == {"br-phy", "br-nsh"}
        assert await remove(hypervisor)
        await until(lambda: hypervisor.tables.find("Bridge", "br-nsh") is None)
        assert not await remove(hypervisor)
        assert ovs.vsctl("list-br").split() == ["br-phy"]
        await until(lambda: not hypervisor.tables.tables["Controller"])

"""The agent on hypervisors of the lab: joining, attaching, neighbours, diagnostics, and the controller's listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from agent import attach, join, namespaces, uplink
from agent.host import Ovs, run
from controller.events import Events
from controller.hypervisors.agents import AgentServer
from data.errors import CommandFailed
from nshell.lab import Lab, Machine

AGENT_PORT = 16641
HELLO = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"system_id":"%s","version":"t"}}\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab("tagent", tmp_path_factory.mktemp("lab"))
    lab.down()
    machine = Machine(
        name="vm1",
        hypervisor="hv1",
        vport="acme/prod/vm1",
        mac="02:00:00:00:00:01",
        address=("10.1.1.11/24",),
    )
    try:
        lab.up(2, [machine], agents=True, agent_port=AGENT_PORT)
        yield lab
    finally:
        lab.down()


@pytest.fixture
async def server(lab: Lab) -> AsyncIterator[AgentServer]:
    server = AgentServer(Events())
    await server.start(lab.controller_address, AGENT_PORT)
    yield server
    await server.close()


async def until(condition: Callable[[], object], timeout: float = 12.0) -> None:
    """Returns when a condition holds; the agents dial again after at most 8 seconds."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.02)


def neighbours(lab: Lab, hypervisor: str) -> str:
    return lab.ovs(hypervisor).control("tnl/neigh/show")


def on(lab: Lab, hypervisor: str, work: Callable[[Ovs], object]) -> object:
    ovs = lab.ovs(hypervisor)
    return namespaces.inside(namespaces.of_name(f"{lab.prefix}-{hypervisor}"), lambda: work(ovs))


async def test_agents_resolve_the_neighbours_they_are_told_and_again_after_a_restart_of_the_switch(
    lab: Lab, server: AgentServer
) -> None:
    server.set_peers("hv1", ["172.31.0.2"])
    await until(lambda: len(server.connected()) == 2)
    await until(lambda: "172.31.0.2" in neighbours(lab, "hv1"))
    await asyncio.to_thread(lab.restart_switch, "hv1")
    await until(lambda: "172.31.0.2" in neighbours(lab, "hv1"))


async def test_the_controller_asks_for_a_trace_the_connections_and_the_database(lab: Lab, server: AgentServer) -> None:
    await until(lambda: server.agent("hv1"))
    trace = await server.call("hv1", "trace", {"flow": "in_port=LOCAL,icmp,nw_dst=10.1.1.11"})
    assert "Datapath actions: drop" in trace["output"] and trace["truncated"] is False
    assert (await server.call("hv1", "conntrack", {"zone": 5}))["output"] == ""
    assert "br-nsh" in (await server.call("hv1", "appctl", {"command": ["dpif/show"]}))["output"]
    dump = await server.call("hv1", "ovs")
    assert dump["attached"] == [
        {"vport": "acme/prod/vm1", "port": "tap-vm1", "kind": "netns", "workload": f"{lab.prefix}-vm-vm1"}
    ]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("trace", {"flow": "-generate"}),
        ("trace", {"flow": "icmp; rm -rf /"}),
        ("trace", {"flow": "icmp", "bridge": "--help"}),
        ("trace", {}),
        ("conntrack", {"zone": "1"}),
        ("conntrack", {"zone": 65536}),
        ("appctl", {"command": ["exit"]}),
        ("appctl", {"command": "dpif/show"}),
        ("appctl", {"command": ["dpif/dump-flows", "br-nsh", "a", "b"]}),
        ("appctl", {"command": ["fdb/show", "-h"]}),
        ("neighbours", {"peers": ["300.1.1.1"]}),
        ("neighbours", {"peers": "172.31.0.2"}),
        ("shell", {"command": "id"}),
    ],
)
async def test_a_question_that_is_not_allowed_is_refused(
    lab: Lab, server: AgentServer, method: str, params: dict[str, object]
) -> None:
    await until(lambda: server.agent("hv1"))
    with pytest.raises(CommandFailed):
        await server.call("hv1", method, params)
    assert server.agent("hv1") is not None


async def test_a_restarted_agent_is_back_at_once_and_its_neighbours_never_left(lab: Lab, server: AgentServer) -> None:
    server.set_peers("hv1", ["172.31.0.2"])
    await until(lambda: server.agent("hv1") and "172.31.0.2" in neighbours(lab, "hv1"))
    await asyncio.to_thread(lab.stop_agent, "hv1", kill=True)
    await until(lambda: server.agent("hv1") is None)
    assert "172.31.0.2" in neighbours(lab, "hv1")
    await asyncio.to_thread(lab.start_agent, "hv1")
    await until(lambda: server.agent("hv1"), 3)


async def test_a_second_connection_with_the_same_identity_is_refused_while_the_first_answers(
    lab: Lab, server: AgentServer
) -> None:
    await until(lambda: server.agent("hv2"))
    reader, writer = await asyncio.open_connection(lab.controller_address, AGENT_PORT)
    writer.write(HELLO % b"hv2")
    answer = json.loads(await reader.readline())
    assert "is connected already" in answer["error"]["message"]
    assert await reader.read() == b""
    writer.close()


def test_joining_twice_changes_nothing_and_another_controller_replaces_ours_alone(lab: Lab) -> None:
    def body(ovs: Ovs) -> None:
        ovs.vsctl(
            "--",
            "--id=@m",
            "create",
            "Manager",
            'target="ptcp:6699:127.0.0.1"',
            "--",
            "add",
            "Open_vSwitch",
            ".",
            "manager_options",
            "@m",
        )
        own = join.endpoints(ovs)
        membership = join.Membership(own, "hv2", "netdev", "eth0", "172.31.0.2/24")
        stands = ("_uuid", "target")  # the rest of a Manager says how its connection is just now
        before = ovs.rows("Manager", *stands), ovs.rows("Controller", *stands), ovs.rows("Bridge")
        join.join(ovs, membership)
        assert (ovs.rows("Manager", *stands), ovs.rows("Controller", *stands), ovs.rows("Bridge")) == before
        other = join.Membership((join.Endpoint("192.0.2.9"),), "hv2", "netdev", "eth0", "172.31.0.2/24")
        join.join(ovs, other)
        assert {row["target"] for row in ovs.rows("Manager")} == {"ptcp:6699:127.0.0.1", "tcp:192.0.2.9:6640"}
        assert ovs.vsctl("get-controller", "br-nsh").split() == ["tcp:192.0.2.9:6653"]
        join.join(ovs, membership)

    on(lab, "hv2", body)


def test_leaving_gives_the_uplink_its_address_and_route_back(tmp_path: Path) -> None:
    lab = Lab("tleave", tmp_path)
    try:
        lab.up(1, agents=False)

        def body(ovs: Ovs) -> None:
            own = join.endpoints(ovs)
            join.leave(ovs)
            assert ovs.bridges() == [] and ovs.rows("Manager") == [] and join.endpoints(ovs) == ()
            run(["ip", "address", "replace", "172.31.0.1/24", "dev", "eth0"])
            run(["ip", "route", "add", "198.51.100.0/24", "via", "172.31.0.254", "dev", "eth0"])
            before = uplink.facts_of("eth0")
            join.join(ovs, join.Membership(own, "hv1", "netdev", "eth0", "172.31.0.1/24"))
            assert uplink.facts_of("eth0").addresses == ()
            assert uplink.facts_of("br-phy") == before
            join.leave(ovs)
            assert uplink.facts_of("eth0") == before
            assert join.leave(ovs) == []

        on(lab, "hv1", body)
    finally:
        lab.down()


def test_a_join_that_fails_takes_everything_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def body(ovs: Ovs) -> None:
        before = ovs.rows("Open_vSwitch", "external_ids", "manager_options")
        new = join.Membership((join.Endpoint("192.0.2.9"),), "renamed", "netdev")
        monkeypatch.setattr(join, "_add_manager", lambda ovs, target: run(["false"]))
        with pytest.raises(CommandFailed):
            join.join(ovs, new)
        assert ovs.rows("Open_vSwitch", "external_ids", "manager_options") == before
        for wrong in (
            join.Membership((), "hv2", "netdev"),
            join.Membership(new.controllers, "hv2", "system"),  # the lab's switches have no kernel datapath
            join.Membership(new.controllers, "hv2", "netdev", "eth9", "172.31.0.2/24"),
            join.Membership(new.controllers, "hv2", "netdev", "eth0"),
            join.Membership(new.controllers, "hv2", "netdev", "eth0", "not an address"),
        ):
            with pytest.raises(CommandFailed):
                join.join(ovs, wrong)

    on(lab, "hv2", body)


def test_a_namespace_a_container_and_a_tap_are_attached_and_detached(lab: Lab) -> None:
    # vm1's namespace stands in for a container: one process that lives in it
    with lab.udp_server("vm1", 9999) as inhabitant:

        def body(ovs: Ovs) -> None:
            run(["ip", "link", "add", "name", "tap9", "type", "veth", "peer", "name", "tap9-far"])
            container = attach.Workload("container", str(inhabitant.process.pid))
            attach.attach(
                ovs,
                container,
                "acme/prod/c1",
                attach.Interface("eth7", "02:00:00:00:00:77", ("10.1.1.77/24",)),
            )
            attach.attach(ovs, attach.Workload("tap", "tap9"), "acme/prod/t1")
            found = {one.vport: one for one in attach.attached(ovs)}
            assert found["acme/prod/c1"].port == attach.host_end("acme/prod/c1")
            assert found["acme/prod/c1"].mac == "02:00:00:00:00:77"
            assert found["acme/prod/t1"].port == "tap9"
            attach.attach(
                ovs,
                container,
                "acme/prod/c1",
                attach.Interface("eth7", "02:00:00:00:00:77", ("10.1.1.77/24",)),
            )
            with pytest.raises(CommandFailed, match="attached already"):
                attach.attach(ovs, attach.Workload("tap", "tap9"), "acme/prod/c1")
            with pytest.raises(CommandFailed, match="attached as vport"):
                attach.attach(ovs, attach.Workload("tap", "tap9"), "acme/prod/t2")
            assert "eth7" in lab.exec("vm1", ["ip", "-br", "link"]).stdout
            assert attach.detach(ovs, "acme/prod/c1") and attach.detach(ovs, "acme/prod/t1")
            assert attach.detach(ovs, "acme/prod/c1") == []
            assert "eth7" not in lab.exec("vm1", ["ip", "-br", "link"]).stdout
            run(["ip", "link", "del", "dev", "tap9"])

        on(lab, "hv2", body)


def test_an_attachment_that_fails_leaves_no_interface_and_no_port(lab: Lab) -> None:
    def body(ovs: Ovs) -> None:
        space = attach.Workload("netns", f"{lab.prefix}-vm-vm1")
        with pytest.raises(CommandFailed):  # a gateway that no address reaches
            attach.attach(ovs, space, "acme/prod/bad", attach.Interface("eth5", None, ("10.5.0.1/24",), ("192.0.2.1",)))
        assert attach.host_end("acme/prod/bad") not in run(["ip", "-br", "link"])
        assert all(one.vport != "acme/prod/bad" for one in attach.attached(ovs))

    on(lab, "hv2", body)


def test_the_host_itself_does_not_answer_its_workloads(lab: Lab) -> None:
    assert lab.arp("vm1", "172.31.0.1", timeout=0.5) == []

"""The lab itself, with flows written by hand: what the other system tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import namespaces
from data.errors import CommandFailed
from nshell.lab import Lab, Machine, packets, processes, spaces, underlay
from nshell.lab.probing import wait_until

PREFIX = "tlab"
VNI = 77
VXLAN_PORT = 65000
MACHINES = tuple(
    Machine(
        name=f"vm{number}",
        hypervisor=f"hv{1 + number % 2}",
        vport=f"acme/prod/vm{number}",
        mac=f"02:00:00:00:00:{number:02x}",
        address=(f"10.1.1.{10 + number}/24",),
        gateway="10.1.1.1",
    )
    for number in range(1, 5)
)


def flows_by_hand(lab: Lab) -> None:
    """A flow per machine, on every hypervisor: to its port where it is, into the tunnel elsewhere."""
    for name in lab.hypervisors:
        ovs = lab.ovs(name)
        ovs.vsctl(
            "--may-exist",
            "add-port",
            "br-nsh",
            "nsh-vxlan",
            "--",
            "set",
            "Interface",
            "nsh-vxlan",
            "type=vxlan",
            "options:remote_ip=flow",
            "options:key=flow",
            f"ofport_request={VXLAN_PORT}",
        )
        lab.ofctl(name, "del-flows")
        here = {
            one.name: ovs.vsctl("get", "Interface", one.port, "ofport").strip()
            for one in lab.machines.values()
            if one.hypervisor == name
        }
        out = "".join(f",output:{port}" for port in here.values())
        there = "".join(
            f",set_field:{lab.tunnel_address(other)}->tun_dst,output:{VXLAN_PORT}"
            for other in lab.hypervisors
            if other != name
        )
        flood = f"set_field:{VNI}->tun_id{there}{out}"
        lab.ofctl(name, "add-flow", f"priority=2,in_port={VXLAN_PORT},dl_dst=ff:ff:ff:ff:ff:ff,actions={out[1:]}")
        lab.ofctl(name, "add-flow", f"priority=1,dl_dst=ff:ff:ff:ff:ff:ff,actions={flood}")
        for one in lab.machines.values():
            far = lab.tunnel_address(one.hypervisor)
            tunnel = f"set_field:{VNI}->tun_id,set_field:{far}->tun_dst,output:{VXLAN_PORT}"
            action = f"output:{here[one.name]}" if one.name in here else tunnel
            lab.ofctl(name, "add-flow", f"priority=3,dl_dst={one.mac},actions={action}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(PREFIX, tmp_path_factory.mktemp("lab"))
    lab.down()
    try:
        lab.up(2, MACHINES, agents=False)
        flows_by_hand(lab)
        # the underlay resolves its neighbours, the new tunnel ports become known
        assert wait_until(lambda: lab.ping("vm1", "vm2").ok, 10)
        yield lab
    finally:
        lab.down()


def test_machines_on_two_hypervisors_reach_each_other_over_vxlan(lab: Lab) -> None:
    with lab.capture("hv1", "udp port 4789") as seen:
        report = lab.ping("vm1", "vm2")
        wait_until(lambda: len(seen.read()) >= 2 * report.sent, 10.0, 0.2)
    assert report.ok and report.ttl == (64,)
    assert len(seen.lines) == 2 * report.sent
    assert all(f"vni {VNI}" in line for line in seen.lines)


def test_machines_on_one_hypervisor_put_nothing_on_the_uplink(lab: Lab) -> None:
    assert lab.ping("vm1", "vm3").ok  # asked who it is, by a broadcast
    with lab.capture("hv2", "ip") as seen:
        assert lab.ping("vm1", "vm3").ok
    assert seen.lines == []


def test_a_tcp_connection_carries_data_both_ways_and_a_closed_port_refuses(lab: Lab) -> None:
    with lab.tcp_server("vm2", 8443) as server:
        report = lab.tcp("vm1", "vm2", 8443)
        refused = lab.tcp("vm1", "vm2", 8444)
    assert report.ok and report.echoed
    assert refused.result == "refused"
    assert server.report["accepted"] == 1


def test_what_nobody_forwards_is_reported_as_lost_and_timed_out(lab: Lab) -> None:
    assert lab.ping("vm1", "10.1.1.99", timeout=0.3).received == 0
    with lab.tcp_server("vm4", 80):
        lab.ofctl("hv2", "add-flow", f"priority=9,tcp,dl_dst={lab.machines['vm4'].mac},actions=drop")
        try:
            assert lab.tcp("vm1", "vm4", 80, timeout=0.5).result == "timeout"
        finally:
            flows_by_hand(lab)
        assert lab.tcp("vm1", "vm4", 80).ok


def test_udp_and_arp_are_answered_and_the_receiver_sees_who_asked(lab: Lab) -> None:
    with lab.udp_server("vm2", 53) as server:
        assert lab.udp("vm1", "vm2", 53, source_port=4000, count=2) == 2
    assert server.report == {"received": 2, "peers": [["10.1.1.11", 4000]]}
    assert lab.arp("vm1", "10.1.1.12") == [lab.machines["vm2"].mac]


def test_forged_frames_leave_the_machine_as_they_were_made(lab: Lab) -> None:
    forged = packets.ethernet(
        lab.machines["vm2"].mac,
        "02:99:99:99:99:99",
        packets.ETHERTYPE_IPV4,
        packets.ipv4("10.9.9.9", "10.1.1.12", 17, packets.udp(1, 2), ttl=7),
    )
    with lab.watch("vm2") as watched:
        assert lab.send_frames("vm1", [forged], count=3) == 3
        watched.saw(lambda frames: sum(one["source_mac"] == "02:99:99:99:99:99" for one in frames) == 3)
    seen = [one for one in watched.report["frames"] if one["source_mac"] == "02:99:99:99:99:99"]
    assert len(seen) == 3
    assert {(one["source"], one["ttl"], one["destination_port"]) for one in seen} == {("10.9.9.9", 7, 2)}


def test_the_underlay_carries_nothing_but_tunnels_and_their_arp(lab: Lab) -> None:
    other = "not udp port 4789 and not arp"
    with lab.capture("hv1", other) as one, lab.capture("hv2", other) as two:
        assert lab.ping("vm1", "vm2").ok
        time.sleep(1.0)
    assert one.lines == [] and two.lines == []


def test_a_ping_stream_counts_exactly_what_a_stopped_switch_loses(lab: Lab) -> None:
    lab.ping("vm1", "vm2")
    stream = lab.ping_stream("vm1", "vm2")
    time.sleep(0.3)
    lab.stop_switch("hv1")
    time.sleep(0.2)
    lab.start_switch("hv1")
    flows_by_hand(lab)
    time.sleep(0.5)
    report = stream.stop()
    assert 20 <= report["lost"] < report["sent"]
    assert report["longest_gap"] >= 0.2
    assert lab.ping("vm1", "vm2").ok


def test_a_killed_switch_comes_back_with_its_tunnel_address(lab: Lab) -> None:
    lab.kill_switch("hv2")
    assert lab.status()["hypervisors"][1]["switch"] == "stopped"
    lab.start_switch("hv2")
    assert "172.31.0.2/24" in lab.on_hypervisor("hv2", ["ip", "-br", "address", "show", "dev", "br-phy"])
    flows_by_hand(lab)
    assert wait_until(lambda: lab.ping("vm1", "vm2", count=1).ok, 5)


def test_a_moved_machine_keeps_its_connection_and_its_neighbours(lab: Lab) -> None:
    with lab.tcp_server("vm1", 7000), lab.tcp_stream("vm2", "vm1", 7000) as stream:
        lab.move("vm2", "hv2")
        flows_by_hand(lab)
        time.sleep(1.0)
        lab.move("vm2", "hv1")
        flows_by_hand(lab)
        time.sleep(1.0)
    assert stream.report["error"] == ""
    assert stream.report["echoed"] > 20
    assert lab.machines["vm2"].hypervisor == "hv1"


def test_an_unplugged_machine_has_no_interface_until_it_is_plugged_in(lab: Lab) -> None:
    lab.unplug("vm3")
    assert "eth0" not in lab.exec("vm3", ["ip", "-br", "link"]).stdout
    assert lab.machines["vm3"].port not in lab.ovs("hv2").vsctl("list-ports", "br-nsh").split()
    lab.plug("vm3", "hv1")
    assert "10.1.1.13/24" in lab.exec("vm3", ["ip", "-br", "address"]).stdout
    lab.unplug("vm3")
    lab.plug("vm3", "hv2")
    flows_by_hand(lab)
    assert lab.ping("vm3", "vm1").ok


def test_up_twice_changes_nothing_that_runs(lab: Lab) -> None:
    before = lab._record.load()
    lab.up(2, list(lab.machines.values()), agents=False)
    assert lab._record.load() == before
    assert lab.ping("vm1", "vm2").ok


def test_two_labs_at_once_keep_apart(lab: Lab, tmp_path: Path) -> None:
    other = Lab("tlab2", tmp_path)
    try:
        other.up(
            1,
            [
                Machine(
                    name="vm1",
                    hypervisor="hv1",
                    vport="b/b/vm1",
                    mac="02:00:00:00:00:01",
                    address=("10.1.1.11/24",),
                )
            ],
            agents=False,
        )
        assert other.controller_address != lab.controller_address
    finally:
        other.down()
    assert lab.ping("vm1", "vm2").ok
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []


def test_what_does_not_exist_is_named_with_what_does(lab: Lab) -> None:
    with pytest.raises(CommandFailed, match="vm1, vm2, vm3, vm4"):
        lab.ping("nobody", "vm1")
    with pytest.raises(CommandFailed, match="hv1, hv2"):
        lab.restart_switch("hv9")


def test_down_removes_everything_after_the_program_that_made_it_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from nshell.lab import Lab, Machine\n"
        f"lab = Lab('tlab3', {str(tmp_path)!r})\n"
        "one = Machine(name='a', hypervisor='hv1', vport='a/a/a', mac='02:00:00:00:00:0a', address=('10.0.0.1/24',))\n"
        "lab.up(2, [one])\n"
        "lab.tcp_server('a', 80)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    maker = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert maker.stdout is not None and maker.stdout.readline() == "up\n"
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    lab = Lab("tlab3", tmp_path)
    try:
        state = lab._record.load()
        assert state is not None
        started = [one for host in state.hypervisors.values() for one in host.processes]
        running = [one for one in started if processes.is_alive(one)]
        assert len(started) == 6 and running == started, (tmp_path / "hv1" / "agent.log").read_text()
    finally:
        lab.down()
    assert not any(processes.is_alive(one) for one in started)
    assert underlay.existing("tlab3") == [] and underlay.root_links("tlab3") == []
    assert not tmp_path.exists()


def test_up_completes_and_down_removes_a_lab_whose_record_is_lost_or_that_was_killed_halfway(
    tmp_path: Path,
) -> None:
    lab = Lab("tlab4", tmp_path)
    try:
        lab.up(1, agents=False)
        switch = lab.on_hypervisor("hv1", ["cat", f"{tmp_path}/hv1/ovs-vswitchd.pid"])
        (tmp_path / "lab.json").unlink()
        spaces.batch(["netns add tlab4-hv2"])
        lab.up(2, agents=False)
        assert processes.look(int(switch)) is None
        assert [one["switch"] for one in lab.status()["hypervisors"]] == ["runs", "runs"]
        (tmp_path / "lab.json").write_text("{garbage")
    finally:
        lab.down()
    assert underlay.existing("tlab4") == [] and underlay.root_links("tlab4") == []
    assert not namespaces.of_name("tlab4-hv1").exists()
    lab.down()  # nothing there: nothing to do

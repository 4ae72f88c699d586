"""The lab's physical networks, live moves and IPv6 underlay, with flows written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agent import physical
from data.errors import CommandFailed
from nshell.lab import Lab, Machine, Outside, Uplink
from nshell.lab.probing import wait_until
from tests.system.traffic import Ping100Hz, TcpStream

VXLAN_PORT = 65000
MACHINES = tuple(
    Machine(
        name=f"vm{n}",
        hypervisor=f"hv{n}",
        vport=f"acme/prod/vm{n}",
        mac=f"02:00:00:00:00:0{n}",
        address=(f"10.1.1.1{n}/24", f"2001:db8:1::1{n}/64"),
        gateway=("10.1.1.1", "2001:db8:1::1"),
    )
    for n in (1, 2)
)
WAN = Uplink(name="wan", hypervisors=("hv1", "hv2"), vlans=(100,))
HOSTS = (
    Outside(name="router1", uplink="wan", vlan=100, address=("10.1.1.1/24",), loopback=("198.51.100.1/32",)),
    Outside(name="printer", uplink="wan", address=("10.1.1.77/24",)),
    Outside(name="other", uplink="wan", vlan=200, address=("10.1.1.78/24",)),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab("tlab5", tmp_path_factory.mktemp("lab"))
    lab.down()
    try:
        lab.up(2, MACHINES, uplinks=[WAN], outside=HOSTS, underlay="ipv6", agents=False)
        for name in lab.hypervisors:
            vxlan = ["type=vxlan", "options:remote_ip=flow", "options:key=flow", f"ofport_request={VXLAN_PORT}"]
            lab.ovs(name).vsctl("add-port", "br-nsh", "nsh-vxlan", "--", "set", "Interface", "nsh-vxlan", *vxlan)
        yield lab
    finally:
        lab.down()


def number(lab: Lab, hypervisor: str, interface: str) -> str:
    return lab.ovs(hypervisor).vsctl("get", "Interface", interface, "ofport").strip()


def to_uplink(lab: Lab, vlan: int) -> None:
    """Each machine and the uplink of its hypervisor, and nothing else, are joined in that VLAN (0: untagged)."""
    for one in lab.machines.values():
        tap, up = number(lab, one.hypervisor, one.port), number(lab, one.hypervisor, WAN.nic)
        tag = f"push_vlan:0x8100,set_field:{4096 + vlan}->vlan_vid," if vlan else ""
        match = f"dl_vlan={vlan},actions=pop_vlan" if vlan else "vlan_tci=0,actions="
        lab.ofctl(one.hypervisor, "del-flows")
        lab.ofctl(one.hypervisor, "add-flow", f"in_port={tap},actions={tag}output:{up}")
        lab.ofctl(one.hypervisor, "add-flow", f"in_port={up},{match.rstrip('=')}{',' if vlan else '='}output:{tap}")


def to_tunnel(lab: Lab, home: str) -> None:
    """vm1 on hv1 and vm2, which is on `home`, reach each other, through the tunnel when that is another."""
    lab.ofctl("hv1", "del-flows")
    lab.ofctl("hv2", "del-flows")
    one, two = number(lab, "hv1", "tap-vm1"), number(lab, home, "tap-vm2")
    if home == "hv1":
        lab.ofctl("hv1", "add-flow", f"in_port={one},actions=output:{two}")
        lab.ofctl("hv1", "add-flow", f"in_port={two},actions=output:{one}")
        return
    for here, port, there in (("hv1", one, "hv2"), ("hv2", two, "hv1")):
        tunnel = f"set_field:7->tun_id,set_field:{lab.tunnel_address(there)}->tun_ipv6_dst,output:{VXLAN_PORT}"
        lab.ofctl(here, "add-flow", f"in_port={port},actions={tunnel}")
        lab.ofctl(here, "add-flow", f"in_port={VXLAN_PORT},actions=output:{port}")


def test_a_machine_reaches_a_host_outside_in_its_vlan_and_none_in_another(lab: Lab) -> None:
    to_uplink(lab, 100)
    assert lab.ping("vm1", "router1").ok and lab.ping("vm2", "router1").ok
    with lab.watch("printer") as printer, lab.watch("other") as other:
        lab.arp("vm1", "10.1.1.77", timeout=0.3)
        lab.arp("vm1", "10.1.1.78", timeout=0.3)
    assert printer.report["count"] == other.report["count"] == 0
    to_uplink(lab, 0)
    assert lab.ping("vm2", "printer").ok
    assert lab.arp("vm1", "10.1.1.1", timeout=0.3) == []


def test_a_cut_uplink_carries_nothing_until_it_is_mended(lab: Lab) -> None:
    to_uplink(lab, 100)
    lab.cut_uplink("hv1", "wan")
    assert lab.ping("vm1", "router1", timeout=0.3).received == 0
    assert lab.ping("vm2", "router1").ok
    lab.mend_uplink("hv1", "wan")
    assert wait_until(lambda: lab.ping("vm1", "router1", count=1).ok, 5)


def test_a_nic_that_is_in_use_does_not_become_an_uplink(lab: Lab) -> None:
    host = lab._look().hypervisor("hv1")
    lab.on_hypervisor("hv1", ["ip", "link", "add", "name", "spare", "type", "veth", "peer", "name", "spare2"])
    for nic, name, said in (
        ("eth0", "dc", "underlay"),
        ("br-phy", "dc", "underlay"),
        ("mgmt0", "dc", "cut off"),
        ("tap-vm1", "dc", "workload"),
        ("none", "dc", "no such interface"),
        ("spare", "wan", "up-wan is uplink wan already"),
        ("up-wan", "dc", "up-wan is uplink wan already"),
        ("spare", "a b", "cannot name"),
    ):
        with pytest.raises(CommandFailed, match=said):
            host.inside(lambda nic=nic, name=name: physical.attach(host.ovs, nic, name))  # type: ignore[misc]
    assert [one.nic for one in physical.attached(host.ovs)] == ["up-wan"]
    rp_filter = ["cat", "/proc/sys/net/ipv4/conf/spare/rp_filter"]
    before = lab.on_hypervisor("hv1", rp_filter)
    for _ in range(2):
        host.inside(lambda: physical.attach(host.ovs, "spare", "dc"))
    ids = json.loads(lab.ovs("hv1").vsctl("--format=json", "--columns=external_ids", "list", "Interface", "spare"))
    assert ["uplink", "dc"] in ids["data"][0][0][1]
    assert lab.on_hypervisor("hv1", rp_filter) == "1\n"
    assert host.inside(lambda: physical.detach(host.ovs, "dc")) == ["spare removed from br-nsh"]
    assert lab.on_hypervisor("hv1", rp_filter) == before
    assert host.inside(lambda: physical.detach(host.ovs, "dc")) == []


def test_tunnels_go_over_ipv6_with_packets_of_full_size(lab: Lab) -> None:
    to_tunnel(lab, "hv2")
    assert wait_until(lambda: lab.ping("vm1", "vm2", count=1).ok, 5)
    with lab.capture("hv1", "udp port 4789") as seen:
        assert lab.ping("vm1", "2001:db8:1::12").ok
        done = lab.exec("vm1", ["ping", "-M", "do", "-s", "1422", "-c", "1", "10.1.1.12"])
        wait_until(seen.read, 10.0, 0.2)
    assert done.returncode == 0, done.stdout
    assert seen.lines and all("IPv6 (0x86dd)" in line.split("VXLAN")[0] for line in seen.lines)


def test_in_a_live_move_the_interface_is_on_both_and_connections_go_on(lab: Lab) -> None:
    to_tunnel(lab, "hv2")
    assert wait_until(lambda: lab.ping("vm1", "vm2", count=1).ok, 5)
    before = json.loads(lab.exec("vm2", ["ip", "-json", "address", "show", "dev", "eth0"]).stdout)[0]["ifindex"]
    with Ping100Hz(lab, "vm2", "vm1") as ping, TcpStream(lab, "vm1", "vm2", 7000) as stream:
        for home, former in (("hv1", "hv2"), ("hv2", "hv1"), ("hv1", "hv2")):
            with lab.migrating("vm2", home):
                for name in ("hv1", "hv2"):
                    assert number(lab, name, "tap-vm2").isdecimal()
                to_tunnel(lab, home)
            assert "tap-vm2" not in lab.ovs(former).vsctl("list-ports", "br-nsh").split()
            stream.alive()
    after = json.loads(lab.exec("vm2", ["ip", "-json", "address", "show", "dev", "eth0"]).stdout)[0]
    assert after["ifindex"] == before and lab.machines["vm2"].hypervisor == "hv1"
    assert 0 < ping.lost < ping.sent / 2, str(ping)  # the flows by hand take 0.1 s to write each time
    lab.move("vm2", "hv2", style="cold", downtime=0.2)
    to_tunnel(lab, "hv2")
    assert wait_until(lambda: lab.ping("vm1", "vm2", count=1).ok, 5)
    lab.unplug("vm2")
    lab.plug("vm2", "hv1")
    to_tunnel(lab, "hv1")
    assert wait_until(lambda: lab.ping("vm1", "vm2", count=1).ok, 5)


def test_who_holds_an_address_is_announced_and_heard(lab: Lab) -> None:
    to_uplink(lab, 0)
    for address, kind in (("10.1.1.99", "arp"), ("2001:db8:1::99", "icmp6")):
        with lab.watch("printer") as seen:
            lab.add_address("vm2", f"{address}/{'64' if ':' in address else '24'}", announce=True)
            seen.saw(lambda frames: any(one["kind"] == kind for one in frames))  # noqa: B023
        assert [one["source"] for one in seen.report["frames"] if one["kind"] == kind] == [address]
        sender = "2001:db8:1::77" if ":" in address else ""
        assert lab.arp("printer", address, sender=sender, timeout=10.0) == [MACHINES[1].mac]
        lab.remove_address("vm2", f"{address}/{'64' if ':' in address else '24'}")


def test_physical_networks_come_and_go_while_the_lab_runs(lab: Lab) -> None:
    with pytest.raises(CommandFailed, match="no uplink nowhere"):
        lab.up(2, agents=False, outside=[Outside(name="x", uplink="nowhere", address=("192.0.2.1/24",))])
    lab.up(2, agents=False, uplinks=[], outside=[])
    assert WAN.nic not in lab.ovs("hv1").vsctl("list-ports", "br-nsh").split()
    assert lab.status()["uplinks"] == lab.status()["outside"] == []
    lab.up(2, agents=False, uplinks=[WAN], outside=HOSTS[:1])
    to_uplink(lab, 100)
    assert wait_until(lambda: lab.ping("vm2", "router1", count=1).ok, 5)

"""The lab's wide area network without any controller: GoBGP stands in for its BGP, flows by hand for its compiler."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import namespaces
from agent.host import run
from data.errors import CommandFailed
from nshell.lab import Lab, Machine, Wan, processes
from nshell.lab.probing import wait_until
from nshell.lab.wan import example, frr
from tests.system.site import free_port
from tests.system.wan.peers import GoBgp
from tests.transcripts.shell import ROOT, Shell

PATIENCE = 60.0  # seconds
PREFIX = "wla"
VNI = 10101
LABEL = 300  # of the hypervisor's end
GATEWAY_MAC = "02:00:00:00:00:fe"
VM = Machine(
    name="vm1", hypervisor="hv1", vport="acme/prod/vm1", mac="02:00:0a:01:01:0b",
    address=("10.1.1.11/24", "2001:db8:1::11/64"),
    gateway=("10.1.1.1", "2001:db8:1::1"),
)  # fmt: skip


FAMILIES = {"pe": ("l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast"), "vtep": ("l2vpn-evpn",)}


def controller(lab: Lab, folder: Path) -> GoBgp:
    """GoBGP at the controller's address, with the PE and the VTEP as neighbours."""
    where = lab.controller_address
    text = f'[global.config]\nas = 65000\nrouter-id = "{where}"\nport = 179\nlocal-address-list = ["{where}"]\n'
    for node, families in FAMILIES.items():
        text += f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{lab.wan.address(node)}"\npeer-as = 65000\n'
        text += f'[neighbors.transport.config]\nlocal-address = "{where}"\n'
        text += "[neighbors.timers.config]\nconnect-retry = 1\n"
        for family in families:
            text += f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}"\n'
    return GoBgp(namespaces.of_process(os.getpid()), folder / "gobgp", text, free_port())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(PREFIX, tmp_path_factory.mktemp("lab"))
    lab.down()
    try:
        lab.up(2, [VM], wan=Wan(), agents=False)
        lab.wan.wait_converged(PATIENCE)
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def gobgp(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoBgp]:
    speaker = controller(lab, tmp_path_factory.mktemp("controller"))
    speaker.start()
    try:
        for node in ("pe", "vtep"):
            assert wait_until(lambda node=node: speaker.established(lab.wan.address(node)), PATIENCE, 0.1)  # type: ignore[misc]
        yield speaker
    finally:
        speaker.stop()


def routes(speaker: GoBgp, family: str) -> list[dict[str, Any]]:
    """The paths in GoBGP's table, each with its prefix as `what`."""
    table = speaker.show("global", "rib", "-a", family) or {}
    return [path | {"what": prefix} for prefix, paths in table.items() for path in paths]


def port(lab: Lab, interface: str) -> str:
    return lab.ovs("hv1").vsctl("get", "Interface", interface, "ofport").strip()


def hypervisor_end(lab: Lab, label_out: int | None, label_out6: int | None = None) -> None:
    """vm1's bridge by hand: 10.9.0.0/24 by MPLS over GRE to the PE, everything else by VXLAN to the VTEP."""
    for name, words in (
        ("gre", ["type=gre", "options:packet_type=legacy_l3"]),
        ("vxlan", ["type=vxlan", "options:key=flow"]),
    ):
        settings = ["--", "set", "Interface", name, *words, "options:remote_ip=flow"]
        lab.ovs("hv1").vsctl("--may-exist", "add-port", "br-nsh", name, *settings)
    tap, gre, vxlan, mine = port(lab, VM.port), port(lab, "gre"), port(lab, "vxlan"), lab.tunnel_address("hv1")
    to = {node: f"set_field:{mine}->tun_src,set_field:{lab.wan.loopback(node)}->tun_dst" for node in ("pe", "vtep")}
    flows = [
        f"priority=1,in_port={tap},actions=set_field:{VNI}->tun_id,{to['vtep']},output:{vxlan}",
        f"priority=1,in_port={vxlan},tun_id={VNI},actions=output:{tap}",
        f"priority=2,in_port={gre},mpls,mpls_label={LABEL},actions=pop_mpls:0x0800,resubmit(,1)",
        f"priority=2,in_port={gre},mpls,mpls_label={LABEL + 1},actions=pop_mpls:0x86dd,resubmit(,1)",
        f"table=1,actions=set_field:{GATEWAY_MAC}->eth_src,set_field:{VM.mac}->eth_dst,output:{tap}",
    ]
    if label_out is not None:
        action = f"dec_ttl,push_mpls:0x8847,set_field:{label_out}->mpls_label,{to['pe']},output:{gre}"
        flows.append(f"priority=2,in_port={tap},ip,nw_dst=10.9.0.0/24,actions={action}")
    if label_out6 is not None:
        action = f"dec_ttl,push_mpls:0x8847,set_field:{label_out6}->mpls_label,{to['pe']},output:{gre}"
        flows.append(f"priority=2,in_port={tap},ipv6,ipv6_dst=2001:db8:9::/64,actions={action}")
    lab.ofctl("hv1", "del-flows")
    for one in flows:
        lab.ofctl("hv1", "add-flow", one)
    for gateway in VM.gateways:
        lab.exec("vm1", ["ip", "neighbour", "replace", gateway, "lladdr", GATEWAY_MAC, "dev", "eth0"])


def test_every_node_reaches_every_tunnel_address(lab: Lab) -> None:
    for node in lab.wan.wan.nodes:
        for target in ("172.31.0.1", "172.31.0.2", lab.wan.loopback("pe"), lab.wan.loopback("vtep")):
            assert " 0% packet loss" in lab.wan.inside(node, "ping", "-c", "1", "-W", "10", target), (node, target)
    assert " 0% packet loss" in lab.on_hypervisor("hv1", ["ping", "-c", "1", "-W", "10", lab.wan.loopback("vtep")])


def test_the_traffic_engineering_database_has_every_node_and_both_directions_of_every_wire(lab: Lab) -> None:
    def complete() -> bool:
        database = lab.wan.router("r2").show("show ip ospf mpls-te database json")["ted"]
        wires = 2 * len(lab.wan.wan.links)
        return len(database["vertices"]) == len(lab.wan.wan.nodes) and len(database["edges"]) == wires

    assert wait_until(complete, PATIENCE, 0.2), lab.wan.router("r2").ask("show ip ospf mpls-te database json")


def test_up_again_leaves_what_runs_alone(lab: Lab) -> None:
    def running() -> list[object]:
        return [lab.wan.router(node).process("zebra") for node in lab.wan.wan.nodes]

    before = running()
    lab.up(2, wan=Wan(), agents=False)
    assert running() == before
    assert None not in before


def test_the_customers_prefix_is_announced_with_a_label_and_the_tunnel_address_for_next_hop(
    lab: Lab, gobgp: GoBgp
) -> None:
    assert wait_until(lambda: bool(routes(gobgp, "vpnv4")), PATIENCE, 0.1)
    (route,) = routes(gobgp, "vpnv4")
    assert "10.9.0.0/24" in route["what"]
    assert lab.wan.loopback("pe") in str(route["attrs"])
    assert route["nlri"]["labels"]


def test_a_machine_reaches_the_host_behind_the_pe_while_its_route_is_announced(lab: Lab, gobgp: GoBgp) -> None:
    assert wait_until(lambda: bool(routes(gobgp, "vpnv4")), PATIENCE, 0.1)
    (label,) = next(one for one in routes(gobgp, "vpnv4") if "10.9.0.0/24" in one["what"])["nlri"]["labels"]
    hypervisor_end(lab, label)
    announced = ["10.1.1.0/24", "label", str(LABEL), "rd", "65000:1", "rt", "65000:77", "nexthop", "172.31.0.1"]
    assert not lab.ping("vm1", "ce-acme", count=2).ok
    gobgp.ask("global", "rib", "add", *announced, "-a", "vpnv4")
    assert wait_until(lambda: lab.ping("vm1", "ce-acme", count=2).ok, PATIENCE, 0.1)
    assert wait_until(lambda: lab.ping("ce-acme", "vm1", count=2).ok, PATIENCE, 0.1)
    with lab.capture("hv1", "ip proto 47") as seen:
        assert lab.ping("vm1", "ce-acme", count=3).ok
    assert any("proto MPLS" in line or "MPLS unicast" in line or "0x8847" in line for line in seen.lines), seen.lines
    gobgp.ask("global", "rib", "del", *announced, "-a", "vpnv4")
    assert wait_until(lambda: not lab.ping("vm1", "ce-acme", count=2).ok, PATIENCE, 0.1)


def test_ipv6_goes_the_same_way_with_a_label_of_its_own(lab: Lab, gobgp: GoBgp) -> None:
    assert wait_until(lambda: bool(routes(gobgp, "vpnv6")), PATIENCE, 0.1)
    (label,) = next(one for one in routes(gobgp, "vpnv6") if "2001:db8:9::/64" in one["what"])["nlri"]["labels"]
    hypervisor_end(lab, None, label)
    announced = ["2001:db8:1::/64", "label", str(LABEL + 1), "rd", "65000:1", "rt", "65000:77"]
    gobgp.ask("global", "rib", "add", *announced, "nexthop", "::ffff:172.31.0.1", "-a", "vpnv6")
    try:
        assert wait_until(lambda: lab.ping("vm1", "2001:db8:9::a", count=2).ok, PATIENCE, 0.1)
        assert wait_until(lambda: lab.ping("ce-acme", "2001:db8:1::11", count=2).ok, PATIENCE, 0.1)
    finally:
        gobgp.ask("global", "rib", "del", *announced, "nexthop", "::ffff:172.31.0.1", "-a", "vpnv6")


def test_the_example_for_the_controller_is_accepted_by_it(lab: Lab, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    subnet = "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24"
    text = "\n".join([subnet, *example.lines(lab.wan)[:-1], "commit check", ""])
    try:
        done = shell.run(text=text)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        shell.end()


def test_a_route_for_another_customer_is_not_imported(lab: Lab, gobgp: GoBgp) -> None:
    other = ["10.1.9.0/24", "label", "301", "rd", "65000:2", "rt", "65000:78", "nexthop", "172.31.0.1", "-a", "vpnv4"]
    gobgp.ask("global", "rib", "add", *other)
    pe = lab.wan.router("pe")
    try:
        assert wait_until(lambda: "10.1.9.0/24" in pe.ask("show bgp ipv4 vpn json"), PATIENCE, 0.1)
        assert "10.1.9.0/24" not in pe.ask("show bgp vrf acme ipv4 unicast json")
    finally:
        gobgp.ask("global", "rib", "del", *other)


def test_a_route_to_a_next_hop_that_is_not_reachable_gets_no_flow(lab: Lab, gobgp: GoBgp) -> None:
    nowhere = ["10.1.8.0/24", "label", "302", "rd", "65000:3", "rt", "65000:77", "nexthop", "198.51.100.9"]
    gobgp.ask("global", "rib", "add", *nowhere, "-a", "vpnv4")
    try:
        vrf = "show bgp vrf acme ipv4 unicast json"
        assert wait_until(lambda: "10.1.8.0/24" in lab.wan.router("pe").ask(vrf), PATIENCE, 0.1)
        assert "10.1.8.0" not in label_flows(lab)
    finally:
        gobgp.ask("global", "rib", "del", *nowhere, "-a", "vpnv4")


def label_flows(lab: Lab) -> str:
    rundir = lab.wan.pe_switch.location.rundir
    return run(["ovs-ofctl", "-O", "OpenFlow14", "dump-flows", f"unix:{rundir}/br-label.mgmt"])


def test_the_vtep_learns_a_remote_mac_and_floods_to_a_remote_vni(lab: Lab, gobgp: GoBgp) -> None:
    common = ["rd", "65000:101", "rt", f"65000:{VNI}", "encap", "vxlan", "nexthop", "172.31.0.1", "-a", "evpn"]
    flood = ["multicast", "172.31.0.1", "etag", "0", *common[:6], "pmsi", "ingress-repl", str(VNI), "172.31.0.1"]
    gobgp.ask("global", "rib", "add", "macadv", VM.mac, "10.1.1.11", "etag", "0", "label", str(VNI), *common)
    gobgp.ask("global", "rib", "add", *flood, *common[6:])

    def learned() -> bool:
        table = lab.wan.inside("vtep", "bridge", "fdb", "show", "dev", f"vx{VNI}")
        return f"{VM.mac} dst 172.31.0.1" in table and "00:00:00:00:00:00 dst 172.31.0.1" in table

    assert wait_until(learned, PATIENCE, 0.1), lab.wan.inside("vtep", "bridge", "fdb", "show", "dev", f"vx{VNI}")
    hypervisor_end(lab, None)
    assert wait_until(lambda: lab.ping("vm1", "vh-web1", count=2).ok, PATIENCE, 0.1)
    host = lab.wan.wan.segments[0].mac
    assert wait_until(lambda: any(host in one["what"] for one in routes(gobgp, "evpn")), PATIENCE, 0.1)
    assert lab.wan.loopback("vtep") in str([one["attrs"] for one in routes(gobgp, "evpn") if host in one["what"]])


def test_a_lost_router_is_gone_around(lab: Lab) -> None:
    lab.wan.lose("r2")
    try:
        there = lab.wan.loopback("pe")
        assert wait_until(lambda: reaches(lab, there), PATIENCE, 0.1)
        assert wait_until(
            lambda: "via 172.31.128" in lab.wan.inside("pe", "ip", "route", "get", "172.31.0.1"), PATIENCE
        )
        assert "br-r3" in lab.wan.inside("pe", "ip", "route", "get", "172.31.0.1")
    finally:
        lab.wan.recover("r2")
    lab.wan.wait_converged(PATIENCE)


def reaches(lab: Lab, address: str) -> bool:
    try:
        return " 0% packet loss" in lab.on_hypervisor("hv1", ["ping", "-c", "1", "-W", "2", address])
    except CommandFailed:
        return False


def test_a_cut_wire_is_gone_around_and_used_again(lab: Lab) -> None:
    def path() -> str:
        return lab.wan.inside("r1", "ip", "route", "show", "172.31.255.2")

    assert wait_until(lambda: "dev r2" in path(), PATIENCE, 0.1)
    lab.wan.cut_link("r1", "r2")
    try:
        assert wait_until(lambda: "dev r3" in path(), PATIENCE, 0.1)
    finally:
        lab.wan.mend_link("r1", "r2")
    assert wait_until(lambda: "dev r2" in path(), PATIENCE, 0.1)
    with pytest.raises(CommandFailed, match="there is no wire between r1 and pe"):
        lab.wan.cut_link("r1", "pe")


def test_a_killed_bgpd_comes_back_with_its_vrfs(lab: Lab, gobgp: GoBgp) -> None:
    lab.wan.kill("pe")
    status = {one["name"]: one["daemons"] for one in lab.status()["wan"]["nodes"]}
    assert status["pe"]["bgpd"] == "stopped" and status["pe"]["zebra"] == "runs"
    assert wait_until(lambda: not routes(gobgp, "vpnv4"), PATIENCE, 0.1)
    lab.wan.restart("pe")
    assert wait_until(lambda: bool(routes(gobgp, "vpnv4")), PATIENCE, 0.1)


def test_a_template_may_configure_the_vrf_of_a_customer_while_it_runs(lab: Lab) -> None:
    pe = lab.wan.router("pe")
    pe.configure(["router bgp 65000 vrf acme", " address-family ipv4 unicast", "  rt vpn both 65000:99"])
    try:
        assert wait_until(lambda: "RT:65000:99" in pe.ask("show bgp ipv4 vpn 10.9.0.0/24 json"), PATIENCE, 0.1)
    finally:
        pe.configure(["router bgp 65000 vrf acme", " address-family ipv4 unicast", "  rt vpn both 65000:77"])


def test_a_daemon_that_died_is_started_by_up_and_down_leaves_nothing(lab: Lab, gobgp: GoBgp) -> None:
    lab.wan.kill("r3", "ospfd")
    lab.up(2, wan=Wan(), agents=False)
    lab.wan.wait_converged(PATIENCE)
    ran = [lab.wan.router(node).process("zebra") for node in lab.wan.wan.nodes]
    lab.down()
    assert not any(processes.is_alive(one) for one in ran)
    assert frr.instances(f"{PREFIX}-") == []
    assert not [name for name in os.listdir(namespaces.NAMED) if name.startswith(f"{PREFIX}-")]
    assert not [name for name in os.listdir("/sys/class/net") if name.startswith(f"{PREFIX}-")]
    lab.down()


@pytest.mark.parametrize("seconds", [0.4, 0.8, 1.2])
def test_an_up_that_was_killed_halfway_is_completed_by_the_next(tmp_path: Path, seconds: float) -> None:
    lab = Lab("wlk", tmp_path)
    lab.down()
    work = f"from nshell.lab import Lab, Wan; Lab('wlk', {str(tmp_path)!r}).up(1, wan=Wan(), agents=False)"
    try:
        child = subprocess.Popen([sys.executable, "-c", work], cwd=ROOT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        child.kill()
        child.wait()
        lab.up(1, wan=Wan(), agents=False)
        lab.wan.wait_converged(PATIENCE)
        assert lab.wan.runs()
        assert " 0% packet loss" in lab.wan.inside("ce-acme", "ping", "-c", "1", "-W", "10", "10.9.0.1")
    finally:
        lab.down()
    assert not [name for name in os.listdir(namespaces.NAMED) if name.startswith("wlk-")]
    assert frr.instances("wlk-") == []

"""A tenant reaches hosts behind a PE router and behind a VTEP, both told by BGP alone, what faults cost, and what is
counted of the PE.

The PE is FRR with an Open vSwitch that pops and pushes the labels that FRR learned; the VTEP is FRR with kernel VXLAN.
The domain has route target 65000:77 and goes out by VPNv4, VPNv6 and EVPN type 5; subnet web1 is VNI 10101, which goes
on behind the VTEP. What faults cost is printed as lines that begin with `wan:`.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host import run
from nshell.lab import Machine
from nshell.lab.probing import wait_until
from nshell.lab.wan import vrfs
from nshell.lab.wan.plan import Wan, ends
from tests.system.network import PATIENCE, Network, dual_stack, machine
from tests.system.saying import arriving, said, tunnel
from tests.system.traffic import Ping100Hz
from tests.system.wan.wan_rows import established, routes

HERE = "enterprise acme domain prod"
POLICY = f"""
set {HERE} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64 vni 10101
set {HERE} zone app subnet app1 prefix 10.1.2.0/24
set {HERE} route-target 65000:77
set {HERE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 2001:db8:1::11 ]
set {HERE} vport web-2 subnet web1 mac 02:00:0a:01:01:0c address [ 10.1.1.12 2001:db8:1::12 ]
set {HERE} vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set enterprise other domain prod zone z subnet s prefix 10.1.1.0/24
set enterprise other domain prod vport spy subnet s mac 02:00:0a:01:01:63 address 10.1.1.99
"""
MACHINES = (
    dual_stack("web-1", "hv1", 11),
    dual_stack("web-2", "hv2", 12),
    machine("app-1", "hv1", 2, 11),
    Machine(name="spy", hypervisor="hv2", vport="other/prod/spy", mac="02:00:0a:01:01:63", address=("10.1.1.99/24",),
            gateway="10.1.1.1"),
)  # fmt: skip
OURS = ("web-1", "web-2", "app-1")
PE_HOST, VTEP_HOST = "ce-acme", "vh-web1"
NEIGHBOURS = ("pe", "vtep")
FRAME = 50  # bytes of an echo request as `Lab.ping` sends it, with Ethernet's header


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(
        tmp_path_factory.mktemp("wan"), "wa", machines=MACHINES, policy=POLICY, hypervisors=2, wan=Wan(), agents=True
    )
    try:
        local = made.lab.controller_address
        lines = ["set bgp autonomous-system 65000 hold-time 9"]
        for name in NEIGHBOURS:
            address = made.lab.wan.address(name)
            lines.append(f"set bgp-neighbor {name} address {address} autonomous-system 65000 local-address {local}")
        made.commit(*lines)
        made.lab.wan.wait_converged()
        told(made)
        yield made
    finally:
        made.close()


def told(network: Network) -> None:
    """Returns when both neighbours have told and been told everything, and its flows are there."""
    assert wait_until(lambda: established(network) == set(NEIGHBOURS), PATIENCE * 2, 0.2), network.run(
        "show bgp summary", "show events"
    )
    reached = (("web-1", PE_HOST), ("web-2", PE_HOST), ("web-1", VTEP_HOST), ("web-2", VTEP_HOST))
    for source, target in reached:
        assert wait_until(lambda one=source, other=target: network.lab.ping(one, other, count=1).ok, PATIENCE, 0.2), (  # type: ignore[misc]
            f"{source} does not reach {target}\n" + network.run("show bgp routes", "show circuits", "show events")
        )


def test_a_machine_and_the_host_behind_the_pe_reach_each_other_by_ping_and_tcp(network: Network) -> None:
    lab = network.lab
    for name in OURS:
        assert lab.ping(name, PE_HOST, count=3).ok and lab.ping(PE_HOST, name, count=3).ok
    with lab.tcp_server(PE_HOST, 8080), lab.tcp_server("web-2", 8081):
        assert lab.tcp("web-1", PE_HOST, 8080).ok and lab.tcp(PE_HOST, "web-2", 8081).ok
    beyond = lab.address6(PE_HOST)
    assert lab.ping("web-1", beyond, count=3).ok and lab.ping("web-2", beyond, count=3).ok


def test_what_goes_to_the_pe_is_mpls_over_gre_with_the_label_that_each_end_gave_out(network: Network) -> None:
    theirs = next(row["label"] for row in routes(network, neighbor="pe") if row["destination"] == "10.9.0.0/24")
    ours = next(row["label"] for row in routes(network, neighbor="ours") if row["destination"] == "10.1.1.11/32")
    with network.lab.capture("hv1", "proto gre") as seen:
        assert network.lab.ping("web-1", PE_HOST, count=5).ok
        wait_until(lambda: len(seen.read()) >= 10, PATIENCE, 0.2)
    lines = seen.read("")
    going = [line for line in lines if "172.31.0.1 > 172.31.255.11: GREv0" in line]
    coming = [line for line in lines if "> 172.31.0.1: GREv0" in line]
    assert going and coming, lines
    for some, label in ((going, theirs), (coming, ours)):
        assert all("proto MPLS unicast (0x8847)" in line and f"MPLS (label {label}, tc 0, [S]" in line for line in some)


def test_a_machine_and_the_host_behind_the_vtep_reach_each_other_by_ping_and_tcp(network: Network) -> None:
    lab = network.lab
    for name in ("web-1", "web-2"):
        assert lab.ping(name, VTEP_HOST, count=3).ok and lab.ping(VTEP_HOST, name, count=3).ok
    with lab.tcp_server(VTEP_HOST, 8080), lab.tcp_server("web-1", 8081):
        assert lab.tcp("web-1", VTEP_HOST, 8080).ok and lab.tcp(VTEP_HOST, "web-1", 8081).ok
    with lab.capture("hv1", "udp port 4789") as seen:
        assert lab.ping("web-1", VTEP_HOST, count=3).ok
        wait_until(lambda: seen.read("dst host 172.31.255.12"), PATIENCE, 0.2)
    assert any("vni 10101" in line for line in seen.read("dst host 172.31.255.12"))


@pytest.mark.parametrize(("target", "six"), [(PE_HOST, False), (PE_HOST, True), (VTEP_HOST, False)])
def test_trace_says_by_which_tunnel_and_number_packets_arrive_at_the_other_end(
    network: Network, target: str, six: bool
) -> None:
    lab = network.lab
    to = lab.address6(target) if six else lab.address(target)
    node, through = ("pe", "proto gre") if target == PE_HOST else ("vtep", "udp port 4789")
    for source, here in (("web-1", "172.31.0.1"), ("web-2", "172.31.0.2")):
        told = said(network, f"trace from {source} to {to}")
        own = lab.address6(source) if six else lab.address(source)
        nics = [nic for nic, _ in ends(lab.wan.wan, node)]
        with arriving(lab, node, nics, f"{through} and src host {here}", 2) as lines:
            assert lab.ping(source, to, count=2).ok
        for line in (one for one in lines if f"{own} > {to}: " in one):
            assert told.end.startswith("left: ") and f"leaves to {tunnel(line, here)}" in told.end
            assert (told.ttl == 63) is (f"{'hlim' if six else 'ttl'} 63" in line), line
        assert any(f"{own} > {to}: " in line for line in lines)


def test_a_tenant_with_the_same_addresses_reaches_neither(network: Network) -> None:
    for target in (PE_HOST, VTEP_HOST):
        assert network.lab.ping("spy", target, count=2).received == 0
        assert network.lab.ping(target, "10.1.1.99", count=2).received == 0


def test_policy_holds_for_what_comes_from_outside(network: Network) -> None:
    lab = network.lab
    with lab.tcp_server("web-1", 8090), lab.tcp_server("web-1", 8091):
        assert lab.tcp(PE_HOST, "web-1", 8090).ok and lab.tcp(VTEP_HOST, "web-1", 8090).ok
        network.commit(
            f"set {HERE} egress-policy in entry 10 protocol tcp destination-port 8091 action allow stateful",
            f"set {HERE} egress-policy in entry 20 protocol icmp action allow",
        )
        try:
            for source in (PE_HOST, VTEP_HOST):
                assert wait_until(lambda one=source: not lab.tcp(one, "web-1", 8090).ok, PATIENCE, 0.2)  # type: ignore[misc]
                assert lab.tcp(source, "web-1", 8091).ok
        finally:
            network.commit("rollback 1")


def test_the_peers_hold_our_routes_and_lose_them_with_the_vport(network: Network) -> None:
    pe, vtep = network.lab.wan.router("pe"), network.lab.wan.router("vtep")

    def vpn() -> str:
        return str(pe.show("show bgp ipv4 vpn json"))

    def evpn() -> str:
        return str(vtep.show("show bgp l2vpn evpn route type 2 json"))

    assert "10.1.2.11/32" in vpn() and "02:00:0a:01:01:0b" in evpn()
    said = network.batch(f"configure\ndelete {HERE} vport app-1\ncommit check\n")
    assert "bgp-neighbor pe" in said and "10.1.2.11/32" in said
    network.commit()  # the candidate was kept
    assert wait_until(lambda: "10.1.2.11/32" not in vpn(), PATIENCE, 0.1)
    network.commit("rollback 1")
    assert wait_until(lambda: "10.1.2.11/32" in vpn(), PATIENCE, 0.1)
    assert wait_until(lambda: network.lab.ping("app-1", PE_HOST, count=1).ok, PATIENCE, 0.2)


def test_a_commit_is_verified_by_its_neighbours(network: Network) -> None:
    said = network.commit(f"set {HERE} vport late subnet app1 mac 02:00:0a:01:02:77 address 10.1.2.77")
    assert "neighbors and routers" not in said, "an unresolved vport is told to nobody"
    said = network.commit(f"set {HERE} import-target 65000:88 export-target 65000:88")
    assert re.search(r"verified on 2 of 2 neighbors and routers", said), said
    network.commit("rollback 2")


def both(network: Network) -> tuple[Ping100Hz, Ping100Hz]:
    return Ping100Hz(network.lab, "web-1", PE_HOST), Ping100Hz(network.lab, "web-2", VTEP_HOST)


def test_killing_the_speaker_loses_no_packet_to_the_pe(network: Network) -> None:
    pe, vtep = both(network)
    with pe, vtep:
        os.kill(speaker(network), signal.SIGKILL)
        assert wait_until(lambda: established(network) == set(NEIGHBOURS), PATIENCE * 2, 0.2)
    print(f"wan: kill -9 of the speaker: pe {pe}; vtep {vtep}")
    assert pe.lost == 0
    told(network)


def test_killing_the_controller_loses_no_packet_to_the_pe(network: Network) -> None:
    pe, vtep = both(network)
    with pe, vtep:
        network.restart_controller()
        assert wait_until(lambda: established(network) == set(NEIGHBOURS), PATIENCE * 2, 0.2)
    print(f"wan: kill -9 of the controller: pe {pe}; vtep {vtep}")
    assert pe.lost == 0
    told(network)


def test_a_peer_that_is_killed_keeps_its_traffic_until_it_is_back(network: Network) -> None:
    pe, vtep = both(network)
    with pe, vtep:
        network.lab.wan.kill("pe")
        assert wait_until(lambda: "pe" not in established(network), PATIENCE, 0.2)
        network.lab.wan.restart("pe")
        assert wait_until(lambda: established(network) == set(NEIGHBOURS), PATIENCE * 2, 0.2)
    print(f"wan: kill -9 of the pe's bgpd: pe {pe}; vtep {vtep}")
    assert vtep.lost == 0
    told(network)


def speaker(network: Network) -> int:
    """The process number of the daemon's ExaBGP."""
    parent = network.shell.pid
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat[1]) == parent and b"controller.bgp.speaker.child" in command:
                return int(entry.name)
    raise AssertionError("the daemon has no speaker")


def test_what_passes_the_pe_is_counted_as_its_kernel_counts_it(network: Network) -> None:
    """Through the driver for FRR: interfaces that Open vSwitch carries the labels between, and those of a VRF, which is
    a network namespace here. Its BGP neighbor is another than the lab's, which stays as it is."""
    lab = network.lab
    space = vrfs.space_of(lab.prefix, "pe", "acme")

    def kernel() -> dict[str, int]:
        found = json.loads(run(["ip", "-n", space, "-json", "-statistics", "link", "show", "dev", "ce0"]))
        return {way: found[0]["stats64"][way]["packets"] for way in ("tx", "rx")}

    def shown(interface: str) -> dict[str, int]:
        rows = json.loads(network.run(f"show statistics pe edge/{interface} | json"))["rows"]
        return {row["measure"]: row["total"] or 0 for row in rows}

    def counted() -> set[str]:
        return {row["name"] for row in json.loads(network.run("show statistics pe | json"))["rows"]}

    earlier = kernel()
    network.commit(
        "set telemetry pe-interval 1 polling-interval 1",
        "set bgp-neighbor edge address 192.0.2.77 autonomous-system 65000 local-address 192.0.2.78",
        f"set pe edge driver frr address {lab.wan.address('pe')} instance {lab.wan.router('pe').name}",
    )
    try:
        interfaces = ("ce0", "v-acme")
        assert wait_until(lambda: {f"edge/{one}" for one in interfaces} <= counted(), PATIENCE, 0.2), counted()
        before = {one: shown(one) for one in interfaces}
        assert lab.ping("web-1", PE_HOST, count=100, rate=100).received == 100
        for one in interfaces:
            for measure, each in (("packets", 1), ("bytes", FRAME)):
                for way in ("sends", "gets"):
                    name = f"{way} {measure}"
                    assert wait_until(
                        lambda one=one, name=name, each=each: shown(one)[name] - before[one][name] >= 100 * each,  # type: ignore[misc]
                        PATIENCE, 0.2,
                    ), (one, name, before, shown(one))  # fmt: skip
        there, now = shown("ce0"), kernel()
        assert there["sends packets"] <= now["tx"] - earlier["tx"], (there, earlier, now)
        assert there["gets packets"] <= now["rx"] - earlier["rx"], (there, earlier, now)
    finally:
        network.commit("rollback 1")

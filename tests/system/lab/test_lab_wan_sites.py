"""Two sites joined by the lab's wide area network: machines that go over, partition and healing, IS-IS, a reflector."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import namespaces
from data.errors import CommandFailed
from nshell.lab import Customer, Lab, Machine, Segment, Tenant, Wan, processes
from nshell.lab.main import main
from nshell.lab.probing import wait_until
from nshell.lab.wan import frr
from tests.system.site import free_port
from tests.system.traffic import TcpStream
from tests.system.wan.peers import GoBgp

PATIENCE = 60.0  # seconds
PREFIX = "wlc"
VNI = 77
WAN = Wan(
    igp="isis", reflector=True, second_site=True,
    customers=(Customer(name="acme"), Customer(name="beta", network=("10.9.0.0/24",), route_target="65000:78",
                                               route_distinguisher="65000:1078")),
    segments=(
        Segment(name="seg", vni=VNI, address=("10.1.1.201/24",)),
        Segment(name="seg2", vni=78, address=("10.1.7.201/24",), mac="02:00:0a:01:07:c9", tenant="red",
                router=("10.1.7.1/24",), gateway=("10.1.7.1",)),
    ),
    tenants=(Tenant(name="red", vni=5000, route_target="65000:79"),),
)  # fmt: skip


def machine(name: str, hypervisor: str, host: int) -> Machine:
    return Machine(
        name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=f"02:00:0a:01:01:{host:02x}",
        address=(f"10.1.1.{host}/24",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(PREFIX, tmp_path_factory.mktemp("lab"))
    lab.down()
    try:
        lab.up(1, [machine("vm1", "hv1", 11), machine("vm3", "hv1", 13)], wan=WAN, agents=False)
        lab.second.up(1, [machine("vm2", "hv1", 12)], agents=False)
        lab.wan.wait_converged(PATIENCE)
        yield lab
    finally:
        lab.down()


def join(here: Lab, there: Lab) -> None:
    """All machines of both sites and the segment in one network, by VXLAN and flooding, by hand."""
    for lab, other in ((here, there), (there, here)):
        ovs = lab.ovs("hv1")
        settings = ["type=vxlan", "options:key=flow", "options:remote_ip=flow"]
        ovs.vsctl("--may-exist", "add-port", "br-nsh", "vxlan", "--", "set", "Interface", "vxlan", *settings)
        tunnel = ovs.vsctl("get", "Interface", "vxlan", "ofport").strip()
        ports = [ovs.vsctl("get", "Interface", one.port, "ofport").strip() for one in lab.machines.values()]
        target = f"set_field:{other.tunnel_address('hv1')}->tun_dst,set_field:{lab.tunnel_address('hv1')}->tun_src"
        lab.ofctl("hv1", "del-flows")
        for port in ports:
            local = "".join(f",output:{one}" for one in ports if one != port)
            actions = f"set_field:{VNI}->tun_id,{target},output:{tunnel}{local}"
            lab.ofctl("hv1", "add-flow", f"in_port={port},actions={actions}")
        outputs = ",".join(f"output:{one}" for one in ports) or "drop"
        lab.ofctl("hv1", "add-flow", f"in_port={tunnel},tun_id={VNI},actions={outputs}")


def test_each_site_has_its_own_management_network_and_tunnel_addresses(lab: Lab) -> None:
    second = lab.second
    assert second.controller_address != lab.controller_address
    assert (lab.tunnel_address("hv1"), second.tunnel_address("hv1")) == ("172.31.0.1", "172.31.2.1")
    for node in ("pe", "vtep", "rr"):
        assert " 0% packet loss" in lab.wan.inside(node, "ping", "-c", "1", "-W", "10", second.controller_address)
    assert " 0% packet loss" in lab.on_hypervisor("hv1", ["ping", "-c", "1", "-W", "10", "172.31.2.1"])


def test_machines_of_both_sites_reach_each_other(lab: Lab) -> None:
    join(lab, lab.second)
    assert wait_until(lambda: lab.ping("vm1", "10.1.1.12", count=2).ok, PATIENCE, 0.1)


def test_a_machine_goes_over_to_the_other_site_with_its_connection(lab: Lab) -> None:
    second = lab.second
    join(lab, second)
    assert wait_until(lambda: lab.ping("vm3", "10.1.1.12", count=2).ok, PATIENCE, 0.1)
    with TcpStream(lab, "vm1", "vm3", 5001, stall=PATIENCE) as stream:
        stream.alive(PATIENCE)
        lab.hand_over("vm3", second, "hv1", downtime=0.2)
        join(lab, second)
        assert set(lab.machines) == {"vm1"} and set(second.machines) == {"vm2", "vm3"}
        stream.alive(PATIENCE)
    second.hand_over("vm3", lab, "hv1")
    join(lab, second)
    assert set(lab.machines) == {"vm1", "vm3"}
    assert wait_until(lambda: lab.ping("vm3", "10.1.1.12", count=2).ok, PATIENCE, 0.1)


def speaker(lab: Lab, where: Lab, folder: Path) -> GoBgp:
    """GoBGP at a site's controller address, with the route reflector and the other controller as neighbours."""
    address, other = where.controller_address, (lab.second if where.prefix == lab.prefix else lab).controller_address
    text = f'[global.config]\nas = 65000\nrouter-id = "{address}"\nport = 179\nlocal-address-list = ["{address}"]\n'
    for peer in (lab.wan.address("rr"), other):
        text += f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{peer}"\npeer-as = 65000\n'
        text += f'[neighbors.transport.config]\nlocal-address = "{address}"\n'
        text += "[neighbors.timers.config]\nconnect-retry = 1\nhold-time = 9\nkeepalive-interval = 3\n"
        for family in ("l3vpn-ipv4-unicast", "l2vpn-evpn"):
            text += f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}"\n'
    return GoBgp(namespaces.of_process(os.getpid()), folder, text, free_port())


@pytest.fixture
def controllers(lab: Lab, tmp_path: Path) -> Iterator[tuple[GoBgp, GoBgp]]:
    both = speaker(lab, lab, tmp_path / "one"), speaker(lab, lab.second, tmp_path / "two")
    try:
        for one in both:
            one.start()
        yield both
    finally:
        for one in both:
            one.stop()


@pytest.mark.soak
def test_the_reflector_gives_both_sites_the_routes_of_pe_and_vtep_and_a_partition_takes_them_from_one(
    lab: Lab, controllers: tuple[GoBgp, GoBgp]
) -> None:
    first, second = controllers

    def holds(one: GoBgp) -> bool:
        table = one.show("global", "rib", "-a", "vpnv4") or {}
        return len(table) == 2 and bool(one.show("global", "rib", "-a", "evpn"))

    reflector, peers = lab.wan.address("rr"), (lab.second.controller_address, lab.controller_address)
    assert wait_until(lambda: holds(first) and holds(second), PATIENCE, 0.2)
    assert wait_until(lambda: first.established(peers[0]) and second.established(peers[1]), PATIENCE, 0.2)
    lab.wan.partition()
    try:
        assert wait_until(lambda: not first.established(peers[0]) and not second.established(peers[1]), PATIENCE, 0.2)
        assert wait_until(lambda: not second.established(reflector), PATIENCE, 0.2)
        assert first.established(reflector)
        assert holds(first) and not holds(second)
        assert not reaches(lab, "172.31.2.1") and reaches(lab, lab.wan.loopback("pe"))
    finally:
        lab.wan.heal()
    assert wait_until(lambda: holds(second) and first.established(peers[0]), PATIENCE, 0.2)
    assert wait_until(lambda: reaches(lab, "172.31.2.1"), PATIENCE, 0.2)


def reaches(lab: Lab, address: str) -> bool:
    try:
        return " 0% packet loss" in lab.on_hypervisor("hv1", ["ping", "-c", "1", "-W", "3", address])
    except CommandFailed:
        return False


def test_customers_with_the_same_prefix_are_kept_apart_by_their_labels(
    lab: Lab, controllers: tuple[GoBgp, GoBgp]
) -> None:
    def labels() -> list[int]:
        table = controllers[0].show("global", "rib", "-a", "vpnv4") or {}
        return [label for paths in table.values() for path in paths[:1] for label in path["nlri"]["labels"]]

    assert wait_until(lambda: len(labels()) == 2, PATIENCE, 0.2)
    assert len(set(labels())) == 2


def test_a_tenant_of_the_vtep_announces_prefixes_and_hosts_with_its_router_mac(
    lab: Lab, controllers: tuple[GoBgp, GoBgp]
) -> None:
    assert lab.ping("vt-red", "vh-seg2", count=2).ok  # within the VRF, and the VTEP learns who is there
    held = lambda: str(controllers[0].show("global", "rib", "-a", "evpn"))  # noqa: E731
    mac = next(one.mac for one in WAN.segments if one.name == "seg2")
    assert wait_until(lambda: "10.8.0.0/24" in held() and f"{mac}][ip:10.1.7.201" in held(), PATIENCE, 0.2), held()
    table = controllers[0].show("global", "rib", "-a", "evpn")
    (host,) = next(paths for name, paths in table.items() if f"{mac}][ip:10.1.7.201" in name)
    assert host["nlri"]["value"]["labels"] == [78, 5000]
    prefix = next(paths[0] for name, paths in table.items() if "10.8.0.0/24" in name)
    assert prefix["nlri"]["value"]["label"] == 5000
    assert WAN.tenants[0].router_mac in str(prefix["attrs"]) and WAN.tenants[0].router_mac in str(host["attrs"])


def test_isis_has_every_node_in_its_traffic_engineering_database(lab: Lab) -> None:
    def complete() -> bool:
        database = lab.wan.router("r2").show("show isis mpls-te database json")["ted"]
        return len(database["vertices"]) == len(WAN.nodes)

    assert wait_until(complete, PATIENCE, 0.2), lab.wan.router("r2").ask("show isis mpls-te database json")


def refused(work: Callable[[], object], says: str) -> None:
    with pytest.raises(CommandFailed, match=says):
        work()


def test_what_cannot_be_built_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    lab = Lab("wld", tmp_path)
    try:
        refused(lambda: lab.up(1, agents=False, wan=Wan(igp="rip")), "choose ospf or isis")
        refused(lambda: lab.up(1, agents=False, wan=Wan(customers=(Customer(name="Acme"),))), "rename it")
        refused(lambda: lab.up(1, agents=False, wan=Wan(segments=(Segment(name="a", vni=0, address=()),))), "no VNI")
        refused(
            lambda: lab.up(1, agents=False, wan=Wan(segments=(Segment(name="a", vni=1, address=(), tenant="t"),))),
            "no tenant t",
        )
        assert not lab.is_up
        lab.up(1, agents=False, underlay="ipv4")
        refused(lambda: lab.wan, "no wide area network")
        refused(lambda: lab.second, "no second site")
    finally:
        lab.down()
    long = Lab("wldwldwl", tmp_path / "long")
    try:
        refused(lambda: long.up(1, agents=False, wan=Wan(second_site=True)), "no letter is left")
    finally:
        long.down()


def test_the_command_line_brings_it_up_says_what_runs_and_takes_it_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    which = ["--prefix", "wle", "--state-dir", str(tmp_path / "lab")]

    def typed(*words: str, code: int = 0) -> str:
        assert main([*which, *words]) == code
        both = capsys.readouterr()
        return both.out + both.err

    up = ["up", "--hypervisors", "1", "--no-agents", "--state", str(tmp_path / "state")]
    try:
        assert "add --wan" in typed(*up, "--reflector", code=1)
        said = typed(*up, "--wan", "--igp", "isis", "--reflector", "--sites", "2")
        assert "r1, r2, r3, r4, pe, vtep, rr, converged" in said
        assert "set bgp-neighbor rr " in (tmp_path / "lab" / "wan.nsh").read_text()
        typed("--site", "2", "up", "--hypervisors", "1", "--no-agents", "--state", str(tmp_path / "other"))
        assert "172.31.2.1" in typed("--site", "2", "status")
        status = typed("status")
        assert "IGP isis   11 links, down: none" in status and "ce-acme" in status
        assert "3 of 3 answered" in typed("ping", "ce-acme", "10.9.0.1")
    finally:
        typed("down")
    assert not (tmp_path / "lab").exists()


def test_down_takes_the_second_site_along(lab: Lab) -> None:
    second = lab.second
    switch = processes.look(int((second.state_dir / "hv1" / "ovs-vswitchd.pid").read_text()))
    lab.down()
    assert not second.is_up and not processes.is_alive(switch)
    for left in (os.listdir(namespaces.NAMED), [name for _, name in socket.if_nameindex()], frr.instances(PREFIX)):
        assert not [name for name in left if name.startswith((f"{PREFIX}-", f"{PREFIX}b-"))]

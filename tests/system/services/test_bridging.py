"""Physical segments behind uplinks: l2-domains, VLAN breakout and bridged subnets, with hosts outside the fabric."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pytest

from controller.packets.neighbour import link_local
from nshell.lab import Machine, Outside, Uplink, packets
from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network
from tests.system.saying import arriving, said
from tests.system.traffic import TcpStream

WAN = Uplink(name="wan", hypervisors=("hv1", "hv2"), vlans=(100, 200, 300, 400))
UNKNOWN = 0x88B5  # EtherType for experiments (IEEE 802)
WEB_GATEWAYS, APP_GATEWAYS = ("10.1.1.1", "fd00:1::1"), ("10.1.2.1", "fd00:2::1")
BROADCAST = "ff:ff:ff:ff:ff:ff"


def vm(name: str, hypervisor: str, vport: str, mac: str, *address: str, gateway: tuple[str, ...] = ()) -> Machine:
    return Machine(name=name, hypervisor=hypervisor, vport=vport, mac=mac, address=address, gateway=gateway or None)


MACHINES = (
    vm("a1", "hv1", "acme/office/a1", "02:00:00:aa:00:01", "192.168.7.1/24", "fd00:7::1/64"),
    vm("a2", "hv2", "acme/office/a2", "02:00:00:aa:00:02", "192.168.7.2/24", "fd00:7::2/64"),
    vm("b1", "hv1", "globex/lab/b1", "02:00:00:bb:00:01", "192.168.7.1/24"),
    vm("c1", "hv1", "acme/prod/c1", "02:00:00:cc:00:01", "10.1.1.11/24", "fd00:1::11/64", gateway=WEB_GATEWAYS),
    vm("c2", "hv2", "acme/prod/c2", "02:00:00:cc:00:02", "10.1.2.12/24", "fd00:2::12/64", gateway=APP_GATEWAYS),
)
HOSTS = (
    Outside(name="pa", uplink="wan", vlan=100, address=("192.168.7.50/24", "fd00:7::50/64")),
    Outside(name="pb", uplink="wan", vlan=200, address=("192.168.7.60/24",)),
    Outside(name="pc", uplink="wan", vlan=300, address=("10.1.1.50/24", "fd00:1::50/64"), gateway=WEB_GATEWAYS),
    Outside(name="ph", uplink="wan", vlan=400, address=("10.1.2.60/24",), gateway="10.1.2.1", mac="02:00:00:cc:00:60"),
    Outside(name="stray", uplink="wan", address=("192.168.7.70/24",)),
)
ACME, GLOBEX = "set enterprise acme", "set enterprise globex"
POLICY = (
    f"{ACME} l2-domain office vport a1 mac 02:00:00:aa:00:01",
    f"{ACME} l2-domain office vport a2 mac 02:00:00:aa:00:02",
    f"{ACME} l2-domain office vport door type bridge uplink wan vlan 100",
    f"{GLOBEX} l2-domain lab vport b1 mac 02:00:00:bb:00:01",
    f"{GLOBEX} l2-domain lab vport door type bridge uplink wan vlan 200",
    f"{ACME} domain prod zone z subnet web prefix 10.1.1.0/24 ipv6-prefix fd00:1::/64",
    f"{ACME} domain prod zone z subnet app prefix 10.1.2.0/24 ipv6-prefix fd00:2::/64",
    f"{ACME} domain prod vport c1 subnet web mac 02:00:00:cc:00:01 address 10.1.1.11 address fd00:1::11",
    f"{ACME} domain prod vport c2 subnet app mac 02:00:00:cc:00:02 address 10.1.2.12 address fd00:2::12",
    f"{ACME} domain prod vport door type bridge subnet web uplink wan vlan 300",
    f"{ACME} domain prod vport ph type host subnet app uplink wan vlan 400 mac 02:00:00:cc:00:60 address 10.1.2.60",
)
DOORS = ("acme/office/door", "globex/lab/door", "acme/prod/door", "acme/prod/ph")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(
        tmp_path_factory.mktemp("network"), "b4br", machines=MACHINES, policy=POLICY, hypervisors=2,
        uplinks=(WAN,), outside=HOSTS, agents=False,
    )  # fmt: skip
    try:
        network.ready(*DOORS)
        yield network
    finally:
        network.close()


def mark(number: int) -> bytes:
    """The payload of a frame that is looked for."""
    return struct.pack("!I", number) + b"bridging"


def frame(destination: str, source: str, number: int = 0) -> bytes:
    return packets.ethernet(destination, source, UNKNOWN, mark(number))


def hardware(network: Network, name: str) -> str:
    """The MAC address of a machine or of a host outside."""
    lab = network.lab
    return lab.machines[name].mac if name in lab.machines else lab.outside[name].hardware


def sent(
    network: Network, source: str, frames: Sequence[bytes], *watched: str, reached: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """What others receive of our EtherType, or of whatever comes from these senders, when `source` sends frames. Those
    that something should have `reached` are waited for."""
    senders = {packet[6:12].hex(":") for packet in frames}
    watches = {name: network.lab.watch(name) for name in watched}
    network.lab.send_frames(source, frames, interval=0.02)
    for name in reached:
        watches[name].saw(lambda seen: any(one["source_mac"] in senders for one in seen))
    time.sleep(0.3)
    return {
        name: [one for one in watch.stop()["frames"] if one["source_mac"] in senders] for name, watch in watches.items()
    }


def injected(network: Network, frames: Sequence[bytes], *watched: str, reached: Collection[str] = ()) -> dict[str, int]:
    """How many frames of their senders others receive when the uplink that carries the traffic receives these."""
    carrier = carrying(network)
    port = network.lab.ovs(carrier).vsctl("get", "Interface", WAN.nic, "ofport").strip()
    watches = {name: network.lab.watch(name) for name in watched}
    for packet in frames:
        network.lab.ofctl(carrier, "packet-out", f"in_port={port} packet={packet.hex()} actions=table")
    senders = {packet[6:12].hex(":") for packet in frames}
    for name in reached:
        watches[name].saw(lambda seen: any(one["source_mac"] in senders for one in seen))
    time.sleep(0.3)
    seen = {name: watch.stop()["frames"] for name, watch in watches.items()}
    return {name: sum(1 for one in found if one["source_mac"] in senders) for name, found in seen.items()}


def tagged(packet: bytes, *vlans: int) -> bytes:
    return packet[:12] + b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans) + packet[12:]


def carrying(network: Network) -> str:
    """The hypervisor whose uplink carries the traffic."""
    return next(row["dvrs"] for row in network.rows("show vports") if row["name"] == "door")


def table(network: Network, what: str) -> dict[str, str]:
    """MAC address -> its addresses, as the operator sees them."""
    return {row["mac"]: row["address"] or "" for row in network.rows(f"show mac-table {what}")}


def dropped(network: Network, vport: str) -> dict[str, int]:
    """What was dropped of a vport, by reason."""
    said = json.loads(network.shell.run("--json", "-c", f"show vports {vport} detail").stdout)
    found: dict[str, int] = said[vport]["dropped"]
    return found


def all_reach(network: Network, pairs: Iterable[tuple[str, str]]) -> None:
    for source, destination in pairs:
        done = network.lab.ping(source, destination, count=3)
        assert done.received >= 2, f"{source} -> {destination}: {done}"  # the first may be what somebody is asked for


def none_reach(network: Network, pairs: Iterable[tuple[str, str]]) -> None:
    for source, destination in pairs:
        assert not network.lab.ping(source, destination, count=2, timeout=0.4).received, f"{source} -> {destination}"


def test_an_l2_domain_reaches_from_machines_on_two_hypervisors_to_a_physical_host(network: Network) -> None:
    lab = network.lab
    all_reach(network, (("a1", "a2"), ("a1", "pa"), ("pa", "a2"), ("a2", "fd00:7::50"), ("pa", "fd00:7::1")))
    with lab.tcp_server("pa", 8080), lab.tcp_server("a2", 8081):
        assert lab.tcp("a1", "pa", 8080).ok
        assert lab.tcp("pa", "a2", 8081).ok
    local = str(link_local(hardware(network, "pa")))
    for name in ("a1", "a2"):
        done = lab.exec(name, ["ping", "-6", "-c", "2", "-W", "2", "-I", "eth0", local])
        assert done.returncode == 0, done.stdout + done.stderr
    for source, others in (("a1", ("a2", "pa")), ("pa", ("a1", "a2"))):
        everybody = (*others, "b1", "pb", "c1")
        seen = sent(network, source, [frame(BROADCAST, hardware(network, source))], *everybody, reached=others)
        assert {name: len(frames) for name, frames in seen.items()} == {
            **dict.fromkeys(others, 1), "b1": 0, "pb": 0, "c1": 0,
        }  # fmt: skip
    learned = table(network, "l2-domain office")
    assert set(learned[hardware(network, "pa")].split(", ")) >= {"192.168.7.50", "fd00:7::50"}
    assert "door: bridge, uplink wan vlan 100, 1 of 64 MACs, up" in network.run("show l2-domain office")


def test_two_vlans_of_one_uplink_carry_two_tenants_that_do_not_see_each_other(network: Network) -> None:
    all_reach(network, (("b1", "pb"), ("pb", "b1")))
    none_reach(network, (("b1", "192.168.7.50"), ("pb", "192.168.7.2"), ("stray", "192.168.7.1")))
    everybody = ("a1", "b1", "pb")
    stranger = frame(BROADCAST, "02:0e:00:00:00:77")
    assert injected(network, [tagged(stranger, 100)], *everybody, reached={"a1"}) == {"a1": 1, "b1": 0, "pb": 0}
    assert injected(network, [tagged(stranger, 200)], *everybody, reached={"b1"}) == {"a1": 0, "b1": 1, "pb": 0}
    service = stranger[:12] + struct.pack("!HH", 0x88A8, 5) + stranger[12:]
    others = [tagged(stranger, *vlans) for vlans in ((100, 200), (200, 100), (100, 100), (500,), ())]
    assert injected(network, [*others, tagged(service, 100)], *everybody) == {"a1": 0, "b1": 0, "pb": 0}
    assert dropped(network, "acme/office/door")["vlan_tagged"] == 3


def test_a_routed_domain_and_a_physical_host_reach_each_other_by_the_anycast_gateway(network: Network) -> None:
    lab = network.lab
    network.run("request vport acme/prod/door clear-mac-table")
    assert wait_until(lambda: not table(network, "subnet web"), PATIENCE)
    done = lab.ping("c2", "pc", count=5, rate=10.0)  # nobody knows where it is: it is asked for
    assert done.received >= 3, done
    assert table(network, "vport acme/prod/door") == {hardware(network, "pc"): "10.1.1.50"}
    assert lab.ping("c2", "fd00:1::50", count=5, rate=10.0).received >= 3
    assert table(network, "vport acme/prod/door") == {hardware(network, "pc"): "10.1.1.50, fd00:1::50"}
    all_reach(network, (("c1", "fd00:1::50"), ("pc", "fd00:2::12"), ("pc", "fd00:1::1")))
    all_reach(network, (("c1", "pc"), ("pc", "c1"), ("pc", "c2"), ("pc", "10.1.1.1"), ("pc", "10.1.2.1")))
    with lab.tcp_server("c2", 8080):
        assert lab.tcp("pc", "c2", 8080).ok
    routes = network.rows("show routes enterprise acme domain prod")
    assert ("10.1.1.50/32", "learned", "door") in {(row["prefix"], row["type"], row["next_hop"]) for row in routes}
    arp = network.rows("show arp enterprise acme domain prod")
    assert ("10.1.1.50", hardware(network, "pc"), "behind door") in {
        (row["address"], row["mac"], row["owner"]) for row in arp
    }
    with lab.watch("pc") as watch:
        lab.ping("c2", "pc", count=1)
    ttls = {one["ttl"] for one in watch.stop()["frames"] if one.get("kind") == "icmp"}
    assert ttls == {63}, "routed once"
    none_reach(network, (("c2", "10.1.1.77"), ("pc", "192.168.7.1")))


@pytest.mark.parametrize(
    ("source", "vport", "target", "to", "vlan", "ttl"),
    [
        ("a1", "acme/office/a1", "pa", "192.168.7.50", 100, 64),
        ("a2", "acme/office/a2", "pa", "192.168.7.50", 100, 64),
        ("b1", "globex/lab/b1", "pb", "192.168.7.60", 200, 64),
        ("c1", "acme/prod/c1", "pc", "10.1.1.50", 300, 64),
        ("c2", "acme/prod/c2", "pc", "10.1.1.50", 300, 63),
        ("c2", "acme/prod/c2", "pc", "fd00:1::50", 300, 63),
        ("c1", "acme/prod/c1", "ph", "10.1.2.60", 400, 63),
    ],
)
def test_trace_says_by_which_vlan_packets_break_out_and_where_answers_come_back(
    network: Network, source: str, vport: str, target: str, to: str, vlan: int, ttl: int
) -> None:
    lab, own = network.lab, "" if "prod" in vport else f" source {network.lab.address(source)}"
    assert wait_until(lambda: lab.ping(source, to).ok, PATIENCE, 0.1)
    told = said(network, f"trace from {vport} to {to}{own} reply")
    sender = lab.address6(source) if ":" in to else lab.address(source)
    line = f"{sender} > {to}: "
    with lab.capture(target, "icmp or icmp6") as seen:
        with arriving(lab, carrying(network), [WAN.nic], f"vlan {vlan} and (icmp or icmp6)", 2) as tagged_lines:
            assert lab.ping(source, to).ok
    assert any(line in one and hardware(network, target) in one for one in seen.lines)
    going = [one for one in tagged_lines if line in one and "echo request" in one]
    assert going and all(f"vlan {vlan}," in one and f"{'hlim' if ':' in to else 'ttl'} {ttl}" in one for one in going)
    assert told.words[-1].endswith(f" in VLAN {vlan}") and told.ttl == ttl
    assert told.end == (
        "delivered: to ph" if target == "ph" else f"left: leaves by bridge vport {told.words[-1].split()[2]}"
    )
    assert told.reply is not None and told.reply.end == f"delivered: to {source}"


def test_what_is_asked_for_somebody_unknown_leaves_into_the_segment_as_trace_says(network: Network) -> None:
    told = said(network, "trace from acme/prod/c1 to 10.1.1.77")
    assert told.end == "left: ARP for 10.1.1.77 leaves by bridge vport door: nobody here is known to have it"
    with network.lab.capture("pc", "arp") as seen:
        assert not network.lab.ping("c1", "10.1.1.77", count=1, timeout=0.4).received
        assert wait_until(lambda: any("who-has 10.1.1.77 tell 10.1.1.11" in one for one in seen.read()), PATIENCE, 0.1)


def test_a_physical_host_that_is_a_vport_is_guarded_as_a_machine_is(network: Network) -> None:
    all_reach(network, (("ph", "c1"), ("c1", "ph"), ("ph", "pc"), ("pc", "ph")))
    own, gateway = hardware(network, "ph"), "00:00:5e:00:01:01"
    before = dropped(network, "acme/prod/ph")
    lies: list[bytes] = []
    for sender, source in (("02:00:00:cc:00:99", "10.1.2.60"), (own, "10.1.2.61"), (own, "10.1.1.50")):
        packet = packets.ipv4(source, "10.1.1.11", 1, packets.icmp_echo())
        lies.append(tagged(packets.ethernet(gateway, sender, packets.ETHERTYPE_IPV4, packet), 400))
    with network.lab.watch("c1") as watch:
        injected(network, lies)
    assert not [one for one in watch.stop()["frames"] if one.get("kind") == "icmp"]
    after = dropped(network, "acme/prod/ph")
    assert (after["spoofed_mac"] - before["spoofed_mac"], after["spoofed_ip"] - before["spoofed_ip"]) == (1, 2)


def test_policies_hold_for_who_is_behind_a_bridge_vport_by_his_address(network: Network) -> None:
    shut = "from policy-group outside to subnet app action deny protocol"
    network.commit(
        f"{ACME} domain prod policy-group outside",
        f"{ACME} domain prod vport door policy-group outside",
        f"{ACME} domain prod egress-default allow",
        f"{ACME} domain prod egress-policy shut entry 10 {shut} icmp",
        f"{ACME} domain prod egress-policy shut entry 20 {shut} icmpv6",
    )
    try:
        none_reach(network, [("pc", "c2"), ("pc", "fd00:2::12")])
        all_reach(network, [("c1", "c2")])
        with network.lab.tcp_server("c2", 8082):
            assert network.lab.tcp("pc", "c2", 8082).ok
        all_reach(network, [("pc", "c1")])
    finally:
        network.commit("delete enterprise acme domain prod egress-policy shut")
    all_reach(network, [("pc", "c2")])


def test_a_physical_host_uses_no_address_of_a_vport_nor_of_the_gateway(network: Network) -> None:
    lab = network.lab
    gateway = "00:00:5e:00:01:01"
    all_reach(network, [("c1", "pc")])
    victim, own = hardware(network, "c1"), hardware(network, "pc")
    before = dropped(network, "acme/prod/door")

    def echo(sender: str, source: str, destination: str) -> bytes:
        payload = packets.icmp_echo(1, 1)
        return packets.ethernet(gateway, sender, packets.ETHERTYPE_IPV4, packets.ipv4(source, destination, 1, payload))

    def says(sender: str, ip: str) -> bytes:
        return packets.ethernet(victim, sender, packets.ETHERTYPE_ARP, packets.arp(2, sender, ip, victim, "10.1.1.11"))

    lies = {
        "its MAC address": echo(victim, "10.1.1.50", "10.1.2.12"),
        "that of the gateway": echo(gateway, "10.1.1.50", "10.1.2.12"),
        "the address of a vport": echo(own, "10.1.1.11", "10.1.2.12"),
        "an address of another subnet": echo(own, "10.1.2.99", "10.1.2.12"),
        "ARP for a vport": says(own, "10.1.1.11"),
        "ARP for the gateway": says(own, "10.1.1.1"),
    }
    watches = [lab.watch(name) for name in ("c1", "c2")]
    injected(network, [tagged(packet, 300) for packet in lies.values()])
    seen = [one for watch in watches for one in watch.stop()["frames"] if one.get("kind") in ("icmp", "arp")]
    assert not seen, seen
    after = dropped(network, "acme/prod/door")
    assert {reason: after[reason] - before[reason] for reason in ("spoofed_mac", "spoofed_ip", "spoofed_arp")} == {
        "spoofed_mac": 2, "spoofed_ip": 2, "spoofed_arp": 2,
    }  # fmt: skip
    assert table(network, "vport acme/prod/door") == {own: "10.1.1.50, fd00:1::50"}, "nothing of it was learned"
    good = echo(own, "10.1.1.50", "10.1.2.12")
    with lab.watch("c2") as watch:
        injected(network, [tagged(good, 300)])
        watch.saw(lambda frames: any(one.get("source") == "10.1.1.50" for one in frames))
    assert any(one.get("source") == "10.1.1.50" for one in watch.stop()["frames"]), "what is true arrives"


def test_the_mac_address_above_the_limit_gets_nowhere_and_is_counted(network: Network) -> None:
    network.commit(f"{ACME} l2-domain office vport door mac-limit 3")
    try:
        network.run("request vport acme/office/door clear-mac-table")
        many = [f"02:0e:00:00:01:{number:02x}" for number in range(1, 6)]
        for number in range(3):
            assert sent(network, "pa", [frame(BROADCAST, many[number])], "a1", reached={"a1"})["a1"]
        assert wait_until(lambda: set(table(network, "l2-domain office")) >= set(many[:3]), PATIENCE)
        assert len(table(network, "l2-domain office")) == 3
        before = dropped(network, "acme/office/door")["too_many"]
        for sender in many[3:]:
            assert not sent(network, "pa", [frame(BROADCAST, sender)], "a1")["a1"]
        assert sent(network, "pa", [frame(BROADCAST, many[0])], "a1", reached={"a1"})["a1"], "who was learned goes on"
        assert dropped(network, "acme/office/door")["too_many"] >= before + 2
        assert set(table(network, "l2-domain office")) == set(many[:3])
    finally:
        network.commit(f"{ACME.replace('set', 'delete')} l2-domain office vport door mac-limit")
        network.run("request vport acme/office/door clear-mac-table")


@pytest.mark.parametrize(("policy", "reached"), [("flood", {"a2", "pa"}), ("bridge", {"pa"}), ("drop", set())])
def test_unknown_unicast_goes_where_the_policy_says(network: Network, policy: str, reached: set[str]) -> None:
    network.commit(f"{ACME} l2-domain office unknown-unicast {policy}")
    nobody = frame("02:0e:00:00:00:99", hardware(network, "a1"))
    seen = sent(network, "a1", [nobody], "a2", "pa", "b1", "pb", reached=reached)
    assert {name for name, frames in seen.items() if frames} == reached
    shown = network.run("show l2-domain office")
    assert ("unknown unicast dropped" in shown.lower()) and (policy != "drop" or " 0" not in _dropped_line(shown))
    all_reach(network, (("a1", "a2"), ("a1", "pa"), ("pa", "a1")))


def _dropped_line(shown: str) -> str:
    return next(line for line in shown.splitlines() if "unicast dropped" in line.lower())


def test_another_uplink_of_the_name_takes_over_when_the_interface_is_gone(network: Network) -> None:
    lab = network.lab
    all_reach(network, (("a1", "pa"), ("c2", "pc")))
    first = carrying(network)
    second = "hv1" if first == "hv2" else "hv2"
    known = {what: table(network, what) for what in ("l2-domain office", "subnet web")}
    with TcpStream(lab, "pa", "a1", 8090, stall=8.0) as stream:
        lab.ovs(first).vsctl("del-port", "br-nsh", WAN.nic)
        try:
            assert wait_until(lambda: carrying(network) == second, PATIENCE)
            stream.alive(8.0)
            all_reach(network, (("a1", "pa"), ("pa", "a2"), ("c2", "pc"), ("pc", "c1"), ("b1", "pb")))
            assert {what: table(network, what) for what in known} == known, "what was learned stays"
        finally:
            lab.ovs(first).vsctl(
                "add-port", "br-nsh", WAN.nic, "--", "set", "Interface", WAN.nic, f"external_ids:uplink={WAN.name}"
            )
        stream.alive(8.0)
    assert f"in reserve: {WAN.nic} on {second} carries it" in network.run("show topology")
    all_reach(network, (("a1", "pa"), ("pc", "c2")))


def test_a_machine_that_moved_is_reached_from_outside_and_a_new_controller_knows_what_was_learned(
    network: Network,
) -> None:
    lab = network.lab
    all_reach(network, (("pa", "a1"), ("c2", "pc")))
    known = {what: table(network, what) for what in ("l2-domain office", "subnet web")}
    network.kill()
    all_reach(network, (("a1", "pa"), ("pc", "c2")))
    network.run("show version")
    network.ready(*DOORS)
    assert {what: table(network, what) for what in known} == known
    lab.move("a1", "hv2")
    lab.move("c2", "hv1")
    network.ready(*DOORS)
    all_reach(network, (("pa", "a1"), ("a1", "pa"), ("c2", "pc"), ("pc", "c2")))
    none_reach(network, (("b1", "192.168.7.50"), ("pb", "192.168.7.2")))
    assert network.stale_flows() == {}

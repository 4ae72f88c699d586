"""An address that two machines share follows whoever announced it last, and nobody else can take it.

The machines take the address as VRRP and the like do: they add it and announce it, by gratuitous ARP or an unsolicited
advertisement. Who has it is told by where the packets to it arrive.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from nshell.lab import Machine, packets
from nshell.lab.probing import wait_until
from tests.system.network import Network

BASE = "set enterprise acme domain prod"
ROWS = (("a", "hv1", 11), ("b", "hv2", 12), ("c", "hv3", 13), ("stranger", "hv2", 14))
MACS = {name: f"02:00:0a:01:01:{nth:02x}" for name, _, nth in ROWS}
VIP, VIP6 = "10.1.1.100", "2001:db8:1::100"
VIRTUAL_MAC = "00:00:5e:00:01:64"
POLICY = [
    f"{BASE} zone web subnet web1 prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64",
    f"{BASE} zone app subnet app1 prefix 10.1.2.0/24 ipv6-prefix 2001:db8:2::/64",
    *(
        f"{BASE} vport {name} subnet web1 mac {MACS[name]} address 10.1.1.{nth} address 2001:db8:1::{nth}"
        for name, _, nth in ROWS
    ),
    f"{BASE} vport far subnet app1 mac 02:00:0a:01:02:15 address 10.1.2.21 address 2001:db8:2::21",
    f"{BASE} virtual-ip {VIP} vport a vport b",
    f"{BASE} virtual-ip {VIP6} vport a vport b",
]
WITHIN = 1.0  # seconds from an announcement until everybody's packets follow
CHANGES = 5  # that are believed in ten seconds


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = [
        Machine(
            name=name, hypervisor=hypervisor, vport=f"acme/prod/{name}", mac=MACS[name],
            address=(f"10.1.1.{nth}/24", f"2001:db8:1::{nth}/64"), gateway=("10.1.1.1", "2001:db8:1::1"),
        )
        for name, hypervisor, nth in ROWS
    ]  # fmt: skip
    far = Machine(
        name="far", hypervisor="hv3", vport="acme/prod/far", mac="02:00:0a:01:02:15",
        address=("10.1.2.21/24", "2001:db8:2::21/64"), gateway=("10.1.2.1", "2001:db8:2::1"),
    )  # fmt: skip
    network = Network(tmp_path_factory.mktemp("network"), "q4vip", machines=[*machines, far], policy=POLICY)
    try:
        yield network
    finally:
        network.close()


def address(network: Network, name: str, verb: str, what: str) -> None:
    """Add or delete an address of a machine's interface, without duplicate address detection."""
    length = "128 nodad" if ":" in what else "32"
    words = f"ip -n {network.lab.prefix}-vm-{name} address {verb} {what}/{length} dev eth0"
    subprocess.run(words.split(), check=True)


def take(network: Network, name: str, vip: str = VIP, mac: str | None = None) -> None:
    """The machine has the address from now on, and the others do not."""
    for other in ("a", "b"):
        if has(network, other, vip):
            address(network, other, "delete", vip)
    address(network, name, "add", vip)
    network.lab.send_frames(name, [packets.announcement(mac or MACS[name], vip)])


def has(network: Network, name: str, vip: str) -> bool:
    said = subprocess.run(
        ["ip", "-n", f"{network.lab.prefix}-vm-{name}", "address", "show", "dev", "eth0"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return f" {vip}/" in said.stdout


def reaches(network: Network, source: str, vip: str = VIP) -> set[str]:
    """Who sees the echo requests of a machine to the address."""
    with network.lab.watch("a") as at_a, network.lab.watch("b") as at_b:
        network.lab.ping(source, vip, count=3, timeout=0.3)
    return {
        name
        for name, watch in (("a", at_a), ("b", at_b))
        if any(one.get("destination") == vip and one.get("icmp_type") in (8, 128) for one in watch.report["frames"])
    }


def held_by(network: Network, vip: str = VIP) -> str:
    (row,) = [row for row in network.rows("show virtual-ip") if row["address"] == vip]
    return str(row["holder"])


def follows(network: Network, name: str, vip: str = VIP) -> None:
    """Packets from every side go to this machine within WITHIN, are answered, and go nowhere else."""
    assert wait_until(lambda: held_by(network, vip) == name, WITHIN, 0.02), held_by(network, vip)
    for source in ("c", "far", "stranger"):
        assert network.lab.ping(source, vip, count=2, timeout=0.5).received == 2, source
        assert reaches(network, source, vip) == {name}


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
def test_the_address_follows_its_announcements_to_and_fro(network: Network, vip: str) -> None:
    assert held_by(network, vip) == "a", "nobody announced it yet: the first has it"
    for name in ("b", "a"):
        take(network, name, vip)
        follows(network, name, vip)
    assert network.lab.arp("c", vip) == [MACS["a"]]


def test_a_stream_of_packets_is_on_its_new_way_within_a_second(network: Network) -> None:
    take(network, "b")
    follows(network, "b")
    with network.lab.ping_stream("far", VIP, rate=100.0) as stream:
        time.sleep(0.5)
        take(network, "a")
        time.sleep(WITHIN + 0.5)
    report = stream.stop()
    print(f"\nvirtual-ip: {report['lost']} of {report['sent']} lost, longest gap {report['longest_gap'] * 1000:.0f} ms")
    assert report["longest_gap"] < WITHIN
    assert held_by(network) == "a"


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
def test_a_stranger_cannot_take_it_send_from_it_or_be_heard_announcing_it(network: Network, vip: str) -> None:
    before = held_by(network, vip)
    with network.lab.watch("c") as watch:
        network.lab.send_frames("stranger", [packets.announcement(MACS["stranger"], vip)], count=5)
        network.lab.send_frames("stranger", [packets.announcement(MACS["a"], vip)], count=5)
        address(network, "stranger", "add", vip)
        try:
            assert not network.lab.ping("stranger", "10.1.1.13" if vip == VIP else "2001:db8:1::13", count=1).errors
            if vip == VIP:
                forged = packets.ipv4(vip, "10.1.1.13", 17, packets.udp(9, 9))
                frame = packets.ethernet(MACS["c"], MACS["stranger"], packets.ETHERTYPE_IPV4, forged)
            else:
                forged = packets.ipv6(vip, "2001:db8:1::13", 17, packets.udp(9, 9))
                frame = packets.ethernet(MACS["c"], MACS["stranger"], packets.ETHERTYPE_IPV6, forged)
            network.lab.send_frames("stranger", [frame], count=3)
            time.sleep(0.3)
        finally:
            address(network, "stranger", "delete", vip)
    assert not [one for one in watch.report["frames"] if one.get("source") == vip]
    assert held_by(network, vip) == before
    follows(network, before, vip)


def test_its_holder_sends_from_it_and_a_claim_of_one_that_may_goes_no_further_than_the_controller(
    network: Network,
) -> None:
    take(network, "a")
    follows(network, "a")
    time.sleep(WITHIN + 0.5)  # the subnet has been told
    with network.lab.watch("c") as watch:
        network.lab.send_frames("a", [packets.announcement(MACS["a"], VIP)], count=3)
        forged = packets.ipv4(VIP, "10.1.1.13", 17, packets.udp(9, 9))
        network.lab.send_frames("a", [packets.ethernet(MACS["c"], MACS["a"], packets.ETHERTYPE_IPV4, forged)])
        watch.saw(lambda frames: any(one.get("source") == VIP and one["kind"] == "udp" for one in frames))
        time.sleep(0.3)
    heard = [one["kind"] for one in watch.report["frames"] if one.get("source") == VIP]
    assert heard == ["udp"], "it holds the address already, and nobody need be told again"


def test_the_holder_stays_over_a_restart_of_the_controller_and_over_its_own_move(network: Network) -> None:
    network.restart_controller()  # which forgets how often it changed in the tests above
    take(network, "b")
    follows(network, "b")
    network.restart_controller()
    follows(network, "b")
    network.lab.move("b", "hv3")
    try:
        network.ready()
        follows(network, "b")
    finally:
        network.lab.move("b", "hv2")
        network.ready()
    follows(network, "b")


def test_another_has_it_when_the_holder_is_gone(network: Network) -> None:
    assert held_by(network) == "b"
    network.lab.unplug("b")
    try:
        assert wait_until(lambda: held_by(network) == "a", 5.0)
        address(network, "a", "add", VIP)
        assert wait_until(lambda: network.lab.ping("c", VIP, count=1, timeout=0.3).received == 1, 3.0)
        time.sleep(7.0)  # now it is for good
    finally:
        network.lab.plug("b")
        network.ready()
    assert held_by(network) == "a"
    if has(network, "b", VIP):
        address(network, "b", "delete", VIP)
    follows(network, "a")


def test_of_two_that_fight_nobody_wins_for_ten_seconds_and_an_event_says_so(network: Network) -> None:
    for _ in range(CHANGES + 3):
        for name in ("a", "b"):
            network.lab.send_frames(name, [packets.announcement(MACS[name], VIP)])
    said = [str(row["text"]) for row in network.rows("show system events")]
    assert len([text for text in said if "fight for virtual-ip acme/prod/10.1.1.100" in text]) == 1, said[-5:]
    before = held_by(network)
    other = "b" if before == "a" else "a"
    network.lab.send_frames(other, [packets.announcement(MACS[other], VIP)])
    time.sleep(0.5)
    assert held_by(network) == before


def test_a_virtual_mac_goes_with_the_address(network: Network) -> None:
    vip = "10.1.1.101"
    network.commit(f"{BASE} virtual-ip {vip} vport a vport b", f"{BASE} virtual-ip {vip} mac {VIRTUAL_MAC}")
    lab = network.lab
    try:
        for name in ("a", "b"):
            lab.send_frames(name, [packets.announcement(VIRTUAL_MAC, vip)])
            assert wait_until(lambda: held_by(network, vip) == name, WITHIN, 0.02)  # noqa: B023
            assert lab.arp("c", vip) == [VIRTUAL_MAC]
            assert reaches(network, "c", vip) == {name} == reaches(network, "far", vip)
        lab.send_frames("stranger", [packets.announcement(VIRTUAL_MAC, vip)], count=3)
        time.sleep(0.3)
        assert held_by(network, vip) == "b"
        (row,) = [row for row in network.rows("show virtual-ip") if row["address"] == vip]
        assert (row["mac"], row["dvrs"]) == (VIRTUAL_MAC, "hv2")
    finally:
        network.commit(f"delete {BASE[4:]} virtual-ip {vip}")


def test_nothing_is_left_that_a_fresh_start_would_not_make(network: Network) -> None:
    assert network.stale_flows() == {}

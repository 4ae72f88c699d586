"""DHCP, DHCPv6 and DNS at the gateways, with real clients: what they get, what they keep, and what nobody may do."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from agent import namespaces
from agent.host import run
from controller.packets import dhcp
from nshell.lab import Machine, Outside, Uplink, packets
from nshell.lab.probing import wait_until
from tests.system.network import Network

PRESS, STRANGER = "02:00:00:cc:00:60", "02:00:00:cc:00:61"
SUBNET = "enterprise acme domain prod zone z subnet office"
POLICY = f"""
set {SUBNET} prefix 10.1.1.0/24 ipv6-prefix 2001:db8:1::/64 ipv6-addressing dhcpv6
set {SUBNET} dhcp dhcp-lease 3600 dns-proxy domain-name office.example mtu 1400
set {SUBNET} dhcp-option 224 value 0x0a0b0c
set enterprise acme domain prod vport pc subnet office mac 02:00:0a:01:01:0b address 10.1.1.11 address 2001:db8:1::11
set enterprise acme domain prod vport liar subnet office mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise acme domain prod vport db subnet office mac 02:00:0a:01:01:0d address 10.1.1.13
set enterprise acme domain prod vport press type host subnet office uplink wan vlan 40 mac {PRESS} address 10.1.1.14
set enterprise acme domain prod vport door type bridge subnet office uplink lan
set enterprise beta domain prod zone z subnet office prefix 10.1.1.0/24 domain-name beta.example
set enterprise beta domain prod vport secret subnet office mac 02:00:0a:01:01:0e address 10.1.1.99
"""
MACHINES = (
    Machine(name="pc", hypervisor="hv1", vport="acme/prod/pc", mac="02:00:0a:01:01:0b"),
    Machine(name="liar", hypervisor="hv1", vport="acme/prod/liar", mac="02:00:0a:01:01:0c", address=("10.1.1.12/24",)),
    Machine(name="db", hypervisor="hv2", vport="acme/prod/db", mac="02:00:0a:01:01:0d", address=("10.1.1.13/24",)),
)
DOORS = ("acme/prod/press", "acme/prod/door")
UPLINKS = (Uplink(name="wan", hypervisors=("hv2",), vlans=(40,)), Uplink(name="lan", hypervisors=("hv2",)))
HOSTS = (
    Outside(name="press", uplink="wan", vlan=40, mac=PRESS, address=("192.0.2.1/32",)),
    Outside(name="stranger", uplink="lan", mac=STRANGER, address=("192.0.2.2/32",)),
)
GATEWAY, OUTSIDE = "10.1.1.1", "198.51.100.53"
BOUND = """#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
env > "$REPORT"
ip address replace "$ip/$mask" dev "$interface"
ip link set dev "$interface" mtu "$mtu"
ip route replace default via "$router"
"""
BOUND6 = """#!/bin/sh
case "$reason" in BOUND6|RENEW6) env > "$REPORT"; ip address replace "$new_ip6_address/128" dev "$interface";; esac
exit 0
"""
ASK = """
import sys, dns.message, dns.query, dns.rdatatype
server, name, kind = sys.argv[1:]
said = dns.query.udp(dns.message.make_query(name, kind), server, timeout=3)
print(said.rcode(), *sorted(str(data) for one in said.answer for data in one))
"""


class Upstream:
    """A DNS server outside: it knows www.example.org, and which names it was asked for."""

    def __init__(self, address: str) -> None:
        self.asked: list[str] = []
        self.address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._socket.settimeout(0.1)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._open:
            try:
                data, sender = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(data)
            name = str(query.question[0].name)
            self.asked.append(name)
            reply = dns.message.make_response(query)
            if name == "www.example.org.":
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.80"))
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(reply.to_wire(), sender)

    def close(self) -> None:
        self._open = False
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def upstream(network: Network) -> Iterator[Upstream]:
    """That server at an address of the controller's network, for as long as a test takes."""
    links = json.loads(run(["ip", "-json", "address", "show"]))
    link = next(
        one["ifname"]
        for one in links
        if any(info["local"] == network.lab.controller_address for info in one["addr_info"])
    )
    run(["ip", "address", "replace", f"{OUTSIDE}/32", "dev", link])
    server = Upstream(OUTSIDE)
    try:
        yield server
    finally:
        server.close()
        run(["ip", "address", "del", f"{OUTSIDE}/32", "dev", link])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    network = Network(folder, "d4dhcp", machines=MACHINES, policy=POLICY, hypervisors=2, uplinks=UPLINKS, outside=HOSTS)
    try:
        network.ready(*DOORS)
        yield network
    finally:
        network.close()


def report(path: Path) -> Mapping[str, str]:
    """What a client told its script."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def client(network: Network, tmp_path: Path, machine: str = "pc") -> Mapping[str, str] | None:
    """One run of udhcpc in a machine; what it got, None for nothing."""
    script, told = tmp_path / "bound", tmp_path / "told"
    script.write_text(BOUND)
    script.chmod(0o755)
    told.unlink(missing_ok=True)
    argv = ["env", f"REPORT={told}", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "3", "-T", "1", "-s", str(script)]
    done = network.lab.exec(machine, [*argv, "-O", "224", "-O", "mtu"])
    return report(told) if done.returncode == 0 else None


def asked(network: Network, name: str, kind: str = "A", server: str = GATEWAY, machine: str = "db") -> str:
    """What DNS says at a gateway: return code and data; "" when nobody answers."""
    done = network.lab.exec(machine, [sys.executable, "-c", ASK, server, name, kind])
    return done.stdout.strip()


def request(mac: str, kind: int, *, chaddr: str = "", options: bytes = b"", client: str = "0.0.0.0") -> bytes:
    """A frame with a client's DHCP message (RFC 2131 figure 1), broadcast."""
    hardware = bytes.fromhex((chaddr or mac).replace(":", ""))
    message = struct.pack("!BBBBIHH4s12x16s192x4s", 1, 1, 6, 0, 0x4711, 0, 0x8000, socket.inet_aton(client), hardware,
                          bytes((99, 130, 83, 99)))  # fmt: skip
    message += bytes((53, 1, kind)) + options + b"\xff"
    packet = packets.ipv4(client, "255.255.255.255", 17, packets.udp(68, 67, message.ljust(300, b"\0")))
    return packets.ethernet(packets.BROADCAST, mac, 0x0800, packet)


def answers(network: Network, frames: list[bytes], *, count: int = 1, expected: int = 0) -> list[str]:
    """The DHCP messages that the machine pc receives after it sent these frames; so many are waited for."""
    with network.lab.capture("pc", "udp src port 67") as seen:
        network.lab.send_frames("pc", frames, count=count)
        wait_until(lambda: len(seen.read()) >= expected, 10.0, 0.2)
        time.sleep(0.5)
    return seen.lines


def dropped(network: Network, vport: str, why: str) -> int:
    detail: Mapping[str, Any] = json.loads(network.shell.run("--json", "-c", f"show vports {vport} detail").stdout)
    return int(detail[f"acme/prod/{vport}"]["dropped"][why])


def test_a_client_gets_what_is_configured_for_its_vport_and_reaches_the_network(
    network: Network, tmp_path: Path
) -> None:
    got = client(network, tmp_path)
    assert got is not None
    wanted = {
        "ip": "10.1.1.11", "mask": "24", "router": GATEWAY, "dns": GATEWAY, "mtu": "1400", "lease": "3600",
        "domain": "office.example", "hostname": "pc", "opt224": "0a0b0c", "serverid": GATEWAY,
    }  # fmt: skip
    assert {key: got.get(key) for key in wanted} == wanted
    assert network.lab.addresses("pc")[0] == "10.1.1.11/24"
    assert network.lab.ping("pc", "db").ok and network.lab.ping("pc", GATEWAY).ok
    rows = [row for row in network.rows("show dhcp leases subnet office") if row["protocol"] == "DHCP"]
    assert [(row["vport"], row["address"], row["state"]) for row in rows] == [("pc", "10.1.1.11", "leased")]


def test_a_lease_is_renewed_also_after_a_move_and_a_restart_of_the_controller(network: Network, tmp_path: Path) -> None:
    script, told = tmp_path / "bound", tmp_path / "told"
    script.write_text(BOUND)
    script.chmod(0o755)
    argv = ["env", f"REPORT={told}", "udhcpc", "-i", "eth0", "-f", "-s", str(script), "-O", "mtu"]
    space = namespaces.of_name(network.lab.namespace("pc"))
    process = namespaces.inside(space, lambda: subprocess.Popen(argv, stdout=DEVNULL, stderr=DEVNULL))
    try:
        assert wait_until(told.exists, 10)

        def renews() -> bool:
            told.unlink(missing_ok=True)
            process.send_signal(signal.SIGUSR1)
            return wait_until(told.exists, 10) and report(told).get("ip") == "10.1.1.11"

        assert renews()
        network.lab.move("pc", "hv2")
        network.ready()
        assert renews(), "after the move"
        network.restart_controller()
        assert renews(), "after the restart"
        network.kill()
        time.sleep(0.5)
        assert network.lab.addresses("pc")[0] == "10.1.1.11/24" and network.lab.ping("pc", "db").ok
        network.start_controller()
    finally:
        process.kill()
        process.wait()
        network.lab.move("pc", "hv1")
        network.ready()


def test_nobody_gets_an_address_that_is_not_his(network: Network) -> None:
    mine, other = "02:00:0a:01:01:0b", "02:00:0a:01:01:0d"
    wanted = b"\x32\x04" + socket.inet_aton("10.1.1.13") + b"\x36\x04" + socket.inet_aton(GATEWAY)
    refused = answers(network, [request(mine, dhcp.REQUEST, options=wanted)], expected=1)
    assert len(refused) == 1 and "NACK" in refused[0]
    assert not answers(network, [request(mine, dhcp.DISCOVER, chaddr=other)]), "in the name of another"
    before = dropped(network, "pc", "spoofed_mac")
    assert not answers(network, [request(other, dhcp.DISCOVER)])
    assert dropped(network, "pc", "spoofed_mac") == before + 1
    offered = answers(network, [request(mine, dhcp.DISCOVER)], expected=1)
    assert len(offered) == 1 and "10.1.1.11" in offered[0] and "10.1.1.13" not in offered[0]


def test_a_client_that_floods_hears_five_answers_a_second(network: Network) -> None:
    flood = answers(network, [request("02:00:0a:01:01:0b", dhcp.DISCOVER)], count=200, expected=1)
    assert 1 <= len(flood) <= 10, "5 in each of two seconds"


def test_a_machine_that_plays_dhcp_server_reaches_nobody(network: Network) -> None:
    def offers(port: int) -> list[bytes]:
        return [
            packets.ethernet(mac, "02:00:0a:01:01:0c", 0x0800, packets.ipv4("10.1.1.12", ip, 17, packets.udp(67, port)))
            for mac, ip in ((packets.BROADCAST, "255.255.255.255"), ("02:00:0a:01:01:0d", "10.1.1.13"))
        ]

    before = dropped(network, "liar", "spoofed_dhcp")
    with network.lab.watch("db") as there, network.lab.watch("pc") as here:
        network.lab.send_frames("liar", [*offers(68), *offers(69)])
        there.saw(lambda frames: [frame.get("destination_port") for frame in frames].count(69) == 2)
        time.sleep(0.5)
    ports = [frame.get("destination_port") for frame in there.report["frames"]]
    assert ports.count(69) == 2 and 68 not in ports, "the same to another port does arrive"
    assert 68 not in [frame.get("destination_port") for frame in here.report["frames"]]
    assert dropped(network, "liar", "spoofed_dhcp") == before + 2


def test_a_physical_host_is_served_through_its_vlan_and_a_bridged_segment_is_left_to_itself(
    network: Network, tmp_path: Path
) -> None:
    got = client(network, tmp_path, "press")
    assert got is not None and (got["ip"], got["router"]) == ("10.1.1.14", GATEWAY)
    assert network.lab.ping("press", "10.1.1.13").ok
    with network.lab.watch("db") as inside, network.lab.watch("stranger") as there:
        network.lab.send_frames("stranger", [request(STRANGER, dhcp.DISCOVER)])
        time.sleep(0.5)
    assert 67 in [frame.get("destination_port") for frame in inside.report["frames"]], "a server inside could answer"
    assert 67 not in [frame.get("source_port") for frame in there.report["frames"]], "the gateway does not"


def test_a_dhcpv6_client_gets_its_address_and_the_name_server(network: Network, tmp_path: Path) -> None:
    script, told = tmp_path / "bound6", tmp_path / "told6"
    script.write_text(BOUND6)
    script.chmod(0o755)
    files = ["-lf", str(tmp_path / "leases"), "-pf", str(tmp_path / "pid"), "-sf", str(script)]
    done = network.lab.exec("pc", ["dhclient", "-6", "-1", "-e", f"REPORT={told}", *files, "eth0"])
    try:
        assert told.exists(), done.stderr
        got = report(told)
        assert got["new_ip6_address"] == "2001:db8:1::11"
        assert got["new_dhcp6_name_servers"] == "2001:db8:1::1"
        assert got["new_dhcp6_domain_search"].rstrip(".") == "office.example"
        assert network.lab.ping("pc", "2001:db8:1::1").ok
        rows = [row for row in network.rows("show dhcp leases") if row["protocol"] == "DHCPv6"]
        assert [(row["vport"], row["address"], row["state"]) for row in rows] == [("pc", "2001:db8:1::11", "leased")]
    finally:
        network.lab.exec("pc", ["dhclient", "-6", "-x", *files, "eth0"])


def test_names_of_vports_are_answered_by_the_gateway_and_others_by_the_server_outside(
    network: Network, upstream: Upstream, tmp_path: Path
) -> None:
    assert client(network, tmp_path) is not None
    assert asked(network, "www.example.org") == "5", "refused: there is no server yet"
    network.commit(f"set {SUBNET} dns-server {OUTSIDE}")
    assert asked(network, "pc.office.example") == "0 10.1.1.11"
    assert asked(network, "PC.Office.Example", "AAAA") == "0 2001:db8:1::11"
    assert asked(network, "pc") == "0 10.1.1.11"
    assert asked(network, "13.1.1.10.in-addr.arpa", "PTR", machine="pc") == "0 db.office.example."
    assert asked(network, "nobody.office.example") == "3"
    network.lab.add_address("pc", "2001:db8:1::11/64")
    assert asked(network, "db", server="2001:db8:1::1", machine="pc") == "0 10.1.1.13"
    assert upstream.asked == [], "what the gateway knows is nobody else's business"
    assert asked(network, "www.example.org") == "0 192.0.2.80"
    assert upstream.asked == ["www.example.org."]
    upstream.close()
    assert asked(network, "www.example.org") == "2", "nobody answers there"
    assert asked(network, "pc") == "0 10.1.1.11"


def test_names_and_addresses_of_other_tenants_are_not_told(network: Network, upstream: Upstream) -> None:
    # The other tenant has secret.beta.example at 10.1.1.99, an address of this tenant's subnet, too.
    network.commit(f"set {SUBNET} dns-server {OUTSIDE} dns-proxy")
    assert asked(network, "secret.office.example") == "3"
    for name, kind in (("secret", "A"), ("secret.beta.example", "A"), ("99.1.1.10.in-addr.arpa", "PTR")):
        assert asked(network, name, kind) == "3"
    assert upstream.asked == ["secret.", "secret.beta.example.", "99.1.1.10.in-addr.arpa."]


def test_the_controller_is_asked_nothing_where_neither_dhcp_nor_the_proxy_is_on(network: Network) -> None:
    network.commit(f"delete {SUBNET} dhcp", f"delete {SUBNET} dns-proxy", f"set {SUBNET} ipv6-addressing none")
    flows = [flow for name in network.lab.hypervisors for flow in network.flows(name)]
    assert not [flow for flow in flows if "CONTROLLER:65535" in flow], "whole packets are those that are answered"
    assert not answers(network, [request("02:00:0a:01:01:0b", dhcp.DISCOVER)])
    network.commit("rollback 1")
    assert answers(network, [request("02:00:0a:01:01:0b", dhcp.DISCOVER)], expected=1)
    assert network.stale_flows() == {}

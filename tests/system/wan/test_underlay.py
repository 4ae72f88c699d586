"""The underlay carries two hundred tenants and learns of none: its tables are those that it had for one.

Each tenant has a vport on hv1 and one on hv2, all with the same addresses, and its packets really cross. The underlay
is the bridge between the hypervisors, with its forwarding table, and each hypervisor's own routes and neighbours there.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from agent import namespaces
from agent.host import run
from nshell.lab import packets
from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network

TENANTS = 200
HERE, THERE = "hv1", "hv2"
MACS = {HERE: "02:00:0a:09:09:01", THERE: "02:00:0a:09:09:02"}
ADDRESSES = {HERE: "10.9.9.11", THERE: "10.9.9.12"}
PAYLOAD = b"to tenant "
_TABLES = {
    "forwarding": ("bridge", "fdb", "show"),
    "multicast": ("bridge", "mdb", "show"),
    "routes": ("ip", "route", "show", "table", "all"),
    "neighbours": ("ip", "neighbour", "show"),
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"), "v4und")
    try:
        yield network
    finally:
        network.close()


def tables(network: Network) -> Mapping[str, int]:
    """How many entries the tables of the underlay have, and those of each hypervisor on it."""
    spaces = {"underlay": f"{network.lab.prefix}-fabric"}
    spaces |= {name: f"{network.lab.prefix}-{name}" for name in network.lab.hypervisors}
    found = {}
    for where, space in spaces.items():
        for what, command in _TABLES.items():
            said = namespaces.inside(namespaces.of_name(space), lambda command=command: run(command))  # type: ignore[misc]
            # A hypervisor's own bridges and taps are no underlay; neither is the way to the controller.
            lines = [line for line in said.splitlines() if where == "underlay" or "172.31." in line]
            found[f"{what} of {where}"] = len(lines)
    return found


def cross(network: Network, tenants: range) -> set[int]:
    """Let each tenant's machine on hv1 send a datagram to the one on hv2; the tenants whose datagram came out."""
    with ExitStack() as stack:

        def taps(hypervisor: str) -> dict[int, socket.socket]:
            made = {}
            for tenant in tenants:
                tap = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
                tap.bind((f"t{tenant}", 0))
                tap.setblocking(False)
                made[tenant] = tap
            return made

        ends = {
            name: namespaces.inside(namespaces.of_name(f"{network.lab.prefix}-{name}"), lambda name=name: taps(name))  # type: ignore[misc]
            for name in (HERE, THERE)
        }
        for tenant, tap in ends[HERE].items():
            datagram = packets.udp(4000, 4000, PAYLOAD + str(tenant).encode())
            packet = packets.ipv4(ADDRESSES[HERE], ADDRESSES[THERE], 17, datagram)
            tap.send(packets.ethernet(MACS[THERE], MACS[HERE], 0x0800, packet))
        arrived: set[int] = set()
        limit = time.monotonic() + 5
        while len(arrived) < len(tenants) and time.monotonic() < limit:
            for tenant, tap in ends[THERE].items():
                while frame := received(tap):
                    if PAYLOAD in frame:
                        assert frame.rstrip(b"\0").endswith(PAYLOAD + str(tenant).encode()), (
                            f"tenant {tenant} got {frame!r}"
                        )
                        arrived.add(tenant)
            time.sleep(0.02)
        return arrived


def received(tap: socket.socket) -> bytes:
    """The next frame that came out of a tap, nothing when there is none."""
    try:
        return tap.recv(2048)
    except BlockingIOError:
        return b""


def admit(network: Network, tenants: range) -> None:
    """Configure these tenants and plug their vports in."""
    lines = ["configure"]
    for tenant in tenants:
        words = f"set enterprise t{tenant} domain prod"
        lines.append(f"{words} zone z subnet s prefix 10.9.9.0/24")
        for name in (HERE, THERE):
            lines.append(f"{words} vport {name} subnet s mac {MACS[name]} address {ADDRESSES[name]}")
    network.batch("\n".join([*lines, "commit", ""]))
    for name in (HERE, THERE):
        ports: list[str] = []
        for tenant in tenants:
            ports += [
                "--", "add-port", "br-nsh", f"t{tenant}", "--", "set", "Interface", f"t{tenant}", "type=internal",
                f"external_ids:iface-id=t{tenant}/prod/{name}",
            ]  # fmt: skip
        network.lab.ovs(name).vsctl(*ports[1:])
        links = "".join(f"link set dev t{tenant} up\n" for tenant in tenants)
        network.lab.on_hypervisor(name, ["bash", "-c", f"ip -batch - <<'END'\n{links}END"])

    def all_up() -> bool:
        rows = [row for row in network.rows("show vports") if row["name"] in (HERE, THERE)]
        return len(rows) >= 2 * len(tenants) and all(row["state"] == "up" for row in rows)

    assert wait_until(all_up, PATIENCE, 0.3)


def test_two_hundred_tenants_add_nothing_to_the_tables_of_the_underlay(network: Network) -> None:
    admit(network, range(1, 2))
    assert cross(network, range(1, 2)) == {1}
    for one in network.lab.machines:  # everybody has talked to everybody, so that all is learned that ever will be
        for other in network.lab.machines:
            if one != other:
                assert network.lab.ping(one, other, count=1).ok
    before = tables(network)
    assert before["forwarding of underlay"] >= len(network.lab.hypervisors)
    admit(network, range(2, TENANTS + 1))
    assert cross(network, range(1, TENANTS + 1)) == set(range(1, TENANTS + 1))
    assert tables(network) == before
    print(f"\nunderlay: with 1 tenant as with {TENANTS}: {dict(before)}")

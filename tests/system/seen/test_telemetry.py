"""What is counted is what passed: against the switches' own counters and against what machines sent and got, over a
move, a restarted ovs-vswitchd and a controller that is killed.

The statistics are read from the archive as another process sees it (counted.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from controller.telemetry.keys import Level, Measure, SeriesKey
from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, POLICY
from tests.system.seen.counted import COUNTERS, Counted

BASE = "set enterprise acme domain prod"
RULES = f"""
{BASE} ingress-default allow
{BASE} ingress-policy base entry 10 protocol udp destination-port 9999 action deny
{BASE} ingress-policy base entry 20 protocol icmp action allow
set telemetry polling-interval 1
"""
NOISE = 12  # packets that a machine sends by itself (ARP, discovery) while there is no switch
RATE = 50.0  # packets a second
SENT = 20  # packets, one after the other
UNTOLD = RATE * 1.0
"""Packets of the last half second before a flow goes, twice that on a busy machine: Open vSwitch adds up what its
datapath has counted every 500 ms, and credits what it finds after a change to the flows that there are then."""
SMALL = {Measure.SENDS_PACKETS: 6, Measure.SENDS_BYTES: 600, Measure.GETS_PACKETS: 6, Measure.GETS_BYTES: 600}
"""What a machine's interface may have sent or got before there was anybody to count it."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    network = Counted(tmp_path_factory.mktemp("network"), "tl", policy=POLICY + RULES)
    try:
        yield network
    finally:
        network.close()


def test_what_machines_send_and_get_is_what_is_counted_of_them_and_of_all_that_they_are_part_of(
    network: Counted,
) -> None:
    lab = network.lab
    assert lab.ping("web-1", "web-2", count=100, rate=100).received == 100
    lab.exec("web-1", ["bash", "-c", "for n in {1..25}; do echo x > /dev/udp/10.1.1.12/9999; done"])
    lab.exec("app-1", ["ping", "-b", "-c", "20", "-i", "0.05", "-W", "0.1", "10.1.2.255"])
    machines = ("web-1", "web-2", "app-1", "app-2")
    before = {name: network.interface(name) for name in machines}
    counted = network.settled()
    vports = {name: network.vport(name) for name in machines}
    for name, key in vports.items():
        now = network.interface(name)
        for measure, counter in COUNTERS.items():
            assert before[name][counter] <= counted[key].get(measure, 0) + SMALL[measure], (name, measure)
            assert counted[key].get(measure, 0) <= now[counter], (name, measure)
    assert counted[vports["app-1"]].get(Measure.GETS_PACKETS, 0) < 10, "a broadcast is not got by its sender"
    subnet = network.key(Level.SUBNET, "enterprise", "acme", "domain", "prod", "zone", "web", "subnet", "web1")
    for measure in COUNTERS:
        assert counted[subnet][measure] == counted[vports["web-1"]][measure] + counted[vports["web-2"]][measure]
    assert (
        100 <= counted[SeriesKey(Level.TUNNEL, "hv1>hv2")][Measure.SENDS_PACKETS] < 100 + SMALL[Measure.SENDS_PACKETS]
    )
    assert counted[vports["web-1"]][Measure.DENIED_PACKETS] == 25
    assert Measure.DENIED_PACKETS not in counted[vports["web-2"]]
    assert counted[network.rule("10")] == {Measure.HIT_PACKETS: 25, Measure.HIT_BYTES: 25 * 44}
    assert counted[network.rule("20")][Measure.HIT_PACKETS] == 220, "each echo request and each answer, once"


def test_nothing_is_lost_or_counted_twice_when_machines_move_and_switches_and_the_controller_are_restarted(
    network: Counted,
) -> None:
    """One story, because each step waits for looks: a steady flow of packets under everything that can happen."""
    lab, key = network.lab, network.vport("web-2")
    begun, since = network.settled()[key], time.time()
    with lab.ping_stream("web-1", "web-2", rate=RATE) as stream:
        time.sleep(4)
        lab.move("web-2", "hv3")
        network.ready()
        time.sleep(2)
        moved = network.memory().totals[key]
        network.restart_controller()
        time.sleep(2)
        until = time.time()
        report = stream.stop()
    counted = network.settled()[key]
    assert all(counted[measure] >= moved[measure] >= begun[measure] for measure in COUNTERS), "totals never fall"
    got = counted[Measure.GETS_PACKETS] - begun[Measure.GETS_PACKETS]
    sent = counted[Measure.SENDS_PACKETS] - begun[Measure.SENDS_PACKETS]
    print(f"telemetry: of {report['sent']} requests {got} were counted to it, of {report['received']} answers {sent}")
    assert report["received"] - UNTOLD <= sent <= report["sent"] + SMALL[Measure.SENDS_PACKETS]
    assert report["received"] - UNTOLD <= got <= report["sent"] + SMALL[Measure.GETS_PACKETS]
    rates = network.rates(key, Measure.SENDS_PACKETS, since + 3, until)
    assert len(rates) >= 2 and None not in rates, rates
    assert all(rate is not None and RATE / 4 < rate < RATE * 1.7 for rate in rates[1:-1]), rates


def test_a_switch_that_is_restarted_goes_on_where_it_was(network: Counted) -> None:
    lab, key = network.lab, network.vport("web-1")
    before, sent = network.settled()[key][Measure.SENDS_PACKETS], network.interface("web-1")["tx packets"]
    lab.restart_switch("hv1")
    network.ready()
    assert lab.ping("web-1", "app-1", count=100, rate=100).received >= 95
    really = network.interface("web-1")["tx packets"] - sent
    grown = network.settled()[key][Measure.SENDS_PACKETS] - before
    assert really - NOISE <= grown <= really + 2


def test_a_reply_hits_what_decides_about_it_and_what_belongs_to_no_connection_is_refused_to_its_sender(
    network: Counted,
) -> None:
    """An entry that is not stateful any more while a connection of it lives is asked of its replies, and decides
    nothing: they pass by the default of the other direction."""
    lab, entry = network.lab, f"{BASE} ingress-policy base entry"
    answers = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 7000))\n"
    answers += f"for n in range({SENT}): s.sendto(b'x', ('10.1.1.11', 6000))"
    begins = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 6000))\n"
    begins += "s.sendto(b'x', ('10.1.1.12', 7000))"
    # echo replies that nobody asked for (RFC 792), which no connection tracker can place
    unasked = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
    unasked += f"for n in range({SENT}): s.sendto(bytes.fromhex('0000ffff00000000'), ('10.1.1.12', 0))"

    def run(machine: str, script: str) -> None:
        done = lab.exec(machine, ["python3", "-c", script])
        assert done.returncode == 0, done.stderr

    network.commit(f"{entry} 30 protocol udp destination-port 7000 action allow stateful", f"{entry} 20 stateful")
    try:
        rule, sender = network.rule("30"), network.vport("web-1")
        before = network.settled()
        run("web-1", begins)
        run("web-2", answers)
        run("web-1", unasked)
        stateful = network.settled()
        assert stateful[rule][Measure.HIT_PACKETS] == 1 + SENT, "the packet that began it, and each answer"
        denied = stateful[sender][Measure.DENIED_PACKETS] - before.get(sender, {}).get(Measure.DENIED_PACKETS, 0)
        assert denied == SENT
        network.commit(f"delete {entry.removeprefix('set ')} 30 stateful")
        got = network.interface("web-1")["rx packets"]
        run("web-2", answers)
        assert wait_until(lambda: network.interface("web-1")["rx packets"] >= got + SENT, PATIENCE)
        assert network.settled()[rule][Measure.HIT_PACKETS] == 1 + SENT
    finally:
        network.commit(f"delete {entry.removeprefix('set ')} 30", f"delete {entry.removeprefix('set ')} 20 stateful")

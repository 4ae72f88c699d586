"""Flows that somebody deletes, alters or adds by hand on random hypervisors: seen, put right or only told, audited."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network

TAMPERED = 20
GOAL = 5.0  # seconds in which a flow is to be put right
PACKETS = re.compile(r"n_packets=(\d+)")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("drift"), "dr", agents=False)
    try:
        yield network
    finally:
        network.close()


@pytest.fixture
def dice() -> random.Random:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    return random.Random(seed)


@dataclass(frozen=True)
class Flow:
    """A flow as ovs-ofctl prints it."""

    table: int
    match: str
    actions: str
    packets: int


def flows(network: Network, dvrs: str) -> list[Flow]:
    found = []
    for line in network.lab.ofctl(dvrs, "dump-flows", "--no-names").splitlines():
        if "table=" in line:
            fields, _, actions = line.strip().partition(" actions=")
            table = re.search(r"table=(\d+)", fields)
            counted = PACKETS.search(fields)
            assert table and counted
            match = fields.rpartition(", ")[2].removeprefix("send_flow_rem ")
            found.append(Flow(int(table[1]), match, actions, int(counted[1])))
    return found


def tamper(network: Network, dice: random.Random, dvrs: str, spare: frozenset[tuple[int, str]], way: str) -> str:
    """Deletes, alters or adds a flow; its table by name, as `show drift` has it."""
    while True:
        one = dice.choice([flow for flow in flows(network, dvrs) if (flow.table, flow.match) not in spare])
        at = f"table={one.table},{one.match}"
        try:
            if way == "missing":
                network.lab.ofctl(dvrs, "del-flows", "--strict", at)
            elif way == "wrong":
                other = "drop" if one.actions != "drop" else "resubmit(,63)"
                network.lab.ofctl(dvrs, "mod-flows", "--strict", f"{at},actions={other}")
            else:
                match = f"priority={dice.randrange(1, 60000)},ip,nw_dst=203.0.113.{dice.randrange(256)}"
                network.lab.ofctl(dvrs, "add-flow", f"table={one.table},{match},actions=drop")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as problem:
            print(f"not {way}: {at}: {problem}")  # what ovs-ofctl prints and does not read
            continue
        return at


def carrying(network: Network) -> frozenset[tuple[int, str]]:
    """The flows that a ping from web-1 to web-2 uses, on all hypervisors."""

    def counts() -> dict[tuple[str, int, str], int]:
        return {
            (name, flow.table, flow.match): flow.packets
            for name in network.lab.hypervisors
            for flow in flows(network, name)
        }

    before, used = counts(), frozenset[tuple[int, str]]()
    with network.pinging("web-1", "web-2"):
        # Counters of what the fast path carries follow within a second, or some when the machine is busy.
        for _ in range(int(PATIENCE)):
            former = used
            time.sleep(1.5)
            used = frozenset(key[1:] for key, count in counts().items() if count > before.get(key, 0))
            if used and used == former:
                break
    return used


def told(network: Network, what: str) -> list[dict[str, object]]:
    return [dict(row) for row in network.rows("show events limit 1000 kind drift") if row["facts"].get("what") == what]


def audited(network: Network) -> list[str]:
    return [row["detail"] for row in network.rows("show audit user system limit 1000") if row["origin"] == "drift"]


def test_flows_changed_by_hand_are_put_right_told_and_audited_and_other_traffic_does_not_notice(
    network: Network, dice: random.Random
) -> None:
    right, spare = network.all_flows(), carrying(network)
    ways = [("missing", "wrong", "too many")[number % 3] for number in range(TAMPERED)]
    before = {way: len(told(network, way)) for way in set(ways)}
    rows, took = len(audited(network)), []
    with network.pinging("web-1", "web-2") as report:
        for way in ways:
            dvrs = dice.choice(network.lab.hypervisors)
            at = tamper(network, dice, dvrs, spare, way)
            began = time.monotonic()
            assert wait_until(lambda dvrs=dvrs: network.flows(dvrs) == right[dvrs], PATIENCE, 0.02), f"{way} {at}"  # type: ignore[misc]
            took.append(time.monotonic() - began)
    print(f"put right within {max(took):.2f} s, {sum(took) / len(took):.2f} s on average; goal {GOAL:g} s")
    assert report["lost"] == 0
    assert network.all_flows() == right
    for way in set(ways):
        assert len(told(network, way)) - before[way] == ways.count(way)
    assert len(audited(network)) - rows == TAMPERED
    assert all("repaired: " in detail for detail in audited(network)[rows:])
    sums = network.shell.run("--json", "-c", "show drift").stdout
    assert '"state": "differs"' not in sums


def test_in_report_mode_all_is_told_and_nothing_changed_until_somebody_asks(
    network: Network, dice: random.Random
) -> None:
    right, spare = network.all_flows(), carrying(network)
    network.run("set controller drift report", "commit")
    ways = [("missing", "wrong", "too many")[number % 3] for number in range(TAMPERED)]
    rows = len(audited(network))
    before = {way: len(told(network, way)) for way in set(ways)}
    for way in ways:
        tamper(network, dice, dice.choice(network.lab.hypervisors), spare, way)
    altered = network.all_flows()
    assert altered != right

    def seen() -> int:
        answer = network.shell.run("--json", "-c", "show drift").stdout
        return answer.count('"what": ')

    differing = sum(len(altered[name] ^ right[name]) for name in right)  # one that was altered is two lines
    assert wait_until(lambda: seen() >= min(TAMPERED, differing // 2), PATIENCE, 0.1), network.run("show drift")
    assert network.all_flows() == altered, "nothing was put right"
    assert wait_until(lambda: len(audited(network)) > rows, PATIENCE, 0.1)
    assert all("left as it is: " in detail for detail in audited(network)[rows:])
    assert wait_until(lambda: sum(len(told(network, way)) - before[way] for way in before) >= seen(), PATIENCE, 0.1)
    for name in network.lab.hypervisors:
        network.run(f"request drift repair dvrs {name}")
    assert network.all_flows() == right
    assert seen() == 0
    tamper(network, dice, "hv1", spare, "missing")
    assert wait_until(lambda: seen() == 1, PATIENCE, 0.1)
    network.run("set controller drift repair", "commit")
    assert wait_until(lambda: network.all_flows() == right, PATIENCE, 0.1), "what was only reported is put right"


def test_a_meter_that_is_changed_by_hand_is_put_right_by_the_next_comparison(network: Network) -> None:
    network.commit(
        "set enterprise acme domain prod qos slow ingress-rate 5000",
        "set enterprise acme domain prod vport web-1 qos slow",
        "set controller drift-interval 10",
    )
    meters = network.lab.ofctl("hv1", "dump-meters")
    number = re.search(r"meter=(\d+)", meters)
    assert number, meters
    network.lab.ofctl("hv1", "mod-meter", f"meter={number[1]},kbps,burst,stats,bands=type=drop,rate=9,burst_size=9")
    assert network.lab.ofctl("hv1", "dump-meters") != meters
    # Every 10 s, and each comparison of a busy machine may be thrown away because something was committed meanwhile.
    assert wait_until(lambda: network.lab.ofctl("hv1", "dump-meters") == meters, 3 * PATIENCE, 0.2)
    assert wait_until(lambda: any(row["facts"]["table"] == "meters" for row in told(network, "wrong")), PATIENCE, 0.2)


def test_in_report_mode_a_commit_makes_the_meters_it_needs_and_repairs_nothing_else(network: Network) -> None:
    base = "enterprise acme domain prod"
    network.commit(
        f"set {base} qos slow ingress-rate 5000", f"set {base} qos fast ingress-rate 50000",
        f"set {base} vport web-1 qos slow", f"set {base} vport app-1 qos fast", "set controller drift report",
    )  # fmt: skip

    def held() -> int:
        return network.lab.ofctl("hv1", "dump-meters").count("meter=")

    assert held() == 2
    begun = max(row["number"] for row in network.rows("show events limit 5"))
    network.lab.ofctl("hv1", "del-meters")
    assert wait_until(
        lambda: network.shell.run("--json", "-c", "show drift").stdout.count('"meters"') == 2, PATIENCE, 0.1
    ), network.run("show drift")
    network.commit(f"delete {base} vport web-1 address", f"set {base} vport web-1 subnet app1 address 10.1.2.77")
    assert held() == 1, "the one that the flows of web-1 name"
    later = [row["text"] for row in network.rows("show events limit 50") if row["number"] > begun]
    assert not any("repaired" in text or " flows in " in text for text in later), later
    network.commit("delete controller drift")
    assert wait_until(lambda: held() == 2, PATIENCE, 0.1)

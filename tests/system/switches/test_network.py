"""The operator's view with real packets: policy takes effect at once, restarts and kills cost what they may."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from tests.system.network import Network
from tests.system.traffic import datagram

KILLS = [6, pytest.param(20, marks=pytest.mark.soak)]
BASE = "enterprise acme domain prod"
ALLOW = (
    f"set {BASE} ingress-policy base entry 10 from zone web to zone app protocol tcp destination-port 8443 action allow"
    " stateful"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"), "tnet")
    yield network
    network.close()


def last_revision(network: Network) -> int:
    """The newest revision that took effect."""
    return max(row["revision"] for row in network.rows("show system commit") if row["state"] == "applied")


@pytest.fixture(autouse=True)
def policy_as_it_was(network: Network) -> Iterator[None]:
    """Each test starts from the policy that the network began with, and leaves it."""
    before = last_revision(network)
    yield
    network.run("configure", "discard")
    if last_revision(network) != before:
        network.run("configure", f"rollback {last_revision(network) - before}", "commit")
    network.ready()


def test_a_datagram_in_fragments_passes_the_rule_about_its_port_and_no_other_does(network: Network) -> None:
    for side in ("ingress", "egress"):
        rule = f"set {BASE} {side}-policy dns entry 10 protocol udp destination-port 5353 action allow stateful"
        network.run("configure", rule, "commit")
    there = network.lab.address("web-2")
    for size in (100, 3000):
        assert datagram(network.lab, "web-1", "web-2", there, size, 5353) == (size, size)
    assert datagram(network.lab, "web-1", "web-2", there, 3000, 5354, patience=1.0) == (0, 0)


def test_a_stateful_rule_lets_replies_back_and_ends_its_connections_when_it_goes(network: Network) -> None:
    network.run("configure", ALLOW, "commit")
    with network.lab.tcp_server("app-2", 8443), network.lab.tcp_server("web-1", 8443):
        assert network.lab.tcp("web-1", "app-2", 8443).echoed
        assert not network.lab.tcp("app-2", "web-1", 8443, timeout=0.4).ok
        with network.lab.tcp_stream("web-1", "app-2", 8443) as stream:
            time.sleep(0.5)
            narrowed = f"delete {BASE} ingress-policy base entry 10 destination-port 8443"
            network.run("configure", ALLOW.replace("8443", "9443"), narrowed, "commit")
            time.sleep(1.0)
            network.run("configure", "rollback 1", "commit")
            time.sleep(1.5)
        assert stream.report["longest_gap"] > 0.9, "the connection went on without its rule"
        assert not stream.report["error"], "the connection did not resume when its rule returned"


def test_a_moved_machine_is_reached_at_once_and_leaves_no_flow_behind(network: Network) -> None:
    before = network.all_flows()
    with network.pinging("app-2", "web-2") as report:
        network.lab.move("web-2", "hv3")
        time.sleep(1.0)
    print(f"move: {report['lost']} of {report['sent']} lost, longest gap {report['longest_gap']:.3f} s")
    assert report["received"] > 0
    network.ready()
    assert network.lab.ping("app-2", "web-2").ok
    assert [row["dvrs"] for row in network.rows("show vports") if row["name"] == "web-2"] == ["hv3"]
    emptied = network.flows("hv2")
    assert len(emptied) < len(before["hv2"])
    assert not [flow for flow in emptied if "02:00:0a:01" in flow], "flows of machines that live elsewhere"
    network.lab.move("web-2", "hv2")
    network.ready()
    assert network.lab.ping("web-1", "web-2").ok


def test_a_restart_of_the_daemon_loses_no_packet(network: Network) -> None:
    with network.pinging("web-1", "web-2") as across, network.pinging("web-1", "app-2") as routed:
        network.kill()
        time.sleep(1.0)
        network.start_controller()
    print(f"daemon restart: {across['lost']} of {across['sent']} lost, routed {routed['lost']} of {routed['sent']}")
    assert across["lost"] == routed["lost"] == 0


def test_a_restart_of_an_agent_loses_no_packet(network: Network) -> None:
    with network.pinging("web-1", "web-2") as report:
        network.lab.stop_agent("hv1", kill=True)
        time.sleep(0.5)
        network.lab.start_agent("hv1")
        time.sleep(1.0)
    print(f"agent restart: {report['lost']} of {report['sent']} lost")
    assert report["lost"] == 0


def test_a_restart_of_vswitchd_is_over_when_the_controller_has_pushed_again(network: Network) -> None:
    before = network.flows("hv2")
    with network.pinging("web-1", "web-2") as report:
        network.lab.restart_switch("hv2")
        network.ready()
        time.sleep(1.0)
    print(f"vswitchd restart: {report['lost']} of {report['sent']} lost, longest gap {report['longest_gap']:.3f} s")
    assert network.lab.ping("web-1", "web-2").ok
    assert network.flows("hv2") == before


@pytest.mark.parametrize("kills", KILLS)
def test_after_each_of_several_kills_store_and_switches_agree_and_others_lost_nothing(
    network: Network, kills: int
) -> None:
    # The commits bring entries with whole clauses of flows on all three hypervisors; the pings cross them untouched.
    dice = random.Random(11)
    entries = [
        f"set {BASE} egress-policy wide entry {n} from any to zone app protocol tcp"
        f" destination-port {2 * n + 1}-{5 * n + 900} action allow stateful"
        for n in range(10, 60)
    ]
    icmp = f"set {BASE} egress-policy wide entry 1 protocol icmp action allow"
    network.run("configure", icmp, "commit")
    without = network.all_flows()
    network.batch("\n".join([*entries, "commit", ""]))
    withall = network.all_flows()
    assert all(without[name] != withall[name] for name in ("hv1", "hv3"))
    outcomes: list[str] = []
    with network.pinging("web-1", "web-2") as report:
        for _ in range(kills):
            # One revision back leads from either of the two policies to the other, with the same objects.
            committing = threading.Thread(target=lambda: network.shell.run(text="rollback 1\ncommit\n"))
            committing.start()
            time.sleep(dice.uniform(0.02, 0.25))
            network.kill()
            committing.join()
            network.run("configure", "discard")
            network.ready()
            now = network.all_flows()
            assert now in (without, withall), "some switches hold the old policy and some the new, or neither"
            stored = len(network.run("show configuration | display set | match wide").splitlines())
            assert (stored > len(entries)) == (now == withall), "the store says otherwise than the switches"
            outcomes.append("new" if now == withall else "old")
    print(f"{kills} kills: {outcomes}; {report['lost']} of {report['sent']} pings lost")
    assert report["lost"] == 0

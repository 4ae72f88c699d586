"""trace and why flow at the command line of a real network: the same verdict as real packets, now, then and live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network, machine

BASE = "set enterprise acme domain prod"
ROWS = (("web-1", "hv1", 1, 11), ("app-2", "hv2", 2, 12))
POLICY = [
    f"{BASE} zone web subnet web1 prefix 10.1.1.0/24",
    f"{BASE} zone app subnet app1 prefix 10.1.2.0/24",
    f"{BASE} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
    f"{BASE} vport app-2 subnet app1 mac 02:00:0a:01:02:0c address 10.1.2.12",
]
DROP = "table=30,priority=60000,icmp,actions=drop"  # in `deliver`


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    machines = [machine(*row) for row in ROWS]
    network = Network(tmp_path_factory.mktemp("network"), "tr", machines=machines, policy=POLICY, hypervisors=2)
    yield network
    network.close()


def traced(network: Network, line: str) -> dict[str, Any]:
    """The answer as programs get it."""
    found: dict[str, Any] = json.loads(network.shell.run("--json", "-c", line).stdout)
    return found


def arrives(network: Network) -> bool:
    return network.lab.ping("web-1", "10.1.2.12", count=2).received > 0


def test_trace_tells_what_a_ping_does_before_and_after_a_commit_and_by_whom_it_was(network: Network) -> None:
    assert arrives(network)
    assert "delivered to app-2" in network.run("trace from web-1 to app-2 reply")
    before = int(network.rows("show system commit")[0]["revision"])
    network.commit(f"{BASE} egress-policy base entry 10 protocol icmp action deny")
    try:
        assert not arrives(network)
        said = network.run("trace from web-1 to app-2")
        revision = network.rows("show system commit")[0]["revision"]
        assert f"entry base/10 denies (icmp), revision {revision} by " in said
        assert said.rstrip().endswith("denied by egress-policy entry base/10")
        former = network.run(f"trace from acme/prod/web-1 to 10.1.2.12 at revision {before}")
        assert former.startswith(f"by revision {before}, with every vport where it is now\n")
        assert former.rstrip().endswith("delivered to app-2")
        answer = traced(network, "trace from web-1 to app-2")
        assert answer["verdict"] == "denied"
        assert answer["ways"][0]["at"] == "egress-policy acme/prod/base/10"
        assert any(hop["flow"] for hop in answer["ways"][0]["hops"])
    finally:
        network.commit("delete enterprise acme domain prod egress-policy base")


def test_a_flow_that_somebody_put_there_shows_live_and_why_flow_says_that_it_is_nobodys(network: Network) -> None:
    network.commit("set controller drift report")
    try:
        network.lab.ofctl("hv2", "add-flow", DROP)
        assert wait_until(lambda: not arrives(network), PATIENCE, 0.1)
        assert network.run("trace from web-1 to app-2").rstrip().endswith("delivered to app-2")
        live = network.run("trace from web-1 to app-2 live")
        assert live.rstrip().endswith("dropped: a flow in table deliver that is not of nshell drops it")
        why = network.run("why flow dvrs hv2 table deliver match priority=60000")
        assert "not of nshell" in why
    finally:
        network.lab.ofctl("hv2", "del-flows", "table=30,icmp")
        network.commit("set controller drift repair")
    assert wait_until(lambda: arrives(network), PATIENCE, 0.1)


def test_of_a_hypervisor_that_is_away_is_told_what_it_is_to_hold_and_that_nobody_can_read_it(network: Network) -> None:
    network.lab.stop_switch("hv2")
    try:
        assert wait_until(lambda: network.rows("show dvrs")[1]["state"] == "connected", PATIENCE, 0.1)
        note = "hv2 is connected (OpenFlow: closed by the switch): this is what it is to hold\n"
        told = network.run("trace from web-1 to app-2 reply")
        assert told.startswith(note) and "delivered to app-2" in told
        live = network.run("trace from web-1 to app-2 live", code=1).splitlines()
        assert len(live) == 3 and live[0] == "error: dvrs hv2" and "closed by the switch" in live[1], live
        reason = network.run("why not from web-1 to app-2")
        assert reason.startswith(note) and reason.rstrip().endswith("and so is its answer; nothing else is in the way")
    finally:
        network.lab.start_switch("hv2")
        network.ready()


def test_a_vport_that_is_unplugged_gets_and_sends_nothing_and_why_not_says_what_to_do(network: Network) -> None:
    network.lab.unplug("app-2")
    try:
        assert wait_until(lambda: network.vport_states()["acme/prod/app-2"] == "unresolved", PATIENCE, 0.1)
        for live in ("", " live"):
            told = network.run(f"trace from web-1 to app-2{live}")
            assert told.rstrip().endswith("unresolved: 10.1.2.12 is app-2's, which is not resolved"), told
        assert "unresolved: app-2 is not resolved" in network.run("trace from app-2 to web-1")
        assert "start acme/prod/app-2, or plug its interface in" in network.run("why not from web-1 to app-2")
    finally:
        network.lab.plug("app-2")
        network.ready()


def test_why_flow_names_the_object_its_last_change_and_its_set_lines(network: Network) -> None:
    answer = traced(network, "trace from web-1 to app-2")
    guard = next(hop for hop in answer["ways"][0]["hops"] if hop["table"] == "spoof_guard")
    match = guard["flow"].partition(" actions=")[0]
    said = traced(network, f"why flow dvrs hv1 table spoof_guard match {match}")
    assert said["object"] == "vport acme/prod/web-1"
    assert said["does"] == "forward"
    assert said["changed"].startswith("revision ")
    assert said["set"] == [f"{POLICY[2]}"]
    again = network.run(f"why flow dvrs hv1 cookie {said['cookie']}")
    assert "vport acme/prod/web-1" in again
    assert "it holds no such flow" in network.run("why flow dvrs hv1 match nothing-like-that", code=1)

"""A TCP connect that policy denies: `why not` says who and what would allow it; committed, it works, and no other does.

And rules that decide nothing: their counters stay where they were while real packets pass, and taken away as offered
nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, POLICY, Network

RULES = """
set telemetry polling-interval 2
set enterprise acme domain prod egress-policy guard entry 10 to zone web protocol tcp action allow stateful
set enterprise acme domain prod egress-policy guard entry 20 protocol icmp action allow stateful
set enterprise acme domain prod egress-policy guard entry 30 from vport web-1 to vport app-1 protocol icmp action deny
set enterprise acme domain prod egress-policy guard entry 90 to zone app action deny
set enterprise acme domain prod ingress-default allow
set enterprise acme domain prod ingress-policy far entry 10 to zone app protocol tcp destination-port 9999 action deny
set enterprise acme domain prod vport ghost subnet app1 mac 02:00:0a:01:02:99 address 10.1.2.99
"""
OFFER = (
    "set enterprise acme domain prod egress-policy guard entry 60 from vport web-1 to vport app-2 protocol tcp"
    " destination-port 8443 action allow stateful"
)
ASKED = "why not from web-1 to app-2 protocol tcp destination-port 8443"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("wn"), "wn", policy=POLICY + RULES)
    try:
        yield made
    finally:
        made.close()


def connects(network: Network, source: str, target: str, port: int) -> bool:
    with network.lab.tcp_server(target, port):
        return network.lab.tcp(source, target, port, timeout=5.0).ok


def is_denied(network: Network, source: str, target: str, port: int) -> bool:
    with network.lab.tcp_server(target, port):
        return network.lab.tcp(source, target, port, timeout=0.7).result == "timeout"


def test_to_a_vport_that_is_nowhere_it_says_that_this_comes_first(network: Network) -> None:
    said = network.run("why not from web-1 to ghost protocol tcp destination-port 9999")
    assert "denied by ingress-policy entry far/10" in said
    assert "acme/prod/ghost is on no hypervisor" in said and "start acme/prod/ghost" in said
    assert "no line of the configuration" not in said


def test_what_is_offered_lets_the_connect_through_and_nothing_else(network: Network) -> None:
    assert is_denied(network, "web-1", "app-2", 8443)
    said = network.run(ASKED)
    assert "denied by egress-policy entry guard/90" in said
    assert "revision" in said and OFFER in said
    assert "web-1 -> app-2 tcp/8443 denied -> allowed" in " ".join(said.split())
    network.run(f"{ASKED} candidate")
    assert OFFER in network.run("configure", "compare | display set")
    assert is_denied(network, "web-1", "app-2", 8443), "nothing is applied by asking"
    network.commit()
    assert connects(network, "web-1", "app-2", 8443)
    assert "nothing is in the way" in network.run(ASKED)
    assert connects(network, "app-2", "web-1", 8443), "as before"
    for source, target, port in (("web-1", "app-2", 8444), ("web-2", "app-2", 8443), ("web-1", "app-1", 8443)):
        assert is_denied(network, source, target, port), (source, target, port)


def test_a_shadowed_rule_meets_no_packet_and_goes_without_a_trace(network: Network) -> None:
    rows = {row["rule"]: row for row in network.rows("show rules enterprise acme domain prod")}
    assert rows["guard/30"]["finding"].startswith("shadowed by guard/20, which decides otherwise")
    assert network.lab.ping("web-1", "app-1").ok

    def counted() -> bool:
        rows.update({row["rule"]: row for row in network.rows("show rules enterprise acme domain prod")})
        return bool(rows["guard/20"]["hits"])

    assert wait_until(counted, PATIENCE, 0.5), rows
    assert not rows["guard/30"]["hits"] and rows["guard/20"]["last_hit"]
    lines = network.run('show rules enterprise acme domain prod shadowed removal | except "^#"').splitlines()
    assert "delete enterprise acme domain prod egress-policy guard entry 30" in lines
    network.commit(*lines)
    assert "guard/30" not in network.run("show rules enterprise acme domain prod shadowed")
    assert network.lab.ping("web-1", "app-1").ok

"""What every show command says of a network that lives: the lab, resolved vports, counters of real packets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network

PREFIX = "tshw"
DOMAIN = "enterprise acme domain prod"
RULES = f"""
set {DOMAIN} policy-group frontends
set {DOMAIN} vport web-1 policy-group frontends
set {DOMAIN} ingress-policy base entry 10 from policy-group frontends to zone app protocol icmp action allow stateful
commit comment "frontends may ping app"
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("shows"), PREFIX)
    try:
        made.batch(RULES)
        yield made
    finally:
        made.close()


def normal(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\d+d \d\d:\d\d|\d\d:\d\d:\d\d", "SINCE", text)
    return re.sub(r"in \d+ ms", "in N ms", re.sub(r"controller [\d.]+", "controller ADDRESS", text))


def test_the_topology_is_a_tree_of_hypervisors_and_their_workloads(network: Network) -> None:
    assert normal(network.run("show topology")).splitlines() == [
        "controller ADDRESS   revision 4   ready 3",
        "├── hv1   ready SINCE   tunnel 172.31.0.1",
        "│   ├── port 1   acme/prod/web-1   tap-web-1",
        "│   └── port 2   acme/prod/app-1   tap-app-1",
        "├── hv2   ready SINCE   tunnel 172.31.0.2",
        "│   └── port 1   acme/prod/web-2   tap-web-2",
        "└── hv3   ready SINCE   tunnel 172.31.0.3",
        "    └── port 1   acme/prod/app-2   tap-app-2",
    ]
    tree = json.loads(network.shell.run("--json", "-c", "show topology").stdout)
    assert [each["name"] for each in tree["hypervisors"]] == ["hv1", "hv2", "hv3"]


def test_vports_say_where_they_are(network: Network) -> None:
    rows = {row["name"]: row for row in network.rows("show vports enterprise acme")}
    assert {name: (row["dvrs"], row["state"]) for name, row in rows.items()} == {
        "web-1": ("hv1", "up"), "web-2": ("hv2", "up"), "app-1": ("hv1", "up"), "app-2": ("hv3", "up"),
    }  # fmt: skip
    assert "No. of virtual ports: 4   up 4" in network.run("show vports")


def test_a_vports_detail_counts_what_was_dropped_by_kind(network: Network) -> None:
    def dropped() -> dict[str, int]:
        facts = json.loads(network.shell.run("--json", "-c", "show vports web-1 detail").stdout)["acme/prod/web-1"]
        assert facts["policy_groups"] == ["frontends"] and facts["dvrs"] == "hv1" and facts["port"] == 1
        counts: dict[str, int] = facts["dropped"]
        return counts

    before = dropped()
    assert list(before) == [
        "spoofed_mac", "spoofed_ip", "spoofed_arp", "spoofed_nd", "spoofed_dhcp", "other_protocol", "vlan_tagged",
        "too_many",
    ]  # fmt: skip
    frames = {
        "spoofed_mac": "ffffffffffff 0200deadbeef 0800" + "45" + "00" * 59,
        "other_protocol": "ffffffffffff 02000a01010b 88b5" + "00" * 60,
        "vlan_tagged": "ffffffffffff 02000a01010b 8100 0005 0800" + "00" * 60,
    }
    for frame in frames.values():
        send(network, frame)
    assert wait_until(lambda: all(dropped()[kind] > before[kind] for kind in frames), PATIENCE), dropped()
    lines = network.run("show vports web-1 detail")
    assert re.search(r"dropped\n    spoofed mac +\d+", lines) and re.search(r"received +packets \d+  bytes \d+", lines)


def send(network: Network, frame: str) -> None:
    """One raw frame out of web-1."""
    program = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
        f"s.send(bytes.fromhex('{frame}'))"
    )
    network.lab.exec("web-1", ["python3", "-c", program])


def test_policies_count_what_they_matched(network: Network) -> None:
    def matched() -> dict[str, int]:
        rows = network.rows("show policies counters")
        return {f"{row['direction']} {row['entry']}": row["packets"] for row in rows}

    before = matched()
    network.lab.ping("web-1", "app-2", count=2)
    network.lab.ping("web-1", "web-2", count=1)
    now = matched()
    assert now["ingress base/10"] >= before["ingress base/10"] + 2
    assert now["ingress default"] > before["ingress default"]


def test_flows_name_their_object_and_what_they_do(network: Network) -> None:
    rows = network.rows("show flows dvrs hv1 vport web-1")
    assert {row["object"] for row in rows} == {"vport acme/prod/web-1"}
    assert {"received", "spoofed mac", "vlan tagged", "delivered"} <= {row["purpose"] for row in rows}
    entries = network.rows("show flows dvrs hv3 table ingress_acl")
    assert {"ingress-policy acme/prod/base/10", "domain acme/prod"} <= {row["object"] for row in entries}
    assert all(row["object"] != "not of nshell" for row in network.rows("show flows"))


def test_monitor_shows_the_rates_of_what_flows_now(network: Network) -> None:
    def pictures(command: str) -> list[dict[str, Any]]:
        said = network.shell.run("--json", "-c", f"{command} interval 1 times 2").stdout
        return [json.loads(line) for line in said.splitlines()]

    with network.pinging("web-1", "app-2"):
        _, second = pictures("monitor vports enterprise acme")  # the first has what telemetry knew before
        rates = {row["name"]: row for row in second["rows"]}
        assert rates["acme/prod/web-1"]["received"] > 0 and rates["acme/prod/web-1"]["delivered"] > 0
        assert rates["acme/prod/web-1"]["received_packets"] >= 1 and rates["acme/prod/web-2"]["received"] == 0
        assert second["rows"][0]["name"] in ("acme/prod/web-1", "acme/prod/app-2")
        _, flows = pictures("monitor flows dvrs hv1 vport web-1")
        assert flows["rows"][0]["rate"] > 0 and flows["rows"][0]["object"] == "vport acme/prod/web-1"


def test_a_command_of_the_reference_platform_reaches_the_hypervisor(network: Network) -> None:
    assert "br-nsh" in network.run('tools vswitch hv1 command "ovs-appctl dpif/show"')


def test_routes_mac_and_arp_say_who_reaches_what(network: Network) -> None:
    routes = {row["prefix"]: row for row in network.rows(f"show routes {DOMAIN}")}
    assert routes["10.1.2.12/32"]["tunnel"] == "172.31.0.3" and routes["10.1.1.0/24"]["type"] == "subnet"
    assert {"app-2", "gateway"} <= {row["owner"] for row in network.rows("show mac")}
    arp = {row["address"]: row for row in network.rows("show arp")}
    assert arp["10.1.1.11"]["mac"] == "02:00:0a:01:01:0b" and arp["10.1.1.11"]["dvrs"] == "hv1"


def test_a_hypervisors_detail_counts_its_flows(network: Network) -> None:
    facts = json.loads(network.shell.run("--json", "-c", "show dvrs hv1 detail").stdout)["hv1"]
    assert facts["flows"] == len(network.flows("hv1")) and facts["vports"] == 2
    assert facts["state"] == "ready" and facts["agent"].startswith("0.")


def test_a_check_says_each_flow_with_its_object_and_a_commit_its_receipts(network: Network) -> None:
    entry = f"set {DOMAIN} ingress-policy base entry 20 from zone app to zone web protocol tcp destination-port 80 "
    said = network.run(entry + "action allow", "commit check")
    assert "policy     ingress-policy base: entry 20 added" in said
    assert re.search(r"hv2 +\+\d+ flows \(.*ingress_acl\), \d+ removed", said)
    lines = [line for line in said.splitlines() if line.startswith("  + ")]
    assert any(line.endswith("# ingress-policy acme/prod/base/20") for line in lines)
    said = network.run("commit comment show")
    assert "applied, verified on 3 of 3 hypervisors" in said
    assert "3 verified" in network.run("show system commit")
    revision = network.rows("show system commit")[0]["revision"]
    assert "entry 20" in network.run(f"compare revision {revision - 1} to {revision}")
    assert "entry 20" not in network.run(f"show configuration revision {revision - 1}")

"""The FRR driver's getters and connections against real FRR.

The getters are judged by NAPALM's own tests of drivers (napalm.base.test.getters), unwrapped from its mock.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from napalm.base import exceptions
from napalm.base.test.getters import BaseTestGetters

from controller.pe.frr import FrrDriver
from nshell.lab.probing import wait_until
from tests.system.openssh import SshServer, new_key
from tests.system.wan.frr.pair import PATIENCE, Pair, described, running

GETTERS = [
    "is_alive", "get_facts", "get_interfaces", "get_interfaces_counters", "get_interfaces_ip", "get_environment",
    "get_bgp_neighbors", "get_bgp_neighbors_detail", "get_bgp_config", "get_arp_table", "get_ipv6_neighbors_table",
    "get_mac_address_table", "get_route_to", "get_route_to_longer", "get_network_instances", "get_config",
    "get_config_filtered", "get_config_sanitized", "get_config_sanitized_filtered", "ping",
]  # fmt: skip


@pytest.mark.parametrize("name", GETTERS)
def test_what_a_real_router_says_satisfies_napalms_own_test_of(name: str, pair: Pair) -> None:
    driver = pair.driver()
    assert wait_until(
        lambda: driver.get_bgp_neighbors()["global"]["peers"]["10.9.0.2"]["address_family"]
        .get("ipv4", {}).get("accepted_prefixes", 0) >= 3, PATIENCE,
    )  # fmt: skip
    assert wait_until(lambda: driver.get_route_to("8.8.8.8/32") != {}, PATIENCE)
    assert wait_until(lambda: "success" in driver.ping("2001:db8:9::2", count=1), PATIENCE)
    judge = getattr(BaseTestGetters, f"test_{name}").__wrapped__
    answer = judge(SimpleNamespace(device=driver), "real")
    assert answer
    driver.close()


def test_the_getters_say_what_is_true(pair: Pair) -> None:
    driver = pair.driver()
    assert wait_until(lambda: len(driver.get_route_to("1.0.4.0/24", "bgp", longer=True)) == 2, PATIENCE)
    assert driver.get_facts()["os_version"].startswith(("8.", "9.", "10."))
    interfaces = driver.get_interfaces()
    assert interfaces["wire"]["is_up"] and interfaces["wire"]["mtu"] == 1500
    assert driver.get_interfaces_ip()["wire"]["ipv4"] == {"10.9.0.1": {"prefix_length": 24}}
    peers = driver.get_bgp_neighbors()["global"]
    assert peers["router_id"] == "192.0.2.1"
    assert peers["peers"]["10.9.0.2"]["remote_id"] == "192.0.2.2" and peers["peers"]["10.9.0.2"]["is_up"]
    assert not peers["peers"]["10.9.0.9"]["is_enabled"]
    [route] = driver.get_route_to("1.0.4.0/24")["1.0.4.0/24"]
    assert (route["protocol"], route["next_hop"], route["outgoing_interface"]) == ("bgp", "10.9.0.2", "wire")
    assert route["protocol_attributes"]["as_path"] == "65001"
    assert driver.get_route_to("1.0.4.0/24", "static") == {}
    group = driver.get_bgp_config(group="UP")["UP"]
    assert group["remote_as"] == 65001
    assert group["neighbors"]["10.9.0.2"]["prefix_limit"]["inet"]["unicast"]["limit"] == 1000
    assert driver.get_network_instances("RED")["RED"]["state"]["route_distinguisher"] == "65000:100"
    assert driver.ping("10.9.0.2", count=1)["success"]["packet_loss"] == 0
    assert "error" in driver.ping("203.0.113.1", count=1)
    assert "10.9.0.2" in {one["ip"] for one in driver.get_arp_table()}
    for text in ("1.0.4.0/24; reload", "x\ny"):
        with pytest.raises(ValueError, match="neither an address"):
            driver.get_route_to(text)
    with pytest.raises(exceptions.CommandErrorException):
        driver.cli(["show nonsense"])
    with pytest.raises(exceptions.CommandErrorException, match="one line"):
        driver.cli(["show version\nconfigure terminal"])
    driver.close()


def test_a_router_without_its_daemons_is_a_connection_error(pair: Pair) -> None:
    absent = FrrDriver("", "", "", optional_args=pair.options(instance=f"{pair.names[0]}none"))
    with pytest.raises(exceptions.ConnectionException, match="FRR does not answer"):
        absent.open()
    assert absent.is_alive() == {"is_alive": False}
    with pytest.raises(exceptions.ConnectionClosedException):
        absent.get_facts()


def test_over_ssh_a_commit_survives_the_connection_and_host_keys_are_checked(
    driver: FrrDriver, pair: Pair, tmp_path: Path
) -> None:
    key = new_key(tmp_path, "operator")
    server = SshServer(tmp_path / "sshd", key)
    try:
        host = (tmp_path / "sshd" / "host.pub").read_text().split()
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {host[0]} {host[1]}\n")
        common = {**pair.options(transport="ssh", port=server.port, key_file=str(key)), "system_host_keys": False}

        stranger = FrrDriver("127.0.0.1", "root", "", timeout=30, optional_args=common)
        with pytest.raises(exceptions.ConnectionException, match="not found in known_hosts"):
            stranger.open()
        other_key = new_key(tmp_path, "other")
        trusting = {**common, "alt_host_keys": True, "alt_key_file": str(known)}
        unknown = FrrDriver("127.0.0.1", "root", "", 30, {**trusting, "key_file": str(other_key)})
        with pytest.raises(exceptions.ConnectAuthError):
            unknown.open()

        remote = FrrDriver("127.0.0.1", "root", "", timeout=PATIENCE, optional_args=trusting)
        remote.open()
        assert remote.is_alive() == {"is_alive": True}
        assert remote.get_interfaces_ip() == driver.get_interfaces_ip()
        before = running(remote)
        remote.load_replace_candidate(config=described(before, 'it\'s "over" $(ssh)'))
        assert 'it\'s "over" $(ssh)' in remote.compare_config()
        remote.commit_config(revert_in=5)
        remote.close()
        assert remote.is_alive() == {"is_alive": False}
        with pytest.raises(exceptions.ConnectionClosedException):
            remote.get_facts()
    finally:
        server.close()
    assert wait_until(pair.idle, PATIENCE)
    assert running(driver) == before

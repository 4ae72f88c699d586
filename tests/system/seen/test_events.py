"""Events of a network that lives: moves, denied packets, thresholds, logins, and all of it after kill -9."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network
from tests.system.openssh import OpenSsh, Site

BASE = "enterprise acme domain prod"
WEB_1 = f"{BASE} vport web-1"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("events"), "dre", agents=False)
    try:
        network.run("set telemetry polling-interval 1", "commit")
        yield network
    finally:
        network.close()


def told(network: Network, chosen: str) -> list[Mapping[str, Any]]:
    return network.rows(f"show events limit 1000 {chosen}")


def test_a_move_is_an_event_about_the_vport_and_survives_kill_minus_nine(network: Network) -> None:
    network.lab.move("web-2", "hv3")

    def moved() -> list[Mapping[str, Any]]:
        return [row for row in told(network, "kind vport about acme/prod/web-2") if row["facts"]["state"] == "moved"]

    assert wait_until(lambda: bool(moved()), PATIENCE, 0.1), network.run("show events")
    (row,) = moved()
    assert (row["about"], row["dvrs"], row["severity"]) == (f"{BASE} vport web-2", "hv3", "info")
    assert (row["facts"]["from"], row["facts"]["to"]) == ("hv2", "hv3")
    time.sleep(1.0)  # what the file may lack of the last moments, see keeper.py
    network.restart_controller(kill=True)
    assert moved() == [row]
    numbers = [each["number"] for each in told(network, "")]
    assert numbers == sorted(set(numbers)), "numbers go on where they were"


def test_a_threshold_is_told_when_it_is_crossed_and_when_it_is_over(network: Network) -> None:
    network.run(
        "set threshold busy of vport name acme/prod/web-* measure sends-packets above 50 severity critical", "commit"
    )

    def states() -> list[str]:
        return [row["facts"]["state"] for row in told(network, "kind threshold about acme/prod/web-1")]

    with network.pinging("web-1", "web-2"):
        assert wait_until(lambda: states() == ["crossed"], PATIENCE, 0.2), network.run("show thresholds")
        now = {row["object"]: row["state"] for row in network.rows("show thresholds")}
        assert now["acme/prod/web-1"] == "crossed"
    assert wait_until(lambda: states() == ["crossed", "over"], PATIENCE, 0.2), network.run("show events")
    crossed = told(network, "kind threshold severity critical about acme/prod/web-1")
    assert len(crossed) == 1 and crossed[0]["facts"]["value"] > 50


def test_packets_that_policy_denies_are_summed_up_per_vport_and_per_entry(network: Network) -> None:
    network.run(f"set {BASE} ingress-policy none entry 10 from vport web-1 to vport web-2 action deny", "commit")
    with network.pinging("web-1", "web-2") as report:
        assert wait_until(lambda: bool(told(network, "kind denied about acme/prod/web-1")), PATIENCE, 0.2)
        assert wait_until(lambda: bool(told(network, f"kind denied about {BASE} ingress-policy none")), PATIENCE, 0.2)
        time.sleep(3.0)  # rounds in which nothing more may be told
    assert report["lost"] > 0
    rows = told(network, "kind denied")
    assert sum(row["facts"]["of"] == "vport" for row in rows) == 1, "once a minute, however many they are"
    assert sum(row["facts"]["of"] == "rule" for row in rows) == 1
    assert all(row["facts"]["packets"] > 0 and row["severity"] == "info" for row in rows)
    network.run(f"delete {BASE} ingress-policy none", "commit")


def test_logins_logouts_and_refusals_are_events_and_a_name_that_nobody_has_is_in_none(tmp_path: Path) -> None:
    own = Site(tmp_path)
    try:
        bob = own.user("bob", "class operator password Correct.Horse")
        assert bob.log_in(["wrong", "Correct.Horse"], "show version")[1] == 0
        OpenSsh(own.shell.folder, own.ssh.port, "nobody-here").log_in(["wrong"], "show version")

        def told() -> str:
            return own.run("show events kind session")

        assert wait_until(lambda: "bob from ssh 127.0.0.1" in told() and "logged out after 0:00:" in told(), 10, 0.1)
        said = told()
        assert "bob logged in from ssh 127.0.0.1" in said and "with its password" in said
        assert "refused: wrong password" in said and "nobody-here" not in said
        assert "refused" not in own.run("show events kind session severity error")
    finally:
        own.close()

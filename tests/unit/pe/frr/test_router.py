"""The driver's options, and a router that answers badly."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from napalm.base import exceptions

from controller.pe.frr import FrrDriver, interfaces, routes, transaction
from controller.pe.frr.router import Access
from controller.pe.frr.transport import Done, LocalTransport


class Saying(LocalTransport):
    """A router whose every command ends like this."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], given: str = "", timeout: float = 60.0) -> Done:
        self.asked.append(list(argv))
        return self.done


def access(done: Done, **options: Any) -> tuple[Access, Saying]:
    transport = Saying(done)
    return Access(transport, options, 5.0), transport


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"netnss": "a"}, "unknown optional argument netnss"),
        ({"transport": "telnet"}, "neither ssh nor local"),
        ({"instance": "../../etc"}, "not a name"),
        ({"instance": "-x"}, "not a name"),
        ({"netns": "a b"}, "not a name"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FrrDriver("r1", "u", "p", optional_args=options)


def test_the_instance_is_in_every_place_that_has_one() -> None:
    asked, transport = access(Done(0, "zebra\n", ""), instance="blue", config_directory="/opt/frr/")
    asked.show("show daemons")
    assert transport.asked == [["vtysh", "-N", "blue", "-c", "show daemons"]]
    assert asked.startup_file == "/opt/frr/blue/frr.conf"
    assert asked.router.vtysh_conf == "/opt/frr/blue/vtysh.conf"
    assert asked.router.reload[-2:] == ("-N", "blue") and asked.router.state == "/run/napalm-frr/instance.blue"


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (Done(1, "", "Exiting: failed to connect to any daemons.\n"), exceptions.ConnectionException),
        (Done(127, "", "sh: vtysh: not found"), exceptions.ConnectionException),
        (Done(1, "% Unknown command: show nonsense\n", ""), exceptions.CommandErrorException),
        (Done(0, "{broken", ""), exceptions.CommandErrorException),
    ],
)
def test_bad_answers_become_napalms_exceptions(done: Done, expected: type[Exception]) -> None:
    asked, _ = access(done)
    with pytest.raises(expected):
        asked.json("show nonsense json")


def test_what_is_not_configured_is_an_empty_answer() -> None:
    for done in (Done(0, "% BGP instance not found\n", ""), Done(0, "", ""), Done(1, "% No such thing\n", "")):
        asked, _ = access(done)
        assert asked.json("show bgp vrf all neighbors json") == {}


def test_a_closed_driver_says_that_it_is_not_open() -> None:
    driver = FrrDriver("", "", "", optional_args={"transport": "local"})
    assert driver.is_alive() == {"is_alive": False}
    with pytest.raises(exceptions.ConnectionClosedException, match="open"):
        driver.get_interfaces()
    driver.close()


def test_every_word_of_a_commit_script_is_quoted_for_the_shell() -> None:
    hostile = 'it\'s $(touch x) `y` "z"; \\ end'
    router = transaction.Router("/s p", ("vtysh", "-N", hostile), ("reload", hostile), hostile, hostile, True)
    text = transaction.script(router, f"/s p/{hostile}", "merge", revert_in=7, message=hostile)
    settings = text[: text.index(transaction.BODY)]
    shown = subprocess.run(
        ["sh"], input=settings + '\nprintf "%s|" "$state" "$change" "$message" "$revert_in" "$save"\n',
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert shown.stdout == f"/s p|/s p/{hostile}|{hostile}|7|yes|"
    for script in (text, transaction.START, transaction.MAKE, transaction.WRITE, transaction.REMOVE):
        subprocess.run(["sh", "-n"], input=script, text=True, timeout=60, check=True)


@pytest.mark.parametrize(
    ("uptime", "seconds"),
    [("00:00:07", 7), ("23:59:59", 86_399), ("1d02h03m", 93_780), ("01w2d03h", 788_400), ("", 0), ("never", 0)],
)
def test_frrs_ways_to_say_a_time_are_seconds(uptime: str, seconds: int) -> None:
    assert routes.age(uptime) == seconds


def test_an_interface_that_flapped_after_the_clock_was_set_back_flapped_just_now() -> None:
    found = {"wire": {"lastLinkUp": "2026/11/22 22:29:03.68", "mtu": 1500, "speed": 0xFFFFFFFF}}
    shown = interfaces.interfaces(found, "2026/11/22 22:29:00\n")["wire"]
    assert shown["last_flapped"] == 0.0 and shown["speed"] == -1.0


def test_vrfs_that_are_namespaces_are_told_from_those_that_are_devices() -> None:
    said = "netns-based vrfs\nvrf acme id 1 netns /run/netns/acme\nvrf red id 7 table 100\nvrf idle inactive\n"
    assert interfaces.vrf_names(said) == ["acme", "red", "idle"] and interfaces.vrf_namespaces(said) == ["acme"]


def test_links_of_a_vrf_are_asked_where_zebra_is_and_none_are_told_where_it_may_not_be_entered() -> None:
    it, transport = access(Done(0, '[{"ifname": "ce0"}, {}]', ""), instance="pe1")
    assert it.links_of_vrf("acme") == [{"ifname": "ce0"}]
    assert transport.asked[0][-2:] == ["/var/run/frr/pe1/zebra.pid", "acme"]
    refused, _ = access(Done(1, "", "nsenter: reassociate to namespace failed: Operation not permitted"))
    assert refused.links_of_vrf("acme") == []

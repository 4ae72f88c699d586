"""What a router is sent: golden files for each driver, and what must hold for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.pe.fragment import fragment, owned
from controller.pe.intent import PeIntent
from controller.pe.render import hidden, rendered
from tests.unit.pe.routers import DRIVERS, KEY, both, later

GOLDEN = Path(__file__).parent / "golden"
FOREIGN = ("router bgp 65001", "interface Ethernet5")
"""Blocks of the router's own, which are entered and never removed."""


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_router_is_sent_what_the_golden_file_says(driver: str) -> None:
    first = fragment(both(driver), [], key=KEY)
    assert first == (GOLDEN / f"{driver}.first.txt").read_text()
    assert fragment(later(driver), [both(driver)]) == (GOLDEN / f"{driver}.later.txt").read_text()
    assert fragment(PeIntent(driver), [both(driver)]) == (GOLDEN / f"{driver}.gone.txt").read_text()


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_same_intent_is_the_same_text_and_takes_nothing_back(driver: str) -> None:
    again = fragment(both(driver), [both(driver)], key=KEY)
    assert again == fragment(both(driver), [], key=KEY)
    assert not [line for line in again.splitlines() if line.strip().startswith(("no neighbor", "no vrf", "delete"))]


@pytest.mark.parametrize("driver", DRIVERS)
def test_nothing_that_is_not_ours_is_taken_back(driver: str) -> None:
    for text in (fragment(later(driver), [both(driver)]), fragment(PeIntent(driver), [both(driver), later(driver)])):
        for line in (line.strip() for line in text.splitlines()):
            assert line not in [f"no {one}" for one in FOREIGN]
            if line.startswith(
                ("no router", "no route-map", "no route-policy", "no vrf", "no ip ", "no ipv6 ", "no l3vpn", "delete ")
            ):
                assert "nsh-" in line or "bgp network import-check" in line, line
        assert "no address-family vpnv4" not in text.replace("\n  no", ""), "others of the router's may speak it"


@pytest.mark.parametrize("driver", DRIVERS)
def test_without_a_neighbor_there_is_nothing_and_nothing_is_sent(driver: str) -> None:
    assert rendered(PeIntent(driver)) == "" == fragment(PeIntent(driver), [])
    assert fragment(PeIntent(driver), [PeIntent(driver)]) == ""


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_two_parts_may_have_left_is_taken_back_once(driver: str) -> None:
    text = fragment(PeIntent(driver), [both(driver), later(driver)])
    going = [line for line in text.splitlines() if line.startswith(("no ", "delete "))]
    assert len(going) == len(set(going)) and going


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_key_stands_in_no_text_but_the_one_that_is_loaded(driver: str) -> None:
    assert KEY.split('"')[0] in fragment(both(driver), [], key=KEY)
    assert "S3cr" not in rendered(both(driver)) + fragment(PeIntent(driver), [both(driver)])
    shown = hidden("+" + fragment(both(driver), [], key=KEY).replace("\n", "\n+"), KEY)
    assert "S3cr" not in shown and "********" in shown


def test_a_router_that_shows_its_configuration_in_our_words_is_not_told_to_remove_what_it_has_not() -> None:
    running = "router bgp 65001\n neighbor 192.0.2.1 remote-as 65000\n neighbor 192.0.2.1 password abc\nexit\n"
    assert fragment(PeIntent("frr"), [both("frr")], running=running) == (
        "router bgp 65001\n no neighbor 192.0.2.1\nexit\n"
    )
    text = fragment(later("frr"), [both("frr")], running=running)
    assert " no neighbor 192.0.2.1 password\n" in text and "nsh-red" not in text


def test_secrets_that_routers_turn_into_other_forms_are_hidden_by_the_word_before_them() -> None:
    text = '  neighbor 192.0.2.1 password 7 094F471A1A0A\nauthentication-key "$9$abc"; ## SECRET-DATA\nrd 1:2'
    assert "094F" not in hidden(text) and "$9$" not in hidden(text) and "rd 1:2" in hidden(text)


def test_blocks_of_ours_are_told_from_the_routers_own() -> None:
    assert owned("vrf context nsh-red") and owned("router bgp 65001 vrf nsh-red") and owned("neighbor 192.0.2.1")
    assert not owned("router bgp 65001") and not owned("interface nsh-0") and not owned("address-family vpnv4")

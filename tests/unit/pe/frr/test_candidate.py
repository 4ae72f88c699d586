"""Candidates before they reach a router: what is refused, what a difference looks like, which words are secrets."""

from __future__ import annotations

import pytest

from controller.pe.frr import candidate

TESTED = """
Lines To Delete
===============
no ip route 10.1.0.0/16 Null0
router bgp 65000
 no neighbor 192.0.2.1 remote-as 65001
router bgp 65000
 address-family ipv4 unicast
  no network 10.0.0.0/8
router bgp 65000
 bgp default ipv4-unicast
no router bgp 65000 vrf RED

Lines To Add
============
router bgp 65000
 neighbor 192.0.2.1 remote-as 65002
vrf BLUE
vrf BLUE
 vni 7
"""


def test_a_comparison_reads_as_lines_taken_and_lines_given_inside_their_blocks() -> None:
    assert candidate.difference(TESTED).splitlines() == [
        "-ip route 10.1.0.0/16 Null0",
        " router bgp 65000",
        "- neighbor 192.0.2.1 remote-as 65001",
        "  address-family ipv4 unicast",
        "-  network 10.0.0.0/8",
        "- no bgp default ipv4-unicast",
        "+ neighbor 192.0.2.1 remote-as 65002",
        "-router bgp 65000 vrf RED",
        "+vrf BLUE",
        "+ vni 7",
    ]


def test_no_output_is_no_difference() -> None:
    assert candidate.difference("") == ""


def test_a_merged_no_of_a_line_that_runs_counts_as_its_deletion_and_another_no_as_a_line_of_its_own() -> None:
    lines = ["Lines To Add", "=====", "router bgp 1", " no neighbor 192.0.2.1"]
    tested = "\n".join([*lines, "router bgp 1", " no bgp ebgp-requires-policy"])
    found = candidate.difference(tested, "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n")
    assert found.splitlines() == [" router bgp 1", "- neighbor 192.0.2.1", "+ no bgp ebgp-requires-policy"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("!\n# nothing\nend\n", "empty"),
        ("hostname a\x00b", "line 1 holds a control"),
        ("hostname a\nip route \x1b[2J", "line 2 holds a control"),
        ("x" * (candidate.SIZE_LIMIT + 1), "longer"),
    ],
)
def test_what_cannot_be_a_configuration_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        candidate.normal(text)


def test_line_ends_are_made_alike_and_an_end_in_the_middle_does_not_cut_it_short() -> None:
    assert candidate.normal("hostname a\r\nend\r\n\nip route 10.0.0.0/8 Null0") == (
        "hostname a\nip route 10.0.0.0/8 Null0\n"
    )


def test_a_daemon_that_is_not_there_is_named_with_the_line_that_needs_it() -> None:
    text = "router ospf\n network 10.0.0.0/8 area 0\nexit\nrouter ospf6\nexit\nbfd\nexit\nrouter bgp 1\nexit\n"
    assert candidate.missing_daemons(text, ["zebra", "bgpd"]) == {
        "ospfd": "router ospf", "ospf6d": "router ospf6", "bfdd": "bfd",
    }  # fmt: skip
    assert candidate.missing_daemons(text, ["zebra", "bgpd", "ospfd", "ospf6d", "bfdd"]) == {}


@pytest.mark.parametrize(
    "line",
    [
        " neighbor 192.0.2.1 password SECRET",
        " neighbor UP password SECRET",
        "password SECRET",
        "password 8 SECRET",
        "enable password SECRET",
        "  key-string SECRET",
        " ip ospf authentication-key SECRET",
        " ip ospf 192.0.2.1 authentication-key SECRET",
        " ip ospf message-digest-key 1 md5 SECRET",
        " area 0 virtual-link 192.0.2.1 message-digest-key 1 md5 SECRET",
        " area 0 virtual-link 192.0.2.1 authentication-key SECRET",
        " ipv6 ospf6 authentication key-id 1 hash-algo md5 key SECRET",
        " area-password md5 SECRET",
        " domain-password clear SECRET authenticate snp validate",
        " isis password clear SECRET",
        " ip rip authentication string SECRET",
        " ip nhrp authentication SECRET",
        "  tcp-md5-auth SECRET",
        "username admin password SECRET",
    ],
)
def test_no_secret_of_frr_is_left_in_a_sanitized_configuration_or_a_message(line: str) -> None:
    cleaned = candidate.without_secrets(f"hostname a\n{line}\nrouter bgp 1\n")
    assert "SECRET" not in cleaned and "<removed>" in cleaned
    assert cleaned.splitlines()[0] == "hostname a" and cleaned.splitlines()[-1] == "router bgp 1"
    assert "SECRET" not in candidate.message_without_secrets(
        f"line 2: Failure to communicate[13] to bgpd, line: {line}"
    )


def test_a_description_that_speaks_of_passwords_is_left_alone() -> None:
    text = " neighbor 192.0.2.1 description the password is elsewhere\n"
    assert candidate.without_secrets(text) == text


def test_what_the_router_says_reaches_an_exception_plain_and_once() -> None:
    said = (
        "% No such neighbor\n"
        '2026-11-22 22:46:37,146 \x1b[91m  ERROR\x1b[0m: "router bgp 1 -- no" we failed to remove this command\n'
        "% No such neighbor\n\x1b[2Jgone\n"
    )
    assert candidate.message_without_secrets(said).splitlines() == [
        "% No such neighbor",
        '"router bgp 1 -- no" we failed to remove this command',
        " [2Jgone",
    ]

"""Questions that nobody should ask, and some that one may: a right verdict, or an error with what to ask instead."""

from __future__ import annotations

import pytest

from controller.trace import Verdict
from data.addresses import address
from data.errors import CommandFailed
from tests.unit.trace.network import ask, vport


@pytest.mark.parametrize(
    ("source", "to", "more", "where", "cause", "remedy"),
    [
        ("web-1", "127.0.0.1", {}, "vport acme/prod/web-1", "nothing is sent to 127.0.0.1", "name an address"),
        ("web-1", "0.0.0.0", {}, "vport acme/prod/web-1", "nothing is sent to 0.0.0.0", "name an address"),
        ("web-1", "::1", {}, "vport acme/prod/web-1", "nothing is sent to ::1", "name an address"),
        ("web-1", "ff02::1", {}, "vport acme/prod/web-1", "it has no IPv6 address", "say one with 'source'"),
        (
            "web-1", "10.1.1.12", {"source_address": address("fd00::1")},
            "vport acme/prod/web-1", "fd00::1 and 10.1.1.12 are of two families", "say a 'source' of the family",
        ),
        (
            "web-1", "10.1.1.12", {"protocol": "icmpv6"},
            "vport acme/prod/web-1", "icmpv6 does not go to 10.1.1.12", "say 'protocol icmp'",
        ),
        ("web-1", "db-1", {"protocol": "icmpv6"}, "vport acme/prod/web-1", "it has no IPv6 address", "with 'source'"),
        ("web-1", "edge", {}, "vport acme/prod/edge", "it is a bridge vport", "name an address behind it"),
    ],
)  # fmt: skip
def test_what_no_machine_can_send_is_refused_in_three_parts(
    source: str, to: str, more: dict[str, object], where: str, cause: str, remedy: str
) -> None:
    with pytest.raises(CommandFailed) as refused:
        ask(source, to, **more)  # type: ignore[arg-type]
    lines = str(refused.value).splitlines()
    assert len(lines) == 3 and lines[0].endswith(where) and cause in lines[1] and remedy in lines[2], lines


@pytest.mark.parametrize("to", ["10.1.1.255", "255.255.255.255", "224.0.0.5", "239.1.1.1"])
def test_what_is_for_many_asks_nobody_and_comes_to_all_and_nobody_answers_for_all(to: str) -> None:
    answer = ask("web-1", to, protocol="udp", destination_port=137, reply=True)
    assert (answer.verdict, answer.ways[0].receiver) == (Verdict.DELIVERED, vport("web-2"))
    assert answer.reason == "to web-2 (flooded: leaves to VTEP 192.0.2.2, VXLAN vni 900)"
    assert answer.ways[0].reply is None


def test_a_link_local_address_is_asked_for_in_the_segment_by_the_senders_own() -> None:
    answer = ask("web-1", "fe80::77")
    assert answer.packet == "fe80::ff:fe00:101 -> fe80::77, icmpv6 echo request"
    assert answer.verdict is Verdict.DROPPED


def test_what_comes_through_a_router_behind_a_bridge_vport_bears_the_routers_mac_address() -> None:
    answer = ask("edge", "10.1.1.11", source_address=address("8.8.8.8"))
    assert answer.verdict is Verdict.DELIVERED
    assert not any("is not known yet" in hop.words for hop in answer.hops)
    new = ask("edge", "10.1.1.11", source_address=address("198.51.100.77"))
    assert any("02:00:00:00:00:01 behind edge is not known yet" in hop.words for hop in new.hops)


def test_what_is_for_many_where_nobody_else_is_goes_nowhere() -> None:
    answer = ask("db-1", "10.1.3.255", protocol="udp", destination_port=137)
    assert (answer.verdict, answer.reason) == (
        Verdict.DROPPED,
        "not back to db-1, which sent it, and there is nobody else",
    )


def test_a_question_for_the_neighbour_that_is_spoofed_says_so() -> None:
    answer = ask("web-1", "fd00::1", source_address=address("fd00::2"))
    assert (answer.verdict, answer.reason) == (
        Verdict.DROPPED,
        "neighbour discovery for fd00::1: web-1 may send no such protocol",
    )

"""Fragments, and packets in the middle of a connection: what connection tracking is said to know of them."""

from __future__ import annotations

import pytest

from controller.trace import Connection, Fragment, Verdict
from data.errors import CommandFailed
from tests.unit.trace.network import ask, told, vport


def test_an_answer_passes_by_the_rule_that_lets_its_connection_begin() -> None:
    answer = ask(
        "db-1", "web-1", protocol="tcp", source_port=5432, destination_port=49152, connection=Connection.ANSWER
    )
    assert answer.packet == "10.1.3.21 -> 10.1.1.11, tcp 5432 -> 49152, an answer in an established connection"
    assert "hv1 egress_reply: on to nat_out" in [f"{hop.dvrs} {hop.table}: {hop.words}" for hop in answer.hops]
    assert answer.verdict is Verdict.DELIVERED


def test_an_established_connection_goes_on_only_as_long_as_its_rule_lets_it() -> None:
    for port, verdict in ((5432, Verdict.DELIVERED), (23, Verdict.DENIED)):
        answer = ask(
            "web-1", "db-1", protocol="tcp", destination_port=port, connection=Connection.ESTABLISHED, reply=True
        )
        assert answer.verdict is verdict
        assert any("connection: established (zone 1)" in hop.words for hop in answer.hops)
        back = answer.ways[0].reply
        assert (back is not None and back.receiver == vport("web-1")) is (verdict is Verdict.DELIVERED)
    refused = ask("db-1", "web-1", protocol="tcp", source_port=23, destination_port=49152, connection=Connection.ANSWER)
    assert refused.verdict is Verdict.DELIVERED, "no rule is about what it answers: it passes as what begins does"


def test_an_error_about_a_connection_passes_without_a_rule() -> None:
    answer = ask("db-1", "web-1", connection=Connection.RELATED)
    assert answer.packet == "10.1.3.21 -> 10.1.1.11, icmp unreachable, about a packet of an established connection"
    assert "hv1 egress_state: related to a connection: passes" in told(answer)
    assert answer.verdict is Verdict.DELIVERED
    assert ask("db-1", "web-1", connection=Connection.RELATED, reply=True).ways[0].reply is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"connection": Connection.RELATED, "protocol": "udp"}, "udp is never related to a connection"),
        ({"connection": Connection.RELATED, "icmp_type": 8}, "ICMP type 8 is no error about a packet"),
        ({"connection": Connection.ANSWER, "icmp_type": 8}, "ICMP type 8 answers nothing"),
        ({"connection": Connection.ESTABLISHED, "icmp_type": 0}, "ICMP type 0 asks nothing"),
    ],
)
def test_what_cannot_be_in_such_a_place_is_refused_with_what_to_say(more: dict[str, object], reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason):
        ask("web-1", "db-1", **more)  # type: ignore[arg-type]


def test_a_later_fragment_shows_no_ports_and_waits_for_the_first() -> None:
    for part, words in ((Fragment.FIRST, "the first fragment"), (Fragment.LATER, "a later fragment")):
        whole = ask("web-1", "db-1", protocol="tcp", destination_port=5432, fragment=part)
        assert (whole.packet, whole.verdict) == (
            f"10.1.1.11 -> 10.1.3.21, tcp 49152 -> 5432, {words}",
            Verdict.DELIVERED,
        )
    first, later = (ask("web-1", "db-1", protocol="tcp", destination_port=23, fragment=part) for part in Fragment)
    assert (first.verdict, first.reason) == (Verdict.DENIED, "by egress-policy entry base/10")
    assert later.verdict is Verdict.DROPPED, "entry 10 is about a port, which it does not show"
    assert "waits for the other fragments" in later.reason
    assert told(later)[-1] == "hv3 egress_verdict: connection tracking waits for the other fragments of the packet"


def test_the_answer_to_a_packet_that_was_cut_up_is_whole() -> None:
    back = ask("web-1", "db-1", protocol="udp", destination_port=53, fragment=Fragment.LATER, reply=True).ways[0].reply
    assert back is not None
    assert back.verdict is Verdict.DELIVERED
    assert any("connection: established, reply" in hop.words for hop in back.hops)

"""Where a packet goes, in words: the cases that no dummy switch has, and the words themselves."""

from __future__ import annotations

import pytest

from controller.compile import compile_all
from controller.openflow import actions as a
from controller.openflow.packed import flow
from controller.pipeline import Table
from controller.trace import Compiled, Held, Question, Unread, Verdict, trace
from controller.trace.tables import Tables
from data.addresses import address
from data.errors import CommandFailed
from data.steps import at_once
from tests.unit.trace.network import ask, network, told, vport


def test_every_hop_to_another_hypervisor_is_told_with_what_decided_it() -> None:
    answer = ask("web-1", "db-1", protocol="tcp", destination_port=5432)
    assert told(answer) == [
        "hv1 classify: in from web-1 (acme/prod, subnet web1)",
        "hv1 spoof_guard: source 10.1.1.11 / 02:00:00:00:01:01 is web-1's",
        "hv1 ingress_acl: no entry matches, the default of acme/prod allows",
        "hv1 route: 10.1.3.21 is db-1's, subnet db1, ttl 64 -> 63",
        "hv1 switch: db-1 is on hv3: VXLAN vni 5002 to 172.31.0.3",
        "hv3 classify: in by the tunnel on VXLAN vni 5002: subnet db1",
        "hv3 switch: db-1 is here",
        "hv3 egress_acl: entry base/20 of the template allows (everything), stateful",
        "hv3 deliver: out to db-1",
    ]
    assert (answer.verdict, answer.reason, answer.visited) == (Verdict.DELIVERED, "to db-1", ("hv1", "hv3"))
    assert answer.packet == "10.1.1.11 -> 10.1.3.21, tcp 49152 -> 5432"


def test_a_denial_names_the_entry_that_the_template_gives() -> None:
    answer = ask("web-1", "db-1", protocol="tcp", destination_port=23)
    assert (answer.verdict, answer.reason) == (Verdict.DENIED, "by egress-policy entry base/10")
    assert answer.at == ("enterprise", "acme", "domain", "prod", "egress-policy", "base", "entry", "10")


def test_the_answer_of_a_stateful_connection_passes_on_account_of_the_rule_that_began_it() -> None:
    answer = ask("web-1", "db-1", protocol="tcp", destination_port=5432, reply=True)
    back = answer.ways[0].reply
    assert back is not None
    assert (back.verdict, back.receiver) == (Verdict.DELIVERED, vport("web-1"))
    words = [hop.words for hop in back.hops]
    assert "reply to what entry base/20 of the template of the egress policy allows (everything)" in words


@pytest.mark.parametrize(
    ("to", "more", "verdict", "reason"),
    [
        ("10.200.1.1", {}, Verdict.LEFT, "leaves to PE pe1 (192.0.2.1), MPLS label 300"),
        ("10.1.1.77", {}, Verdict.LEFT, "leaves to VTEP 192.0.2.2, VXLAN vni 900"),
        (
            "10.1.1.78",
            {},
            Verdict.LEFT,
            "ARP for 10.1.1.78 leaves to VTEP 192.0.2.2, VXLAN vni 900: nobody here is known to have it",
        ),
        ("8.8.8.8", {}, Verdict.LEFT, "leaves by bridge vport edge"),
        ("10.1.1.19", {}, Verdict.UNRESOLVED, "10.1.1.19 is web-9's, which is not resolved: nobody answers ARP for it"),
        ("web-9", {}, Verdict.UNRESOLVED, "10.1.1.19 is web-9's, which is not resolved: nobody answers ARP for it"),
        ("10.1.3.99", {}, Verdict.DROPPED, "10.1.3.99 is in subnet db1, and nobody there has it"),
        ("10.1.1.11", {}, Verdict.DROPPED, "10.1.1.11 is its own address"),
        ("10.1.1.1", {}, Verdict.ANSWERED, "the switch answers in the name of the gateway"),
        ("10.1.1.1", {"protocol": "udp", "destination_port": 53}, Verdict.ANSWERED, "the controller answers: DNS"),
        (
            "255.255.255.255",
            {"protocol": "udp", "source_port": 68, "destination_port": 67},
            Verdict.ANSWERED,
            "the controller answers: DHCP",
        ),
        (
            "198.51.100.77",
            {},
            Verdict.DROPPED,
            "nobody is known to have 198.51.100.77; the controller asks for it in the segment",
        ),
        (
            "10.1.3.21",
            {"source_address": address("10.1.1.12")},
            Verdict.DROPPED,
            "source 10.1.1.12 is not web-1's (anti-spoofing)",
        ),
    ],
)
def test_each_end_of_a_packet_has_its_words(to: str, more: dict[str, object], verdict: Verdict, reason: str) -> None:
    answer = ask("web-1", to, **more)  # type: ignore[arg-type]
    assert (answer.verdict, answer.reason) == (verdict, reason)


def test_source_nat_is_done_where_the_packet_leaves_and_undone_for_the_answer() -> None:
    answer = ask("web-1", "8.8.8.8", reply=True)
    assert "hv3 nat_out: source-nat out: source 10.1.1.11 becomes 198.51.100.200" in told(answer)
    back = answer.ways[0].reply
    assert back is not None
    assert back.receiver == vport("web-1")
    assert "source-nat out: destination 198.51.100.200 becomes 10.1.1.11" in [hop.words for hop in back.hops]


def test_limits_marks_and_copies_are_told_on_the_way() -> None:
    there, back = ask("web-2", "web-1"), ask("web-1", "web-2")
    assert "hv2 classify: in from web-2 (acme/prod, subnet web1), limited to 1000 kbit/s" in told(there)
    assert "hv2 mark: marked with dscp 46" in told(there)
    assert "hv2 classify: a copy goes to the collector of a mirror" in told(there)
    assert "hv2 limited: limited to 2000 kbit/s" in told(back)
    assert there.verdict is back.verdict is Verdict.DELIVERED


def test_a_tenant_with_the_same_addresses_reaches_nothing_of_the_other() -> None:
    answer = ask("bolt/prod/b-1", "10.1.3.21")
    assert (answer.verdict, answer.reason) == (Verdict.DROPPED, "there is no route to 10.1.3.21")
    assert all(hop.object is None or hop.object[1] == "bolt" for hop in answer.hops)


def test_a_sender_that_is_nowhere_sends_nothing() -> None:
    answer = ask("web-9", "10.1.1.11")
    assert (answer.verdict, answer.hops) == (Verdict.UNRESOLVED, ())
    assert answer.reason == "web-9 is not resolved: no hypervisor reports its interface"


def test_without_the_underlay_no_tunnel_address_is_named() -> None:
    for to in ("10.200.1.1", "10.1.1.77", "10.1.3.21", "8.8.8.8"):
        answer = ask("web-1", to, underlay=False)
        words = " ".join([answer.reason, *(hop.words for hop in answer.hops)])
        assert "172.31" not in words
        assert "192.0.2" not in words
        assert "vni" not in words


def test_what_only_one_domain_concerns_is_compiled_of_that_domain_alone() -> None:
    state = network().state
    whole = at_once(compile_all(state, "hv1"))
    question = Question(vport("bolt/prod/b-1"), address("10.1.1.1"))
    one, all_of_it = Compiled(state, question.source[:4]), Compiled(state)
    assert at_once(trace(state, question, one)) == at_once(trace(state, question, all_of_it))
    tables = at_once(one.of("hv1"))
    assert 0 < len(tables) < len(whole) * 2 / 3


def test_flows_that_are_read_decide_and_not_those_that_should_be_there() -> None:
    state = network().state
    question = Question(vport("web-1"), vport("db-1"), protocol="tcp", destination_port=5432)
    held = {name: list(at_once(compile_all(state, name)).values()) for name in ("hv1", "hv3")}
    read: dict[str, Tables] = {}
    with pytest.raises(Unread) as missing:
        at_once(trace(state, question, Held(read)))
    assert missing.value.dvrs == "hv1"
    read = {name: Tables(flows) for name, flows in held.items()}
    assert at_once(trace(state, question, Held(read))).verdict is Verdict.DELIVERED
    drop = flow(Table.DELIVER, 60000)
    read["hv3"] = Tables([*held["hv3"], drop])
    answer = at_once(trace(state, question, Held(read)))
    assert (answer.verdict, answer.reason) == (
        Verdict.DROPPED,
        "a flow in table deliver that is not of nshell drops it",
    )
    read["hv3"] = Tables([*held["hv3"], flow(Table.DELIVER, 60000, actions=[a.group(5)])])
    answer = at_once(trace(state, question, Held(read)))
    assert answer.verdict is Verdict.UNKNOWN


def test_a_question_without_an_answer_says_what_is_missing() -> None:
    with pytest.raises(CommandFailed, match="no IPv6 address"):
        ask("web-1", "2001:db8::1")
    with pytest.raises(CommandFailed, match="there is no such vport"):
        ask("nobody", "10.1.1.1")

"""What is offered to let a packet through: the least, and only what a trace of it says comes through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.analysis.allowed import Answer, why_not
from controller.analysis.changes import By
from controller.network import Network
from controller.trace.question import Fragment, Question, Verdict
from data.access import Access
from data.addresses import address
from data.errors import NotPermitted
from tests.unit.analysis.office import OPERATOR, network, tenant, vport

SSH = Question(vport("web-1"), vport("db-1"), protocol="tcp", destination_port=22)


async def asked(where: Network, question: Question = SSH, by: By = "vport", access: Access = OPERATOR) -> Answer:
    return await why_not(where, question, by, access)


def offered(answer: Answer) -> tuple[str, ...]:
    assert answer.offer is not None, (answer.stopped, answer.refused, answer.left)
    return answer.offer.lines


EGRESS = "set enterprise acme domain prod egress-policy"
INGRESS = "set enterprise acme domain prod ingress-policy"
TO_DB = "from vport web-1 to vport db-1 protocol tcp destination-port 22 action allow stateful"


async def test_what_comes_through_needs_no_change() -> None:
    answer = await asked(network())
    assert answer.stopped is None and answer.offer is None
    assert answer.trace.verdict is Verdict.DELIVERED


async def test_an_entry_is_put_before_the_one_that_denies() -> None:
    answer = await asked(network(f"{EGRESS} db entry 10 from zone app action allow\n{EGRESS} db entry 20 action deny"))
    assert offered(answer) == (f"{EGRESS} db entry 15 {TO_DB}",)
    assert answer.offer is not None
    assert [" ".join(line.split()) for line in answer.offer.reach] == ["web-1 -> db-1 tcp/22 denied -> allowed"]


async def test_numbers_without_a_gap_are_passed_over() -> None:
    lines = "\n".join(f"{EGRESS} db entry {n} from zone app protocol udp action allow" for n in (8, 9))
    answer = await asked(network(f"{lines}\n{EGRESS} db entry 10 action deny"))
    assert offered(answer) == (f"{EGRESS} db entry 7 {TO_DB}",)


async def test_behind_a_default_it_is_the_last_entry() -> None:
    answer = await asked(network(f"{EGRESS} db entry 10 from zone app action allow"))
    assert offered(answer) == (f"{EGRESS} db entry 20 {TO_DB}",)


async def test_without_a_policy_one_is_made() -> None:
    answer = await asked(network("set enterprise acme domain prod ingress-default deny"))
    assert offered(answer) == (f"{INGRESS} access entry 10 {TO_DB}",)


async def test_both_directions_may_need_one() -> None:
    lines = f"{INGRESS} a entry 10 from zone app action allow\n{EGRESS} b entry 10 from zone app action allow"
    assert offered(await asked(network(lines))) == (f"{INGRESS} a entry 20 {TO_DB}", f"{EGRESS} b entry 20 {TO_DB}")


async def test_an_answer_that_does_not_come_back_is_in_the_way_as_well() -> None:
    lines = f"{INGRESS} a entry 10 from zone web action allow\n{EGRESS} b entry 10 to zone db action allow"
    answer = await asked(network(lines))
    assert answer.stopped is not None and answer.stopped.verdict is Verdict.DELIVERED
    assert answer.stopped.reply is not None and answer.stopped.reply.verdict is Verdict.DENIED
    assert all("action allow stateful" in line for line in offered(answer))
    assert {line.split()[5] for line in offered(answer)} <= {"ingress-policy", "egress-policy"}


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("zone", "from zone web to zone db"),
        ("subnet", "from subnet web1 to subnet db1"),
        ("policy-group", "from policy-group front to vport db-1"),
    ],
)
async def test_the_entry_names_what_it_was_asked_to(by: By, words: str) -> None:
    answer = await asked(network(f"{EGRESS} db entry 20 action deny"), by=by)
    assert offered(answer) == (f"{EGRESS} db entry 10 {words} protocol tcp destination-port 22 action allow stateful",)
    if by == "zone":
        assert answer.offer is not None
        (line,) = answer.offer.reach
        assert " ".join(line.split()) == "web-1, web-2 -> db-1 tcp/22 denied -> allowed"


async def test_a_ping_is_let_through_as_an_echo_request() -> None:
    answer = await asked(network(f"{EGRESS} db entry 20 action deny"), Question(vport("web-1"), vport("db-1")))
    assert offered(answer) == (
        f"{EGRESS} db entry 10 from vport web-1 to vport db-1 protocol icmp icmp-type 8 action allow stateful",
    )


async def test_an_unresolved_vport_is_no_matter_of_policy() -> None:
    answer = await asked(network(places={"web-1": ("hv1", 1)}))
    assert answer.offer is None
    assert answer.left is not None and answer.left.verdict is Verdict.UNRESOLVED


async def test_a_receiver_that_is_nowhere_is_named_where_no_entry_can_hold_for_it() -> None:
    denied = network(f"{INGRESS} db entry 10 from zone app action allow", places={"web-1": ("hv1", 1)})
    answer = await asked(denied)
    assert answer.offer is None and answer.absent == vport("db-1")
    assert answer.left is not None and answer.left.verdict is Verdict.DENIED, "an entry for it holds for nobody yet"
    by_zone = await asked(denied, by="zone")
    assert by_zone.left is not None and by_zone.left.verdict is Verdict.UNRESOLVED and by_zone.absent is None
    assert (await asked(network(f"{INGRESS} db entry 10 action deny"))).absent is None


async def test_an_address_that_nobody_has_is_no_matter_of_policy() -> None:
    answer = await asked(network(), replace(SSH, destination=address("192.0.2.9")))
    assert answer.offer is None
    assert answer.left is not None and answer.left.verdict is Verdict.DROPPED


SHARED = """
set enterprise beta domain tools shared access-prefix 100.64.0.0/24
set enterprise beta domain tools zone z subnet s prefix 10.9.1.0/24
set enterprise beta domain tools vport ntp subnet s mac 02:00:0a:09:01:0b address 10.9.1.11
"""
USED = f"{SHARED}set enterprise acme domain prod use beta/tools\n"
NTP = ("enterprise", "beta", "domain", "tools", "vport", "ntp")
WITH_NTP = {"web-1": ("hv1", 1), "beta/tools/ntp": ("hv2", 7)}


async def test_a_shared_domain_is_reached_once_it_is_used() -> None:
    answer = await asked(network(SHARED, WITH_NTP), replace(SSH, destination=NTP))
    assert offered(answer) == ("set enterprise acme domain prod use beta/tools",)


async def test_a_domain_that_is_not_shared_stays_apart() -> None:
    lines = SHARED.replace(" shared access-prefix 100.64.0.0/24", " description apart")
    answer = await asked(network(lines, WITH_NTP), replace(SSH, destination=NTP))
    assert answer.offer is None


async def test_in_front_of_a_shared_domain_an_address_is_named() -> None:
    lines = f"{USED}{INGRESS} base entry 10 from zone app action allow"
    answer = await asked(network(lines, WITH_NTP), replace(SSH, destination=NTP))
    assert offered(answer) == (
        "set enterprise acme network-macro host-10-9-1-11 prefix 10.9.1.11/32",
        f"{INGRESS} base entry 20 from vport web-1 to network-macro host-10-9-1-11 protocol tcp destination-port 22"
        " action allow stateful",
    )


TEMPLATE = """
set domain-template office egress-policy base entry 10 action deny
set enterprise acme domain prod template office
"""


async def test_a_tenant_overrides_in_the_own_domain_what_its_template_denies() -> None:
    answer = await asked(network(TEMPLATE), access=tenant())
    assert offered(answer) == (f"{EGRESS} base entry 5 {TO_DB}",)


async def test_a_tenant_is_told_what_is_not_theirs_to_change() -> None:
    lines = f"{USED}set enterprise beta domain tools egress-default deny"
    answer = await asked(network(lines, WITH_NTP), replace(SSH, destination=NTP), access=tenant())
    assert answer.offer is None
    assert isinstance(answer.refused, NotPermitted)
    assert "beta" in answer.refused.where


async def test_a_black_hole_before_a_route_is_taken_away() -> None:
    routes = "set enterprise acme domain prod static-route"
    router = "set enterprise acme domain prod vport app-1 anti-spoofing off"
    lines = f"{router}\n{routes} 192.0.2.0/24 next-hop 10.1.2.11\n{routes} 192.0.2.128/25 blackhole"
    answer = await asked(network(lines), replace(SSH, destination=address("192.0.2.200")))
    assert offered(answer) == ("delete enterprise acme domain prod static-route 192.0.2.128/25",)


SEGMENT = """
set enterprise acme l2-domain lan vport a mac 02:00:00:00:00:0a address 10.5.0.1
set enterprise acme l2-domain lan vport b mac 02:00:00:00:00:0b address 10.5.0.2
set enterprise acme l2-domain lan ingress-policy p entry 10 protocol udp action allow
"""


async def test_in_an_l2_domain_it_is_the_same() -> None:
    where = network(SEGMENT, {"acme/lan/a": ("hv1", 1), "acme/lan/b": ("hv2", 1)})
    lan = ("enterprise", "acme", "l2-domain", "lan", "vport")
    answer = await asked(where, replace(SSH, source=(*lan, "a"), destination=(*lan, "b")))
    assert offered(answer) == (
        "set enterprise acme l2-domain lan ingress-policy p entry 20 from vport a to vport b protocol tcp"
        " destination-port 22 action allow stateful",
    )


async def test_the_gateway_answers_whatever_policy_says() -> None:
    where = network(f"{INGRESS} p entry 10 protocol udp action allow")
    answer = await asked(where, Question(vport("web-1"), address("10.1.1.1")))
    assert answer.stopped is None and answer.trace.verdict is Verdict.ANSWERED


async def test_only_the_addresses_of_one_version_are_compared() -> None:
    lines = """
set enterprise acme domain prod zone six subnet six ipv6-addressing none ipv6-prefix 2001:db8:9::/64
set enterprise acme domain prod zone web subnet web1 ipv6-addressing none ipv6-prefix 2001:db8:1::/64
set enterprise acme domain prod vport six-1 subnet six mac 02:00:00:00:00:66 address 2001:db8:9::6
set enterprise acme domain prod vport web-1 address 2001:db8:1::b
set enterprise acme domain prod egress-policy p entry 10 action deny
"""
    where = network(lines, {"web-1": ("hv1", 1), "six-1": ("hv2", 9)})
    answer = await asked(where, Question(vport("web-1"), vport("six-1")))
    assert offered(answer) == (
        f"{EGRESS} p entry 5 from vport web-1 to vport six-1 protocol icmpv6 icmp-type 128 action allow stateful",
    )


async def test_asking_changes_nothing() -> None:
    where = network(f"{EGRESS} db entry 20 action deny")
    state, numbers, revision = where.state, dict(where.numbers.new), where.configured.revision
    assert offered(await asked(where))
    assert where.state is state and where.numbers.new == numbers and where.configured.revision == revision


async def test_of_machines_with_both_families_the_one_of_the_protocol_is_meant() -> None:
    six = "\n".join(
        ("set enterprise acme domain prod zone web subnet web1 ipv6-prefix 2001:db8:1::/64",
         "set enterprise acme domain prod vport web-1 address 2001:db8:1::11",
         "set enterprise acme domain prod vport web-2 address 2001:db8:1::12",
         f"{EGRESS} p entry 10 action deny")
    )  # fmt: skip
    answer = await asked(network(six), Question(vport("web-1"), vport("web-2"), protocol="icmpv6"))
    assert offered(answer) == (
        f"{EGRESS} p entry 5 from vport web-1 to vport web-2 protocol icmpv6 icmp-type 128 action allow stateful",
    )


async def test_a_later_fragment_is_let_through_by_what_lets_the_whole_packet_through() -> None:
    lines = f"{EGRESS} p entry 10 action deny"
    answer = await asked(network(lines), replace(SSH, fragment=Fragment.LATER))
    assert offered(answer) == (f"{EGRESS} p entry 5 {TO_DB}",)

"""What ospfd and isisd of FRR 8.4.4 said becomes a topology; what makes no sense becomes a ValueError."""

from __future__ import annotations

import json
import random

import msgspec
import pytest

from controller.underlay import isis, ospf
from controller.underlay.paths import Paths
from controller.underlay.topology import Topology
from data.addresses import prefix
from tests.unit.underlay.pictures import isis_seen, ospf_answers, ospf_seen, recorded

R1, R2, R3, R4, LISTENER = (f"10.255.0.{number}" for number in range(1, 6))


def announcers(topology: Topology, network: str) -> list[tuple[str, int, bool]]:
    return [(one.node, one.metric, one.external) for one in topology.prefixes[prefix(network)]]


def test_an_ospf_database_has_routers_a_lan_and_metrics() -> None:
    seen = ospf_seen()
    assert seen.own == LISTENER and not seen.alone
    assert {node.key for node in seen.nodes.values() if not node.lan} == {R1, R2, R3, R4, LISTENER}
    assert [node.name for node in seen.nodes.values() if node.lan] == ["10.0.51.0/24"]
    assert [(link.target, link.metric, link.address) for link in seen.links[R1]] == [
        (R2, 10, "10.0.12.1"), (R3, 10, "10.0.13.1"), ("lan 10.0.51.2", 10, "10.0.51.2"),
    ]  # fmt: skip
    # The listener's own link is as dear as can be; seen from there it costs nothing to leave.
    assert [link.metric for link in seen.links[LISTENER]] == [65535]
    assert Paths(seen).distances(LISTENER) == {LISTENER: 0, "lan 10.0.51.2": 0, R1: 0, R2: 10, R3: 10, R4: 20}


def test_ospf_prefixes_of_routers_areas_and_other_protocols_are_told_by_whom() -> None:
    seen = ospf_seen()
    assert announcers(seen, "10.255.0.4/32") == [(R4, 0, False)]
    assert announcers(seen, "10.0.12.0/24") == [(R1, 10, False), (R2, 10, False)]
    assert announcers(seen, "10.77.1.0/24") == [(R3, 10, False)]  # type 3
    assert announcers(seen, "10.88.1.0/24") == [(R4, 20, True)]  # type 5
    assert not [one for group in seen.prefixes.values() for one in group if one.node == LISTENER]


def test_an_lsa_of_maximum_age_and_a_prefix_at_infinity_count_no_more() -> None:
    answers = ospf_answers()
    routers = json.loads(answers[0])
    (area,) = routers["routerLinkStates"]["areas"].values()
    next(lsa for lsa in area if lsa["linkStateId"] == R4)["lsaAge"] = 3600
    summary = json.loads(answers[2])
    summary["summaryLinkStates"]["areas"]["0.0.0.0"][0]["tos0Metric"] = 0xFFFFFF
    seen = ospf.topology([json.dumps(routers), answers[1], json.dumps(summary), *answers[3:]])
    assert R4 not in seen.nodes and prefix("10.255.0.4/32") not in seen.prefixes
    assert prefix("10.77.1.0/24") not in seen.prefixes


def test_a_border_router_of_another_area_is_reached_over_those_who_tell_of_it() -> None:
    """A type 4 LSA: the announcer of 10.88.2.0/24 is in an area that the listener is not in."""
    far = {"linkStateId": "10.255.0.77", "advertisingRouter": R3, "tos0Metric": 5}
    external = {"linkStateId": "10.88.2.0", "networkMask": 24, "advertisingRouter": "10.255.0.77", "metric": 1}
    answers = ospf_answers()
    answers[3] = json.dumps({"asbrSummaryLinkStates": {"areas": {"0.0.0.0": [far]}}})
    answers[4] = json.dumps({"asExternalLinkStates": [external]})
    seen = ospf.topology(answers)
    assert Paths(seen).distances(LISTENER)["10.255.0.77"] == 15
    assert announcers(seen, "10.88.2.0/24") == [("10.255.0.77", 1, True)]


@pytest.mark.parametrize("database", ["isis_database.txt", "isis_names.txt"])
def test_an_isis_database_is_the_same_by_system_id_and_by_name(database: str) -> None:
    seen = isis_seen(database)
    one, two, three, four = (f"0000.0000.000{number}" for number in range(1, 5))
    assert seen.own == "0000.0000.0005" and not seen.nodes[seen.own].carries
    assert {seen.nodes[key].name for key in (one, two, three, four)} == {"r1", "r2", "r3", "r4"}
    assert seen.nodes[f"{two}.02"].lan
    assert {(link.target, link.metric) for link in seen.links[one]} == {
        (three, 10), (f"{two}.02", 100), (seen.own, 10),
    }  # fmt: skip
    assert announcers(seen, "10.255.0.4/32") == [(four, 10, False)]
    assert announcers(seen, "2001:db8:88::/64") == [(four, 10, False)]
    ways = Paths(seen).between(one, two)
    assert [(path.cost, path.alternate, path.links[0].target) for path in ways] == [
        (30, False, three), (100, True, f"{two}.02"),
    ]  # fmt: skip


def test_two_routers_of_one_name_are_told_and_not_mixed_up() -> None:
    names = recorded("isis_hostname.txt").replace(" r3 ", " r2 ")
    with pytest.raises(ValueError, match=r"several routers have the name 'r2'.*no hostname dynamic"):
        isis.topology([recorded("isis_names.txt"), names])


def test_a_hostname_brings_no_escape_sequence_to_a_terminal() -> None:
    hostile = recorded("isis_database.txt").replace("Hostname: r2", "Hostname: r2\x1b[2J\x07" + "x" * 200)
    seen = isis.topology([hostile, recorded("isis_hostname.txt")])
    name = seen.nodes["0000.0000.0002"].name
    assert name.startswith("r2[2Jxx") and name.isprintable() and len(name) == 63


def test_digests_differ_exactly_when_the_database_does() -> None:
    database = recorded("isis_database.txt")
    assert isis.digest([database]) == isis.digest([database.replace("   1192  ", "   1191  ")])
    assert isis.digest([database]) != isis.digest([database.replace("0x00000007", "0x00000009")])
    area = {"lsaNumber": 7, "lsaRouterChecksum": 1, "nbrFullAdjacentCounter": 1}
    calm = {"routerId": "1.1.1.1", "spfLastExecutedMsecs": 5, "areas": {"0.0.0.0": area}}
    assert ospf.digest([json.dumps(calm)]) == ospf.digest([json.dumps(calm | {"spfLastExecutedMsecs": 9})])
    other = calm | {"areas": {"0.0.0.0": area | {"lsaRouterChecksum": 2}}}
    assert ospf.digest([json.dumps(calm)]) != ospf.digest([json.dumps(other)])


@pytest.mark.parametrize("answer", ["", "{}", "{ }\n", "[]", "% OSPF is not enabled", '{"routerId": 7}', "\x00\xff"])
def test_an_ospfd_without_ospf_is_said(answer: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        ospf.digest([answer])


def test_an_isisd_without_isis_is_said() -> None:
    for answer in ("", "Area 1:\n", "\x00" * 50, "nonsense " * 1000):
        with pytest.raises(ValueError, match="router isis"):
            isis.digest([answer])


def test_damaged_answers_raise_nothing_but_value_errors() -> None:
    random.seed(7)
    whole = [ospf_answers(), [recorded("isis_database.txt"), recorded("isis_hostname.txt")]]
    refused = 0
    for attempt in range(600):
        module, answers = ((ospf, whole[0]), (isis, whole[1]))[attempt % 2]
        which = random.randrange(len(answers))
        text = answers[which]
        at, length = random.randrange(len(text)), random.randrange(1, 40)
        bad = random.choice(["", "999.1.1.1", '"', "{", "-1", "4294967296", "\x1b", "0x", "[[", "10.0.0.0/99"])
        damaged = [*answers]
        damaged[which] = text[:at] + bad + text[at + length :]
        try:
            seen = module.topology(damaged)
        except (ValueError, msgspec.MsgspecError):
            refused += 1
        else:
            Paths(seen).distances(seen.own)
    assert 50 < refused < 600

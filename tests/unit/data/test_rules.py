"""What a commit must not contain, each with the error that an operator reads."""

from __future__ import annotations

import time

import pytest

from data.errors import PROBLEMS_SHOWN, CheckFailed, Problem
from data.rules import check
from data.schema.objects import Subnet, Vport
from tests.unit.data.examples import PROD, WEB_1, edited, running

HERE = "enterprise acme domain prod"


def problems(*lines: str) -> list[Problem]:
    state = running()
    candidate = edited(state, *lines)
    return check(candidate.view, candidate.merge(), state)


def test_the_example_is_valid_as_a_whole() -> None:
    state = running("")
    full = running()
    edits = dict(full.walk())
    assert check(full, edits, state) == []


def test_an_address_outside_its_subnet_is_refused_with_a_free_one_to_use() -> None:
    found = problems(f"set {HERE} vport web-3 subnet web1 mac 02:00:0a:01:01:0d address 10.1.9.7")
    assert str(CheckFailed(found)) == (
        "error: enterprise acme domain prod vport web-3 address\n"
        "  10.1.9.7 is outside subnet web1 (10.1.1.0/24)\n"
        "  choose an address in 10.1.1.2-10.1.1.254 (next free: 10.1.1.13), or another subnet"
    )


def test_two_wrong_addresses_are_offered_two_different_free_ones() -> None:
    found = problems(
        f"set {HERE} vport web-3 subnet web1 mac 02:00:0a:01:01:0d address 10.1.9.7",
        f"set {HERE} vport web-4 subnet web1 mac 02:00:0a:01:01:0e address 10.1.9.8",
    )
    assert ["10.1.1.13" in found[0].remedy, "10.1.1.14" in found[1].remedy] == [True, True]


@pytest.mark.parametrize(
    ("lines", "path", "cause"),
    [
        ((f"set {HERE} vport x",), f"{HERE} vport x mac", "mac is missing"),
        (("set dvrs hv9",), "dvrs hv9 tunnel-address", "tunnel-address is missing"),
        ((f"set {HERE} zone z subnet s",), f"{HERE} zone z subnet s prefix", "neither prefix nor ipv6-prefix is set"),
        (
            (f"set {HERE} ingress-policy base entry 20",),
            f"{HERE} ingress-policy base entry 20 action",
            "action is missing",
        ),
        (
            (f"set {HERE} vport web-1 subnet nowhere",),
            f"{HERE} vport web-1 subnet",
            "domain prod has no subnet nowhere",
        ),
        (
            (f"set {HERE} vport web-1 policy-group frontend",),
            f"{HERE} vport web-1 policy-group",
            "domain prod has no policy-group frontend",
        ),
        (
            (f"set {HERE} ingress-policy base entry 10 to network-macro lan",),
            f"{HERE} ingress-policy base entry 10 to",
            "enterprise acme has no network-macro lan",
        ),
        (
            (f"delete {HERE} policy-group frontends",),
            f"{HERE} policy-group frontends",
            "cannot be deleted: ingress-policy base entry 10, vport web-1 still name it",
        ),
        (
            (f"delete {HERE} zone web",),
            f"{HERE} zone web subnet web1",
            "cannot be deleted: vport web-1, vport web-2 still name it",
        ),
        (
            (f"set {HERE} zone web subnet web2 prefix 10.1.1.128/25",),
            f"{HERE} zone web subnet web2 prefix",
            "10.1.1.128/25 overlaps 10.1.1.0/24 of zone web subnet web1",
        ),
        (
            (f"set {HERE} zone db subnet web1 prefix 10.9.9.0/24",),
            f"{HERE} zone db subnet web1",
            "zone web already has a subnet web1",
        ),
        (
            (f"set {HERE} zone web subnet web1 gateway 10.2.2.2",),
            f"{HERE} zone web subnet web1 gateway",
            "10.2.2.2 is outside the prefix 10.1.1.0/24",
        ),
        (
            (f"set {HERE} zone web subnet web1 gateway 10.1.1.255",),
            f"{HERE} zone web subnet web1 gateway",
            "10.1.1.255 is the broadcast address of 10.1.1.0/24",
        ),
        (
            (f"set {HERE} zone web subnet web1 gateway 10.1.1.11",),
            f"{HERE} vport web-1 address",
            "10.1.1.11 is the gateway of subnet web1 (10.1.1.0/24)",
        ),
        (
            (f"set {HERE} vport web-1 address 10.1.1.0",),
            f"{HERE} vport web-1 address",
            "10.1.1.0 is the network address of subnet web1 (10.1.1.0/24)",
        ),
        (
            (f"set {HERE} vport web-1 address 10.1.1.1",),
            f"{HERE} vport web-1 address",
            "10.1.1.1 is the gateway of subnet web1 (10.1.1.0/24)",
        ),
        (
            (f"set {HERE} vport web-1 address 10.1.1.12",),
            f"{HERE} vport web-1 address",
            "10.1.1.12 is already that of vport web-2",
        ),
        (
            (f"set {HERE} vport web-1 mac 02:00:0a:01:01:0c",),
            f"{HERE} vport web-1 mac",
            "02:00:0a:01:01:0c is already that of vport web-2",
        ),
        (
            (f"set {HERE} vport web-1 mac 00:00:5e:00:01:01",),
            f"{HERE} vport web-1 mac",
            "00:00:5e:00:01:01 is the MAC address of every gateway",
        ),
        (
            ("set controller anycast-gateway-mac 02:00:0a:01:01:0c",),
            "controller anycast-gateway-mac",
            "02:00:0a:01:01:0c is that of vport acme/prod/web-2",
        ),
        (
            ("set dvrs hv3 tunnel-address 172.31.0.1",),
            "dvrs hv3 tunnel-address",
            "172.31.0.1 is already that of dvrs hv1",
        ),
        (
            ("set dvrs hv3 tunnel-address 172.31.0.3 system-id hv1",),
            "dvrs hv3 system-id",
            "hv1 is already that of dvrs hv1",
        ),
        (
            (f"set {HERE} ingress-policy base entry 20 action allow destination-port 80",),
            f"{HERE} ingress-policy base entry 20 destination-port",
            "destination-port needs protocol tcp, udp or sctp, and the protocol is any",
        ),
        (
            (f"set {HERE} ingress-policy base entry 20 action allow protocol icmp source-port 80",),
            f"{HERE} ingress-policy base entry 20 source-port",
            "source-port needs protocol tcp, udp or sctp, and the protocol is icmp",
        ),
        (
            (f"set {HERE} ingress-policy base entry 20 action allow protocol tcp icmp-type 8",),
            f"{HERE} ingress-policy base entry 20 icmp-type",
            "icmp-type needs protocol icmp or icmpv6, and the protocol is tcp",
        ),
        (
            (f"set {HERE} ingress-policy base entry 10 action deny",),
            f"{HERE} ingress-policy base entry 10 stateful",
            "what is denied has no replies to let back",
        ),
        (("set controller ovsdb-port 6653",), "controller ovsdb-port", "6653 is already the openflow-port"),
    ],
)
def test_what_is_wrong_is_said_at_its_path(lines: tuple[str, ...], path: str, cause: str) -> None:
    found = [problem for problem in problems(*lines) if problem.path_text == path]
    assert [problem.cause for problem in found][:1] == [cause]
    assert all(problem.remedy for problem in found)


def test_only_one_of_two_new_objects_with_the_same_address_is_blamed() -> None:
    found = problems(
        f"set {HERE} vport web-9 subnet web1 mac 02:00:00:00:00:09 address 10.1.1.99",
        f"set {HERE} vport web-10 subnet web1 mac 02:00:00:00:00:10 address 10.1.1.99",
    )
    assert [problem.path_text for problem in found] == [f"{HERE} vport web-10 address"]


def test_the_same_prefix_and_addresses_are_fine_in_another_domain() -> None:
    other = "enterprise umbrella domain prod"
    assert not problems(
        f"set {other} zone web subnet web1 prefix 10.1.1.0/24",
        f"set {other} vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11",
    )


def test_a_shrunk_subnet_is_refused_for_the_vports_that_no_longer_fit() -> None:
    found = problems(f"set {HERE} zone web subnet web1 prefix 10.1.1.0/29")
    assert [problem.path_text for problem in found] == [
        f"{HERE} vport web-1 address",
        f"{HERE} vport web-2 address",
    ]


def test_a_subnet_may_move_to_another_zone_in_one_commit() -> None:
    assert not problems(f"delete {HERE} zone web subnet web1", f"set {HERE} zone app subnet web1 prefix 10.1.1.0/24")


def test_what_refers_and_what_is_referred_to_may_go_together() -> None:
    assert not problems("delete enterprise acme")


def test_two_vports_may_swap_their_addresses_in_one_commit() -> None:
    assert not problems(
        f"delete {HERE} vport web-1 address",
        f"set {HERE} vport web-1 address 10.1.1.12",
        f"delete {HERE} vport web-2 address",
        f"set {HERE} vport web-2 address 10.1.1.11",
    )


def test_a_close_name_is_suggested_for_one_that_does_not_exist() -> None:
    found = problems(f"set {HERE} vport web-1 subnet web11")
    assert "did you mean web1?" in found[0].remedy


def test_objects_made_by_programs_are_held_to_the_same_types() -> None:
    state = running()
    item = state.get(WEB_1)
    assert isinstance(item, Vport)
    bad = Vport(uuid=item.uuid, subnet="web1", mac="01:00:5e:00:00:01", address=item.address)
    from data.configuration import Overlay

    edits = {WEB_1: bad}
    assert "group address" in check(Overlay(state, edits), edits, state)[0].cause
    orphan = (*PROD, "zone", "ghost", "subnet", "s")
    edits2 = {orphan: Subnet(uuid="5c8b7a52-0000-4000-8000-000000000000", prefix="10.7.0.0/24")}
    assert "does not exist" in check(Overlay(state, edits2), edits2, state)[0].cause


def test_all_problems_are_reported_and_beyond_twenty_they_are_counted() -> None:
    found = problems(*(f"set {HERE} zone z subnet s{number}" for number in range(25)))
    assert len(found) == 25
    text = str(CheckFailed(found))
    assert text.count("error:") == PROBLEMS_SHOWN
    assert text.endswith("and 5 more problems")


def test_checking_one_more_vport_does_not_cost_more_among_many() -> None:
    costs = []
    for size in (100, 20_000):
        lines = [
            "set enterprise e domain d zone z subnet s prefix 10.0.0.0/8",
            *(
                f"set enterprise e domain d vport v{i} subnet s"
                f" mac 02:00:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x} address 10.1.{i >> 8}.{i & 255}"
                for i in range(2, size)
            ),
        ]
        state = running("\n".join(lines))
        candidate = edited(state, "set enterprise e domain d vport one subnet s mac 02:00:00:ff:ff:ff address 10.2.0.1")
        edits = candidate.merge()
        began = time.perf_counter()
        for _ in range(100):
            assert not check(candidate.view, edits, state)
        costs.append((time.perf_counter() - began) * 1e4)
    print(f"\ncheck of one new vport among 100: {costs[0]:.0f} us, among 20,000: {costs[1]:.0f} us")

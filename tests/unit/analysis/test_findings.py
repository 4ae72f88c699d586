"""What is said of entries that decide nothing, one case at a time."""

from __future__ import annotations

from controller.analysis import findings as module
from controller.analysis.ends import ends_now
from controller.analysis.findings import Finding, Found, findings
from controller.compile.policy import Direction
from data.path import Path
from data.steps import at_once
from tests.unit.analysis.office import PROD, network

IN, OUT = (f"set enterprise acme domain prod {side}-policy p entry" for side in ("ingress", "egress"))


def said(lines: str, side: Direction = "egress") -> dict[str, Finding]:
    """What is found of the entries of a direction, by their numbers."""
    state = network(lines).state
    policy = state.policy(PROD)
    found = at_once(findings(policy, side, at_once(ends_now(state.view, policy))[side]))
    return {path[-1]: finding for path, finding in found.items()}


def entry(number: int) -> Path:
    return (*PROD, "egress-policy", "p", "entry", str(number))


def test_one_entry_before_it_is_enough() -> None:
    (finding,) = said(
        f"{OUT} 1 protocol tcp action allow\n{OUT} 2 protocol tcp destination-port 80 action deny"
    ).values()
    assert finding == Finding(Found.SHADOWED, True, (entry(1),), otherwise=True)


def test_several_together_are_enough() -> None:
    found = said(
        f"{OUT} 1 to zone web protocol tcp destination-port 1-1023 action allow\n"
        f"{OUT} 2 protocol tcp destination-port 1000-65535 action deny\n"
        f"{OUT} 3 to zone web protocol tcp destination-port 22-8080 action allow"
    )
    assert found["3"] == Finding(Found.SHADOWED, True, (entry(1), entry(2)), otherwise=True)


def test_a_port_that_is_left_over_is_enough_to_decide_something() -> None:
    found = said(
        f"{OUT} 1 protocol tcp destination-port 1-1022 action allow\n"
        f"{OUT} 2 protocol tcp destination-port 1024-65535 action allow\n"
        f"{OUT} 3 protocol tcp destination-port 22-8080 action allow stateful"
    )
    assert "3" not in found


def test_todays_members_are_told_apart_from_all_that_there_may_be() -> None:
    found = said(
        f"{OUT} 1 to policy-group front action allow\n{OUT} 2 to vport web-1 action deny\n"
        f"{OUT} 3 to zone db protocol tcp action allow\n{OUT} 4 to zone db protocol tcp destination-port 22 action deny"
    )
    assert not found["2"].always, "web-1 is in the group today"
    assert found["4"].always


def test_groups_that_have_all_vports_between_them_cover_any_of_them() -> None:
    found = said(
        "set enterprise acme domain prod policy-group rest\n"
        + "".join(
            f"set enterprise acme domain prod vport {name} policy-group rest\n" for name in ("web-2", "app-1", "db-1")
        )
        + f"{IN} 1 from policy-group front action allow\n{IN} 2 from policy-group rest action allow\n"
        + f"{IN} 3 protocol udp action deny",
        "ingress",
    )
    assert found["3"].found is Found.SHADOWED and not found["3"].always
    assert len(found["3"].by) == 2


def test_one_whose_source_is_not_checked_may_be_anybody() -> None:
    found = said(
        "set enterprise acme domain prod policy-group rest\n"
        "set enterprise acme domain prod vport web-2 anti-spoofing off\n"
        + "".join(
            f"set enterprise acme domain prod vport {name} policy-group rest\n" for name in ("web-2", "app-1", "db-1")
        )
        + f"{IN} 1 from policy-group front action allow\n{IN} 2 from policy-group rest action allow\n"
        + f"{IN} 3 protocol udp action deny",
        "ingress",
    )
    assert found["3"].found is not Found.SHADOWED


def test_a_group_without_vports_and_a_family_that_is_not_there_match_nothing() -> None:
    found = said(
        "set enterprise acme domain prod policy-group nobody\n"
        f"{OUT} 1 from policy-group nobody action allow\n{OUT} 2 protocol icmpv6 action allow\n"
        f"{OUT} 3 protocol tcp action allow"
    )
    assert (found["1"].found, found["1"].always) == (Found.NOTHING, False)
    assert found["1"].why == "policy-group nobody has no vport with an address"
    assert (found["2"].found, found["2"].always) == (Found.NOTHING, True)


def test_what_the_default_decides_alike_is_redundant_unless_it_is_logged() -> None:
    lines = f"{OUT} 1 protocol tcp action allow\n{OUT} 2 protocol udp action deny"
    assert said(lines)["2"] == Finding(Found.REDUNDANT, why="egress-default is deny, too")
    assert said(f"{lines} log") == {}


def test_two_that_say_the_same_are_not_both_taken_away() -> None:
    found = said(
        f"{OUT} 1 protocol tcp action allow\n{OUT} 2 protocol tcp action allow\n{OUT} 9 protocol udp action allow"
    )
    assert set(found) == {"2"}


def test_a_reply_is_a_packet_too() -> None:
    """The second decides about no packet that begins something, but lets the answers of the first one's back."""
    found = said(f"{OUT} 1 dscp 46 action allow\n{OUT} 2 dscp 46 action allow stateful\n{OUT} 3 action deny")
    assert "2" not in found


def test_the_last_of_a_direction_says_what_turns_without_it() -> None:
    found = said(
        "set enterprise acme domain prod policy-group nobody\n" + f"{OUT} 1 to policy-group nobody action deny"
    )
    assert "egress-default is allow" in found["1"].turns


def test_what_costs_too_much_is_said_to_be_undecided(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "WORK", 10)
    lines = "\n".join(
        f"{OUT} {n} to zone {zone} protocol tcp destination-port {n}-{n * 3} action allow"
        for n, zone in enumerate(("web", "app", "db") * 6, 1)
    )
    found = said(lines)
    assert {finding.found for finding in found.values()} == {Found.UNDECIDED}


def test_what_goes_to_many_at_once_is_looked_at_too() -> None:
    zones = "".join(f"{OUT} {n} to zone {zone} action allow\n" for n, zone in enumerate(("web", "app", "db"), 1))
    found = said(f"{zones}{OUT} 9 protocol udp action allow")
    assert "9" not in found, "it decides about multicast"


def test_what_shadows_the_last_stateful_entry_stays_with_it() -> None:
    found = said(
        f"{OUT} 1 to zone app action deny\n{OUT} 2 to zone app protocol tcp action allow stateful\n"
        f"{OUT} 3 to zone web protocol tcp action allow\nset enterprise acme domain prod egress-default deny"
    )
    assert found["2"].found is Found.SHADOWED and found["2"].turns, "without it no answers are let back"
    assert "1" not in found, "the default denies alike, but 2, which stays, would allow"

"""The lines that take entries away: from where they stand, together, and without turning anything else."""

from __future__ import annotations

from collections.abc import Callable

from controller.analysis.removal import Removal, removals
from controller.network import Network
from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Configuration, Overlay
from data.path import Path
from tests.unit.analysis.office import PROD, network, tenant

OUT = "set enterprise acme domain prod egress-policy p entry"
TEMPLATE = """
set domain-template office egress-policy p entry 5 protocol udp action deny
set enterprise acme domain prod template office
set enterprise acme domain test template office
"""
TEST: Path = ("enterprise", "acme", "domain", "test")


def entry(number: int, domain: Path = PROD) -> Path:
    return (*domain, "egress-policy", "p", "entry", str(number))


def given(
    where: Network, *numbers: int, useless: Callable[[Path], bool] = lambda path: True, domain: Path = PROD
) -> list[Removal]:
    policy = where.state.policy(domain)
    entries = [entry(number, domain) for number in numbers]
    return removals(where.configured, where.running, policy, entries, useless, lambda path: True)


def after(where: Network, made: list[Removal]) -> Configuration:
    candidate = Candidate(where.configured, "test")
    candidate.apply_batch([line for one in made for line in one.lines], "test")
    return Overlay(where.running, acting_edits(Acting(where.configured), candidate.edits()))


def test_an_own_entry_goes_where_it_stands() -> None:
    where = network(f"{OUT} 1 action allow\n{OUT} 2 action deny")
    (one,) = made = given(where, 2)
    assert one.lines == ("delete enterprise acme domain prod egress-policy p entry 2",)
    assert after(where, made).get(entry(2)) is None


def test_an_inherited_entry_goes_from_the_template_and_says_whom_else_that_serves() -> None:
    where = network(TEMPLATE + f"{OUT} 1 action allow")
    (one,) = made = given(where, 5)
    assert one.lines == ("delete domain-template office egress-policy p entry 5",)
    assert one.serves == (TEST,)
    assert after(where, made).get(entry(5)) is None and after(where, made).get(entry(5, TEST)) is None


def test_an_inherited_entry_that_another_domain_needs_stays() -> None:
    (one,) = given(network(TEMPLATE + f"{OUT} 1 action allow"), 5, useless=lambda path: path[:4] != TEST)
    assert one.lines == () and "decides in acme/test" in one.why


def test_an_override_goes_together_with_what_it_overrides() -> None:
    where = network(TEMPLATE + f"{OUT} 1 action allow\n{OUT} 5 action allow")
    (one,) = made = given(where, 5)
    assert len(one.lines) == 2
    assert after(where, made).get(entry(5)) is None


def test_a_tenant_is_told_whom_to_ask() -> None:
    where = network(TEMPLATE + f"{OUT} 1 action allow")
    policy = where.state.policy(PROD)
    (one,) = removals(where.configured, where.running, policy, [entry(5)], lambda path: True, tenant().writes)
    assert one.lines == () and "ask whoever runs the network" in one.why


def test_when_all_of_a_direction_go_the_default_is_said() -> None:
    where = network(f"{OUT} 1 protocol udp action deny\n{OUT} 2 protocol tcp action deny")
    lines = [line for one in given(where, 1, 2) for line in one.lines]
    assert lines[0] == "set enterprise acme domain prod egress-default deny"
    assert not any(line.startswith("set") for line in (line for one in given(where, 1) for line in one.lines))


def test_the_last_stateful_entry_stays() -> None:
    where = network(f"{OUT} 1 action allow stateful\n{OUT} 2 protocol tcp action allow stateful\n{OUT} 3 action deny")
    first, second = given(where, 1, 2)
    assert first.lines and not second.lines and "last stateful" in second.why


def test_what_shadows_an_entry_that_stays_stays_with_it() -> None:
    where = network(TEMPLATE + f"{OUT} 1 protocol udp action deny\n{OUT} 2 protocol tcp action deny")
    policy = where.state.policy(PROD)
    entries = [entry(1), entry(2), entry(5)]
    first, second, template = removals(
        where.configured, where.running, policy, entries, lambda path: path[:4] != TEST, lambda path: True,
        {entry(5): (entry(1),)},
    )  # fmt: skip
    assert not template.lines and second.lines
    assert (first.lines, first.why) == ((), "p/5, which stays, would decide in its place")

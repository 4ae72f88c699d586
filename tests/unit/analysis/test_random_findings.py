"""What is said of entries, compared with the reference over every kind of packet that they can tell apart."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.analysis.ends import ends_now
from controller.analysis.findings import Finding, Found, findings
from controller.compile.policy import DIRECTIONS, Direction, DomainPolicy
from data.configuration import Configuration, Overlay
from data.path import Path
from data.schema.objects import PolicyGroup, Vport
from data.steps import at_once
from tests.system.random_policies import Case, case
from tests.system.traced import InvalidCase, compiled
from tests.unit.analysis.universe import Universe

EXAMPLES = 60


def found_in(view: Configuration, policy: DomainPolicy, side: Direction) -> dict[Path, Finding]:
    return at_once(findings(policy, side, at_once(ends_now(view, policy))[side]))


def domains(made: Case) -> Iterator[tuple[Configuration, DomainPolicy]]:
    try:
        state = compiled(made)
    except InvalidCase:
        return
    for domain in made.domains:
        yield state.view, state.policy(domain)


def deciding(view: Configuration, policy: DomainPolicy, side: Direction) -> set[Path]:
    """The entries that decide about some packet, by the reference."""
    decide: set[Path] = set()
    for version in policy.families:
        universe = Universe(view, policy.domain, side, version)
        decide |= {universe.rules[nth].path for nth, _ in universe.decided() if nth is not None}
    return decide


DEAD = (Found.SHADOWED, Found.NOTHING)


@given(st.integers(0, 10_000))
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_entry_that_is_said_to_decide_nothing_decides_about_no_packet(seed: int) -> None:
    for view, policy in domains(case(seed)):
        for side in DIRECTIONS:
            found = found_in(view, policy, side)
            dead = {path for path, finding in found.items() if finding.found in DEAD}
            assert not dead & deciding(view, policy, side)


@given(st.integers(0, 10_000))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_entry_that_decides_about_no_packet_is_found(seed: int) -> None:
    for view, policy in domains(case(seed)):
        if policy.families != (4,):  # by a link-local address rules know a vport; the reference does not
            continue
        for side in DIRECTIONS:
            found = found_in(view, policy, side)
            rules = {path for path, rule in policy.rules.items() if rule.direction == side}
            missing = rules - deciding(view, policy, side) - found.keys()
            assert not missing, missing


@given(st.integers(0, 10_000))
@example(1505)
@settings(max_examples=EXAMPLES, deadline=None)
def test_all_that_is_found_can_go_and_no_verdict_changes(seed: int) -> None:
    for view, policy in domains(case(seed)):
        for side in DIRECTIONS:
            gone = {
                path
                for path, finding in found_in(view, policy, side).items()
                if finding.found is not Found.UNDECIDED and not finding.turns
            }
            kept = [rule for path, rule in policy.rules.items() if rule.direction == side and path not in gone]
            stateful = [rule for path, rule in policy.rules.items() if path not in gone and rule.entry.stateful]  # type: ignore[union-attr]
            if not kept or (policy.tracked and not stateful):
                continue  # several together turn what none of them does alone; `removal.py` says so
            for version in policy.families:
                universe = Universe(view, policy.domain, side, version)
                default = (policy.defaults[side], False)
                for said, matched, reply in universe.kinds():
                    fates = []
                    for without in ((), gone):
                        deciders = (
                            rule.entry
                            for rule, yes in zip(universe.rules, matched, strict=True)
                            if yes and rule.path not in without
                        )
                        entry = next(deciders, None)
                        if entry is None:
                            fates.append(default[0])
                        else:
                            fates.append(entry.stateful if reply else entry.action == "allow")
                    assert fates[0] == fates[1], said


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_is_shadowed_always_decides_nothing_with_other_members_either(seed: int, dice) -> None:  # type: ignore[no-untyped-def]
    for view, policy in domains(case(seed)):
        groups = [path[-1] for path, _ in view.objects(PolicyGroup, policy.domain)]
        others = Overlay(view)
        for path, vport in view.objects(Vport, policy.domain):
            chosen = tuple(sorted(dice.sample(groups, dice.randrange(len(groups) + 1))))
            others.put(path, msgspec.structs.replace(vport, policy_group=chosen))
        for side in DIRECTIONS:
            found = found_in(view, policy, side)
            always = {path for path, finding in found.items() if finding.always}
            assert not always & deciding(others, policy, side)


@pytest.mark.parametrize("kind", [Found.SHADOWED, Found.NOTHING, Found.REDUNDANT])
def test_the_random_policies_have_enough_of_each_kind(kind: Found) -> None:
    together = sum(
        finding.found is kind
        for seed in range(40)
        for view, policy in domains(case(seed))
        for side in DIRECTIONS
        for finding in found_in(view, policy, side).values()
    )
    assert together >= 5

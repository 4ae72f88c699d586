"""The reach summary of a check: compared with an evaluation of the configuration itself, and its bounds."""

from __future__ import annotations

import random

import pytest

from controller.analysis import verdicts as module
from controller.analysis.verdicts import changed_verdicts
from controller.compile import Location, Placement, State, changed, start
from controller.numbers import Numbers
from data.candidate import Candidate
from data.configuration import Configuration, Edits, Overlay, Running
from data.path import Path
from data.schema.objects import Entry, Vport
from data.steps import at_once
from tests.unit.compile.verdicts import Packet, _is, allowed

PROD = "enterprise acme domain prod"
BASE = f"""
set dvrs hv1 tunnel-address 172.31.0.1
set {PROD} zone app subnet app1 prefix 10.1.2.0/24
set {PROD} zone db subnet db1 prefix 10.1.3.0/24
set {PROD} policy-group blue
set {PROD} vport app-1 subnet app1 mac 02:00:0a:01:02:01 address 10.1.2.11
set {PROD} vport app-2 subnet app1 mac 02:00:0a:01:02:02 address 10.1.2.12 policy-group blue
set {PROD} vport db-1 subnet db1 mac 02:00:0a:01:03:01 address 10.1.3.11
set {PROD} vport db-2 subnet db1 mac 02:00:0a:01:03:02 address 10.1.3.12
set {PROD} egress-policy db entry 90 protocol icmp action allow
"""
NAMES = ("app-1", "app-2", "db-1", "db-2")


def edited(running: Running, text: str) -> Edits:
    candidate = Candidate(running, "test")
    candidate.apply_batch(text.strip().splitlines(), "test")
    return candidate.edits()


def network(absent: str = "") -> tuple[Running, State]:
    """The base; every vport but the absent one is on hv1."""
    running = Running()
    running.apply(edited(running, BASE), 1)
    state = at_once(start(running, Placement(), Numbers()))
    found = list(running.objects(Vport, ()))
    places = {item.uuid: Location("hv1", at) for at, (path, item) in enumerate(found) if path[-1] != absent}
    state, _ = at_once(changed(state, vports=places, hypervisors={"hv1": 65000}))
    return running, state.settled(running, state.numbers)


def after(running: Running, state: State, edits: Edits) -> State:
    return at_once(changed(state, view=Overlay(running, edits), edits=edits))[0]


def said(text: str, absent: str = "") -> list[str]:
    running, state = network(absent)
    edits = edited(running, text)
    return [" ".join(line.split()) for line in changed_verdicts(state, after(running, state, edits), edits)]


RULE = f"set {PROD} egress-policy db entry 20 from zone app to zone db protocol tcp destination-port 5432 action allow"


def test_an_entry_that_lets_something_through_says_who_reaches_whom() -> None:
    assert said(RULE) == ["app-1, app-2 -> db-1, db-2 tcp/5432 denied -> allowed"]


def test_what_is_not_resolved_yet_is_told_apart() -> None:
    assert said(RULE, absent="db-2") == [
        "app-1, app-2 -> db-1 tcp/5432 denied -> allowed",
        "app-1, app-2 -> db-2 tcp/5432 denied -> allowed once db-2 is resolved",
    ]


def test_an_entry_behind_another_that_decides_changes_nothing() -> None:
    assert said(f"set {PROD} egress-policy db entry 95 protocol icmp action deny") == []


def test_the_other_direction_has_its_say() -> None:
    assert said(RULE + "\n" + RULE.replace("egress", "ingress").replace("5432 action allow", "5432 action deny")) == []


def test_a_change_without_an_entry_has_no_lines() -> None:
    assert said(f"set {PROD} description x") == []


def test_too_much_work_is_said_and_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_VPORTS", 3)
    assert said(RULE) == ["domain prod not looked at: it has more than 3 vports"]
    monkeypatch.undo()
    many = "\n".join(RULE.replace("entry 20", f"entry {number}") for number in range(100, 150))
    assert said(many) == ["domain prod not looked at: 50 entries are edited"]


def test_the_budget_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET", 1)
    assert said(RULE) == ["domain prod the rest is not looked at: it is too much"]


def ends(chance: random.Random) -> str:
    def end() -> str:
        names = ["zone app", "zone db", "policy-group blue", "vport db-1", "subnet app1", "any"]
        return chance.choice(names)

    return f"from {end()} to {end()}"


@pytest.mark.parametrize("seed", range(60))
def test_it_says_what_an_evaluation_of_the_configuration_says(seed: int) -> None:
    """Random entries before and after; the pairs that change for tcp/80 are those of the independent evaluation."""
    chance = random.Random(seed)
    running, state = network()

    def rule(number: int = 0) -> str:
        number, side = number or chance.randrange(1, 60), chance.choice(("ingress", "egress"))
        verdict = chance.choice(("allow", "deny"))
        port = chance.choice(("80", "70-90"))
        return (
            f"set {PROD} {side}-policy p entry {number} {ends(chance)} "
            f"protocol tcp destination-port {port} action {verdict}"
        )

    first = edited(running, "\n".join([f"set {PROD} description x", *(rule() for _ in range(chance.randrange(5)))]))
    made = after(running, state, first)
    state.numbers.adopt(made.numbers.new)
    running.apply(first, 2)
    state = made.settled(running, state.numbers)
    number = chance.randrange(1, 60)
    edits = edited(running, f"delete {PROD} egress-policy db\n{rule(number)}")
    lines = [line for line in changed_verdicts(state, after(running, state, edits), edits) if "tcp/80 " in line]
    told: set[tuple[str, str]] = set()
    for line in lines:
        sources, _, targets = line.partition(" tcp/80 ")[0].partition(" -> ")
        told |= {(source, target) for source in sources.split(", ") for target in targets.split(", ")}
    view = Overlay(running, edits)
    pairs = [(source, target) for source in NAMES for target in NAMES if source != target]
    changes = {pair for pair in pairs if through(running, *pair) != through(view, *pair)}
    entry = next(item for path, item in edits.items() if path[-1] == str(number) and isinstance(item, Entry))
    named = {
        (source, target)
        for source, target in pairs
        if _is(view, entry.from_, vport(source)) and _is(view, entry.to, vport(target))
    }
    told = {pair for pair in told if pair[0] != pair[1]}
    assert told <= changes
    if entry.destination_port == ("80",):
        assert changes & named <= told


def vport(name: str) -> Path:
    return ("enterprise", "acme", "domain", "prod", "vport", name)


def through(view: Configuration, source: str, target: str) -> bool:
    """Whether both directions let the packet through."""
    packet = Packet(6, 40000, 80)
    return all(allowed(view, side, vport(source), vport(target), packet) for side in ("ingress", "egress"))

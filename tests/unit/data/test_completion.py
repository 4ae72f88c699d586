"""Tab and `?`: what may come next, with live values, fast among 100,000 vports."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.schema.completion import ENTER, Completion, complete
from data.schema.nodes import TOP
from tests.unit.data.examples import PROD, any_lines, edited, running, words


def offered(line: str, partial: str = "", **how: str) -> dict[str, Completion]:
    found = complete(words(line), partial, running(), **how)  # type: ignore[arg-type]
    return {one.word or one.hint: one for one in found}


def test_keywords_show_their_help_and_the_names_that_exist() -> None:
    top = offered("")
    assert list(top) == list(TOP)
    assert top["enterprise"].help == "a tenant"
    assert top["dvrs"].hint == "[hv1, hv2]"
    assert list(offered("", "en")) == ["enterprise"]


def test_names_of_a_list_are_live_and_a_new_one_is_hinted() -> None:
    found = offered("enterprise acme domain prod vport")
    assert list(found) == ["app-1", "web-1", "web-2", "<name>"]
    assert found["web-1"].live and not found["<name>"].live
    assert list(offered("enterprise acme domain prod vport", "w")) == ["web-1", "web-2", "<name>"]


def test_references_offer_what_exists_wherever_it_lies() -> None:
    found = offered("enterprise acme domain prod vport web-2 subnet")
    assert list(found) == ["app1", "web1"]
    assert found["app1"].help == "in zone app"
    assert "frontends" in offered("enterprise acme domain prod vport web-2 policy-group")
    entry = "enterprise acme domain prod ingress-policy base entry 10"
    assert list(offered(f"{entry} from")) == [
        "any",
        "vport",
        "policy-group",
        "zone",
        "subnet",
        "network-macro",
    ]
    assert list(offered(f"{entry} from network-macro")) == ["wan"]
    assert list(offered(f"{entry} to zone", "w")) == ["web"]


def test_names_that_are_always_there_are_offered_beside_those_that_are_configured() -> None:
    state = running("set login-class staff permission show")
    found = complete(words("user bob class"), "", state)
    assert [one.word for one in found] == ["super-user", "operator", "read-only", "staff"]
    assert [one.word for one in complete(words("user bob class"), "s", state)] == ["super-user", "staff"]
    assert [one.word for one in complete(words("login-class"), "", state)] == ["staff", ""]


def test_values_offer_their_choices_or_the_type() -> None:
    vport = "enterprise acme domain prod vport web-1"
    assert list(offered(f"{vport} type", "c")) == ["container"]
    assert list(offered(f"{vport} mac")) == ["<xx:xx:xx:xx:xx:xx>"]
    assert list(offered("enterprise acme domain prod zone web subnet s prefix")) == ["<a.b.c.d/len>"]
    assert list(offered(f"{vport} address")) == ["<address>", "["]
    assert list(offered(f"{vport} address [ 10.1.1.7")) == ["]", "<address>"]
    assert "<0-255>" in offered("enterprise acme domain prod ingress-policy base entry 10 protocol")


def test_a_complete_line_offers_enter_and_mandatory_leaves_are_marked() -> None:
    found = offered("enterprise acme domain prod load-balancer new")
    assert ENTER in found
    assert found["address"].hint == "<address> (needed)"
    assert ENTER not in offered("controller")
    given = offered("enterprise acme domain prod vport new mac 02:00:00:00:00:01")
    assert "mac" not in given and "address" in given


def test_delete_offers_only_what_is_there() -> None:
    found = offered("enterprise acme domain prod vport web-1", verb="delete")
    assert list(found) == [ENTER, "subnet", "mac", "address", "policy-group"]
    assert found["mac"].hint == "02:00:0a:01:01:0b"
    assert list(offered("enterprise acme domain prod vport web-1 address", verb="delete")) == [
        ENTER,
        "10.1.1.11",
    ]
    assert list(offered("", verb="delete")) == ["dvrs", "enterprise"]


def test_edit_offers_places_only_and_starts_where_one_is() -> None:
    assert "mac" not in offered("enterprise acme domain prod vport web-1", verb="edit")
    found = complete([], "", running(), verb="edit", at=PROD)
    assert [one.word for one in found][:4] == ["zone", "qos", "policy-group", "vport"]


def test_endpoints_are_offered_where_such_objects_can_be() -> None:
    entry = "ingress-policy p entry 10 from"
    assert list(offered(f"enterprise acme l2-domain wire {entry}")) == ["any", "vport", "policy-group", "network-macro"]
    assert list(offered(f"domain-template office {entry}")) == ["any", "policy-group", "zone", "subnet"]
    assert "network-macro" in offered(f"enterprise acme domain prod {entry}")


def test_a_secret_is_not_hashed_to_know_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.schema.secret.hashed", lambda word: pytest.fail("hashed"))
    assert "class" in offered("user bob password correct-horse")
    assert list(offered("user bob password")) == ["<password>"]


def test_a_wrong_line_offers_nothing() -> None:
    assert offered("enterprize acme") == {}
    assert offered("enterprise acme domain prod vport web-1 mac nonsense") == {}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_lines, st.data())
def test_the_next_word_of_any_command_is_among_the_completions(commands: list[list[str]], data: st.DataObject) -> None:
    state = running()
    for command in commands:
        cut = data.draw(st.integers(0, len(command) - 1))
        found = complete(command[:cut], "", state)
        keywords = {one.word for one in found}
        assert command[cut] in keywords or "" in keywords or any(one.live for one in found), (command, cut)


def test_completion_among_a_hundred_thousand_vports_takes_milliseconds() -> None:
    state = running()
    view = edited(state, *(f"set enterprise acme domain prod vport vm-{number}" for number in range(100_000))).view
    line = words("enterprise acme domain prod vport")
    complete(line, "vm-", view)
    took = []
    for partial in ("", "vm-9", "vm-99999", "none"):
        began = time.perf_counter()
        assert len(complete(line, partial, view)) <= 51
        took.append(f"{(time.perf_counter() - began) * 1e3:.1f}")
    print(f"\ncompletion among 100,000 vports in a candidate: {', '.join(took)} ms")

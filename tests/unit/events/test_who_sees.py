"""Who is told what: tenants' administrators of their own alone, and operators' visits without a flood."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from controller.events import Event, Events, Kind, Selection, Severity
from data.access import Access, Rule
from nshell.sessions.confined_events import ConfinedEvents, of_provider
from nshell.sessions.visitors import PAUSE, Visitors

WEB = ("enterprise", "acme", "domain", "prod", "vport", "web-1")
TINA = Access("tina", "acme-admin", frozenset({"show"}), frozenset({"acme"}))


def fabric(tenants: dict[str, str]) -> Any:
    events = Events()
    events.know_tenants(tenants.get)
    return SimpleNamespace(events=events, network=SimpleNamespace(tenant=tenants.get))


def not_for_tenants(where: str, cause: str) -> bool:
    """The rule (nshell/sessions/confined.py) where hv1 alone hosts vports of the tenant."""
    return of_provider(where) or "hv2" in f"{where} {cause}"


def confined_to(fabric: Any, access: Access) -> ConfinedEvents:
    return ConfinedEvents(fabric, access, not_for_tenants)


def seen(fabric: Any, access: Access) -> list[str]:
    return [event.text for event in confined_to(fabric, access)]


async def test_a_tenant_sees_events_about_what_is_its_own_in_list_file_and_stream() -> None:
    here = fabric({"acme": "1", "umbrella": "2"})
    confined = confined_to(here, TINA)
    heard: list[Event] = []
    stop = confined.watch(heard.append)
    here.events.add(Kind.VPORT, "web-1 up", about=WEB, dvrs="hv1")
    here.events.add(Kind.VPORT, "theirs", about=("enterprise", "umbrella", *WEB[2:]))
    here.events.add(Kind.HYPERVISOR, "hv1 away", about=("dvrs", "hv1"), dvrs="hv1")
    here.events.add(Kind.FAULT, "about nothing")
    stop()
    here.events.add(Kind.VPORT, "later", about=WEB)
    assert [event.text for event in heard] == ["web-1 up"]
    assert seen(here, TINA) == ["web-1 up", "later"]
    assert [event.text for event in await confined.kept(Selection(), 10)] == ["web-1 up", "later"]
    assert [event.text for event in await confined.kept(Selection(severity=Severity.ERROR), 10)] == []


def test_a_name_that_is_given_out_again_shows_nothing_of_the_former_tenant() -> None:
    tenants = {"acme": "1"}
    here = fabric(tenants)
    here.events.add(Kind.VPORT, "of the former acme", about=WEB)
    del tenants["acme"]
    here.events.add(Kind.VPORT, "of nobody", about=WEB)
    tenants["acme"] = "9"
    here.events.add(Kind.VPORT, "of acme", about=WEB)
    assert seen(here, TINA) == ["of acme"]


def test_of_the_commits_of_others_a_tenant_is_told_no_comment_and_no_cause() -> None:
    here = fabric({"acme": "1"})
    for user, state in (("ops", "applied"), ("ops", "failed"), ("tina", "applied")):
        facts = {"revision": 7, "user": user, "state": state, "comment": "because of umbrella", "cause": "hv3 refused"}
        here.events.add(Kind.COMMIT, f"revision 7 by {user}: because of umbrella", about=WEB[:2], facts=facts)
    assert seen(here, TINA) == [
        "revision 7 applied by ops", "revision 7 failed by ops", "revision 7 by tina: because of umbrella",
    ]  # fmt: skip
    assert "comment" not in next(iter(confined_to(here, TINA))).facts


def test_of_an_own_commit_that_the_provider_could_not_carry_on_only_that_it_failed() -> None:
    here = fabric({"acme": "1"})
    for where, cause in (("bgp-neighbor rr1", "rr1 is away"), ("pe pe1", "pe1: 192.0.2.1 is away"),
                         ("dvrs hv2", "hv2 was lost"), ("dvrs hv1", "no")):  # fmt: skip
        facts = {"revision": 7, "user": "tina", "state": "failed", "where": where, "cause": cause}
        here.events.add(Kind.COMMIT, f"revision 7 by tina failed: {cause}", about=WEB[:2], facts=facts)
    assert seen(here, TINA) == [*["revision 7 failed by tina"] * 3, "revision 7 by tina failed: no"]
    assert "cause" not in next(iter(confined_to(here, TINA))).facts


def test_who_does_not_see_a_part_of_the_configuration_is_told_nothing_of_it() -> None:
    here = fabric({"acme": "1"})
    partly = Access("otto", "noc", frozenset({"show"}), None, (Rule(("pe",), "none"),))
    here.events.add(Kind.PE, "pe pe1 is away", about=("pe", "pe1"))
    here.events.add(Kind.VPORT, "web-1 up", about=WEB)
    here.events.add(Kind.FAULT, "about nothing")
    assert seen(here, partly) == ["web-1 up", "about nothing"]


def test_who_is_refused_again_and_again_is_told_once_a_minute_with_how_often() -> None:
    now = [0.0]
    events = Events()
    visitors = Visitors(events, lambda: now[0])
    for _ in range(50):
        visitors.refused("anna", "ssh 192.0.2.9:4711", "192.0.2.9", "wrong password")
    visitors.refused("(unknown)", "ssh 198.51.100.1:4711", "198.51.100.1", "wrong password")
    now[0] = PAUSE
    visitors.refused("anna", "ssh 192.0.2.9:4712", "192.0.2.9", "wrong password")
    assert [event.text for event in events] == [
        "anna from ssh 192.0.2.9:4711 refused: wrong password",
        "(unknown) from ssh 198.51.100.1:4711 refused: wrong password",
        "anna from ssh 192.0.2.9:4712 refused: wrong password, and 49 more from 192.0.2.9 before",
    ]
    assert [event.about for event in events] == [("user", "anna"), None, ("user", "anna")]
    assert all(event.severity is Severity.WARNING for event in events)


def test_a_visit_is_told_with_how_and_how_long() -> None:
    now = [100.0]
    events = Events()
    visitors = Visitors(events, lambda: now[0])
    came = visitors.came("anna", "ssh 192.0.2.9:4711", "a key")
    now[0] += 3725
    visitors.went("anna", "ssh 192.0.2.9:4711", came)
    first, second = events
    assert first.text == "anna logged in from ssh 192.0.2.9:4711 with a key"
    assert second.text == "anna from ssh 192.0.2.9:4711 logged out after 1:02:05"
    assert cast(int, second.facts["seconds"]) == 3725

"""The places for dashboards in browsers: so many in all, and so many of each user."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from data.errors import CommandFailed
from data.schema.seen import Web
from nshell.web.dashboards import Places

SETTINGS = Web(uuid="", max_sessions=3, sessions_per_user=2)


def test_a_user_has_so_many_and_the_rest_is_for_others() -> None:
    places = Places()
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.one("ann", SETTINGS))
        for _ in range(5):  # nothing is taken by who is refused
            with pytest.raises(CommandFailed, match="2 dashboards are open already, all of them yours"):
                held.enter_context(places.one("ann", SETTINGS))
        held.enter_context(places.one("bob", SETTINGS))
        with pytest.raises(CommandFailed) as full:
            held.enter_context(places.one("eve", SETTINGS))
        assert (full.value.where, full.value.cause) == ("web max-sessions", "3 dashboards are open already")
        assert full.value.remedy
    with places.one("ann", SETTINGS), places.one("ann", SETTINGS):
        assert places._taken == {"ann": 2}
    assert not places._taken, "who is gone is forgotten"


def test_of_the_usual_limits_no_user_has_more_than_a_part() -> None:
    usual = Web(uuid="")
    assert usual.sessions_per_user < usual.max_sessions

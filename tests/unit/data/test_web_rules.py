"""The web server's port is its own."""

from __future__ import annotations

import pytest

from data.rules import check
from tests.unit.data.examples import edited, running


def problems(*lines: str, over: str = "") -> list[str]:
    state = running("set enterprise acme\n" + over)
    candidate = edited(state, *lines)
    return [str(one) for one in check(candidate.view, candidate.edits(), state)]


WEB = "set web listen-address 0.0.0.0 port 2022"
SSH = "set ssh listen-address 192.0.2.1"


@pytest.mark.parametrize(("lines", "over"), [((WEB,), SSH), ((WEB, SSH), "")])
def test_it_is_not_that_of_ssh(lines: tuple[str, ...], over: str) -> None:
    (said,) = problems(*lines, over=over)
    assert "2022 is already the" in said and "choose another port" in said


def test_the_one_that_is_edited_is_told() -> None:
    (said,) = problems(SSH, over=WEB)
    assert said.startswith("error: ssh port\n  2022 is already the web port")
    (said,) = problems("set controller listen-address 0.0.0.0 agent-port 2022", over=WEB)
    assert said.startswith("error: controller agent-port\n  2022 is already the web port")
    (said,) = problems("set web port 6653", "set web listen-address 127.0.0.1")
    assert said.startswith("error: web port\n  6653 is already the controller openflow-port")


def test_another_address_or_none_is_no_clash() -> None:
    assert problems("set web listen-address 192.0.2.2 port 2022", over=SSH) == []
    assert problems("set web listen-address :: port 2022", over=SSH) == []
    assert problems("set web port 2022", over=SSH) == []
    assert problems(WEB, over="set ssh port 2022") == []
    assert problems("set web listen-address 0.0.0.0 port 8443", over=SSH) == []


def test_a_short_metrics_token_is_refused_and_never_repeated() -> None:
    (said,) = problems("set web metrics-token fifteen.letters")
    assert said.startswith("error: web metrics-token\n  the token has fewer than 16 characters")
    assert "fifteen.letters" not in said
    assert problems("set web metrics-token sixteen.letters.") == []

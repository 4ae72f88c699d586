"""What `?` prints: live values with what they are, long help wrapped, hypervisors that wait to be configured."""

from __future__ import annotations

import pytest

from commands.language.complete import help_lines
from commands.language.registry import Mode
from tests.unit.shell.pretend import PretendContext
from views.wrapping import wrapped


@pytest.fixture
def context() -> PretendContext:
    return PretendContext(mode=Mode.CONFIGURE)


def asked(context: PretendContext, text: str, width: int = 80) -> list[str]:
    return help_lines(context.mode, text, context, width)  # type: ignore[arg-type]


def test_long_help_is_wrapped_under_itself_and_never_cut(context: PretendContext) -> None:
    lines = asked(context, "set enterprise acme domain prod vport ", 60)
    assert max(map(len, lines)) <= 60 and len(lines) > 1
    assert lines[1].startswith(" " * 10) and "characters" in " ".join(lines)
    assert wrapped("a bc def", 4) == ["a bc", "def"] and wrapped("x" * 6, 4) == ["xxxx", "xx"]


def test_few_live_values_stand_one_a_line_with_what_they_are(context: PretendContext) -> None:
    lines = asked(context, "set enterprise acme domain prod vport web-2 subnet ")
    assert [line.split() for line in lines] == [["app1", "in", "zone", "app"], ["web1", "in", "zone", "web"]]


def test_live_values_without_help_stand_together(context: PretendContext) -> None:
    assert asked(context, "set enterprise acme domain prod ingress-policy p entry 1 from zone ") == [
        "  <name>        one of   [app, web]"
    ]


def test_a_hypervisor_that_dials_in_is_offered_where_it_can_be_configured(context: PretendContext) -> None:
    context.fabric.topology.stranger("hv7", "not configured", ovsdb_peer="192.0.2.7:4711")
    assert any("hv7" in line and "192.0.2.7:4711" in line for line in asked(context, "set dvrs "))
    assert not any("hv7" in line for line in asked(context, "delete dvrs "))

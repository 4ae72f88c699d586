"""Events as syslog messages: what RFC 5424 asks for, whatever an event says."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from controller.events import Event, Kind, Severity
from controller.events.syslog.message import LONGEST, framed, message

HEAD = re.compile(rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) nshell (\d+) ([!-~]{1,32}) ")
ELEMENT = re.compile(rb'\[([!-~]{1,32})((?: [!-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\.)*")*)\]')


def event(text: str, **more: object) -> Event:
    return Event(7, 1893456000.5, Kind.DRIFT, Severity.WARNING, text, **more)  # type: ignore[arg-type]


def test_a_message_has_priority_time_host_kind_facts_and_text() -> None:
    told = message(
        event("hv1 repaired", dvrs="hv1", about=("dvrs", "hv1"), facts={"missing": 1}), 16, "nsh1", 4711, 32473
    )
    assert told == (
        b'<132>1 2030-01-01T00:00:00.500000Z nsh1 nshell 4711 drift [nshell@32473 severity="warning" number="7" '
        b'about="dvrs hv1" dvrs="hv1" missing="1"][meta sequenceId="7"] hv1 repaired'
    )
    assert framed(told) == b"%d " % len(told) + told


def test_a_site_with_a_private_enterprise_number_names_its_facts_by_it() -> None:
    assert b" drift [nshell@50000 severity=" in message(event("x"), 16, "h", 1, 50000)


def test_quotes_brackets_and_backslashes_in_facts_are_escaped_and_others_are_not() -> None:
    told = message(event("x", facts={"flow": 'a"b]c\\d[e='}), 16, "h", 1, 32473)
    assert rb'flow="a\"b\]c\\d[e="' in told


def test_text_beyond_ascii_has_the_mark_of_utf_8() -> None:
    assert message(event("é"), 16, "h", 1, 32473).endswith(b" \xef\xbb\xbf\xc3\xa9")


@given(
    st.text(max_size=3000),
    st.dictionaries(st.text(max_size=40), st.text(max_size=600) | st.integers(), max_size=8),
    st.text(max_size=300),
)
def test_whatever_is_told_the_message_is_well_formed_and_short_enough(
    text: str, facts: dict[str, str | int], host: str
) -> None:
    told = message(event(text, facts=facts), 23, host, 99999, 2**32 - 2)
    assert len(told) <= LONGEST
    head = HEAD.match(told)
    assert head is not None
    at, elements = head.end(), 0
    while found := ELEMENT.match(told, at):
        at, elements = found.end(), elements + 1
    assert elements == 2 and told[at : at + 1] == b" "
    rest = told[at + 1 :]
    assert not re.search(rb"[\x00-\x1f\x7f]", rest)
    rest.removeprefix(b"\xef\xbb\xbf").decode("utf-8")

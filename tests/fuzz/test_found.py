"""What generated input found once, as the smallest example of each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from controller.ovsdb.connection import Hypervisor
from data.candidate import Candidate
from data.errors import NshellError
from data.schema.redaction import redacted
from data.text import read
from tests.fuzz.runs import soon
from tests.fuzz.targets import ROOT, TARGETS, Owner, Wire, settle
from tests.fuzz.test_loading import SECRET, whole
from tests.unit.data.examples import running


@pytest.mark.parametrize("piece", ["p ", "password ", "user p [ ", "p [ ", "user bob ", '"p ', "pass[ ", "u b s [ "])
def test_a_line_of_many_words_that_may_be_about_secrets_is_hidden_soon(piece: str) -> None:
    """16 KiB of 'p ' took 23 s of the daemon, for whoever could log in; every line comes through here."""
    with soon():
        redacted(piece * (65536 // len(piece)))


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("set", f"set user bob password{SECRET} class operator"),
        ("set", f"set user bob passwor{SECRET}"),
        ("override", f"user bob {{ class operator; password{SECRET}; }}"),
        ("set", f"rename user bob to annset user ann password {SECRET}"),
        ("set", f"copy user bob password {SECRET}"),
        ("set", f'"set user bob password {SECRET} class operator'),
        ("set", f'"set user bob password {SECRET}" class operator'),
        ("set", f"set pasword {SECRET}"),
        ("set", f"setpassword {SECRET}"),
        ("set", f"set assword {SECRET}"),
        ("set", f"rename user bobpassword {SECRET} to x"),
        ("set", f'"set user bob class operator password "{SECRET} {SECRET}"'),
        ("merge", f'd"elete user bob password {SECRET}'),
        ("set", f'set u"ser bob password {SECRET} class operator'),
        ("merge", f"user bob {{\n    class operator;\n    passwor{SECRET};\n}}"),
        ("set", f"set password{SECRET}"),
        ("merge", f'"set user bob password {SECRET} class operator'),
        ("merge", f'set user bob class operator passw]d "{SECRET} {SECRET}"'),
        ("merge", f'set user bob class operator passw;d "{SECRET} {SECRET}"'),
    ],
)
def test_a_mistake_next_to_a_secret_does_not_tell_it(mode: str, text: str) -> None:
    """A forgotten space, a lost line end, a quote too many."""
    with pytest.raises(NshellError) as problem:
        Candidate(running(), "ops").load(mode, text)
    assert not set(SECRET) & set(whole(problem.value))
    assert not set(SECRET) & set(redacted(text))


@pytest.mark.parametrize("text", ["[" * 20_000, "a " * 100_000, "enterprise acme { " + "x " * 100_000 + "}"])
def test_a_statement_without_an_end_is_not_repeated_whole(text: str) -> None:
    """A file of a megabyte without a ';' was an error of four."""
    with soon(), pytest.raises(NshellError) as problem:
        read(text, "test")
    assert "is not ended" in str(problem.value) and len(str(problem.value)) < 1000


@pytest.mark.parametrize("piece", ['{"a":', '{"enterprise":', '{"a":['])
def test_json_that_is_nested_too_deep_is_refused_in_words(piece: str) -> None:
    """It was an internal error of the daemon."""
    with pytest.raises(NshellError, match="not JSON"):
        read(piece * 4000, "test")


@pytest.mark.parametrize(
    "text", ["inactive: { }", "inactive: ;", "enterprise a { inactive: { } }", "enterprise a { active: ; }"]
)
def test_a_mark_without_an_object_is_refused_in_words(text: str) -> None:
    """It was an internal error of the daemon."""
    with pytest.raises(NshellError, match=r"nothing stands behind|ends too early"):
        read(text, "test")


async def test_a_database_that_ends_while_it_greets_is_never_announced() -> None:
    """The answer that completes the greeting and garbage, in one piece: a connection that was gone was a hypervisor."""
    announced: list[object] = []

    class Server(Owner):
        def greeted(self, connection: object) -> None:
            announced.append(connection)

    hypervisor = Hypervisor(Server(), 0.01)
    hypervisor.connection_made(Wire())
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    await settle()
    hypervisor.data_received(b'{"id":1,"result":["Open_vSwitch"],"error":null}')
    await settle()
    tables = json.dumps({"id": 2, "result": {"Open_vSwitch": {"root": {"new": ROOT}}}}).encode()
    hypervisor.data_received(tables + b'{"method":"echo"}')
    assert hypervisor.ended
    await asyncio.sleep(0.05)
    assert not announced and not hypervisor.connected
    assert not problems


def test_a_row_without_its_columns_ends_a_database() -> None:
    """Whoever asked for its interfaces later met a KeyError."""
    TARGETS["ovsdb"](b'\x01{"method":"update","params":["nshell",{"Interface":{"u":{"new":{"ofport":1}}}}]}')


def test_tables_that_are_none_end_a_database() -> None:
    TARGETS["ovsdb"](b'\x02{"id": 2, "result": {"Open_vSwitch": {"root": {"new": []}}}}{"a":1}}')

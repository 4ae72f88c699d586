"""Handlers and pipes on a pretended session: what they return, not how it looks."""

from __future__ import annotations

import asyncio

import pytest

from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode
from commands.pipes import Output, run_pipe
from data.errors import CommandFailed, NothingThere, SyntaxProblem
from tests.unit.shell.pretend import PretendContext
from views.models import Lines, Model, Several, Table, Tree
from views.render import Screen


def run(context: PretendContext, text: str) -> Model:
    """Run one line with its pipes and return the model."""

    async def go() -> Model:
        first, *pipes = split_pipes(lex(text).words)
        command, arguments = parse(context.mode, first, context, context.interactive)  # type: ignore[arg-type]
        output = Output(await command.handler(context, arguments))
        for pipe in pipes:
            output = await run_pipe(pipe, context, output, False)  # type: ignore[arg-type]
        return output.model if output.form == "text" else Lines(output.lines(Screen()))

    return asyncio.run(go())


@pytest.fixture
def context() -> PretendContext:
    return PretendContext()


def cells(model: Model, key: str) -> list[object]:
    """One column of a table."""
    assert isinstance(model, Table)
    at = [column.key for column in model.columns].index(key)
    return [row[at] for row in model.rows]


def test_vports_are_found_by_scope_type_and_name(context: PretendContext) -> None:
    assert cells(run(context, "show vports"), "name") == ["web-1", "web-2", "web-1"]
    assert cells(run(context, "show vports enterprise acme"), "place") == ["prod/web1", "prod/web1"]
    assert cells(run(context, "show vports type host"), "place") == ["umbrella/lab/s"]
    assert cells(run(context, "show vports web-1"), "place") == ["acme/prod/web1", "umbrella/lab/s"]
    assert cells(run(context, "show vports acme/prod/web-1"), "place") == ["acme/prod/web1"]


def test_a_resolved_vport_is_up_only_when_its_hypervisor_is_ready(context: PretendContext) -> None:
    from controller.topology import Standing

    topology = context.fabric.topology
    topology.appear("hv1", "tap1", "acme/prod/web-1", 4)
    assert cells(run(context, "show vports acme/prod/web-1"), "state") == ["away"]
    topology.stand("hv1", Standing.CONNECTED, "")
    assert cells(run(context, "show vports acme/prod/web-1"), "state") == ["programming"]
    topology.stand("hv1", Standing.READY, "")
    model = run(context, "show vports enterprise acme")
    assert cells(model, "state") == ["up", "unresolved"]
    assert isinstance(model, Table) and model.detail == "up 1   unresolved 1"
    assert "172.31.0.1" in cells(run(context, "show routes enterprise acme domain prod"), "tunnel")


def test_detail_names_what_names_the_vport(context: PretendContext) -> None:
    model = run(context, "show vports acme/prod/web-1 detail")
    assert isinstance(model, Several)
    facts = model.parts["acme/prod/web-1"].facts  # type: ignore[union-attr]
    assert facts["zone"] == "web" and facts["policy_groups"] == ["frontends"]


def test_what_is_not_there_is_named_with_what_is(context: PretendContext) -> None:
    with pytest.raises(NothingThere) as caught:
        run(context, "show vports enterprise nobody")
    assert "acme, umbrella" in caught.value.remedy
    with pytest.raises(NothingThere):
        run(context, "show vports web-9")
    with pytest.raises(NothingThere):
        run(context, "show mac enterprise acme domain prod subnet nowhere")


def test_policies_are_listed_in_the_order_in_which_they_decide(context: PretendContext) -> None:
    model = run(context, "show policies enterprise acme domain prod")
    assert cells(model, "entry") == ["base/10", "default", "default"]
    assert cells(model, "action") == ["allow", "deny", "allow"]


def test_pipes_on_a_table_act_on_rows_and_leave_a_table(context: PretendContext) -> None:
    assert cells(run(context, "show vports | match web-2"), "name") == ["web-2"]
    assert cells(run(context, "show vports | except umbrella | last 1"), "name") == ["web-2"]
    assert cells(run(context, "show vports | find web-2"), "name") == ["web-2", "web-1"]
    assert run(context, "show vports | match acme | count") == Lines(["Count: 2 virtual ports"], {"count": 2})


def test_a_filtered_table_counts_its_own_rows(context: PretendContext) -> None:
    model = run(context, "show vports | match web-2")
    assert isinstance(model, Table) and model.summary == "No. of virtual ports: 1"


def test_pipes_on_configuration_act_on_lines_and_choose_the_form(context: PretendContext) -> None:
    assert isinstance(run(context, "show configuration"), Tree)
    lines = run(context, "show configuration | display set | match hv1")
    assert isinstance(lines, Lines) and list(lines.lines) == ["set dvrs hv1 tunnel-address 172.31.0.1"]
    assert isinstance(run(context, "show configuration | display json"), Lines)


def test_a_pipe_that_does_not_fit_says_so(context: PretendContext) -> None:
    with pytest.raises(CommandFailed):
        run(context, "show vports | display set")
    with pytest.raises(CommandFailed):
        run(context, "show configuration | table")
    with pytest.raises(SyntaxProblem):
        run(context, "show vports | match (")


def test_save_writes_at_the_operators_end(context: PretendContext) -> None:
    run(context, "show vports | count | save out")
    assert context.files["out"] == "Count: 3 virtual ports\n"


def test_edits_are_relative_to_the_edit_level_and_errors_keep_their_place(context: PretendContext) -> None:
    context.mode = Mode.CONFIGURE
    run(context, "edit enterprise acme domain prod")
    run(context, "set vport web-2 description x")
    assert context.own.view.get(("enterprise", "acme", "domain", "prod", "vport", "web-2")).description == "x"  # type: ignore[union-attr]
    with pytest.raises(SyntaxProblem) as caught:
        run(context, "set vport web-2 adress 10.1.1.12")
    assert caught.value.word == 3
    model = run(context, "compare | display set")
    assert isinstance(model, Lines)
    assert list(model.lines) == ["set enterprise acme domain prod vport web-2 description x"]


async def test_exit_goes_back_to_where_edit_was_typed() -> None:
    context = PretendContext(mode=Mode.CONFIGURE)

    async def typed(line: str) -> tuple[str, ...]:
        chosen, arguments = parse(Mode.CONFIGURE, lex(line).words, context, True)
        await chosen.handler(context, arguments)
        return context.level

    acme = ("enterprise", "acme")
    prod = (*acme, "domain", "prod")
    assert await typed("edit enterprise acme") == acme
    assert await typed("edit domain prod") == prod
    assert await typed("edit vport web-1") == (*prod, "vport", "web-1")
    assert await typed("exit") == prod
    assert await typed("up") == acme
    assert await typed("exit") == (), "not once more to where one is"
    await typed("edit enterprise acme domain prod")
    assert await typed("top") == ()
    await typed("exit")
    assert context.mode is Mode.OPERATIONAL

"""commit in all its forms: check prints the plan; the others apply it everywhere or nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from commands.session.aliases import warn
from controller.flow_words import change_line
from controller.pipeline import split_cookie
from data.errors import CommandFailed, MergeConflict, NshellError
from views.models import Lines, Plan, PlanDomain, PlanHypervisor, PlanSide, Receipt, Receipts

if TYPE_CHECKING:
    from controller.commit.plan import DvrsPlan
    from controller.fabric import Outcome
    from data.candidate import Candidate
    from data.configuration import Edits
    from data.path import Path

CONFINED = 60
"""Minutes that a tenant's commit may wait for its confirmation; nobody but the provider can commit meanwhile."""
KEPT = "nothing was applied; your candidate is kept"
MINUTES = 10
"""Minutes that a commit waits for its confirmation unless they are given, as on Junos."""
SLICE = 500
"""Flows described before the loop gets its turn: about 5 ms."""


@command(
    "commit check [detail]",
    help="what the commit would change, flow by flow; applies nothing",
    permission="configure",
    mode=Mode.CONFIGURE,
    words={
        "check": "what it would change, flow by flow; applies nothing",
        "detail": "with every domain and vport that an edit of a template concerns",
    },
    confined=True,
)
async def commit_check(context: Context, arguments: Arguments) -> Plan | Lines:
    """The plan of the candidate."""
    candidate = await context.candidate()
    try:
        edits = await merged(context, candidate)
        if not edits:
            return Lines(
                ["nothing to commit: the candidate equals the running configuration", "configuration check succeeds"],
                {"changes": 0},
            )
        warn(context, edits)
        plan = await context.fabric.plan(edits)
    except NshellError as problem:
        problem.add_note(KEPT)
        raise

    def explain(cookie: int) -> Path | None:
        parts = split_cookie(cookie)
        return (plan.objects.get(parts[2]) if parts else None) or context.fabric.explain(cookie)

    planned = {each.name: each for each in plan.dvrs}
    hypervisors = []
    for name, known in sorted(context.fabric.topology.hypervisors.items()):
        if name in planned:
            hypervisors.append(await hypervisor(planned.pop(name), explain))
        else:
            hypervisors.append(PlanHypervisor(name, known.state.value, 0, 0))
    hypervisors += [await hypervisor(each, explain) for each in planned.values()]
    domains = tuple(PlanDomain(each.domain, each.vports, each.dvrs) for each in plan.touched)
    sides = tuple(PlanSide(each.name, each.state, each.added, each.removed, each.lines) for each in plan.sides)
    return Plan(plan.revision, plan.summary, tuple(hypervisors), plan.reach, domains, arguments.has("detail"), sides)


async def merged(context: Context, candidate: Candidate) -> Edits:
    """The candidate's edits over the running configuration. Raises MergeConflict that says who changed what, and
    NotPermitted before anything is said of edits that the user may not make any more.
    """
    if not context.access.unlimited:
        context.access.refuse_edits(candidate.edits(), context.running)
    try:
        return candidate.merge()
    except MergeConflict:
        fabric = context.fabric
        changes = await fabric.last_changes(candidate.edits())
        return candidate.merge(changes.get)


async def hypervisor(plan: DvrsPlan, explain: Callable[[int], Path | None]) -> PlanHypervisor:
    """One hypervisor's part of the plan with its flows as text."""
    flows: list[str] = []
    for part in slices(plan.messages):
        flows += [change_line(message, explain) for message in part]
        await asyncio.sleep(0)
    return PlanHypervisor(plan.name, plan.state, plan.added, plan.removed, plan.by_table, tuple(flows))


def slices(messages: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The messages in pieces of SLICE."""
    for at in range(0, len(messages), SLICE):
        yield messages[at : at + SLICE]


@command(
    "commit [comment <text>] [confirmed [<minutes>]] [strict] [and-quit]",
    help="make the candidate the running configuration",
    permission="commit",
    mode=Mode.CONFIGURE,
    words={
        "comment": "why, for the history",
        "confirmed": f"returns by itself unless confirmed in time ({MINUTES} minutes)",
        "strict": "an absent hypervisor, neighbor or router is a failure",
        "and-quit": "and leave configure mode",
    },
    confined=True,
)
async def commit(context: Context, arguments: Arguments) -> Receipts:
    """Apply the candidate on every hypervisor, or change nothing. Confirms a commit that waits for it."""
    candidate = await context.candidate()
    fabric = context.fabric
    confirmed = int(arguments.get("minutes") or MINUTES) if arguments.has("confirmed") else None
    if confirmed is not None and confirmed > CONFINED and context.access.confined:
        raise CommandFailed(
            "commit confirmed",
            f"class {context.access.login_class} may wait for at most {CONFINED} minutes: other tenants wait, too",
            f"give at most {CONFINED}",
        )
    waiting = fabric.waiting
    before = fabric.running.revision
    try:
        await context.save_candidate()  # what is kept is what the revision drops
        edits = await merged(context, candidate)

        def again() -> Edits:
            nonlocal edits
            edits = candidate.merge()
            return edits

        if not edits:
            result = Receipts(before, (), action="unchanged")
            if waiting is not None and confirmed is None and fabric.waits_for(context.user):
                result = Receipts(await fabric.confirm(context.user, waiting[0]), (), action="confirmed")
        else:
            warn(context, edits)
            outcome = await context.commit(
                edits,
                comment=arguments.get("text") or "",
                confirmed=confirmed,
                strict=arguments.has("strict"),
                candidate_of=context.user,
                again=again,
            )
            candidate.committed(edits)
            await context.save_candidate()  # nothing, unless another session went on with this candidate
            if outcome.confirmed is not None:
                context.note(f"revision {outcome.confirmed} is confirmed by this commit")
            result = receipts(outcome, confirmed, before)
    except NshellError as problem:
        problem.add_note(KEPT)
        raise
    if arguments.has("and-quit"):
        context.leave_configure()
    return result


def receipts(outcome: Outcome, minutes: int | None, before: int) -> Receipts:
    """The outcome as a read-model."""
    rows = tuple(
        Receipt(each.part, each.state.value, each.added, each.removed, each.milliseconds, each.reason)
        for each in outcome.receipts
    )
    return Receipts(outcome.revision, rows, outcome.deadline, minutes, before)

"""show drift, request drift repair: what somebody else changed in the switches, and putting it right."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from controller.hypervisors.drift import Standing
from controller.hypervisors.reconcile import What
from data.path import path_text
from data.steps import Pace
from views.models import Column, Lines, Moment, Several, Table

SUMS = (
    Column("dvrs", "dVRS"),
    Column("state", "State"),
    Column("compared", "Compared"),
    Column("missing", "Missing", "right"),
    Column("wrong", "Wrong", "right"),
    Column("too_many", "Too many", "right"),
    Column("repaired", "Repaired", "right"),
    Column("last_repair", "Last repair"),
)
FLOWS = (
    Column("dvrs", "dVRS"),
    Column("what", "What"),
    Column("table", "Table"),
    Column("owner", "Object"),
    Column("object", "Path", unseen=True),
    Column("flow", "Flow", shrink=True, whole=True),
)


@command("show drift [dvrs <dvrs>]", help="flows that somebody else changed, and what was done", words={"dvrs": "one"})
async def show_drift(context: Context, arguments: Arguments) -> Several:
    """What the last comparison of each hypervisor found. `differs` is not put right, because the mode is report;
    repaired are flows and meters since the controller started.
    """
    fabric, name = context.fabric, arguments.get("dvrs")
    names = sorted(fabric.topology.hypervisors)
    if name is not None:
        names = [require(fabric.running, ("dvrs", name))[-1]]
    drift = fabric.drift
    sums, flows, pace = [], [], Pace()
    for each in names:
        standing = drift.standing(each)
        counts = [sum(one.what is what for one in standing.differs) for what in What]
        at, repair = standing.compared, standing.last_repair
        sums.append(
            (
                each, state(standing), None if at is None else Moment(at), *counts, standing.repaired,
                None if repair is None else Moment(repair),
            )
        )  # fmt: skip
        for one in standing.differs:
            await pace.breathe()
            flow = drift.words(one)
            text = f"{flow.text}, should be {flow.should}" if flow.should else flow.text
            about = None if flow.about is None else path_text(flow.about)
            flows.append((each, str(flow.what), flow.table, flow.owner, about, text))
    note = f"{drift.mode}, everything each {drift.interval:g} s"
    parts = {"hypervisors": Table("Drift", SUMS, sums, "hypervisors", note=note)}
    if flows:
        more = sum(drift.standing(each).more for each in names)
        detail = f"{more} more" if more else ""
        parts["flows"] = Table("Flows that differ", FLOWS, flows, "flows", detail)
    return Several(dict(parts))


def state(standing: Standing) -> str:
    """What is known of a hypervisor in a word."""
    if standing.compared is None:
        return "unknown"
    return "differs" if standing.differs else "agrees"


@command(
    "request drift repair dvrs <dvrs>",
    help="put right what somebody else changed in a hypervisor's switch",
    permission="request",
)
async def request_drift_repair(context: Context, arguments: Arguments) -> Lines:
    """Compares all of it now and sends what differs, whatever `controller drift` says. Raises CommandFailed."""
    fabric, name = context.fabric, arguments.values["dvrs"]
    require(fabric.running, ("dvrs", name))
    found = await fabric.drift.repair(name)
    text = f"{name} repaired: {found}" if found else f"{name} agrees with what is committed, {found.equal} flows"
    return Lines([text], {"dvrs": name, "missing": found.missing, "wrong": found.wrong, "too_many": found.alien})

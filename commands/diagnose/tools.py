"""tools dvrs: diagnostics that run on a hypervisor, through its agent's own connection."""

from __future__ import annotations

from collections.abc import Mapping

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import require
from data.path import Path
from views.models import Column, Lines, Model, Moment, Table

BRIDGE = "br-nsh"


@command("show agents", help="agents on the hypervisors")
async def show_agents(context: Context, arguments: Arguments) -> Model:
    """One row per connected agent."""
    rows = [
        (agent.system_id, agent.version, agent.peer, Moment(agent.since)) for agent in context.fabric.agents.connected()
    ]
    columns = (
        Column("system_id", "System-id"),
        Column("version", "Version"),
        Column("peer", "From"),
        Column("since", "Since"),
    )
    return Table("Agents", columns, rows, "agents")


async def ask(context: Context, arguments: Arguments, method: str, parameters: Mapping[str, object]) -> Lines:
    """Call the agent of the hypervisor that the arguments name. Raises CommandFailed."""
    running = context.fabric.running
    path: Path = require(running, ("dvrs", arguments.values["dvrs"]))
    item = running.get(path)
    answer = await context.fabric.agents.call(getattr(item, "system_id", None) or path[-1], method, dict(parameters))
    text = str(answer.get("output", "")) if isinstance(answer, dict) else str(answer)
    return Lines(text.splitlines(), {"dvrs": path[-1], "output": text})


@command(
    "tools dvrs <dvrs> trace <flow>",
    help="what its switch does with a packet (ofproto/trace)",
    permission="tools",
    words={"dvrs": "on one hypervisor"},
)
async def trace(context: Context, arguments: Arguments) -> Lines:
    """The packet is given in ovs-ofctl's words: in_port=1,icmp,nw_src=10.1.1.11,..."""
    return await ask(context, arguments, "trace", {"bridge": BRIDGE, "flow": arguments.values["flow"]})


@command("tools dvrs <dvrs> conntrack", help="connections its switch tracks", permission="tools")
async def conntrack(context: Context, arguments: Arguments) -> Lines:
    """The connection tracking table."""
    return await ask(context, arguments, "conntrack", {})


@command("tools dvrs <dvrs> appctl <command...>", help="an allowed command of ovs-appctl", permission="tools")
async def appctl(context: Context, arguments: Arguments) -> Lines:
    """The agent decides which commands are allowed."""
    return await ask(context, arguments, "appctl", {"command": [word.text for word in arguments.tail]})

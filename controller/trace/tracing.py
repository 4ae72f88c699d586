"""Traces of the network as it is, as a former revision would have it, or as the switches are.

    now            the committed state, compiled anew for the hypervisors that the packet comes to
    at a revision  the configuration of then, with the places of now; numbers in a register of its own
    live           the flows read back from each switch as the packet comes there, so that drift shows

The state is followed under the turn of `controller/network.py`: a commit changes the configuration in place. Reading
from switches does not hold it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from controller.compile import start
from controller.compile.state import State
from controller.network import Network
from controller.openflow.readback import FlowEntry
from controller.trace.contents import Compiled, Held, Unread
from controller.trace.follow import trace
from controller.trace.question import Question, Trace
from controller.trace.tables import Tables
from data.acting import Acting
from data.addresses import Ip
from data.configuration import Running
from data.errors import CommandFailed
from data.path import vport_name
from data.steps import Pace, spread

__all__ = ["Tracing"]


class Tracing:
    """See the module. `read` gives the flows of a switch, `at_revision` what was configured."""

    def __init__(
        self,
        network: Network,
        read: Callable[[str], Awaitable[list[FlowEntry]]],
        at_revision: Callable[[int], Awaitable[Running]],
    ) -> None:
        self._network = network
        self._read = read
        self._at_revision = at_revision

    async def trace(
        self, question: Question, *, revision: int | None = None, live: bool = False, underlay: bool = True
    ) -> Trace:
        """The answer; `underlay` as for `follow.trace`. Raises CommandFailed: a question without an answer, a switch
        that cannot be read, a revision that there is not."""
        if revision is not None:
            state = await self._former(revision)
            for path in (question.source, question.destination):
                if not isinstance(path, Ip) and state.view.get(path) is None:
                    what = f"there was no such vport in revision {revision}"
                    raise CommandFailed(f"vport {vport_name(path)}", what, "say a later revision, or an address")
            return await spread(trace(state, question, Compiled(state, question.source[:4]), underlay=underlay))
        read: dict[str, Tables] = {}
        while True:
            try:
                async with self._network.turn:
                    state = self._network.state
                    contents = Held(read) if live else Compiled(state, question.source[:4])
                    return await spread(trace(state, question, contents, underlay=underlay))
            except Unread as missing:
                read[missing.dvrs] = await self._held(missing.dvrs)

    async def _held(self, dvrs: str) -> Tables:
        tables, pace = Tables(), Pace()
        for entry in await self._read(dvrs):
            tables.add(entry.flow_mod())
            await pace.breathe()
        return tables

    async def _former(self, revision: int) -> State:
        """The state of a revision, with today's places."""
        acting = Acting(await self._at_revision(revision))
        network = self._network
        return await spread(start(acting, network.state.placement, network.numbers.fork()))

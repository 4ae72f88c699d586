"""The audit: who typed what, from where, when, and what came of it.

A command that commits is written in the transaction of its commit. Any other is handed to the store's writer thread
when it is done, together with what came meanwhile: nobody waits for it, and the order stays. A store that cannot be
written is tried again with the next row; what does not fit into WAITING by then is counted and told.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.events import Kind
from data.errors import BatchProblem, NotPermitted, NshellError
from data.store.audit import bounded
from data.store.records import AuditRow

if TYPE_CHECKING:
    from controller.fabric import Fabric

log = logging.getLogger("nshell.audit")

WAITING = 100_000
"""Rows kept while the store cannot be written, about 30 MB."""
OK, FAILED, REFUSED = "ok", "failed", "refused"


def judged(row: AuditRow, problem: NshellError) -> AuditRow:
    """The row of a command that went wrong."""
    if isinstance(problem, BatchProblem):
        problem = problem.problem
    result = REFUSED if isinstance(problem, NotPermitted) else FAILED
    return replace(row, result=result, detail=f"{problem.where}: {problem.cause}" if problem.where else problem.cause)


class AuditLog:
    """The rows on their way to the store. `add` is for the event loop."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._rows: list[AuditRow] = []
        self._lost = 0
        self._told = False
        self._writing: asyncio.Task[None] | None = None

    def add(self, row: AuditRow) -> None:
        """Have a row written soon, after those before it."""
        if len(self._rows) >= WAITING:
            self._lost += 1
            return
        self._rows.append(bounded(row))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="audit")

    async def written(self) -> None:
        """Return when everything that was added is in the store, or cannot be put there."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        while self._rows:
            rows, self._rows = self._rows, []
            try:
                await self._fabric.submit(self._fabric.store.add_audit, rows)
            except NshellError as problem:
                self._rows = rows + self._rows
                if not self._told:
                    self._fabric.events.add(Kind.FAULT, f"the audit cannot be written: {problem.cause}")
                    self._told = True
                return
            self._told = False
            if self._lost:
                self._fabric.events.add(Kind.FAULT, f"{self._lost} rows of the audit were lost")
                self._lost = 0
